// SPDX-License-Identifier: MIT
// Passages put in order by a model of their own: what it is asked, in which form, what becomes of
// its order, and that whatever it does wrong is a search in its own order.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { json, ModelServer, STALL } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const QUESTION = 'Which lamp is the brightest?';
const stack = new Stack('rerank');
let judge, talker, gate, tenant, plain;

// Passage n of lamp n: as far from the question as any other.
const passages = (who, count) => Array.from({ length: count }, (_, i) =>
	`${who} lamp ${String(i).padStart(2, '0')} is bright. ${'word '.repeat(9).trim()}`).join('\n\n');
const numbers = (texts) => texts.map((text) => Number(/lamp (\d+)/.exec(text)[1]));
const found = (answer) => numbers(answer.json.results.map((result) => result.content));

// Cohere's form: the higher the number, the better.
function cohere(request, response) {
	const results = numbers(request.body.documents)
		.map((number, index) => ({ index, relevance_score: number / 100 }))
		.sort((a, b) => b.relevance_score - a.relevance_score)
		.slice(0, request.body.top_n);
	return json(response, 200, { id: 'x', results });
}

// As text-embeddings-inference: other names, another shape, and at most eight texts at once.
function tei({ body }, response) {
	if (body.texts === undefined)
		return json(response, 422, 'Failed to deserialize the JSON body into the target type: ' +
			'missing field `texts` at line 1 column 400');
	if (body.texts.length > 8)
		return json(response, 413, { error_type: 'Validation', error:
			`batch size ${body.texts.length} > maximum allowed batch size 8` });
	assert.deepEqual(Object.keys(body).sort(), ['query', 'texts', 'truncate']);
	return json(response, 200, numbers(body.texts).map((number, index) =>
		({ index, score: number / 100 })));
}

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	judge = await ModelServer.start();
	talker = await ModelServer.start();
	const settings = { model_url: talker.url, workers: 1, chunk_size: 80, chunk_overlap: 0,
		rate_limit_requests_per_minute: 0, tenant_cache_ttl: '50ms' };
	gate = await stack.tenantgate({ ...settings, rerank_model: 'judge/best', rerank_timeout: '60s',
		'model judge': { url: judge.url, api_key: 'judge-key', rerank_extra_body: '{"a": 1}' },
		'model texts': { url: judge.url.replace('/v1', '/v2') },
		'plan keen': { rerank: 'on' } });
	tenant = await gate.tenant('harbour');
	for (const who of ['harbour', 'island']) {
		const stored = await (await gate.tenant(who)).ingestText(passages(who, 40),
			{ documentId: 'lamps' });
		assert.equal(stored.status, 201, stored.body);
		assert.equal(stored.json.document.chunks, 40);
	}
	plain = settings;
});
after(async () => {
	await stack.stop();
	await judge.stop();
	await talker.stop();
});
beforeEach(() => {
	judge.reset();
	talker.reset();
	judge.rerank = cohere;
});

async function ranked(topK, fields = {}) {
	const answer = await tenant.search(QUESTION, { topK, rerank: true, ...fields });
	assert.equal(answer.status, 200, answer.body);
	return answer;
}

test('the best of four times as many candidates, in the order of the model', async () => {
	const answer = await ranked(5);
	const [{ path, headers, body }] = judge.requests;
	assert.equal(path, '/v1/rerank');
	assert.equal(headers.authorization, 'Bearer judge-key');
	assert.deepEqual({ ...body, documents: body.documents.length },
		{ query: QUESTION, documents: 20, model: 'best', top_n: 5, a: 1 });
	const best = numbers(body.documents).sort((a, b) => b - a).slice(0, 5);
	assert.deepEqual(found(answer), best);
	assert.equal(answer.json.reranked, true);
	assert.deepEqual(answer.json.results.map((r) => r.rerankScore), best.map((n) => n / 100));
	assert.ok(answer.json.results.every((r) => r.score > -1 && r.score <= 1));
	assert.ok(body.documents.every((text) => text.startsWith('harbour')), 'the tenant\'s own alone');
});

test('where nothing is said the search has its own order, and nobody is asked', async () => {
	const answer = await tenant.search(QUESTION, { topK: 5 });
	assert.equal(answer.json.results.length, 5);
	assert.equal('reranked' in answer.json, false);
	assert.equal('rerankScore' in answer.json.results[0], false);
	assert.equal(judge.requests.length, 0);
	assert.equal((await tenant.search(QUESTION, { rerank: 'yes' })).status, 400);
});

