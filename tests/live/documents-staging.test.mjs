// SPDX-License-Identifier: MIT
// A document whose vectors are more than are held in memory goes to the database batch by batch, and
// is whole or absent, whatever happens on the way.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { ModelServer } from './lib/model-server.mjs';
import { Embedder, paragraphs } from './lib/embedder.mjs';
import { sleep, until } from './lib/process.mjs';
import { databases } from './lib/crowd.mjs';

const CALLS = 4;	// max_document_embedding_calls
const CHUNKS = 100;
// 11 vectors of 128 floats a call.
const settings = { rate_limit_requests_per_minute: 0, embedding_dimensions: 128, workers: 1,
	embedding_send_dimensions: 'on', document_embedding_memory: '64KiB', ingest_timeout: '60s' };
const stack = new Stack('documents-staging');
let server, embedder, gate, acme, database;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	embedder = new Embedder(server);
	await start();
	assert.equal((await acme.ingestText('The first.', { documentId: 'first' })).status, 201);
	database = (await databases(stack)).acme;
});
after(async () => {
	embedder.release();
	await stack.stop();
	await server.stop();
});

async function start(changes = {}) {
	const key = gate?.serviceKey;
	gate = await stack.tenantgate({ model_url: server.url, ...settings, ...changes });
	gate.serviceKey = key;
	acme = await gate.tenant('acme');
}

const inDatabase = async (sql) => (await stack.sql(sql, database)).flat();
const staged = async () => Number((await inDatabase('select count(*) from chunk_staged'))[0]);
const stored = async (id) => (await inDatabase(
	`select chunks || ' ' || (select count(*) from chunk where document_id = '${id}') ` +
	`from document where id = '${id}'`))[0] ?? 'absent';
const listed = async (id) => (await stack.sql(
	`select status from documents where document_id = '${id}'`, 'catalog')).flat()[0] ?? 'absent';
const ingest = (id, texts, options = {}) => acme.ask('POST', `/ingest?documentId=${id}`, {
	headers: { 'content-type': 'text/plain' }, body: texts.join('\n\n'), ...options });

// Each of its chunks, as the question, finds itself: no vector is another's.
async function isInOrder(id, texts) {
	assert.equal(await stored(id), `${texts.length} ${texts.length}`);
	assert.deepEqual(await inDatabase(`select content from chunk where document_id = '${id}' ` +
		'order by id'), texts);
	for (const i of [0, 1, 37, 50, texts.length - 1]) {
		const found = await acme.search(texts[i], { documentId: id, topK: 1 });
		assert.equal(found.json.results[0].content, texts[i]);
		assert.ok(found.json.results[0].score > 0.9999, found.body);
	}
}

test('so many calls at a time, and no more; in whatever order they end, the chunks are in theirs',
	async () => {
		embedder.reset('order');
		embedder.hold();
		const texts = paragraphs(CHUNKS, 'order');
		const answer = ingest('order', texts);
		let most = 0;
		for (let done = 0; done < CHUNKS;) {
			const waits = Math.min(CALLS, Math.ceil((CHUNKS - done) / 11));
			await embedder.holds(waits);
			most = Math.max(most, embedder.waiting.length);
			done += 11;
			embedder.waiting.pop()(); // the last one first
		}
		embedder.release();
		const { status, json } = await answer;
		assert.equal(status, 201);
		assert.equal(json.document.chunks, CHUNKS);
		assert.equal(most, CALLS);
		assert.ok(embedder.calls.every((count) => count <= 11), String(embedder.calls));
		await isInOrder('order', texts);
		assert.equal(await staged(), 0);
	});

test('while the model is waited for no connection is held, and nothing of the document is seen',
	async () => {
		embedder.reset('unseen');
		embedder.hold(3);
		await gate.program.stop();
		await start({ default_pool_size: 1 });
		const texts = paragraphs(CHUNKS, 'unseen');
		const answer = ingest('unseen', texts);
		await embedder.holds(CALLS);
		await until('three batches are staged', async () => await staged() === 33);
		assert.equal(await stored('unseen'), 'absent');
		assert.equal(await listed('unseen'), 'ingesting');
		// The pool's one connection: it is free.
		const list = await acme.get('/documents/order/chunks?limit=1');
		assert.equal(list.status, 200, list.body);
		assert.deepEqual(await inDatabase('select count(*) from pg_stat_activity where ' +
			"datname = current_database() and application_name <> 'psql' and state <> 'idle'"), ['0']);
		embedder.release();
		assert.equal((await answer).status, 201);
		await isInOrder('unseen', texts);
	});

