// SPDX-License-Identifier: MIT
// An app's own table of vectors, while the app goes on writing to it: no row that is committed stays
// behind, in whatever order its transactions end, and none comes twice.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { build, programs, Stack } from './lib/stack.mjs';
import { SqlSession } from './lib/sql-session.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('embeddings-copy-late');
const DIMENSIONS = 16;
const settings = { embedding_dimensions: DIMENSIONS, embedding_send_dimensions: 'on' };
let first;

before(async () => {
	await stack.surroundings({ neon: false });
	const pooler = await stack.pgbouncer({ auth_type: 'any', server_lifetime: 0 },
		`user=postgres password=${stack.pg.password}`);
	settings.postgres_admin_url = pooler.url('postgres');
	first = await stack.tenantgate(settings);
});
after(() => stack.stop());

// Rows of the app's; ids: SQL, from the table's sequence if there is none.
const VECTOR = `(select array_agg(random() - 0.5 + 0 * i * j)
	from generate_series(1, ${DIMENSIONS}) j)::vector`;
const add = (doc, count, ids = "nextval('embeddings_id_seq')") => `insert into embeddings
	(id, content, metadata, embedding) select ${ids}, 'Row of ${doc}, ' || md5(random()::text),
	jsonb_build_object('documentId', '${doc}'), ${VECTOR} from generate_series(1, ${count}) i`;

// A tenant whose database has that table; what asks it.
async function tenant(name) {
	assert.equal((await (await first.tenant(name)).search('x')).status, 200);
	const [[database]] = await stack.sql(`select db_name from tenants where tenant_id = '${name}'`,
		'catalog');
	const here = (text) => stack.sql(text, database);
	await here(`create table embeddings (id serial primary key, content text not null,
		metadata jsonb not null, embedding vector(${DIMENSIONS}), created_at timestamptz default now())`);
	const session = async () => {
		const one = new SqlSession(stack.pg.url(database));
		await one.ask("set lock_timeout = '100ms'");
		return one;
	};
	return { name, database, here, session };
}

// A process that has not looked yet, and looks; what began since the last one is due.
async function look({ name, here }) {
	await here("update retrieval set embeddings_due = now() - interval '1 s', " +
		"merger = 'gone', merger_until = now()");
	const gate = await stack.tenantgate(settings);
	gate.serviceKey = await first.service();
	assert.equal((await (await gate.tenant(name)).search('lantern')).status, 200);
	return gate;
}

const isDone = (gate) => /embeddings\.copied/.test(gate.program.text());
const rests = async ({ here }) => (await here('select 1 from retrieval where merger is null and ' +
	'embeddings_due > now()')).length > 0;

async function kill(gate) {
	gate.program.kill('SIGKILL');
	await gate.program.exit;
}

// Each row once, and nothing else; gone: a document that is not to come back.
async function isWhole({ here }, gone = '') {
	const wanted = `select metadata->>'documentId' as d, content, embedding::text from embeddings
		where metadata->>'documentId' <> '${gone}'`;
	const had = 'select document_id, content, embedding::text from chunk';
	assert.deepEqual(await here(`(${wanted} except all ${had}) union all (${had} except all ${wanted})`),
		[]);
	assert.deepEqual(await here(`select d.id from document d join chunk c on c.document_id = d.id
		group by d.id having count(*) <> d.chunks or count(distinct chunk_index) <> d.chunks
		or min(chunk_index) <> 0 or max(chunk_index) <> d.chunks - 1`), []);
}

const reembed = (name) => new Promise((resolve) => {
	execFile(programs.tenantgate(), ['-c', stack.conf({ ...settings, embedding_model: 'another' }),
		'reembed', name], (error, stdout, stderr) => resolve({ status: error?.code ?? 0, stderr }));
});

test('rows that are committed behind others with higher ids: nothing is done before, and they come',
	async () => {
		const app = await tenant('acme');
		const late = await app.session();
		await app.here(add('early', 700));
		await late.ask(`begin; ${add('late', 5)}; ${add('early', 3)}`);
		await app.here(add('higher', 800));
		const one = await look(app);
		await until('what is committed is copied', async () =>
			(await app.here('select count(*) from chunk'))[0][0] === '1500');
		await until('there is no more', () => rests(app));
		assert.equal(isDone(one), false);
		const ended = await reembed('acme');
		assert.equal(ended.status, 1);
		assert.match(ended.stderr, /public\.embeddings is not copied yet\./);
		await late.ask('commit');
		late.end();
		await kill(one);
		const two = await look(app);
		await until('all is copied', () => isDone(two));
		await isWhole(app);
		await two.program.stop();
	});

test('what the app writes afterwards comes, too; what was deleted meanwhile does not', async () => {
	const app = await tenant('after');
	const drawn = await app.session();
	await app.here(`${add('one', 20)}; ${add('gone', 20)}`);
	const [id] = (await drawn.ask("select nextval('embeddings_id_seq')")).trim().split('\n');
	await app.here(add('two', 20));
	const one = await look(app);
	await until('all is copied', () => isDone(one));
	await app.here("delete from document where id = 'gone'");
	await one.program.stop();
	await drawn.ask(`${add('one', 1, id)}; ${add('gone', 1)}; ${add('three', 600)};
		${add('two', 1, '0')}; ${add('two', 1, "'-2147483648'::int")}`);
	drawn.end();
	const two = await look(app);
	await until('it is copied', () => rests(app));
	await isWhole(app, 'gone');
	assert.equal(isDone(two), false, 'it was done before');
	await two.program.stop();
});

