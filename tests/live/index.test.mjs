// SPDX-License-Identifier: MIT
// The index of a tenant's vectors: made past some thousand chunks, merged into, made anew, by one
// replica; and what is stored is found all the time, what is deleted never.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { another, endHolders, IndexTenant, settings } from './lib/index-tenant.mjs';
import { embeddingsOf, json, ModelServer } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('index');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate(settings);
});
after(() => {
	endHolders();
	return stack.stop();
});

const built = (...gates) => gates.flatMap((g) => g.lines().filter((l) => l.event === 'index.built'));

test('few chunks have no index; past 2,500 it is made, and what comes later is merged', async () => {
	const t = await IndexTenant.make(stack, gate, 'grows');
	await t.fill(2400);
	await t.put('grows a');
	assert.equal((await t.settled('nothing is made')).name, '');
	await t.findsAll();
	await t.fill(200, 'more');
	await t.put('grows b');
	const first = await t.settled('there is an index', (s) => s.name !== '');
	assert.match(first.name, /^chunk_halfvec_\d+$/);
	assert.equal(first.tail, 0);
	assert.deepEqual(await t.sql('select index_rows, index_bytes > 0 from retrieval'),
		[[String(first.rows), 't']]);
	await t.findsAll();
	// So many are left in the tail; a document of few chunks is not.
	await t.fill(80, 'tail');
	await t.put('grows c');
	assert.equal((await t.settled('the tail stays')).tail, 80);
	assert.deepEqual(await t.indexed('tail'), { total: 80, indexed: 0 });
	await t.fill(900, 'later');
	await t.put('grows d');
	const second = await t.settled('it is made anew', (s) => s.to > first.to);
	assert.equal(second.tail, 0);
	assert.deepEqual(await t.indexed('tail'), { total: 80, indexed: 80 });
	await t.fill(1050, 'last');
	await t.put('grows e');
	const third = await t.settled('it is merged', (s) => s.tail < 200);
	assert.equal(third.name, second.name);
	assert.ok(Number((await t.sql('select count(*) from chunk where not tail'))[0][0]) >= 1000);
	await t.findsAll();
	assert.ok((await t.missed('id % 25 = 0')).length < third.rows / 25 / 20);
});

test('searches go on and find all while it is built and merged', async () => {
	const t = await IndexTenant.make(stack, gate, 'reads');
	await t.fill(2600);
	const release = await t.hold('insert into document select \'held\', title, file_name, mime_type, ' +
		"metadata, sha256, bytes, pages, 1 from document limit 1; insert into chunk (document_id, " +
		"chunk_index, content, embedding) select 'held', 0, 'held', embedding from chunk limit 1");
	await t.put('reads a');
	await t.waits('CREATE INDEX CONCURRENTLY');
	await t.findsAll();
	await t.put('reads b');
	assert.equal((await t.client.ask('DELETE', '/documents/reads-needle-0')).status, 204);
	t.needles.shift();
	await t.findsAll();
	let done = false;
	const reader = (async () => {
		let rounds = 0;
		for (; !done; rounds++)
			await t.findsAll();
		return rounds;
	})();
	await release();
	await t.settled('there is an index', (s) => s.name !== '');
	await t.fill(1100, 'later');
	await t.put('reads c');
	await t.settled('it is merged', (s) => s.tail < 1001);
	done = true;
	assert.ok(await reader > 0);
	await t.findsAll();
	const gone = await t.client.search('reads needle 0', { topK: 10 });
	assert.ok(gone.json.results.every((r) => r.content !== 'reads needle 0'));
});

test('rows that took their ids before a build are found, whenever they are committed', async () => {
	const t = await IndexTenant.make(stack, gate, 'late');
	await t.fill(2600);
	const ids = (await t.sql("select nextval('chunk_id_seq') from generate_series(1, 3)")).flat();
	const moves = ids.map((id, i) =>
		`update chunk set id = ${id}, tail = true where content = 'late needle ${i}'`);
	const commit = await t.hold(moves[0]);
	await t.put('late a');
	await t.waits('CREATE INDEX CONCURRENTLY');
	await t.sql(moves[1]);
	await t.findsAll();
	await commit('commit');
	const { to, name } = await t.settled('there is an index', (s) => s.name !== '');
	await t.sql(moves[2]);
	assert.ok(ids.every((id) => Number(id) < to));
	assert.deepEqual(await t.sql(`select tail from chunk where id in (${ids})`), [['t'], ['t'], ['t']]);
	await t.findsAll();
	assert.deepEqual(await t.missed(`id in (${ids})`), []);
	assert.equal((await t.state()).name, name);
});

