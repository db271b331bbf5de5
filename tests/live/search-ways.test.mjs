// SPDX-License-Identifier: MIT
// A search goes exactly or by the index, as the tenant's row of what is known says, directly and
// through a pooler; the index is made here as the merger makes it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('search-ways');
const DIMENSIONS = 16;
const SETTINGS = { rate_limit_requests_per_minute: 0, embedding_dimensions: DIMENSIONS,
	embedding_send_dimensions: 'on' };
const NEEDLE = 'The needle lies behind all else.';
let gate, database;

const catalog = (text) => stack.sql(text, 'catalog');
const here = (text) => stack.sql(text, database);

// So many chunks of a document, in directions of chance.
const fill = (id, chunks) => here(`
	insert into document values ('${id}', 't', 'f', 'text/plain', '{}', 's', 1, 0, ${chunks}, now());
	insert into chunk (document_id, chunk_index, content, embedding) select '${id}', i, '${id} ' || i,
		(select array_agg(random() - 0.5 + 0 * i * j) from generate_series(1, ${DIMENSIONS}) j)::vector
		from generate_series(0, ${chunks} - 1) i`);

const indexNow = async () => (await here("select coalesce(nullif(index_name, ''), 'none') from " +
	'retrieval'))[0][0];

// All that is there now is covered; the one before goes, if there was one.
async function index() {
	const [[last]] = await here('select max(id) from chunk');
	const old = await indexNow();
	const name = `chunk_halfvec_${last}`;
	await here(`create index ${name} on chunk using hnsw ((embedding::halfvec(${DIMENSIONS}))
		halfvec_cosine_ops) with (m = 8, ef_construction = 32) where (not tail or id <= ${last})`);
	await here(`update retrieval set indexed_to = ${last}, index_name = '${name}'`);
	if (old !== 'none')
		await here(`drop index ${old}`);
	return name;
}

async function scansOf(name) {
	await here('select pg_stat_clear_snapshot()');
	return Number((await here(`select idx_scan from pg_stat_user_indexes where indexrelname = '${name}'`))
		[0][0]);
}

// A session tells its statistics at a statement's end, once a second; idle, after ten.
const isUsed = (name, before, ask) => until(`${name} is used`, async () => {
	await ask();
	return await scansOf(name) > before;
});

// The texts nearest to the needle's, by all distances.
async function nearest(k, where = 'true') {
	return (await here(`set enable_indexscan = off; select content from chunk where ${where} order by
		embedding <=> (select embedding from chunk where document_id = 'needle'), id limit ${k}`)).flat();
}

async function search(gate, topK, more = {}) {
	const answer = await (await gate.tenant('acme')).post('/search', { query: NEEDLE, topK, ...more });
	assert.equal(answer.status, 200, answer.body);
	return answer.json.results.map((one) => one.content);
}

const recall = (found, wanted) => wanted.filter((one) => found.includes(one)).length / wanted.length;

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgate(SETTINGS);
	assert.equal((await (await gate.tenant('acme')).ingestText(NEEDLE, { documentId: 'needle' })).status,
		201);
	[[database]] = await catalog("select db_name from tenants where tenant_id = 'acme'");
});
after(() => stack.stop());

test('without an index: exact, and as many as are asked for', async () => {
	await fill('few', 400);
	for (const k of [1, 10, 100])
		assert.deepEqual(await search(gate, k), await nearest(k));
});

test('an index that is made under a running process is used by it', async () => {
	await fill('noise', 3000);
	const name = await index();
	await isUsed(name, 0, () => search(gate, 10));
	for (const k of [10, 25, 26, 100]) {
		const found = await search(gate, k);
		assert.equal(found.length, k);
		assert.equal(found[0], NEEDLE);
		assert.ok(recall(found, await nearest(k)) >= 0.9, `k ${k}`);
	}
});

test('what is behind the index is found beside it, exactly', async () => {
	await fill('tail', 90);	// few enough to be left there
	const tail = "document_id = 'tail'";
	await here(`update chunk set embedding = chunk.embedding + n.embedding from (select embedding
		from chunk where document_id = 'needle') n where ${tail}`);
	const wanted = (await nearest(100)).filter((text) => text.startsWith('tail '));
	assert.ok(wanted.length > 0);
	assert.equal(recall(await search(gate, 100), wanted), 1);
	await here(`update chunk set tail = false where ${tail}`);
	assert.ok(recall(await search(gate, 100), wanted) >= 0.9);
	await here(`update chunk set tail = true where ${tail}`);
});

