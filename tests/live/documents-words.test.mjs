// SPDX-License-Identifier: MIT
// A large document is found by its words from its 201 on, as by its vectors: they are staged while the
// model works, count for nothing meanwhile, and for all that they are from the commit on.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { StagingStack } from './lib/staging-stack.mjs';
import { bm25 } from './lib/bm25.mjs';
import { until } from './lib/process.mjs';

const LARGE = 3100, LESS = 1100;
// Of both kinds of documents: whose vectors are staged, and whose are kept in memory.
const settings = { chunk_size: 100, chunk_overlap: 0, document_embedding_memory: '512KiB' };
const keeping = { ...settings, document_embedding_memory: '64MiB' };
let s;

before(async () => {
	s = await StagingStack.start('documents-words');
	await use(settings);
});
after(() => s?.stop());

async function use(changes) {
	s.embedder.reset();
	await s.gate.program.stop();
	await s.tenantgate(changes);
}

// Chunks of a line each; every word of `rare` is in one of them alone, the others in many.
const lines = (word, count) => Array.from({ length: count }, (_, i) =>
	`${word} ${word}${i} ${['harbour', 'lantern', 'anchor'][i % 3]} ${'kept '.repeat(1 + i % 4)}` +
	`under watch tonight ${i % 2 ? 'again' : ''}`.padEnd(50, '.'));

const send = (id, texts) => s.acme.ask('POST', `/ingest?documentId=${id}&language=simple`,
	{ headers: { 'content-type': 'text/plain' }, body: texts.join('\n\n') });

async function store(id, texts) {
	const answer = await send(id, texts);
	assert.equal(answer.status, 201, answer.body);
	assert.equal(answer.json.document.chunks, texts.length);
}

// At once: nothing here waits.
async function isComplete(id, word, count) {
	for (const i of [0, Math.floor(count / 2), count - 1])
		for (const mode of ['text', 'hybrid']) {
			const answer = await s.acme.search(`${word}${i}`, { mode, topK: 3 });
			assert.equal(answer.status, 200, answer.body);
			const [best] = answer.json.results;
			assert.deepEqual([best?.documentId, best?.chunk], [id, i], `${mode}: ${answer.body}`);
			if (mode === 'text')
				assert.equal(answer.json.results.length, 1);
		}
}

const finds = async (question) => (await s.acme.search(question, { mode: 'text', topK: 100 }))
	.json.results.length;

// What searches count, and the same counted anew from the chunks themselves.
async function countsAreExact() {
	const counted = await s.sql(`
		with seen as (select p.lexeme, unnest(p.postings) x, p.segment from text_posting p
			where segment not in (select segment from text_staged)),
		kept as (select lexeme, count(*), sum(x & 1023) times, sum(x >> 10 & 16383) length
			from seen group by 1),
		rows as (select lexeme, sum(chunks) from text_posting where segment not in
			(select segment from text_staged) group by 1),
		parsed as (select u.lexeme, cardinality(u.positions) times, v.length from chunk c
			join document d on d.id = c.document_id cross join lateral
			(select to_tsvector(coalesce(d.text_language, 'english')::regconfig, c.content) t) t
			cross join lateral (select sum(cardinality(positions)) length from unnest(t.t)) v
			cross join lateral unnest(t.t) u),
		anew as (select lexeme, count(*), sum(times), sum(length) from parsed group by 1)
		select (select count(*) from (table kept except table anew) a),
			(select count(*) from (table anew except table kept) b),
			(select count(*) from (select lexeme, count::bigint from kept except table rows) c),
			(select sum(chunks) from text_segment) - (select count(*) from chunk),
			(select sum(length) from text_segment) - (select sum(l) from chunk c join document d on
				d.id = c.document_id cross join lateral (select sum(cardinality(positions)) l from
				unnest(to_tsvector(coalesce(d.text_language, 'english')::regconfig, c.content))) v)`);
	assert.deepEqual(counted, ['0', '0', '0', '0', '0']);
}

const leftovers = async () => Number((await s.sql(`select (select count(*) from text_staged) +
	(select count(*) from text_posting where segment not in (select id from text_segment))`))[0]);
const segmentsStaged = async () => Number((await s.sql('select count(*) from text_staged'))[0]);

