// SPDX-License-Identifier: MIT
// A document that is on its way in parts is whole or absent, whatever happens then; what is left of
// it goes.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { CALLS, CHUNKS, StagingStack, UNSTAGING } from './lib/staging-stack.mjs';
import { paragraphs } from './lib/embedder.mjs';
import { until } from './lib/process.mjs';

let s;
before(async () => {
	s = await StagingStack.start('documents-unfinished');
});
after(() => s?.stop());

test('a client that leaves, a model that fails: what was staged goes', async () => {
	s.embedder.reset('left');
	s.embedder.hold(3);
	const leaving = new AbortController();
	const left = s.ingest('left', paragraphs(CHUNKS, 'left'), { signal: leaving.signal })
		.catch((error) => error.name);
	await s.stages(3);
	leaving.abort();
	assert.equal(await left, 'AbortError');
	await until('they are gone', async () => await s.staged() === 0);
	await until('it is listed as failed', async () => await s.listed('left') === 'failed');

	s.embedder.reset('failed');
	const play = s.server.embeddings;
	s.server.embeddings = (request, response) => s.embedder.answered < 3 ? play(request, response)
		: (response.writeHead(500), response.end('{}'));
	const failed = await s.ingest('failed', paragraphs(CHUNKS, 'failed'));
	assert.equal(failed.status, 502, failed.body);
	await until('they are gone', async () => await s.staged() === 0);
	assert.equal(await s.stored('failed'), 'absent');
	s.embedder.reset('lost');
});

// What a killed process has left counts as an attempt until it is old: here that is said by hand.
async function isSweptAndStored(id, texts) {
	s.embedder.release();
	s.embedder.reset();
	await s.stack.sql("update documents set updated_at = now() - interval '1 hour' where " +
		`document_id = '${id}'`, 'catalog');
	await s.tenantgate();
	assert.equal((await s.acme.get('/documents')).status, 200);
	assert.equal((await s.acme.search('kettle', { topK: 1 })).status, 200);
	await until('nothing is staged', async () => await s.staged() === 0);
	await until('it is listed as failed', async () => await s.listed(id) === 'failed');
	assert.equal(await s.stored(id), 'absent');
	assert.equal((await s.ingest(id, texts)).status, 201);
	await s.isInOrder(id, texts);
}

test('killed while the model is waited for: absent, swept, and stored at the next try', async () => {
	s.embedder.reset('killed');
	s.embedder.hold(3);
	const texts = paragraphs(CHUNKS, 'killed');
	const answer = s.ingest('killed', texts).catch(() => 'cut');
	await s.stages(3);
	s.gate.program.kill('SIGKILL');
	assert.equal(await answer, 'cut');
	assert.equal(await s.staged(), s.embedder.embedded);
	await isSweptAndStored('killed', texts);
});

test('killed in the transaction: the same', async () => {
	s.embedder.reset('moved');
	s.embedder.hold(9);
	const texts = paragraphs(CHUNKS, 'moved');
	const answer = s.ingest('moved', texts).catch(() => 'cut');
	await s.stages(9);
	const lock = s.stack.program('lock', 'psql', ['-X', '-q', '-d', s.stack.pg.url(s.database), '-c',
		'begin; lock table public.document in access exclusive mode; select pg_sleep(100000)']);
	const waits = "from pg_stat_activity where wait_event_type = 'Lock' and datname = " +
		"current_database() and query like 'INSERT INTO public.document%'";
	try {
		await until('the table is locked', async () => (await s.sql('select 1 from pg_locks ' +
			"where mode = 'AccessExclusiveLock' and relation = 'public.document'::regclass"))
			.length === 1);
		s.embedder.release();
		await until('it waits', async () => (await s.sql(`select 1 ${waits}`)).length === 1);
		s.gate.program.kill('SIGKILL');
		assert.equal(await answer, 'cut');
	} finally {
		await s.sql('select pg_terminate_backend(pid) from pg_stat_activity where query like ' +
			"'begin; lock table public.document%'");
		await lock.exit;
	}
	await until('the server has left it', async () => (await s.sql(`select 1 ${waits}`))
		.length === 0);
	assert.equal(await s.staged(), CHUNKS);
	await isSweptAndStored('moved', texts);
});

