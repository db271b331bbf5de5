// SPDX-License-Identifier: MIT
// A tenant whose tail has sketches.
import assert from 'node:assert/strict';
import { IndexTenant, settings as few } from './index-tenant.mjs';
import { until } from './process.mjs';

export const settings = { ...few, embedding_dimensions: 256 };	// the fewest that there are sketches of

// As many as the tail up to sketched_to has chunks, and of those.
export async function sketchesOf(t) {
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
export async function findsEach(t) {
	await t.findsAll();
	const { results } = (await t.client.search(t.needles.at(-1), { topK: 100 })).json;
	assert.equal(results.length, 100);
	assert.equal(new Set(results.map((r) => `${r.documentId}/${r.chunk}`)).size, 100);
	assert.equal(results[0].content, t.needles.at(-1));
	const both = await t.client.search(`${t.name} a`, { topK: 3, mode: 'hybrid' });
	assert.equal(both.json.results[0].content, `${t.name} a`, both.body);
}

// One with an index.
export async function indexed(stack, gate, name) {
	const t = await IndexTenant.make(stack, gate, name, 3, settings.embedding_dimensions);
	await t.fill(2600);
	await t.put(`${name} a`);
	await t.settled('there is an index', (s) => s.name !== '');
	return t;
}

// One whose tail has sketches, and is not merged: another has the lease.
export async function sketched(stack, gate, name) {
	const t = await indexed(stack, gate, name);
	await t.fill(300, 'more');
	const release = await t.hold('select from chunk where tail for no key update');
	await t.put(`${name} b`);
	await until('there are sketches', async () => (await sketchesOf(t)).sketches >= 300);
	await t.sql("update retrieval set merger = 'other', merger_until = now() + interval '1 hour'");
	await release();
	return t;
}

export async function areRight(t, expected) {
	const { counts, sketches, without, others } = await sketchesOf(t);
	assert.deepEqual({ counts, sketches, without, others }, { without: 0, others: 0, ...expected });
	await findsEach(t);
}