// Each test begins with its documents alone.
async function clear() {
	await s.sql('delete from document');
	await s.stack.sql('delete from documents', 'catalog');
	await until('nothing is left of others', async () => await leftovers() === 0 &&
		await s.staged() === 0);
}

test('found by the words of its first, middle and last chunk right behind the 201', async () => {
	await clear();
	await store('small', lines('osprey', 40));
	await store('large', lines('heron', LARGE));
	await isComplete('large', 'heron', LARGE);
	assert.equal(await leftovers(), 0);
	await countsAreExact();
	assert.deepEqual(await s.sql(`select text_placed_at = created_at, text_at is null from document
		where id = 'large'`), ['t', 't']);
	// The scores are those of BM25 over all chunks, of either document.
	const texts = [...lines('osprey', 40), ...lines('heron', LARGE)];
	for (const question of ['heron7 osprey7', 'heron3000 lantern', 'osprey1 lantern tonight']) {
		const [best] = bm25(texts, question);
		const [found] = (await s.acme.search(question, { mode: 'text', topK: 1 })).json.results;
		assert.ok(Math.abs(found.score - best.score) < 1e-6, `${question}: ${found.score} ${best.score}`);
		assert.equal(found.chunk, best.at < 40 ? best.at : best.at - 40);
	}
});

test('while it is on its way its words count for nothing', async () => {
	await clear();
	await store('small', lines('osprey', 40));
	const before = (await s.acme.search('osprey7 anchor', { mode: 'text', topK: 20 })).json.results;
	s.embedder.reset('heron');
	s.embedder.hold(1);
	const answer = send('large', lines('heron', LESS));
	await s.embedder.holds(1);
	await until('all its words are staged', async () => await segmentsStaged() ===
		Math.ceil(LESS / 128));
	assert.equal(await finds('heron heron7'), 0);
	assert.deepEqual((await s.acme.search('osprey7 anchor', { mode: 'text', topK: 20 })).json.results,
		before);
	await countsAreExact();
	s.embedder.release();
	assert.equal((await answer).status, 201);
	await isComplete('large', 'heron', LESS);
	await countsAreExact();
});

test('vectors that are kept in memory, and texts that are known: the same', async () => {
	await clear();
	await use(keeping);
	await store('kept', lines('heron', LESS));
	assert.equal(await s.staged(), 0);
	await isComplete('kept', 'heron', LESS);
	await use(settings);
	s.embedder.reset('heron');
	await store('known', lines('heron', LESS).reverse());
	assert.deepEqual(s.embedder.texts, []);
	assert.equal(await finds('heron7'), 2);
	const repeated = Array.from({ length: LESS }, (_, i) => lines('heron', 3)[i % 3]);
	await store('repeats', repeated);
	assert.equal(await finds('heron1'), 100);
	assert.equal(await leftovers(), 0);
	await countsAreExact();
});

test('the 201 of a large one that is replaced does not wait until the words of before are gone',
	async () => {
		await clear();
		await store('bird', lines('heron', LESS));
		const postings = async () => Number((await s.sql("select count(*) from text_posting where " +
			"lexeme = 'heron7'"))[0]);
		await s.sql(`create function held() returns trigger language plpgsql as $$ begin
				perform pg_advisory_xact_lock_shared(1); return old; end $$;
			create trigger held before delete on text_posting for each row execute function held()`);
		const holder = s.stack.program('holder', 'psql', ['-X', '-q', '-d',
			s.stack.pg.url(s.database), '-c', 'select pg_advisory_lock(1), pg_sleep(100000)']);
		try {
			await until('it is held', async () => (await s.sql('select 1 from pg_locks where ' +
				"locktype = 'advisory'")).length === 1);
			await store('bird', lines('stork', LESS));
			assert.equal(await postings(), 1);
			await isComplete('bird', 'stork', LESS);
			assert.equal(await finds('heron7'), 0);
			await countsAreExact();
		} finally {
			await s.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like " +
				"'select pg_advisory_lock(1)%'");
			await holder.exit;
			await s.sql('drop function held() cascade');
		}
		await until('they are gone', async () => await postings() === 0 && await leftovers() === 0);
	});

