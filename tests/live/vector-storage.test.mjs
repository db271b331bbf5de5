// SPDX-License-Identifier: MIT
// Vectors of as many numbers as there may be stand in their rows, whatever else a row has: an exact
// search reads no second table.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { ModelServer } from './lib/model-server.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const stack = new Stack('vector-storage');
const MOST = { embedding_dimensions: 2000, embedding_send_dimensions: 'on' };
const FEW = { embedding_dimensions: 1536 };
const LONGEST = 128;	// bytes of a document's id
let server, settings;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	settings = { model_url: server.url, workers: 1, chunk_size: 1000, chunk_overlap: 0,
		document_embedding_memory: '64KiB', rate_limit_requests_per_minute: 0 };
});
after(async () => {
	await stack.stop();
	await server.stop();
});

async function databaseOf(id) {
	const [[name]] = await stack.sql(`select db_name from tenants where tenant_id = '${id}'`, 'catalog');
	return name;
}

// Random words, which cannot be compressed to nothing.
const passages = (count) => Array.from({ length: count }, (_, i) => Array.from({ length: 120 }, (_, j) =>
	(Math.sin(1 + i * 131 + j) * 1e9).toString(36).replace(/\W/g, '')).join(' ').slice(0, 900)).join('\n\n');

async function storedIn(gate, name) {
	const tenant = await gate.tenant(name);
	for (const [documentId, count] of [['short', 40], ['i'.repeat(LONGEST), 40], ['one', 1]]) {
		const answer = await tenant.ingestText(passages(count), { documentId });
		assert.equal(answer.status, 201, answer.body);
		assert.ok(answer.json.document.chunks >= count);
	}
	assert.equal((await tenant.search('words', { topK: 5 })).json.results.length, 5);
}

// How a table keeps them; and whether what it has out of its rows is less than they are.
async function keeps(database, table) {
	const [[storage, toast]] = await stack.sql(`select a.attstorage, t.relname from pg_class c
		join pg_attribute a on a.attrelid = c.oid and a.attname = 'embedding'
		join pg_class t on t.oid = c.reltoastrelid where c.oid = 'public.${table}'::regclass`, database);
	const [[rows, vectors]] = await stack.sql(`select count(*), coalesce(sum(4 * vector_dims(embedding)), 0)
		from public.${table}`, database);
	const [[outside]] = await stack.sql(
		`select coalesce(sum(length(chunk_data)), 0) from pg_toast.${toast}`, database);
	return { storage, rows: Number(rows), inRows: Number(outside) < Number(vectors) / 2 };
}

test('2,000 numbers', async () => {
	const gate = await stack.tenantgate({ ...settings, ...MOST });
	await storedIn(gate, 'most');
	const database = await databaseOf('most');
	const chunk = await keeps(database, 'chunk');
	assert.deepEqual(await stack.sql("select reloptions @> '{vacuum_index_cleanup=off}' from pg_class" +
		" where oid = 'public.chunk'::regclass", database), [['t']]);
	assert.equal(chunk.storage, 'm');
	assert.ok(chunk.rows > 80 && chunk.inRows, JSON.stringify(chunk));
	assert.equal((await keeps(database, 'chunk_staged')).storage, 'm');
	// A column that others have filled, too: what does not fit goes out, and nothing is refused.
	await stack.sql(`update public.chunk set metadata = jsonb_build_object('note', repeat('n', 300)),
		page = 7, tail = not tail`, database);
	assert.ok((await keeps(database, 'chunk')).inRows);
});

test('1,536 numbers, and 2,000 made of them', async () => {
	const gate = await stack.tenantgate({ ...settings, ...FEW });
	await storedIn(gate, 'grown');
	const database = await databaseOf('grown');
	assert.deepEqual([(await keeps(database, 'chunk')).storage, (await keeps(database, 'chunk_staged'))
		.storage], ['p', 'p']);
	await promisify(execFile)(programs.tenantgate(), ['-c', stack.conf({ ...settings, ...MOST }),
		'reembed', 'grown']);
	const chunk = await keeps(database, 'chunk');
	assert.equal(chunk.storage, 'm');
	assert.ok(chunk.rows > 80 && chunk.inRows, JSON.stringify(chunk));
	assert.equal((await keeps(database, 'chunk_staged')).storage, 'm');
});
