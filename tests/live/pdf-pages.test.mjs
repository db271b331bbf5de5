// SPDX-License-Identifier: MIT
// A long PDF is ready soon after its embeddings are: it is read, cut, stored and listed in half of
// their time at the most, where each call takes as long as a provider's.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { EmbeddingServer } from '../bench/documents-model.mjs';
import { bookPdf } from './lib/heavy-pdf.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('pdf-pages');
let model, acme;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	model = await EmbeddingServer.start();
	const gate = await stack.tenantgate({ model_url: model.url });
	acme = await gate.tenant('acme');
	assert.equal((await acme.ingestText('A first text.')).status, 201);
});
after(async () => {
	await stack.stop();
	model.stop();
});

test('300 pages: ready in one and a half times their embedding', async (t) => {
	const body = bookPdf(300);
	model.delay = 1000;
	model.begin();
	const began = performance.now();
	const answer = await acme.ask('POST', '/ingest', {
		headers: { 'content-type': 'application/pdf' }, body });
	const took = (performance.now() - began) / 1000;
	assert.equal(answer.status, 201, answer.body);
	assert.equal(answer.json.document.pages, 300);
	assert.ok(answer.json.document.chunks >= 900, answer.body);
	t.diagnostic(`${answer.json.document.chunks} chunks: ${took.toFixed(2)} s, of which embedding ` +
		`${model.seconds.toFixed(2)}`);
	assert.ok(took <= 1.5 * model.seconds, `${took} s, embedding ${model.seconds}`);
	const found = await acme.search('passage 13499', { mode: 'text', topK: 1 });
	assert.equal(found.json.results[0].page, 300);
});