test('replaced: by a large one, by a small one, and the other way round', async () => {
	await clear();
	await store('bird', lines('heron', LESS));
	s.embedder.reset('stork');
	s.embedder.hold(1);
	const answer = send('bird', lines('stork', LESS));
	await s.embedder.holds(1);
	await isComplete('bird', 'heron', LESS);
	s.embedder.release();
	assert.equal((await answer).status, 201);
	await isComplete('bird', 'stork', LESS);
	assert.equal(await finds('heron heron7'), 0);
	await store('bird', lines('osprey', 40));
	await isComplete('bird', 'osprey', 40);
	assert.equal(await finds('stork stork7'), 0);
	await store('bird', lines('heron', LESS));
	await isComplete('bird', 'heron', LESS);
	assert.equal(await finds('osprey'), 0);
	await countsAreExact();
	await until('what was replaced is gone', async () => await leftovers() === 0);
	await countsAreExact();
	assert.equal((await s.acme.ask('DELETE', '/documents/bird')).status, 204);
	assert.deepEqual(await s.sql('select count(*) from text_posting'), ['0']);
});

test('several at once, of one id and of others', async () => {
	await clear();
	await Promise.all([store('one', lines('heron', LESS)), store('two', lines('stork', LESS)),
		store('two', lines('osprey', LESS))]);
	await isComplete('one', 'heron', LESS);
	const [stork, osprey] = [await finds('stork7'), await finds('osprey7')];
	assert.equal(stork + osprey, 1);
	await isComplete('two', stork === 1 ? 'stork' : 'osprey', LESS);
	await until('nothing is left', async () => await leftovers() === 0);
	await countsAreExact();
});

for (const [what, changes] of [['kept in memory', keeping], ['staged', settings]])
	test(`a client that leaves while vectors are ${what}: the words go`, async () => {
		await clear();
		await use(changes);
		s.embedder.reset('heron');
		s.embedder.hold();
		const leaving = new AbortController();
		const left = s.acme.ask('POST', '/ingest?documentId=left', { signal: leaving.signal,
			headers: { 'content-type': 'text/plain' }, body: lines('heron', LESS).join('\n\n') })
			.catch((error) => error.name);
		await s.embedder.holds(1);
		await until('words are staged', async () => await segmentsStaged() > 0);
		// As of a document that is much larger: they go in several statements.
		await s.sql(`with more as (insert into text_staged (segment, attempt, first_index, chunks,
				length) select 10000 + i, (select max(attempt) from text_staged), 10000 + i, 1, 1
				from generate_series(1, 600) i returning segment)
			insert into text_posting select 'heron', segment, 1, array[1] from more`);
		leaving.abort();
		assert.equal(await left, 'AbortError');
		await until('they are gone', async () => await leftovers() === 0);
	});

// A killed process's attempt counts as alive until it is old: here that is said by hand.
async function isSweptAndStored(id, texts) {
	assert.equal(await s.stored(id), 'absent');
	assert.ok(await leftovers() > 0);
	s.embedder.release();
	s.embedder.reset();
	await s.stack.sql(`update documents set updated_at = now() - interval '1 hour'`, 'catalog');
	await s.tenantgate(settings);
	assert.equal(await finds('heron heron7'), 0);
	await countsAreExact();
	await until('what was staged is gone', async () => await leftovers() === 0 &&
		await s.staged() === 0);
	await until('it is listed as failed', async () => await s.listed(id) === 'failed');
	await store(id, texts);
	await isComplete(id, 'heron', texts.length);
	await countsAreExact();
}

test('killed while it is staged: nothing of it counts, it is swept, and stored at the next try',
	async () => {
		await clear();
		await store('small', lines('osprey', 40));
		s.embedder.reset('heron');
		s.embedder.hold(1);
		const texts = lines('heron', LESS);
		const answer = send('killed', texts).catch(() => 'cut');
		await s.embedder.holds(1);
		await until('words are staged', async () => await segmentsStaged() > 2);
		s.gate.program.kill('SIGKILL');
		assert.equal(await answer, 'cut');
		await s.gate.program.exit;
		await isSweptAndStored('killed', texts);
	});

