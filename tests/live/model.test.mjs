// SPDX-License-Identifier: MIT
// A model that fails, stalls, breaks off or sends nonsense: the status, the stage named, and nothing
// half stored.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { sample, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';
import { readDataStream, readUiStream } from './lib/client.mjs';

const stack = new Stack('model');
let gate, hasty, tenant;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate();
	hasty = await stack.tenantgate({ model_first_byte_timeout: '1s', model_idle_timeout: '1s' });
	hasty.serviceKey = await gate.service();
	tenant = await gate.tenant('lantern');
	const answer = await tenant.ingestText('The boat burns 19 litres an hour.', { documentId: 'old' });
	assert.equal(answer.status, 201, answer.body);
});
after(() => stack.stop());
beforeEach(() => stack.knobs());

async function rows(id) {
	const listed = () => stack.sql(`select status from documents where document_id = '${id}'`,
		'catalog');
	await until('its ingest is over', async () => (await listed())[0]?.[0] !== 'ingesting');
	const catalog = await listed();
	const found = await tenant.search('boat', { documentId: id });
	return { catalog, chunks: found.json.results.length };
}

test('embeddings fail: 502, nothing of the document is stored', async () => {
	await stack.knobs({ fail_embeddings: 500 });
	const answer = await tenant.ingestFile(sample, { id: 'fails' });
	assert.equal(answer.status, 502, answer.body);
	assert.equal(answer.json.code, 'model_failed');
	assert.match(answer.json.detail, /embedding/, 'the stage is named');
	await stack.knobs();
	assert.deepEqual(await rows('fails'), { catalog: [['failed']], chunks: 0 });
});

test('the same document is whole when it is sent again', async () => {
	const answer = await tenant.ingestFile(sample, { id: 'fails' });
	assert.equal(answer.status, 201, answer.body);
	const { chunks } = answer.json.document;
	assert.ok(chunks > 5);
	assert.deepEqual((await rows('fails')).catalog, [['ready']]);
});

test('a replacement that fails leaves the old document as it was', async () => {
	await stack.knobs({ fail_embeddings: 500 });
	const answer = await tenant.ingestText('Something else.', { documentId: 'old' });
	assert.equal(answer.status, 502, answer.body);
	await stack.knobs();
	const found = await tenant.search('litres', { documentId: 'old' });
	assert.match(found.json.results[0].content, /19 litres/);
	assert.deepEqual((await rows('old')).catalog, [['ready']]);
});

test('malformed vectors are refused', async () => {
	for (const bad of [1, 2, 3, 4]) {
		await stack.knobs({ bad_vectors: bad });
		const answer = await tenant.ingestText('Puffins dig.', { documentId: `bad-${bad}` });
		assert.equal(answer.status, 502, `${bad}: ${answer.body}`);
		await stack.knobs();
		assert.deepEqual(await rows(`bad-${bad}`), { catalog: [['failed']], chunks: 0 });
	}
});

test('chat fails: 502 as a problem, before any stream', async () => {
	await stack.knobs({ fail_chat: 500 });
	const answer = await tenant.chat('litres?', { form: 'data' });
	assert.equal(answer.status, 502, answer.body);
	assert.match(answer.headers['content-type'], /problem\+json/);
	assert.equal(JSON.parse(answer.body).code, 'model_failed');
	assert.match(JSON.parse(answer.body).detail, /chat/, 'the stage is named');
});

test('a model that answers nothing: 504 within its time', async () => {
	await stack.knobs({ stall_header: 1 });
	const answer = await (await hasty.tenant('lantern')).chat('litres?');
	assert.equal(answer.status, 504, answer.body);
	assert.equal(JSON.parse(answer.body).code, 'model_timeout');
});

test('a stream that is cut ends in an error of its form', async () => {
	await stack.knobs({ tokens: 20, cut_after: 3 });
	const data = readDataStream((await tenant.chat('litres?', { form: 'data' })).body);
	assert.ok(data.error, 'data stream: 3:');
	assert.equal(data.finish, null);
	const { parts, done } = readUiStream((await tenant.chat('litres?', { form: 'ui' })).body);
	assert.ok(parts.some((p) => p.type === 'error'));
	assert.ok(done);
	await assert.rejects(tenant.chat('litres?', { form: 'text' }), 'plain text is cut');
});

test('a stream that stalls ends in an error', async () => {
	await stack.knobs({ tokens: 20, stall_after: 3 });
	const data = readDataStream((await (await hasty.tenant('lantern')).chat('litres?', { form: 'data' })).body);
	assert.ok(data.error);
});

test('an error event in the stream ends it', async () => {
	await stack.knobs({ tokens: 20, error_after: 3 });
	const data = readDataStream((await tenant.chat('litres?', { form: 'data' })).body);
	assert.ok(data.error);
	assert.doesNotMatch(data.error, /stand-in|account|org-/i);
});

test('the client is gone: the request to the model is closed at once', async () => {
	const before = await stack.modelStats();
	await stack.knobs({ tokens: 1000, token_delay_ms: 20 });
	const answer = await tenant.openChat('litres?');
	await new Promise((resolve) => answer.stream.once('data', resolve));
	answer.stream.on('error', () => {});
	answer.request.destroy();
	await until('the stream is aborted', async () => {
		const stats = await stack.modelStats();
		return stats.aborted_streams === before.aborted_streams + 1 && stats.active_streams === 0;
	});
	const line = await until('its log line', () => gate.lines().findLast((l) =>
		l.route === 'chat' && l.ended_by === 'client'));
	assert.ok(line.status === 200 || line.status === 499);
});

test('a slow reader holds the model back; the whole answer arrives', async () => {
	await stack.knobs({ tokens: 200000 });
	const answer = await tenant.openChat('litres?');
	await new Promise((resolve) => setTimeout(resolve, 1000));
	const held = (await stack.modelStats()).active_streams;
	const text = await answer.text();
	assert.equal(held, 1, 'the model waits for the reader');
	assert.ok(text.split(/\s+/).length >= 200000);
});

test('model out of reach: 502 or 503, and the next request is fine when it is back', async () => {
	await stack.model.program.stop();
	const answer = await tenant.chat('litres?');
	assert.ok([502, 503].includes(answer.status), answer.body);
	const health = await gate.anonymous.get('/healthz');
	assert.equal(health.status, 200);
	const port = stack.model.port;
	stack.model.program = stack.program('model-api', (await import('./lib/stack.mjs')).programs
		.modelApi(), ['--listen', `127.0.0.1:${port}`]);
	await stack.model.program.says(/listening on/);
	const again = await tenant.chat('How many litres?');
	assert.equal(again.status, 200, again.body);
});

// The last one: nobody is asked until then.
test('an overloaded model: 503 with Retry-After', async () => {
	await stack.knobs({ fail_chat: 429, retry_after: 70 });
	const answer = await tenant.chat('litres?');
	assert.equal(answer.status, 503, answer.body);
	assert.equal(answer.headers['retry-after'], '70');
	await stack.knobs();
	const kept = await tenant.chat('litres?');
	assert.equal(kept.status, 503, kept.body);
	assert.match(kept.headers['retry-after'], /^([1-9]|[1-6]\d|70)$/);
});