test('a new index comes when a fifth is deleted; with few chunks left there is none', async () => {
	const t = await IndexTenant.make(stack, gate, 'dies');
	await t.fill(1900, 'a');
	await t.fill(500, 'b');
	await t.fill(900, 'c');
	await t.put('dies a');
	const first = await t.settled('there is an index', (s) => s.name !== '');
	await t.sql("delete from document where id = 'b'");
	await t.put('dies b');
	assert.equal((await t.settled('it stays')).name, first.name);
	await t.sql("delete from chunk where document_id = 'c' and chunk_index <= 200; " +
		"update document set chunks = 700 where id = 'c'");
	await t.put('dies c');
	const second = await t.settled('it is made anew', (s) => s.name !== first.name);
	assert.equal(second.tail, 0);
	await t.findsAll();
	assert.equal((await t.client.ask('DELETE', '/documents/dies-needle-1')).status, 204);
	t.needles = t.needles.filter((n) => n !== 'dies needle 1');
	await t.sql("delete from document where id = 'a'");
	await t.put('dies d');
	const third = await t.settled('there is none', (s) => s.name === '');
	assert.equal(third.to, 0);
	await t.findsAll();
	await t.fill(1850, 'again');
	await t.put('dies e');
	await t.settled('there is one again', (s) => s.name !== '');
	await t.findsAll();
});

test('one that was made before, of all chunks, stays until there is another', async () => {
	const t = await IndexTenant.make(stack, gate, 'before');
	await t.fill(2600);
	await t.sql('create index chunk_embedding on chunk using hnsw (embedding vector_cosine_ops)');
	const release = await t.hold('lock table chunk in row exclusive mode');
	await t.put('before a');
	await t.waits('CREATE INDEX CONCURRENTLY');
	assert.ok((await t.state()).indexes.some(([name]) => name === 'chunk_embedding'));
	await t.findsAll();
	await release();
	await t.settled('there is the new one alone', (s) => s.name !== '');
	await t.findsAll();
});

test('two replicas: one builds', async () => {
	const t = await IndexTenant.make(stack, gate, 'both');
	const other = await another(stack, gate);
	const there = await other.tenant('both');
	const was = built(gate, other).length;
	await t.fill(2600);
	await Promise.all([t.put('both a'), there.ingestText('both b', { documentId: 'b' }),
		t.put('both c'), there.ingestText('both d', { documentId: 'd' })]);
	await t.settled('there is an index', (s) => s.name !== '');
	await other.program.stop();
	assert.equal(built(gate, other).length - was, 1);
	await t.findsAll();
});

test('while another has the lease nothing is done; when it is over, it is', async () => {
	const t = await IndexTenant.make(stack, gate, 'leased');
	await t.fill(2600);
	await t.sql("update retrieval set merger = 'other', merger_until = now() + interval '1 hour'");
	await t.put('leased a');
	await until('it is seen', () => gate.lines().some((l) => l.event === 'index.waits' &&
		l.message.includes('leased')));
	await t.findsAll();
	const { name, merger, indexes } = await t.state();
	assert.deepEqual([name, merger, indexes], ['', 'other', []]);
	await t.leaseEnds();
	await t.settled('there is an index', (s) => s.name !== '');
});

test('a database that is asleep is not woken for it', async () => {
	const t = await IndexTenant.make(stack, gate, 'sleeps');
	await t.fill(2600);
	await stack.sql(`alter database "${t.db}" with allow_connections false`);
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${t.db}'`);
	for (let i = 0; i < 5; i++)
		assert.equal((await t.client.get('/documents')).status, 200);
	assert.ok(!stack.pg.program.text().includes(`"${t.db}" is not currently accepting connections`));
	await stack.sql(`alter database "${t.db}" with allow_connections true`);
	await t.put('sleeps a');
	await t.settled('there is an index', (s) => s.name !== '');
});

// The index has them rounded to 16 bits, where nothing is above 65,504 or between 0 and 6e-8.
for (const length of [1e-9, 1e9])
	test(`vectors of length ${length} are found by it as others are`, async () => {
		const model = await ModelServer.start();
		model.embeddings = ({ body }, response) => {
			const answer = embeddingsOf(body, { floats: true });
			for (const item of answer.data)
				item.embedding = item.embedding.map((x) => length * x);
			return json(response, 200, answer);
		};
		const other = await another(stack, gate, { model_url: model.url });
		const name = `long${Math.log10(length)}`;
		const t = await IndexTenant.make(stack, other, name);
		await t.fill(2600);
		await t.put(`${name} first`);
		const made = await t.settled('there is an index', (s) => s.name !== '');
		await t.put(`${name} second`);
		assert.deepEqual(await t.indexed(`${name}-second`), { total: 1, indexed: 1 });
		assert.equal((await t.state()).name, made.name);
		await t.findsAll();
		await other.program.stop();
		await model.stop();
	});
