// SPDX-License-Identifier: MIT
// What each way of searching finds of a small book, asked as people ask: by words it must know most
// answers, and by both no fewer than by either. (The vectors are the stand-in's, hashed words.)
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { paragraphs, questions } from './lib/harbour-book.mjs';

const stack = new Stack('search-quality');
let reader;

before(async () => {
	await stack.surroundings({ neon: false });
	const gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0 });
	reader = await gate.tenant('reader');
	for (const [documentId, text] of Object.entries(paragraphs))
		assert.equal((await reader.ingestText(text, { documentId })).status, 201);
});
after(() => stack.stop());

// Of all questions: the right paragraph first, among the first four, and the mean of 1 / its rank.
async function judged(mode) {
	const ranks = await Promise.all(questions.map(async ([query, right]) => {
		const answer = await reader.post('/search', { query, mode, topK: 10 });
		assert.equal(answer.status, 200, answer.body);
		return 1 + answer.json.results.findIndex((hit) => hit.documentId === right);
	}));
	const part = (of) => ranks.reduce((sum, rank) => sum + of(rank), 0) / ranks.length;
	return { first: part((rank) => Number(rank === 1)), four: part((rank) => Number(rank > 0 && rank <= 4)),
		mrr: part((rank) => rank > 0 ? 1 / rank : 0) };
}

test('by both no answer is lost that words or vectors find', async (t) => {
	const [vector, text, hybrid] = await Promise.all(['vector', 'text', 'hybrid'].map(judged));
	t.diagnostic(JSON.stringify({ vector, text, hybrid }));
	assert.ok(text.first >= 0.85 && text.four >= 0.95, JSON.stringify(text));
	assert.ok(vector.four >= 0.5, JSON.stringify(vector));
	for (const what of ['first', 'four', 'mrr'])
		assert.ok(hybrid[what] >= Math.max(text[what], vector[what]) - 0.01,
			`${what}: ${JSON.stringify({ vector, text, hybrid })}`);
});