test('killed behind the commit: the document stays, and what is left of it goes later', async () => {
	s.embedder.reset('stays');
	const texts = paragraphs(CHUNKS, 'stays');
	const release = await s.keepStaged();
	assert.equal((await s.ingest('stays', texts)).status, 201);
	await s.unstagingWaits();
	s.gate.program.kill('SIGKILL');
	await s.gate.program.exit;
	await s.sql('select pg_terminate_backend(pid) from pg_stat_activity where query like ' +
		`'${UNSTAGING}%'`);
	await s.unstagingWaits(0);
	await release();
	assert.equal(await s.staged(), CHUNKS);
	await s.tenantgate();
	await s.isInOrder('stays', texts);
	assert.equal(await s.listed('stays'), 'ready');
	await s.sql("update chunk_staged set staged_at = now() - interval '1 hour'");
	s.embedder.reset('sweeps');
	assert.equal((await s.ingest('sweeps', paragraphs(CHUNKS, 'sweeps'))).status, 201);
	await until('nothing is staged', async () => await s.staged() === 0);
	await s.isInOrder('stays', texts);
});

test('what nobody remembers goes with the next document that is staged', async () => {
	await s.sql('insert into chunk_staged (attempt, chunk_index, content, embedding, hash, ' +
		"staged_at) select 'unknown', chunk_index, content, embedding, hash, now() - interval " +
		"'1 hour' from chunk where document_id = 'killed'");
	assert.equal(await s.staged(), CHUNKS);
	s.embedder.reset('next');
	assert.equal((await s.ingest('next', paragraphs(CHUNKS, 'next'))).status, 201);
	await until('nothing is staged', async () => await s.staged() === 0);
});

test('or with a sweep, a day later', async () => {
	await s.sql('insert into chunk_staged (attempt, chunk_index, content, embedding, hash, ' +
		"staged_at) select a.name, chunk_index, content, embedding, hash, now() - a.age " +
		"from chunk, (values ('old', interval '26 hours'), ('alive', interval '1 hour')) a(name, " +
		"age) where document_id = 'killed'");
	await s.gate.program.stop();
	await s.tenantgate({ documents_sweep_interval: '100ms' });
	await until('the old ones are gone', async () => {
		assert.equal((await s.acme.search('kettle', { topK: 1 })).status, 200);
		return await s.staged() === CHUNKS;
	});
	assert.deepEqual(await s.sql('select distinct attempt from chunk_staged'), ['alive']);
	await s.sql('truncate chunk_staged');
});

test('a database of before, which has no staging table: as ever', async () => {
	await s.gate.program.stop();
	await s.sql('drop table chunk_staged, text_staged, retrieval');
	await s.sql('alter table chunk drop column hash, drop column tail cascade');
	await s.stack.sql("update tenants set schema_version = 2, attempt_id = 'another', " +
		"lease_until = now() + interval '1 hour'", 'catalog');
	await s.tenantgate();
	s.embedder.reset('before');
	s.embedder.hold();
	const texts = paragraphs(CHUNKS, 'before');
	const answer = s.ingest('before', texts);
	await s.embedder.holds(CALLS);
	assert.equal(s.embedder.calls.length, CALLS);
	s.embedder.release();
	assert.equal((await answer).status, 201);
	await s.isInOrder('before', texts);
	// And it is brought up to date.
	await s.stack.sql('update tenants set attempt_id = null, lease_until = null', 'catalog');
	await s.gate.program.stop();
	await s.tenantgate();
	await until('it has the newest schema', async () => {
		await s.acme.search('kettle', { topK: 1 });
		return (await s.stack.sql('select schema_version from tenants', 'catalog')).flat()[0] >= '4';
	}, 20000);
	const later = paragraphs(CHUNKS, 'later');
	assert.equal((await s.ingest('later', later)).status, 201);
	await s.isInOrder('later', later);
	assert.deepEqual(await s.sql("select relpersistence from pg_class where relname = " +
		"'chunk_staged'"), ['u']);
	assert.deepEqual(await s.sql('select indisvalid from pg_index where indexrelid = ' +
		"'chunk_hash'::regclass"), ['t']);
});