test('progress: what is embedded, and what is in the database', async () => {
	embedder.reset('told');
	const answer = await ingest('told', paragraphs(CHUNKS, 'told'), { headers: {
		'content-type': 'text/plain', accept: 'text/event-stream' } });
	const events = answer.body.split('\n').filter((line) => line.startsWith('data: '))
		.map((line) => JSON.parse(line.slice(6)));
	for (const stage of ['embed', 'store']) {
		const told = events.filter((event) => event.stage === stage);
		assert.ok(told.length > 4 && told.every((event) => event.total === CHUNKS), answer.body);
		const done = told.map((event) => event.done);
		assert.deepEqual(done, [...new Set(done)].sort((a, b) => a - b));
		assert.equal(done.at(-1), CHUNKS);
	}
	assert.ok(events.filter((event) => event.stage === 'store').at(-2).done < CHUNKS);
	assert.equal(events.at(-1).chunks, CHUNKS);
});

test('a client that leaves, a model that fails: what was staged goes', async () => {
	embedder.reset('left');
	embedder.hold(3);
	const leaving = new AbortController();
	const left = ingest('left', paragraphs(CHUNKS, 'left'), { signal: leaving.signal })
		.catch((error) => error.name);
	await until('three batches are staged', async () => await staged() === 33);
	leaving.abort();
	assert.equal(await left, 'AbortError');
	await until('they are gone', async () => await staged() === 0);
	await until('it is listed as failed', async () => await listed('left') === 'failed');

	embedder.reset('failed');
	const play = server.embeddings;
	server.embeddings = (request, response) => embedder.answered < 3 ? play(request, response)
		: (response.writeHead(500), response.end('{}'));
	const failed = await ingest('failed', paragraphs(CHUNKS, 'failed'));
	assert.equal(failed.status, 502, failed.body);
	await until('they are gone', async () => await staged() === 0);
	assert.equal(await stored('failed'), 'absent');
	embedder.reset('lost');
});

test('a database that has lost what was staged: 503, and nothing of it is stored', async () => {
	embedder.reset('lost');
	embedder.hold(8);
	const texts = paragraphs(CHUNKS, 'lost');
	const answer = ingest('lost', texts);
	await until('eight batches are staged', async () => await staged() === 88);
	await inDatabase('truncate chunk_staged');
	embedder.release();
	const lost = await answer;
	assert.equal(lost.status, 503, lost.body);
	assert.equal(lost.json.code, 'database_unavailable');
	assert.ok(Number(lost.headers['retry-after']) >= 1);
	assert.equal(await stored('lost'), 'absent');
	await until('nothing is left', async () => await staged() === 0);
	assert.equal((await ingest('lost', texts)).status, 201);
	await isInOrder('lost', texts);
});

// What a killed process has left counts as an attempt until it is old: here that is said by hand.
async function isSweptAndStored(id, texts) {
	embedder.release();
	embedder.reset();
	await stack.sql("update documents set updated_at = now() - interval '1 hour' where " +
		`document_id = '${id}'`, 'catalog');
	await start();
	assert.equal((await acme.get('/documents')).status, 200);
	assert.equal((await acme.search('kettle', { topK: 1 })).status, 200);
	await until('nothing is staged', async () => await staged() === 0);
	await until('it is listed as failed', async () => await listed(id) === 'failed');
	assert.equal(await stored(id), 'absent');
	assert.equal((await ingest(id, texts)).status, 201);
	await isInOrder(id, texts);
}

test('killed while the model is waited for: absent, swept, and stored at the next try', async () => {
	embedder.reset('killed');
	embedder.hold(3);
	const texts = paragraphs(CHUNKS, 'killed');
	const answer = ingest('killed', texts).catch(() => 'cut');
	await until('three batches are staged', async () => await staged() === 33);
	gate.program.kill('SIGKILL');
	assert.equal(await answer, 'cut');
	assert.equal(await staged(), 33);
	await isSweptAndStored('killed', texts);
});