test('killed between that and the commit: the same', async () => {
	await clear();
	await store('small', lines('osprey', 40));
	const texts = lines('heron', LESS);
	const lock = s.stack.program('lock', 'psql', ['-X', '-q', '-d', s.stack.pg.url(s.database), '-c',
		'begin; lock table public.text_segment in exclusive mode; select pg_sleep(100000)']);
	const takes = "from pg_stat_activity where query like 'WITH old AS (DELETE%' and state = 'active'";
	await until('the table is locked', async () => (await s.sql('select 1 from pg_locks where ' +
		"mode = 'ExclusiveLock' and relation = 'public.text_segment'::regclass")).length === 1);
	const answer = send('moved', texts).catch(() => 'cut');
	try {
		await until('it waits', async () => (await s.sql(`select 1 ${takes} and wait_event_type = ` +
			"'Lock'")).length === 1);
		s.gate.program.kill('SIGKILL');
		assert.equal(await answer, 'cut');
	} finally {
		await s.sql('select pg_terminate_backend(pid) from pg_stat_activity where query like ' +
			"'begin; lock table public.text_segment%'");
		await lock.exit;
	}
	await until('the server has left it', async () => (await s.sql(`select 1 ${takes}`)).length === 0);
	await isSweptAndStored('moved', texts);
});

test('what nobody remembers goes with the next that is staged, or with a sweep', async () => {
	await clear();
	const forgotten = (age) => s.sql(`insert into text_staged (segment, attempt, first_index, chunks,
			length, staged_at) values (9000, 'unknown', 0, 1, 1, now() - interval '${age}');
		insert into text_posting values ('heron', 9000, 1, array[1])`);
	await forgotten('1 hour');
	await use(keeping); // the words alone are staged
	await store('next', lines('stork', LESS));
	assert.equal(await leftovers(), 0);
	await forgotten('26 hours');
	await use({ ...settings, documents_sweep_interval: '100ms' });
	await until('it is swept', async () => {
		assert.equal(await finds('heron'), 0);
		return await leftovers() === 0;
	});
	await countsAreExact();
});

test('words that are gone from the database: 503, and nothing of it is stored', async () => {
	await clear();
	await use(settings);
	s.embedder.reset('heron');
	s.embedder.hold(1);
	const answer = send('lost', lines('heron', LESS));
	await s.embedder.holds(1);
	await until('all its words are staged', async () => await segmentsStaged() ===
		Math.ceil(LESS / 128));
	await s.sql('delete from text_staged where first_index = 128');
	s.embedder.release();
	const lost = await answer;
	assert.equal(lost.status, 503, lost.body);
	assert.ok(Number(lost.headers['retry-after']) >= 1);
	assert.equal(await s.stored('lost'), 'absent');
	await until('nothing is staged', async () => await segmentsStaged() === 0);
	await s.sql('delete from text_posting');
});

test('a database of version 3: words behind the 201, and with it once it is of this build\'s',
	async () => {
		await clear();
		await s.gate.program.stop();
		await s.sql(`drop table text_staged; drop index document_wordless;
			alter table text_segment drop column first_index;
			alter table document drop column text_placed_at`);
		const record = (version, by, until) => s.stack.sql(`update tenants set schema_version =
			${version}, attempt_id = ${by}, lease_until = ${until}`, 'catalog');
		await record(3, "'another'", "now() + interval '1 hour'");
		await s.tenantgate(settings);
		await store('before', lines('heron', LESS));
		await until('its words are kept', async () => await finds('heron7') === 1);
		await isComplete('before', 'heron', LESS);
		assert.deepEqual(await s.sql('select text_at = created_at from document'), ['t']);
		await record(3, 'null', 'null');
		await s.gate.program.stop();
		await s.tenantgate(settings);
		await until('it has the newest schema', async () => {
			await isComplete('before', 'heron', LESS);
			return (await s.stack.sql('select schema_version from tenants', 'catalog')).flat()[0] === '6';
		}, 20000);
		await store('after', lines('stork', LESS));
		await isComplete('after', 'stork', LESS);
		await isComplete('before', 'heron', LESS);
		await countsAreExact();
	});

test('a build of before keeps the words of what this one has stored once more, by its own way',
	async () => {
		await clear();
		await store('both', lines('osprey', LESS));
		await store('after', lines('stork', 40));
		// What it does behind a request, and where it replaces a document.
		await s.sql("update document set created_at = created_at + interval '1s' where id = 'both'");
		assert.equal(await finds('osprey7'), 0, 'the version before');
		await s.acme.ask('DELETE', '/documents/after');
		await until('its words are kept', async () => await finds('osprey7') === 1);
		await isComplete('both', 'osprey', LESS);
		await countsAreExact();
	});
