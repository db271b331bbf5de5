// SPDX-License-Identifier: MIT
// Traces: a caller's goes on to the model and into the log, spans go to a collector in OpenTelemetry's
// words, and a collector that is away holds up nobody. Server-Timing tells the times of steps.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { attributes, Collector } from './lib/collector.mjs';
import { ModelServer, words } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { sample, Stack } from './lib/stack.mjs';

const QUESTION = 'How much fuel is carried on the long passage?';
const stack = new Stack('traces');
let collector, gate, tenant;

before(async () => {
	collector = await Collector.start();
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin({ otlp_url: collector.url, trace_sample: 0 });
	tenant = await gate.tenant('acme');
	assert.equal((await tenant.ingestFile(sample)).status, 201);
});
after(async () => {
	await stack.stop();
	await collector.stop();
});

function newTrace(flags = '01') {
	const trace = randomBytes(16).toString('hex'), parent = randomBytes(8).toString('hex');
	return { trace, parent, header: `00-${trace}-${parent}-${flags}` };
}

const counted = async (result) => {
	const { body } = await gate.admin.get('/metrics');
	const line = body.split('\n').find((l) => l.startsWith(`tenantgate_otlp_spans_total{result="${result}"}`));
	return line ? Number(line.split(' ').at(-1)) : 0;
};

test('a chat has a span, under the caller\'s, and one for each step', async () => {
	const { trace, parent, header } = newTrace();
	const answer = await tenant.chat(QUESTION, { headers: { traceparent: header } });
	assert.equal(answer.status, 200);
	await until('its spans are there', () => collector.of(trace).length > 0);
	const spans = collector.of(trace);
	const [root] = spans.filter((s) => s.kind === 2);
	assert.equal(root.name, 'POST /chat');
	assert.equal(root.parentSpanId, parent);
	assert.equal(root.flags, 0x301);
	const about = attributes(root.attributes);
	assert.equal(about['http.request.method'], 'POST');
	assert.equal(about['http.route'], '/chat');
	assert.equal(about['http.response.status_code'], '200');
	assert.equal(about['tenantgate.tenant.id'], 'acme');
	assert.deepEqual(root.status, {});
	const steps = spans.filter((s) => s !== root);
	assert.ok(steps.every((s) => s.parentSpanId === root.spanId));
	assert.equal(new Set(spans.map((s) => s.spanId)).size, spans.length);
	const chat = steps.find((s) => s.name.startsWith('chat '));
	const genAi = attributes(chat.attributes);
	assert.equal(chat.kind, 3);
	assert.equal(genAi['gen_ai.operation.name'], 'chat');
	assert.equal(genAi['gen_ai.provider.name'], 'openai');
	assert.ok(Number(genAi['gen_ai.usage.output_tokens']) > 0);
	assert.ok(steps.some((s) => s.name.startsWith('embeddings ') && s.kind === 3));
	assert.ok(steps.some((s) => s.name === 'pool_wait' && s.kind === 1));
	assert.ok(steps.every((s) => BigInt(s.startTimeUnixNano) >= BigInt(root.startTimeUnixNano) &&
		BigInt(s.endTimeUnixNano) <= BigInt(root.endTimeUnixNano) + 1000000n));
	assert.equal(collector.resources[0]['service.name'], 'tenantgate');
	assert.deepEqual(collector.faults, []);
	assert.ok(!JSON.stringify(spans).includes('fuel'), 'no prompt is in it');
	const line = gate.lines().find((l) => l.event === 'access' && l.trace_id === trace);
	assert.equal(line.route, 'chat');
});

test('a failure is told by its kind, a refusal is none', async () => {
	const bad = newTrace(), refused = newTrace();
	await stack.knobs({ fail_embeddings: 400 });
	const answer = await tenant.search(QUESTION, {}, { headers: {} });
	assert.ok(answer.status >= 500);
	await tenant.post('/search', { query: QUESTION }, { traceparent: bad.header });
	await stack.knobs();
	await tenant.post('/search', {}, { traceparent: refused.header });
	await until('both are there', () => collector.of(bad.trace).length > 0 &&
		collector.of(refused.trace).length > 0);
	const root = (t) => collector.of(t.trace).find((s) => s.kind === 2);
	assert.equal(root(bad).status.code, 2);
	assert.equal(root(bad).status.message, undefined);
	assert.match(attributes(root(bad).attributes)['error.type'], /^[a-z_]+$/);
	assert.deepEqual(root(refused).status, {});
});

