// SPDX-License-Identifier: MIT
// Sketches while others are at work: a build that ends their use, a command that makes other vectors,
// whoever stores meanwhile, and a process that is killed.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { another, endHolders } from './lib/index-tenant.mjs';
import { until } from './lib/process.mjs';
import { areRight, findsEach, indexed, settings, sketched, sketchesOf } from './lib/sketches.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('index-sketches-killed');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate(settings);
});
after(() => {
	endHolders();
	return stack.stop();
});

test('a chunk that comes back to the tail, with another vector perhaps: none counts', async () => {
	const t = await sketched(stack, gate, 'vectors');
	await t.sql(`update chunk c set tail = true, embedding = n.embedding, content = n.content
		from chunk n where c.document_id = 'more' and c.chunk_index = 7 and
		n.content = 'vectors needle 1'; delete from document where id = 'vectors-needle-1'`);
	await areRight(t, { counts: false, sketches: 300, without: 1 });
	await t.leaseEnds();
	await t.put('vectors c');
	await t.settled('it is merged', (s) => s.tail <= 100);
	await areRight(t, { counts: true, sketches: (await t.state()).tail });
});

test('sketches behind another index do not count, and go', async () => {
	const t = await sketched(stack, gate, 'another');
	const [[to]] = await t.sql('update retrieval set sketched_of = indexed_to - 1 returning sketched_to');
	await areRight(t, { counts: false, sketches: 300 });
	await t.fill(1000, 'much');
	await t.leaseEnds();
	await t.put('another c');
	const end = await t.settled('it is made anew', (s) => s.to > Number(to));
	await until('those of before are gone', async () => (await sketchesOf(t)).sketches === 0);
	await areRight(t, { counts: true, sketches: 0 });
	assert.equal(end.tail, 0);
});

test('while others store, none are made: it is merged, and what they store is found', async () => {
	const t = await indexed(stack, gate, 'beside');
	const commit = await t.hold(`insert into chunk (document_id, chunk_index, content, embedding)
		select document_id, 1, 'beside late', embedding from chunk where content = 'beside needle 2'`);
	await t.fill(300, 'more');
	await t.put('beside b');
	await until('it is merged', async () => (await t.state()).tail <= 100);
	await areRight(t, { counts: false, sketches: 0 });
	await commit('commit');
	await t.sql("delete from chunk where content = 'beside needle 2'");
	t.needles = [...t.needles.filter((n) => n !== 'beside needle 2'), 'beside late'];
	assert.equal((await t.client.search('beside needle 2', { topK: 1 })).json.results[0].content,
		'beside late');
});

test('killed while it makes them: what is there is right, and another goes on', async () => {
	const t = await indexed(stack, gate, 'killed');
	await t.fill(300, 'more');
	const victim = await another(stack, gate, settings);
	const release = await t.hold(
		"insert into chunk_sketch select max(id), b'1' from chunk where document_id = 'more'");
	assert.equal((await (await victim.tenant('killed')).ingestText('killed v', { documentId: 'v' }))
		.status, 201);
	await t.waits('SET LOCAL lock_timeout');
	victim.program.kill('SIGKILL');
	await victim.program.exit;
	await t.findsAll();
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${t.db}'
		and query like '%LOCK TABLE public.chunk%'`);
	await release();
	await areRight(t, { counts: false, sketches: 0 });
	await t.leaseEnds();
	await t.put('killed w');
	await t.settled('another has gone on', (s) => s.tail <= 100);
	await areRight(t, { counts: true, sketches: (await t.state()).tail });
});

test('others that hold what it needs hold up nobody who stores: it gives up, and merges', async () => {
	const t = await indexed(stack, gate, 'patient');
	await t.fill(300, 'more');
	const release = await t.hold(
		"insert into chunk_sketch select max(id), b'1' from chunk where document_id = 'more'");
	await t.put('patient b');
	await t.waits('SET LOCAL lock_timeout');
	await t.sql(`insert into chunk (document_id, chunk_index, content, embedding) select 'more', 9999,
		'patient c', array_agg(random() - 0.5)::vector from generate_series(1, 256)`);
	await until('it is merged', async () => (await t.state()).tail <= 100);
	await release('rollback');
	await findsEach(t);
});
