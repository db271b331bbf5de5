// SPDX-License-Identifier: MIT
// Chunks of a tenant that have the same text are embedded once: within a document, among documents,
// and when a document is uploaded again with a change. Nothing outlives a deletion, and no vector is
// another tenant's, or another model's.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { CHUNKS, StagingStack } from './lib/staging-stack.mjs';
import { paragraphs } from './lib/embedder.mjs';
import { until } from './lib/process.mjs';

let s;
before(async () => {
	s = await StagingStack.start('documents-known-texts');
});
after(() => s?.stop());

// Stores a document; the texts that the model was asked for.
async function asked(id, texts, status = 201) {
	s.embedder.reset();
	const answer = await s.ingest(id, texts);
	assert.equal(answer.status, status, answer.body);
	assert.equal(answer.json.document.chunks, texts.length);
	const got = [...s.embedder.texts];
	await s.isInOrder(id, texts);
	return got.sort();
}

for (const [size, count] of [['a few', 30], ['many', CHUNKS]])
	test(`${size} chunks: uploaded again, the changed ones alone are embedded`, async () => {
		const texts = paragraphs(count, size);
		assert.deepEqual(await asked(size, texts), [...texts].sort());
		const changed = [...texts];
		for (const i of [2, count - 5])
			changed[i] = `Changed. ${texts[i]}`.slice(0, 900);
		assert.deepEqual(await asked(size, changed), [changed[2], changed[count - 5]].sort());
		// As another document, and with parts of both.
		assert.deepEqual(await asked(`${size} more`, texts), [texts[2], texts[count - 5]].sort());
		assert.deepEqual(await asked(`${size} mixed`, [...texts.slice(0, 7), ...changed.slice(1)]),
			[]);
		assert.equal(s.embedder.calls.length, 4, 'the searches of the test itself');
	});

test('the same text many times in one document: once', async () => {
	const texts = paragraphs(CHUNKS, 'once');
	const refrain = paragraphs(1, 'refrain')[0];
	for (let i = 1; i < CHUNKS; i += 2)
		texts[i] = refrain;
	const want = [...new Set(texts)].sort();
	assert.deepEqual(await asked('repeats', texts), want);
	const rows = await s.sql('select count(*), count(distinct embedding::text) from chunk where ' +
		`document_id = 'repeats' and content = '${refrain}'`);
	assert.deepEqual(rows, [String(CHUNKS / 2), '1']);
});

test('a document of one text: one call for one text', async () => {
	const texts = Array.from({ length: CHUNKS }, () => paragraphs(1, 'alone')[0]);
	assert.deepEqual(await asked('alone', texts), [texts[0]]);
});

test('what was deleted is embedded again', async () => {
	const texts = paragraphs(30, 'deleted');
	await asked('deleted', texts);
	assert.equal((await s.acme.ask('DELETE', '/documents/deleted')).status, 204);
	assert.deepEqual(await s.sql("select 1 from chunk where content like 'deleted%'"), []);
	await until('nothing is staged', async () => await s.staged() === 0);
	assert.deepEqual(await asked('deleted', texts), [...texts].sort());
});

test('another tenant\'s text is embedded for it', async () => {
	const texts = paragraphs(30, 'both');
	await asked('both', texts);
	const other = await s.gate.tenant('other');
	s.embedder.reset();
	const answer = await other.ingestText(texts.join('\n\n'), { documentId: 'both' });
	assert.equal(answer.status, 201, answer.body);
	assert.deepEqual(s.embedder.texts.sort(), [...texts].sort());
});

test('a vector is known by its text and by the model that made it', async () => {
	const texts = paragraphs(30, 'model');
	await asked('model', texts);
	await s.gate.program.stop();
	await s.tenantgate({ embedding_model: 'another-model' });
	await s.sql('update retrieval set embedding_model = null');
	assert.deepEqual(await asked('model', [...texts].reverse()), [...texts].sort());
});
