// SPDX-License-Identifier: MIT
// The example application's own catalog, and its tenants' databases, as its migrations make them
// (two of them: the second takes file_size away again).
import { until } from './process.mjs';

export const PASSWORD = 'the-apps-own-password';

const tables = `
	create table users (id serial primary key, user_id varchar(256) not null unique, name varchar(32),
		email varchar(255) not null unique, avatar_url text, created_at timestamptz default now(),
		updated_at timestamptz default now());
	create table documents (id serial primary key, document_id varchar(256) not null unique,
		user_id serial references users on delete cascade, title varchar(255), file_name text,
		file_size numeric, created_at timestamptz default now(), updated_at timestamptz default now());
	create table vector_databases (id serial primary key, vector_db_id varchar(256) not null unique,
		user_id integer not null unique references users, created_at timestamptz default now(),
		updated_at timestamptz default now());
	alter table documents drop column file_size`;

// Of a tenant's database. documents: { id: rows }; words: of a row's content.
export const embeddings = (documents, dimensions) => `
	create table embeddings (id serial primary key, content text not null, metadata jsonb not null,
		embedding vector(${dimensions}), created_at timestamptz default now(),
		updated_at timestamptz default now());
	${Object.entries(documents).map(([id, rows]) => `insert into embeddings (content, metadata, embedding)
		select 'Row ' || i || ' of ${id}.', jsonb_build_object('documentId', '${id}', 'loc',
			'{"lines":{"from":1,"to":2}}'::jsonb), (select array_agg(random() - 0.5 + 0 * i * j)
			from generate_series(1, ${dimensions}) j)::vector from generate_series(1, ${rows}) i;`)
		.join('\n')}
	create index embedding_idx on embeddings using hnsw (embedding vector_cosine_ops)`;

// What tests of its adoption ask of a stack; gate: whose admin door is asked.
export function tools(stack, gate) {
	const ours = (text) => stack.sql(text, 'catalog');
	const url = (db) => `postgresql://app:${PASSWORD}@127.0.0.1:${stack.pg.port}/${db}`;
	const standIn = (text) => stack.sql(text.replaceAll('projects', 'neon_standin.projects'));

	// A catalog that its role may only read.
	async function appCatalog(db, text) {
		await stack.sql(`create database ${db}`);
		await stack.sql(`${tables}; ${text}; grant select on all tables in schema public to app`, db);
	}

	async function adopt(db, { query = '', from = gate() } = {}) {
		const answer = await from.admin.ask('POST', `/admin/adopt${query}`, { headers: {
			'content-type': 'application/json', accept: 'application/x-ndjson' },
			body: JSON.stringify({ catalogUrl: url(db) }) });
		const lines = answer.body.trim().split('\n').map((line) => JSON.parse(line));
		return { ...answer, lines, last: lines.at(-1) };
	}

	async function project() {
		const made = await stack.neon.client.post('/api/v2/projects', { project: {} },
			{ authorization: `Bearer ${stack.neonKey}` });
		const { id } = made.json.project;
		await until('it is ready', async () => (await standIn(
			`select state from projects where id = '${id}'`))[0][0] === 'ready');
		const [[db, role]] = await standIn(`select db, role from projects where id = '${id}'`);
		return { id, db, role };
	}

	return { appCatalog, adopt, ours, project, standIn, url };
}
