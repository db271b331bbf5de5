// SPDX-License-Identifier: MIT
// A document whose vectors are more than are held in memory goes to the database batch by batch: the
// calls of the model, what is seen meanwhile, and what is there in the end.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { BATCH, CALLS, CHUNKS, StagingStack } from './lib/staging-stack.mjs';
import { paragraphs } from './lib/embedder.mjs';
import { embeddingsOf, json } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';

let s;
before(async () => {
	s = await StagingStack.start('documents-staging');
});
after(() => s?.stop());

test('so many calls at a time, and no more; in whatever order they end, the chunks are in theirs',
	async () => {
		s.embedder.reset('order');
		s.embedder.hold();
		const texts = paragraphs(CHUNKS, 'order');
		const answer = s.ingest('order', texts);
		let most = 0;
		for (let done = 0; done < CHUNKS;) {
			const waits = Math.min(CALLS, Math.ceil((CHUNKS - done) / BATCH));
			await s.embedder.holds(waits);
			most = Math.max(most, s.embedder.waiting.length);
			done += BATCH;
			s.embedder.waiting.pop()(); // the last one first
		}
		s.embedder.release();
		const { status, json } = await answer;
		assert.equal(status, 201);
		assert.equal(json.document.chunks, CHUNKS);
		assert.equal(most, CALLS);
		assert.ok(s.embedder.calls.every((count) => count <= BATCH), String(s.embedder.calls));
		await s.isInOrder('order', texts);
		await until('nothing is staged', async () => await s.staged() === 0);
	});

test('while the model is waited for no connection is held, and nothing of the document is seen',
	async () => {
		s.embedder.reset('unseen');
		s.embedder.hold(3);
		await s.gate.program.stop();
		await s.tenantgate({ default_pool_size: 1 });
		const texts = paragraphs(CHUNKS, 'unseen');
		const answer = s.ingest('unseen', texts);
		await s.embedder.holds(CALLS);
		await s.stages(3);
		assert.equal(await s.stored('unseen'), 'absent');
		assert.equal(await s.listed('unseen'), 'ingesting');
		// The pool's one connection: it is free.
		const list = await s.acme.get('/documents/order/chunks?limit=1');
		assert.equal(list.status, 200, list.body);
		// What it did last is seen before its session is idle; and the server's own vacuum is no client.
		await until('no session is at work', async () => (await s.sql('select count(*) from ' +
			"pg_stat_activity where datname = current_database() and backend_type = 'client backend' " +
			"and application_name <> 'psql' and state <> 'idle'"))[0] === '0');
		s.embedder.release();
		assert.equal((await answer).status, 201);
		await s.isInOrder('unseen', texts);
	});

test('the model is noted with the first ones that are staged, and whether they are normalized',
	async () => {
		const long = (request, response) => {
			const all = embeddingsOf(request.body, { floats: true });
			for (const one of all.data)
				one.embedding = one.embedding.map((x) => 2 * x);
			json(response, 200, all);
		};
		for (const [mark, noted] of [['unit', 't'], ['long', 'f']]) {
			await s.sql('update retrieval set embedding_model = null, embedding_dimensions = null, ' +
				'embedding_normalized = null');
			s.embedder.reset(mark);
			if (mark === 'long')
				s.server.embeddings = long;
			assert.equal((await s.ingest('noted', paragraphs(CHUNKS, mark))).status, 201);
			assert.deepEqual(await s.sql("select embedding_model <> '' and embedding_dimensions = 128, " +
				'embedding_normalized from retrieval'), ['t', noted]);
		}
		await s.sql('update retrieval set embedding_normalized = true');
	});

