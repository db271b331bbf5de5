// SPDX-License-Identifier: MIT
// Sketches of what is behind a tenant's index: whatever becomes of the chunks meanwhile, and whoever
// does it, all of them are found, each once.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { another, endHolders, IndexTenant, settings } from './lib/index-tenant.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('index-sketches');
const dimensions = 256;	// the fewest that there are sketches of
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ ...settings, embedding_dimensions: dimensions });
});
after(() => {
	endHolders();
	return stack.stop();
});

// As many as the tail up to sketched_to has chunks, and of those.
async function sketchesOf(t) {
	const [[of, to, indexed, sketches, without, others]] = await t.sql(`select sketched_of,
		sketched_to, indexed_to, (select count(*) from chunk_sketch),
		(select count(*) from chunk c where c.tail and c.id > indexed_to and c.id <= sketched_to and
		not exists (select from chunk_sketch s where s.id = c.id and
		s.sketch = binary_quantize(c.embedding))), (select count(*) from chunk_sketch s where not
		exists (select from chunk c where c.id = s.id and c.tail)) from retrieval`);
	return { counts: of !== '0' && of === indexed, to: Number(to), sketches: Number(sketches),
		without: Number(without), others: Number(others) };
}

// Every needle is found, in each mode; a hundred chunks are a hundred different ones.
async function findsEach(t) {
	await t.findsAll();
	const { results } = (await t.client.search(t.needles.at(-1), { topK: 100 })).json;
	assert.equal(results.length, 100);
	assert.equal(new Set(results.map((r) => `${r.documentId}/${r.chunk}`)).size, 100);
	assert.equal(results[0].content, t.needles.at(-1));
	const both = await t.client.search(`${t.name} a`, { topK: 3, mode: 'hybrid' });
	assert.equal(both.json.results[0].content, `${t.name} a`, both.body);
}

// One with an index.
async function indexed(name) {
	const t = await IndexTenant.make(stack, gate, name, 3, dimensions);
	await t.fill(2600);
	await t.put(`${name} a`);
	await t.settled('there is an index', (s) => s.name !== '');
	return t;
}

// A document of many passages: a tail.
async function putTail(t, id, count, client = t.client) {
	const texts = Array.from({ length: count }, (_, i) => `${t.name} ${id} passage ${i}`);
	const answer = await client.ask('POST', `/ingest?documentId=${id}`,
		{ headers: { 'content-type': 'text/plain' },
			body: texts.map((text) => text.padEnd(700, ' .')).join('\n\n') });
	assert.equal(answer.status, 201, answer.body);
	assert.equal(answer.json.document.chunks, count);
}

// One whose tail has sketches, and is not merged: another has the lease.
async function sketched(name) {
	const t = await indexed(name);
	await t.fill(300, 'more');
	const release = await t.hold('select from chunk where tail for no key update');
	await t.put(`${name} b`);
	await until('there are sketches', async () => (await sketchesOf(t)).sketches >= 300);
	await t.sql("update retrieval set merger = 'other', merger_until = now() + interval '1 hour'");
	await release();
	return t;
}

const right = { without: 0, others: 0 };
async function areRight(t, expected) {
	const { counts, sketches, without, others } = await sketchesOf(t);
	assert.deepEqual({ counts, sketches, without, others }, { ...right, ...expected });
	await findsEach(t);
}

test('a tail has sketches until it is merged, and is found all the time', async () => {
	const t = await indexed('grows');
	const release = await t.hold('select from chunk where tail for no key update');
	await t.fill(300, 'more');
	const later = await t.hold("select from chunk where document_id = 'more' for no key update");
	await t.put('grows b');
	await until('there are sketches', async () => (await sketchesOf(t)).sketches >= 300);
	await areRight(t, { counts: true, sketches: 300 });
	await release();
	await later();
	await t.settled('it is merged', (s) => s.tail <= 100);
	const { sketches } = await sketchesOf(t);
	await areRight(t, { counts: true, sketches: (await t.state()).tail });
	assert.ok(sketches <= 100);
});

test('chunks that go, are replaced or merged by whichever build take theirs with them', async () => {
	const t = await sketched('changes');
	await areRight(t, { counts: true, sketches: 300 });
	await t.sql("insert into chunk (document_id, chunk_index, content, embedding) select 'more', 1000, " +
		"'changes c', embedding from chunk where content = 'changes needle 0'; delete from chunk " +
		"where content = 'changes needle 0'");
	t.needles.shift();
	t.needles.push('changes needle 0');
	await t.sql("update chunk set content = 'changes needle 0' where content = 'changes c'");
	await areRight(t, { counts: true, sketches: 300 });	// behind what is sketched
	await t.sql("update chunk set tail = false where document_id = 'more' and chunk_index <= 100");
	await areRight(t, { counts: true, sketches: 200 });
	await t.sql("delete from chunk where document_id = 'more' and chunk_index between 101 and 150");
	await areRight(t, { counts: true, sketches: 150 });
	assert.equal((await t.client.ingestText('changes more', { documentId: 'more' })).status, 201);
	t.needles.splice(t.needles.indexOf('changes needle 0'), 1, 'changes more');
	await areRight(t, { counts: true, sketches: 0 });
	const gone = await t.client.search('changes needle 0', { topK: 10 });
	assert.ok(gone.json.results.every((r) => !['changes needle 0', 'hay'].includes(r.content) ||
		r.documentId === 'hay'));
});

test('a chunk that comes back to the tail, with another vector perhaps: none counts', async () => {
	const t = await sketched('vectors');
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
	const t = await sketched('another');
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
	const t = await indexed('beside');
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

test('of vectors that are mostly zeros there are none', async () => {
	const t = await indexed('sparse');
	await putTail(t, 'words', 300);
	await t.settled('it is merged', (s) => s.tail <= 100);
	assert.equal((await sketchesOf(t)).sketches, 0);
	await findsEach(t);
});

test('killed while it makes them: what is there is right, and another goes on', async () => {
	const t = await indexed('killed');
	await t.fill(300, 'more');
	const victim = await another(stack, gate, { embedding_dimensions: dimensions });
	const release = await t.hold(
		"insert into chunk_sketch select max(id), b'1' from chunk where document_id = 'more'");
	assert.equal((await (await victim.tenant('killed')).ingestText('killed v', { documentId: 'v' }))
		.status, 201);
	await t.waits('LOCK TABLE public.chunk');
	await t.findsAll();
	victim.program.kill('SIGKILL');
	await victim.program.exit;
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${t.db}'
		and query like 'LOCK TABLE public.chunk%'`);
	await release();
	await areRight(t, { counts: false, sketches: 0 });
	await t.leaseEnds();
	await t.put('killed w');
	await t.settled('another has gone on', (s) => s.tail <= 100);
	await areRight(t, { counts: true, sketches: (await t.state()).tail });
});
