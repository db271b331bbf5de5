// SPDX-License-Identifier: MIT
// Sketches of what is behind a tenant's index: whatever becomes of the chunks meanwhile, and whoever
// does it, all of them are found, each once.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { endHolders } from './lib/index-tenant.mjs';
import { until } from './lib/process.mjs';
import { areRight, findsEach, indexed, settings, sketched, sketchesOf } from './lib/sketches.mjs';
import { build, Stack } from './lib/stack.mjs';

const stack = new Stack('index-sketches');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate(settings);
});
after(() => {
	endHolders();
	return stack.stop();
});

// A document of many passages: a tail.
async function putTail(t, id, count) {
	const texts = Array.from({ length: count }, (_, i) => `${t.name} ${id} passage ${i}`);
	const answer = await t.client.ask('POST', `/ingest?documentId=${id}`,
		{ headers: { 'content-type': 'text/plain' },
			body: texts.map((text) => text.padEnd(700, ' .')).join('\n\n') });
	assert.equal(answer.status, 201, answer.body);
	assert.equal(answer.json.document.chunks, count);
}

test('a tail has sketches until it is merged, and is found all the time', async () => {
	const t = await indexed(stack, gate, 'grows');
	await t.fill(300, 'more');
	const release = await t.hold('select from chunk where tail for no key update');
	await t.put('grows b');
	await until('there are sketches', async () => (await sketchesOf(t)).sketches >= 300);
	await areRight(t, { counts: true, sketches: 300 });
	await release();
	const { tail } = await t.settled('it is merged', (s) => s.tail <= 100);
	await areRight(t, { counts: true, sketches: tail });
});

test('chunks that go, are replaced or merged by whichever build take theirs with them', async () => {
	const t = await sketched(stack, gate, 'changes');
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
	assert.ok(gone.json.results.every((r) => r.content !== 'changes needle 0'));
});

const making = (bound) => execFileSync(join(build, 'tests/live/statement_print'), ['sketch', bound],
	{ encoding: 'utf8' });

test('whoever comes late, for an index of before, takes no sketch away', async () => {
	const t = await sketched(stack, gate, 'late');
	const [[to]] = await t.sql('select indexed_to from retrieval');
	await t.sql(making(String(Number(to) - 1)));
	await areRight(t, { counts: true, sketches: 300 });
});

test('sketches of an index of before do not count any more when they go, whatever takes their place',
	async () => {
		const t = await sketched(stack, gate, 'former');
		await t.sql(`update chunk set embedding = (select ('[1' || repeat(',0', vector_dims(embedding) - 1)
			|| ']')::vector) where tail`);
		await t.sql('update retrieval set sketched_of = indexed_to - 1');
		const [[to]] = await t.sql('select indexed_to from retrieval');
		await t.sql(making(to));
		assert.deepEqual(await t.sql('select sketched_of, (select count(*) from chunk_sketch) from retrieval'),
			[['0', '0']]);
	});

test('a statement that deletes nothing looks at no sketch',
	async () => {
		const t = await sketched(stack, gate, 'cheap');
		const plan = (document) => t.sql(`explain (analyze, costs off) delete from chunk
			where document_id = '${document}'`);
		assert.doesNotMatch((await plan('none')).join('\n'), /chunk_gone/);
		assert.match((await plan('more')).join('\n'), /Trigger chunk_gone: .*calls=300/);
		await areRight(t, { counts: true, sketches: 0 });
	});

test('a vector that is changed by hand is found, also by a role that may write chunks alone',
	async () => {
		const t = await sketched(stack, gate, 'hand');
		await t.sql('create role hand_writer; grant select, update, delete on chunk to hand_writer');
		await t.sql(`set role hand_writer; update chunk set content = 'hand needle 0', embedding = (select
			embedding from chunk where content = 'hand needle 0') where document_id = 'more' and
			chunk_index = 1; delete from chunk where content = 'hand needle 0' and document_id <> 'more'`);
		await areRight(t, { counts: false, sketches: 300, without: 1 });
		await t.sql("set role hand_writer; delete from chunk where content = 'hand needle 0'");
		t.needles.shift();
		await areRight(t, { counts: false, sketches: 299 });
	});

test('of vectors that are mostly zeros there are none', async () => {
	const t = await indexed(stack, gate, 'sparse');
	await putTail(t, 'words', 300);
	await t.settled('it is merged', (s) => s.tail <= 100);
	assert.equal((await sketchesOf(t)).sketches, 0);
	await findsEach(t);
});