// The same choices each time.
function chance(seed) {
	let state = seed;
	return (n) => Math.floor((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648 * n);
}

// slowly: so that much happens within a batch. None of the app's statements waits for a lock.
test('transactions that end in any order, or are undone, while processes are killed', async () => {
	const app = await tenant('storm'), any = chance(3);
	await app.here(`${add('old', 3000)};
		create function slowly() returns trigger language plpgsql as
			'begin perform pg_sleep(0.05); return null; end';
		create trigger slowly after insert on chunk for each statement execute function slowly()`);
	const sessions = await Promise.all(Array.from({ length: 6 }, app.session));
	const open = new Set();
	const step = async () => {
		const one = sessions[any(sessions.length)];
		if (!open.has(one)) {
			await one.ask(`begin; ${add(`doc${any(5)}`, 1 + any(30))}`);
			open.add(one);
		} else if (any(3) > 0) {
			await one.ask(any(4) > 0 ? 'commit' : 'rollback');
			open.delete(one);
		} else {
			await one.ask(`savepoint a; ${add(`doc${any(5)}`, 1 + any(30))}`);
		}
	};
	for (let turn = 0; turn < 3; turn++) {
		const gate = await look(app);
		const count = async () => Number((await app.here('select count(*) from chunk'))[0][0]);
		const had = await count();
		await until('some is copied, if not all, and much is written', async () => {
			for (let i = 0; i < 10; i++)
				await step();
			return await count() > had + 500 || (await app.here('select 1 from retrieval where ' +
				'merger is null')).length > 0;
		});
		await kill(gate);
	}
	const last = await look(app);
	for (const one of open)
		await one.ask('commit');
	await until('there is no more', async () => isDone(last) || await rests(app));
	sessions.forEach((one) => one.end());
	await app.here(`create or replace function slowly() returns trigger language plpgsql as
		'begin return null; end'`);	// no lock of the table, which an index may be made of
	const end = await look(app);
	await until('all is copied', async () => isDone(last) || isDone(end));
	await until('it has ended', () => rests(app));
	await isWhole(app);
	await Promise.all([last, end].map((gate) => gate.program.stop()));
});

for (const [was, copied] of [['in the middle', 40], ['at the end', -1]])
	test(`a database of before whose copy was ${was}: nothing of that comes twice`, async () => {
		const app = await tenant(`before-${copied + 1}`);
		await app.here(`${add('one', 20)}; ${add('two', 20)}`);
		const one = await look(app);
		await until('it is copied', () => isDone(one));
		await one.program.stop();
		await app.here(`drop table embeddings_copied; alter table retrieval drop column embeddings_from,
			drop column embeddings_phase, drop column embeddings_due;
			update retrieval set copied_to = ${copied}`);
		await stack.sql(`update tenants set schema_version = 5 where tenant_id = '${app.name}'`, 'catalog');
		execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
		if (copied > 0)
			await app.here(add('one', 30));
		const gate = await stack.tenantgate(settings);
		gate.serviceKey = await first.service();
		const wake = async () => assert.equal((await (await gate.tenant(app.name)).search('x')).status, 200);
		await until('it is up to date', async () => {
			await wake();
			return (await stack.sql(`select schema_version from tenants where tenant_id = '${app.name}'`,
				'catalog'))[0][0] === '6';
		});
		await gate.program.stop();
		await app.here(add('two', 10));
		const two = await look(app);
		await until('all is copied', () => isDone(two));
		await isWhole(app);
		await two.program.stop();
	});

// In a session that others have, too, where nothing is set: what each batch reads of either table.
test('a batch reads as much where much is copied as at the beginning', async () => {
	const print = (...args) => execFileSync(join(build, 'tests/live/statement_print'), args.map(String),
		{ encoding: 'utf8' });
	const ask = (text) => stack.sql(text, 'plans');
	await stack.sql('create database plans');
	await ask(print('schema', DIMENSIONS));
	await ask(`create table embeddings (id serial primary key, content text not null, metadata jsonb not
		null, embedding vector(${DIMENSIONS})); update retrieval set merger = 'me'; ${add('doc', 30000)}`);
	const copied = (below) => `insert into embeddings_copied select id, case when id % 500 = 1 then 'doc'
		end from embeddings where id < ${below} on conflict do nothing`;
	const nodesOf = (plan) => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
	const read = async () => {
		const rows = await ask(`begin; prepare it as ${print('copy')};
			explain (analyze, timing off, format json) execute it ('me'); rollback`);
		const [{ Plan }] = JSON.parse(rows.flat().join('\n'));
		return nodesOf(Plan).filter((n) => /Scan/.test(n['Node Type']) &&
			/^embeddings/.test(n['Relation Name']))
			.map((n) => [n['Node Type'], n['Actual Loops'] * (n['Actual Rows'] +
				(n['Rows Removed by Filter'] ?? 0))]);
	};
	for (const statistics of ['', 'analyze'])
		for (const [below, from] of [[0, 0], [20000, 20000], [30001, 20000], [30001, 0]]) {
			await ask(`truncate embeddings_copied; ${copied(below)}; ${statistics};
				update retrieval set embeddings_from = ${from}`);
			for (const [node, rows] of await read())
				assert.ok(rows <= 2001, `${node} of ${rows} rows at ${from}, ${below}`);
		}
});