test('killed in the transaction: the same', async () => {
	embedder.reset('moved');
	embedder.hold(9);
	const texts = paragraphs(CHUNKS, 'moved');
	const answer = ingest('moved', texts).catch(() => 'cut');
	await until('nine batches are staged', async () => await staged() === 99);
	const lock = stack.program('lock', 'psql', ['-X', '-q', '-d', stack.pg.url(database), '-c',
		'begin; lock table public.document in access exclusive mode; select pg_sleep(100000)']);
	const waits = "from pg_stat_activity where wait_event_type = 'Lock' and datname = " +
		"current_database() and query like 'INSERT INTO public.document%'";
	try {
		await until('the table is locked', async () => (await inDatabase('select 1 from pg_locks ' +
			"where mode = 'AccessExclusiveLock' and relation = 'public.document'::regclass"))
			.length === 1);
		embedder.release();
		await until('it waits', async () => (await inDatabase(`select 1 ${waits}`)).length === 1);
		gate.program.kill('SIGKILL');
		assert.equal(await answer, 'cut');
	} finally {
		await inDatabase('select pg_terminate_backend(pid) from pg_stat_activity where query like ' +
			"'begin; lock table public.document%'");
		await lock.exit;
	}
	await until('the server has left it', async () => (await inDatabase(`select 1 ${waits}`))
		.length === 0);
	assert.equal(await staged(), CHUNKS);
	await isSweptAndStored('moved', texts);
});

test('what nobody remembers goes with the next document that is staged', async () => {
	await inDatabase('insert into chunk_staged (attempt, chunk_index, content, embedding, hash, ' +
		"staged_at) select 'unknown', chunk_index, content, embedding, hash, now() - interval " +
		"'1 hour' from chunk where document_id = 'order'");
	assert.equal(await staged(), CHUNKS);
	embedder.reset('next');
	assert.equal((await ingest('next', paragraphs(CHUNKS, 'next'))).status, 201);
	assert.equal(await staged(), 0);
});

test('a few chunks go straight in, and into the index where there is one', async () => {
	embedder.reset();
	const tails = (id) => inDatabase('select distinct tail from chunk where document_id = ' +
		`'${id}'`);
	assert.deepEqual(await tails('first'), ['t']);
	assert.deepEqual(await tails('order'), ['t']);
	await inDatabase('alter table chunk_staged rename to chunk_elsewhere');
	try {
		await inDatabase('update retrieval set indexed_to = 1');
		for (const [id, count, tail] of [['twenty', 20, 'f'], ['more', 21, 't']]) {
			const answer = await ingest(id, paragraphs(count, id));
			assert.equal(answer.status, 201, answer.body);
			assert.equal(await stored(id), `${count} ${count}`);
			assert.deepEqual(await tails(id), [tail]);
		}
	} finally {
		await inDatabase('update retrieval set indexed_to = 0');
		await inDatabase('alter table chunk_elsewhere rename to chunk_staged');
	}
});

test('a database of before, which has no staging table: as ever', async () => {
	await gate.program.stop();
	await inDatabase('drop table chunk_staged, retrieval');
	await inDatabase('alter table chunk drop column hash, drop column tail');
	await stack.sql("update tenants set schema_version = 2, attempt_id = 'another', " +
		"lease_until = now() + interval '1 hour'", 'catalog');
	await start();
	embedder.reset('before');
	embedder.hold();
	const texts = paragraphs(CHUNKS, 'before');
	const answer = ingest('before', texts);
	await embedder.holds(CALLS);
	await sleep(0);
	assert.equal(embedder.calls.length, CALLS);
	embedder.release();
	assert.equal((await answer).status, 201);
	await isInOrder('before', texts);
	// And it is brought up to date.
	await stack.sql('update tenants set attempt_id = null, lease_until = null', 'catalog');
	await gate.program.stop();
	await start();
	await until('it has the newest schema', async () => {
		await acme.search('kettle', { topK: 1 });
		return (await stack.sql('select schema_version from tenants', 'catalog')).flat()[0] >= '3';
	}, 20000);
	const later = paragraphs(CHUNKS, 'later');
	assert.equal((await ingest('later', later)).status, 201);
	await isInOrder('later', later);
	assert.deepEqual(await inDatabase("select relpersistence from pg_class where relname = " +
		"'chunk_staged'"), ['u']);
	assert.deepEqual(await inDatabase('select indisvalid from pg_index where indexrelid = ' +
		"'chunk_hash'::regclass"), ['t']);
});