// Counted by the server, in sequences: what is rolled back counts too.
test('what is written: each row once; staged ones once more, and nothing changed', async () => {
	s.embedder.reset();
	const counters = ['chunk_insert', 'chunk_update', 'chunk_delete', 'chunk_staged_insert',
		'chunk_staged_update', 'chunk_staged_delete', 'document_update'];
	await s.sql(`create function counts() returns trigger language plpgsql security definer as $$ begin
			perform nextval('public.kept_' || tg_argv[0]); return coalesce(new, old); end $$;
		${counters.map((name) => `create sequence kept_${name}; create trigger counts_${name} before
			${name.split('_').at(-1)} on ${name.replace(/_[a-z]+$/, '')} for each row execute
			function counts('${name}');`).join('\n')}`);
	const counted = () => s.sql(counters.map((name) =>
		`select case when is_called then last_value else 0 end from kept_${name}`)
		.join(' union all '));
	try {
		for (const [id, count, expected] of [['few', 20, [20, 0, 0, 0, 0, 0, 1]],
			['many', CHUNKS, [20 + CHUNKS, 0, 0, CHUNKS, 0, CHUNKS, 2]]]) {
			assert.equal((await s.ingest(id, paragraphs(count, id))).status, 201);
			await until('nothing is staged', async () => await s.staged() === 0);
			assert.deepEqual((await counted()).map(Number), expected);
		}
	} finally {
		await s.sql('drop function counts() cascade; ' +
			counters.map((name) => `drop sequence kept_${name}`).join('; '));
	}
});

test('the 201 does not wait until what was staged is gone', async () => {
	s.embedder.reset('behind');
	await s.gate.program.stop();
	await s.tenantgate(); // with a connection for others
	const release = await s.keepStaged();
	const texts = paragraphs(CHUNKS, 'behind');
	try {
		assert.equal((await s.ingest('behind', texts)).status, 201);
		await s.unstagingWaits();
		assert.equal(await s.staged(), CHUNKS);
		await s.isInOrder('behind', texts);
		assert.equal(await s.listed('behind'), 'ready');
	} finally {
		await release();
	}
	await until('it is gone', async () => await s.staged() === 0);
});

test('progress: what is embedded, and what is in the database', async () => {
	s.embedder.reset('told');
	const answer = await s.ingest('told', paragraphs(CHUNKS, 'told'), { headers: {
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

test('a database that has lost what was staged: 503, and nothing of it is stored', async () => {
	s.embedder.reset('lost');
	s.embedder.hold(8);
	const texts = paragraphs(CHUNKS, 'lost');
	const answer = s.ingest('lost', texts);
	await s.stages(8);
	await s.sql('truncate chunk_staged');
	s.embedder.release();
	const lost = await answer;
	assert.equal(lost.status, 503, lost.body);
	assert.equal(lost.json.code, 'database_unavailable');
	assert.ok(Number(lost.headers['retry-after']) >= 1);
	assert.equal(await s.stored('lost'), 'absent');
	await until('nothing is left', async () => await s.staged() === 0);
	assert.equal((await s.ingest('lost', texts)).status, 201);
	await s.isInOrder('lost', texts);
});

test('a few chunks go straight in, and into the index where there is one', async () => {
	s.embedder.reset();
	const tails = (id) => s.sql('select distinct tail from chunk where document_id = ' +
		`'${id}'`);
	assert.deepEqual(await tails('first'), ['t']);
	assert.deepEqual(await tails('order'), ['t']);
	await s.sql('alter table chunk_staged rename to chunk_elsewhere');
	try {
		await s.sql('update retrieval set indexed_to = 1');
		for (const [id, count, tail] of [['twenty', 20, 'f'], ['more', 21, 't']]) {
			const answer = await s.ingest(id, paragraphs(count, id));
			assert.equal(answer.status, 201, answer.body);
			assert.equal(await s.stored(id), `${count} ${count}`);
			assert.deepEqual(await tails(id), [tail]);
		}
	} finally {
		await s.sql('update retrieval set indexed_to = 0');
		await s.sql('alter table chunk_elsewhere rename to chunk_staged');
	}
});