test('who is not sampled is not sent: by the caller, and by trace_sample', async () => {
	const not = newTrace('00'), last = newTrace();
	const id = randomBytes(8).toString('hex');
	await tenant.post('/search', { query: QUESTION }, { traceparent: not.header });
	await tenant.post('/search', { query: QUESTION }, { 'x-request-id': id });
	await tenant.post('/search', { query: QUESTION }, { traceparent: last.header });
	await until('the last is there', () => collector.of(last.trace).length > 0);
	assert.deepEqual(collector.of(not.trace), []);
	const line = gate.lines().find((l) => l.request_id === id);
	assert.match(line.trace_id, /^[0-9a-f]{32}$/);
	assert.deepEqual(collector.of(line.trace_id), []);
});

test('all lines of a request have its trace, an operator\'s too; none has another\'s', async () => {
	const mine = newTrace('00'), other = newTrace('00'), admins = newTrace('00');
	await stack.knobs({ fail_chat: 400 });
	const ask = (id, { header }) => tenant.chat(QUESTION,
		{ headers: { traceparent: header, 'x-request-id': id } });
	await Promise.all([ask('mine', mine), ask('other', other)]);
	await stack.knobs();
	const wish = (headers) => gate.admin.ask('PATCH', '/admin/tenants/acme', { body: '{"settings": {"top_k": 3}}',
		headers: { 'content-type': 'application/json', ...headers } });
	await wish({ traceparent: admins.header, 'x-request-id': 'admins' });
	await wish({ traceparent: 'no trace', 'x-request-id': 'begun' });
	const of = (id) => gate.lines().filter((line) => line.request_id === id);
	for (const [id, event, { trace }] of [['mine', 'model.refused', mine], ['other', 'model.refused', other],
		['admins', 'admin.audit', admins]]) {
		await until(`the lines of ${id}`, () => of(id).some((line) => line.event === 'access'));
		assert.ok(of(id).some((line) => line.event === event), JSON.stringify(of(id)));
		assert.deepEqual(of(id).filter((line) => line.trace_id !== trace), []);
	}
	await until('the last', () => of('begun').some((line) => line.event === 'access'));
	const begun = new Set(of('begun').map((line) => line.trace_id));
	assert.ok(begun.size === 1 && /^[0-9a-f]{32}$/.test([...begun][0]), [...begun].join());
	// What nobody asked for has no trace: it would be the last one's.
	assert.deepEqual(gate.lines().filter((line) => !line.request_id && line.trace_id), []);
});

test('a collector that refuses or fails costs spans, which are counted, and no request', async () => {
	const before = await counted('dropped');
	collector.answer = (response) => response.writeHead(400).end();
	await tenant.post('/search', { query: QUESTION }, { traceparent: newTrace().header });
	await until('they are counted', async () => await counted('dropped') > before);
	const refused = await counted('dropped'), posts = collector.posts;
	let asked = 0;
	collector.answer = (response) => (asked++ < 1 ? response.writeHead(503).end() :
		response.end('{"partialSuccess":{"rejectedSpans":"2"}}'));
	const rejected = await counted('rejected');
	assert.equal((await tenant.post('/search', { query: QUESTION },
		{ traceparent: newTrace().header })).status, 200);
	await until('it is tried again', () => collector.posts >= posts + 2);
	await until('what it rejects is counted', async () => await counted('rejected') === rejected + 2);
	assert.equal(await counted('dropped'), refused);
	collector.answer = null;
	assert.deepEqual(collector.faults, []);
	assert.ok(gate.lines().some((l) => l.event === 'trace.dropped'));
});

test('a tracestate goes on as it came, without its trace it does not', async () => {
	const model = await ModelServer.start();
	model.chat = words('Yes.');
	const other = await stack.tenantgate({ model_url: model.url });
	const client = await other.tenant('acme');
	const { trace, header } = newTrace('00');
	const chat = async (headers) => {
		model.reset();
		model.chat = words('Yes.');
		assert.equal((await client.chat(QUESTION, { headers })).status, 200);
		return model.chats().at(-1).headers;
	};
	const sent = await chat({ traceparent: header, tracestate: 'vendor=abc,other=1' });
	assert.equal(sent.tracestate, 'vendor=abc,other=1');
	assert.match(sent.traceparent, new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`));
	assert.equal((await chat({ traceparent: 'nonsense', tracestate: 'vendor=abc' })).tracestate, undefined);
	await model.stop();
});

test('Server-Timing is the operator\'s always, everybody\'s where it is wanted', async () => {
	const mine = (await gate.admin.get('/admin')).headers['server-timing'];
	assert.match(mine, /^auth;dur=\d+\.\d{3}, .*total;dur=\d+\.\d{3}$/);
	assert.equal((await tenant.search(QUESTION)).headers['server-timing'], undefined);
	const open = await stack.tenantgate({ server_timing: 'on' });
	const client = await open.tenant('acme');
	const told = (await client.search(QUESTION)).headers['server-timing'];
	assert.match(told, /\bembed;dur=/);
	assert.match(told, /\bsearch;dur=/);
	assert.match((await client.post('/search', {})).headers['server-timing'], /\bparse;dur=/);
});
