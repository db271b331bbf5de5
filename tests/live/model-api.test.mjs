// SPDX-License-Identifier: MIT
// The stand-in for a model's server, which most other tests use: its forms, its knobs, and that its
// vectors follow the meaning of texts.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('model-api');
let api;

before(async () => {
	api = (await stack.modelApi()).client;
});
after(() => stack.stop());
beforeEach(() => stack.knobs());

async function embed(input, fields = {}) {
	const answer = await api.post('/v1/embeddings', { model: 'e', input, ...fields });
	assert.equal(answer.status, 200, answer.body);
	return answer.json.data.map((d) => d.embedding);
}
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

function system(...passages) {
	return { role: 'system', content: passages.map((p, i) =>
		`\n----- WORD\n[${i + 1}] "a.pdf", page ${i + 1}\n\n${p}\n\n----- end WORD\n`).join('') };
}
const ask = (fields = {}) => api.post('/v1/chat/completions', { model: 'stand-in', messages: [
	system('Bread is baked in an oven.', 'The ferry leaves. Its whistle\nblows at noon each day.'),
	{ role: 'user', content: 'When does the whistle blow?' }], ...fields });
const events = (body) => body.split('\n\n').filter((e) => e !== '')
	.map((e) => e.replace(/^data: /, ''));
const said = (body) => events(body).filter((e) => e !== '[DONE]')
	.map((e) => JSON.parse(e).choices?.[0]?.delta?.content ?? '').join('');

test('base64 and floats are the same vector, of length 1', async () => {
	const [floats] = await embed('a lamp in the tower');
	const [text] = await embed(['a lamp in the tower'], { encoding_format: 'base64' });
	const bytes = Buffer.from(text, 'base64');
	assert.equal(bytes.length, 4 * 1536);
	floats.forEach((x, i) => assert.ok(Math.abs(x - bytes.readFloatLE(4 * i)) < 1e-7));
	assert.ok(Math.abs(dot(floats, floats) - 1) < 1e-5);
	assert.equal((await embed('x', { dimensions: 64 }))[0].length, 64);
});

test('texts that share rare words are near', async () => {
	const [question, near, far] = await embed(['When was the lighthouse lamp lit?',
		'The lamps of the lighthouse were lighting the bay', 'What was it when they were there?']);
	assert.ok(dot(question, near) > 0.3);
	assert.ok(dot(question, near) > 3 * dot(question, far));
});

test('input that OpenAI refuses is refused', async () => {
	for (const input of ['', [], ['a', ''], 7, ['a', 7], 'x'.repeat(40000)]) {
		const answer = await api.post('/v1/embeddings', { model: 'e', input });
		assert.equal(answer.status, 400, JSON.stringify(input).slice(0, 40));
		assert.equal(answer.json.error.type, 'invalid_request_error');
	}
});

test('an order by the words of the query, which says that no model made it', async () => {
	const documents = ['Bread is baked.', 'A ferry has a whistle.', { text: 'The ferry leaves.' }];
	const rank = (fields = {}, knobs = '') => api.post('/v1/rerank', { model: 'r',
		query: 'the whistle of the ferry', documents, ...fields }, { 'x-knobs': knobs });
	const { json } = await rank();
	assert.deepEqual(json.results.map((r) => r.index), [1, 2, 0]);
	assert.ok(json.results[0].relevance_score > json.results[1].relevance_score);
	assert.match(json.meta.stand_in, /No model made this order/);
	assert.equal((await rank({ top_n: 1 })).json.results.length, 1);
	for (const fields of [{ query: '' }, { documents: [] }, { documents: [7] }, { top_n: 0 }])
		assert.equal((await rank(fields)).status, 400, JSON.stringify(fields));
	assert.equal((await rank({}, 'fail_rerank=503')).status, 503);
	assert.match((await rank({}, 'bad_rerank=4')).body, /NaN/);
	assert.equal((await rank({}, 'bad_rerank=3')).json.results.length, 1);
});

test('quotes the passage that answers, and its number', async () => {
	const whole = (await ask()).json;
	assert.equal(whole.choices[0].message.content,
		'[stand-in model] The passages say: "Its whistle blows at noon each day." [2]');
	const { body } = await ask({ stream: true, stream_options: { include_usage: true } });
	assert.equal(said(body), whole.choices[0].message.content);
	assert.equal(events(body).at(-1), '[DONE]');
	assert.equal(JSON.parse(events(body).at(-2)).usage.completion_tokens,
		whole.usage.completion_tokens);
	const none = await api.post('/v1/chat/completions', { model: 'm',
		messages: [system('Bread.'), { role: 'user', content: 'When does the whistle blow?' }] });
	assert.match(none.json.choices[0].message.content, /no passage/);
});

test('knobs by the name of the model, by a header, by a request', async () => {
	const five = await ask({ model: 'stand-in:tokens=5', stream: true });
	assert.equal(said(five.body).split(' ').length, 5);
	const failed = await api.post('/v1/chat/completions', { model: 'm', messages: [] },
		{ 'x-knobs': 'fail=429,quota=1,retry_after=3' });
	assert.equal(failed.status, 429);
	assert.equal(failed.headers['retry-after'], '3');
	assert.equal(failed.json.error.code, 'insufficient_quota');
	await stack.knobs({ fail_chat: 503, fail_times: 2 });
	assert.deepEqual([(await ask()).status, (await ask()).status, (await ask()).status],
		[503, 503, 200]);
	assert.equal((await api.post('/_knobs', { nonsense: 1 })).status, 400);
});

test('cuts, errors in the middle, huge events, echoes', async () => {
	await assert.rejects(ask({ model: 'stand-in:tokens=9,cut_after=3', stream: true }), /cut|aborted/);
	const error = await ask({ model: 'stand-in:tokens=9,error_after=3', stream: true });
	assert.equal(JSON.parse(events(error.body).at(-1)).error.type, 'server_error');
	const huge = await ask({ model: 'stand-in:tokens=2,huge_event=100000', stream: true });
	assert.ok(said(huge.body).length > 100000);
	assert.match((await ask({ model: 'stand-in:echo=1' })).json.choices[0].message.content,
		/user: When does the whistle blow\?$/);
});

test('a client that leaves is counted', async () => {
	const answer = await api.open('POST', '/v1/chat/completions', {
		body: JSON.stringify({ model: 'stand-in:tokens=5,stall_after=2', stream: true,
			messages: [{ role: 'user', content: 'hi' }] }) });
	assert.equal(answer.status, 200);
	assert.equal((await stack.modelStats()).active_streams, 1);
	answer.request.destroy();
	answer.stream.on('error', () => {});
	await until('the stream ends', async () => (await stack.modelStats()).aborted_streams === 1);
	assert.equal((await stack.modelStats()).active_streams, 0);
});