test('an index is replaced while searches run: none fails, none lacks a row', async () => {
	let over = false;
	const searches = Promise.all([1, 2, 3, 4].map(async () => {
		let n = 0;
		for (; !over; n++) {
			const found = await search(gate, 10);
			assert.equal(found.length, 10);
			assert.equal(found[0], NEEDLE);
		}
		return n;
	}));
	try {
		for (let round = 0; round < 3; round++) {
			await fill(`more-${round}`, 50);
			await index();
		}
	} finally {
		over = true;
		assert.ok((await searches).every((n) => n > 0));
	}
});

test('rows that are deleted are found by nobody', async () => {
	const [gone] = (await search(gate, 2)).slice(1);
	await here(`delete from chunk where content = '${gone}'`);
	const found = await search(gate, 100);
	assert.equal(found.length, 100);
	assert.ok(!found.includes(gone));
});

test('of documents: exactly, however many their chunks, unless they are half of all', async () => {
	await fill('third', 10100);
	await fill('giant', 14500);
	const name = await index();
	for (const [id, chunks] of [['few', 400], ['third', 10100]]) {
		const found = await search(gate, 50, { documentId: id });
		assert.deepEqual(found, await nearest(50, `document_id = '${id}'`), `${chunks} chunks`);
	}
	const before = await scansOf(name);
	const found = await search(gate, 10, { documentId: 'giant' });
	assert.equal(found.length, 10);
	assert.ok(found.every((text) => text.startsWith('giant ')));
	assert.ok(recall(found, await nearest(10, "document_id = 'giant'")) >= 0.8);
	await isUsed(name, before, () => search(gate, 10, { documentId: 'giant' }));
	assert.deepEqual(await search(gate, 10, { documentId: 'none' }), []);
});

test('through a pooler in transaction mode: the same, and nothing is left set behind', async () => {
	// Whoever logs in is its one user at the server.
	const bouncer = await stack.pgbouncer({ auth_type: 'any' },
		`user=postgres password=${stack.pg.password} pool_size=4`);
	await catalog(`update tenants set db_port = ${bouncer.port} where tenant_id = 'acme'`);
	execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
	const pooled = await stack.tenantgate(SETTINGS);
	pooled.serviceKey = gate.serviceKey;
	const name = await indexNow();
	for (const k of [10, 100]) {
		const before = await scansOf(name);
		const found = await search(pooled, k);
		assert.equal(found.length, k);
		assert.equal(found[0], NEEDLE);
		await isUsed(name, before, () => search(pooled, k));
	}
	assert.deepEqual(await search(pooled, 20, { documentId: 'third' }),
		await nearest(20, "document_id = 'third'"));
	await pooled.program.stop();
});

test('an index is made through a pooler, and its session is as it was', async () => {
	const client = await gate.tenant('pooled');
	assert.equal((await client.ingestText(NEEDLE, { documentId: 'needle' })).status, 201);
	[[database]] = await catalog("select db_name from tenants where tenant_id = 'pooled'");
	await fill('noise', 2600);
	const bouncer = await stack.pgbouncer({ auth_type: 'any' },
		`user=postgres password=${stack.pg.password} pool_size=1`);
	await catalog(`update tenants set db_port = ${bouncer.port} where tenant_id = 'pooled'`);
	execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
	await gate.program.stop();
	const pooled = await stack.tenantgate(SETTINGS);
	pooled.serviceKey = gate.serviceKey;
	const one = await pooled.tenant('pooled');
	assert.equal((await one.ingestText('Another.', { documentId: 'b' })).status, 201);
	await until('an index is made', async () => await indexNow() !== 'none', 60000);
	assert.equal((await one.search(NEEDLE)).json.results[0].content, NEEDLE);
	// A build by several at once may write past its memory (pgvector's changelog, 0.8.2).
	const [[alone, isOld]] = await here(`select reloptions @> '{parallel_workers=0}',
		string_to_array(extversion, '.')::int[] < '{0,8,2}' from pg_class, pg_extension
		where pg_class.oid = 'chunk'::regclass and extname = 'vector'`);
	assert.equal(alone, isOld);
	const settings = ['enable_seqscan', 'statement_timeout', 'lock_timeout',
		'max_parallel_maintenance_workers'];
	assert.deepEqual(execFileSync('psql', ['-X', '-A', '-t', '-q', '-d', bouncer.url(database),
		...settings.flatMap((name) => ['-c', `show ${name}`])], { encoding: 'utf8' }).trim().split('\n'),
	['on', '0', '0', '2']);
});
