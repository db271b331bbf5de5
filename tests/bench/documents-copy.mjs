// SPDX-License-Identifier: MIT
// An app's own table of vectors that is copied into a tenant's: the same rows as another tenant's
// chunks, as the app's table has them.
import { join } from 'node:path';
import { until } from '../live/lib/process.mjs';
import { DIMENSIONS } from './documents-model.mjs';

const CHUNKS = 100;	// of a document

const makeTable = `create table embeddings (id serial primary key, content text not null,
	metadata jsonb not null, embedding vector(${DIMENSIONS}), created_at timestamptz default now(),
	updated_at timestamptz default now())`;

async function fill(run, { stack }, from, to) {
	const file = join(stack.dir, 'app.copy');
	const psql = (db, command) => run('psql', ['-X', '-q', '-d', stack.pg.url(db), '-v', 'ON_ERROR_STOP=1',
		'-c', command.replaceAll(/\s+/g, ' ')]);
	const [[owner]] = await stack.sql(`select db_user from tenants where db_name = '${to.db}'`, 'catalog');
	await psql(to.db, `set role ${owner}; ${makeTable}`);
	await psql(from.db, `\\copy (select content, jsonb_build_object('documentId', 'doc_' || (id / ${CHUNKS}),
		'loc', '{"lines":{"from":1,"to":2}}'::jsonb), embedding from chunk order by id)
		to '${file}' with (format binary)`);
	await psql(to.db, `\\copy embeddings (content, metadata, embedding) from '${file}'
		with (format binary)`);
	await psql(to.db, 'vacuum analyze embeddings');
	await run('rm', [file]);
}

// Seconds until each row is copied, and until all are indexed. `looks`: a client of a process that has
// not looked at that tenant yet.
export async function copyRow(run, bench, from, to, looks) {
	await fill(run, bench, from, to);
	const began = performance.now(), cpu = await to.processor();
	const since = () => (performance.now() - began) / 1000;
	const answer = await looks.search('question 0');
	if (answer.status !== 200)
		throw new Error(`search: ${answer.status} ${answer.body}`);
	await until('each row is copied', async () => {
		await to.processor();	// of connections that go meanwhile
		return (await bench.stack.sql('select embeddings_phase from retrieval', to.db))[0][0] === '2';
	}, 3600000);
	const stored = since(), storedCpu = await to.processor() - cpu;
	await until('it is indexed', async () => (await to.processor(), to.indexed()), 3600000);
	[[to.count]] = (await bench.stack.sql('select sum(chunks) from document', to.db)).map((r) => r.map(Number));
	if (to.count !== from.count)
		throw new Error(`copied: ${to.count} of ${from.count}`);
	return { stored, embedding: 0, storedCpu, indexed: since(), indexedCpu: await to.processor() - cpu };
}