test('a plan has it on, for chats and searches; a request goes before it', async () => {
	await stack.sql("update tenants set plan = 'keen' where tenant_id = 'island'", 'catalog');
	const island = await gate.tenant('island');
	const search = await until('the plan is known', async () => {
		const answer = await island.search(QUESTION, { topK: 2, mode: 'hybrid' });	// as a chat's
		return answer.json.reranked ? answer : null;
	});
	const best = found(search);
	judge.reset();
	judge.rerank = cohere;
	assert.equal((await island.chat(QUESTION, { fields: { topK: 2 } })).status, 200);
	assert.equal(judge.requests.length, 1);
	const { content } = talker.chats()[0].body.messages.find(({ role }) => role === 'system');
	assert.deepEqual(numbers(content.match(/\n\nisland lamp \d+/g)), best, 'and the prompt has no others');
	for (const answer of [await island.search(QUESTION, { rerank: false }),
		await island.chat(QUESTION, { fields: { rerank: false } })])
		assert.equal(answer.status, 200);
	assert.equal(judge.requests.length, 1);
});

const wrong = {
	'a 500': (q, r) => json(r, 500, {}),
	'no JSON': (q, r) => json(r, 200, '<html>'),
	'an index out of range': (q, r) => json(r, 200, { results: q.body.documents.map((_, i) =>
		({ index: i + 1, relevance_score: 1 })) }),
	'an index twice': (q, r) => json(r, 200, { results: q.body.documents.map(() =>
		({ index: 0, relevance_score: 1 })) }),
	'one result of five': (q, r) => json(r, 200, { results: [{ index: 0, relevance_score: 1 }] }),
	'NaN': (q, r) => json(r, 200, `{"results":[${q.body.documents.map((_, i) =>
		`{"index":${i},"relevance_score":NaN}`)}]}`),
	'more bytes than such an answer has': (q, r) => json(r, 200, ' '.repeat(200000)),
};

test('whatever it does wrong, the search is answered in its own order', async () => {
	const own = found(await tenant.search(QUESTION, { topK: 5 }));
	for (const [what, play] of Object.entries(wrong)) {
		judge.reset();
		judge.rerank = play;
		const answer = await ranked(5);
		assert.equal(answer.json.reranked, false, what);
		assert.deepEqual(found(answer), own, what);
		assert.equal(judge.requests.length, 1, what);
		judge.rerank = cohere;
		assert.equal((await ranked(5)).json.reranked, true, 'and the next one is ranked');
	}
	const lines = gate.lines().filter(({ event }) => event === 'model.unranked');
	assert.equal(lines.length, 1, 'once a minute');
	assert.match(lines[0].message, /judge\/best/);
});

test('one that never answers costs rerank_timeout', async () => {
	judge.rerank = [STALL];
	const hasty = await stack.tenantgate({ ...plain, rerank_model: 'judge/best',
		rerank_timeout: '300ms', 'model judge': { url: judge.url } });
	const answer = await (await hasty.tenant('harbour')).search(QUESTION, { topK: 5, rerank: true });
	assert.equal(answer.json.reranked, false);
	assert.equal(answer.json.results.length, 5);
	await until('the access log has the step', () => hasty.lines().some(({ path, t_rerank: ms }) =>
		path === '/search' && ms >= 290));
});

test('TEI: its form and its size are found out, and remembered', async () => {
	const other = await stack.tenantgate({ ...plain, rerank_model: 'texts/any',
		'model texts': { url: new URL(judge.url).origin } });
	judge.rerank = tei;
	const searcher = await other.tenant('harbour');
	const first = await searcher.search(QUESTION, { topK: 5, rerank: true });
	assert.equal(first.json.reranked, true, first.body);
	assert.equal(judge.requests[0].path, '/rerank');
	const answered = judge.requests.filter(({ body }) => body.texts?.length <= 8);
	assert.deepEqual(answered.map(({ body }) => body.texts.length), [8, 8, 4]);
	const best = numbers(answered.flatMap(({ body }) => body.texts)).sort((a, b) => b - a);
	assert.deepEqual(found(first), best.slice(0, 5), 'one order of three answers');
	judge.requests = [];
	const second = await searcher.search(QUESTION, { topK: 5, rerank: true });
	assert.deepEqual(found(second), found(first));
	assert.equal(judge.requests.length, 3);
});

test('without a model it is told that nothing was ranked; the stand-in ranks, too', async () => {
	const without = await stack.tenantgate(plain);
	const none = await (await without.tenant('harbour')).search(QUESTION, { rerank: true });
	assert.equal(none.status, 200);
	assert.equal(none.json.reranked, false);
	const within = await stack.tenantgate({ ...plain, rerank_model: 'near/any',
		'model near': { url: `${stack.model.url}/v1` } });
	const answer = await (await within.tenant('harbour')).search('lamp 17', { rerank: true, topK: 20 });
	assert.equal(answer.json.reranked, true);
	assert.equal(found(answer)[0], 17);
	assert.equal((await stack.modelStats()).reranks, 1);
});
