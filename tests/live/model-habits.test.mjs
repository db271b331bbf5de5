// SPDX-License-Identifier: MIT
// Servers that call themselves OpenAI-compatible and differ: what a user of /chat sees of each
// habit, in each form of stream. Above all, half an answer never passes for a whole one.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';
import { readDataStream, readUiStream } from './lib/client.mjs';
import { ModelServer, chunk, event, json, words, CUT, DONE, STALL } from './lib/model-server.mjs';

const stack = new Stack('model-habits');
const forms = ['ui', 'data', 'text'];
const secret = 'internal-host-7';
const question = 'How much does the old boat burn in an hour under sail?';
let gate, tenant, server;

before(async () => {
	server = await ModelServer.start();
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ model_url: server.url, rate_limit_requests_per_minute: 0,
		model_idle_timeout: '10m' });
	tenant = await gate.tenant('lantern');
	const answer = await tenant.ingestText('The boat burns 19 litres an hour.', { documentId: 'boat' });
	assert.equal(answer.status, 201, answer.body);
});
after(async () => {
	await stack.stop();
	await server.stop();
});
beforeEach(() => server.reset());

// What a client of a form makes of an answer: { text, error, finish, cut, status, problem }.
async function ask(form) {
	const answer = await tenant.openChat(question, { form });
	let body = '', cut = false;
	try {
		for await (const piece of answer.stream)
			body += piece;
	} catch {
		cut = true;
	}
	assert.ok(!body.includes(secret), 'the words of the server are not the client\'s');
	const seen = { status: answer.status, cut, text: '', error: null, finish: null };
	if (answer.status !== 200)
		return { ...seen, problem: JSON.parse(body) };
	if (form === 'text')
		return { ...seen, text: body, error: cut ? 'cut' : null, finish: cut ? null : 'end' };
	if (form === 'data') {
		const read = readDataStream(body);
		return { ...seen, text: read.text, error: read.error,
			finish: read.finish?.finishReason ?? null };
	}
	const { parts, done } = readUiStream(body);
	return { ...seen, error: parts.find((p) => p.type === 'error')?.errorText ?? null,
		text: parts.filter((p) => p.type === 'text-delta').map((p) => p.delta).join(''),
		finish: done && parts.some((p) => p.type === 'finish') ? 'end' : null };
}

// Beyond 20 lines of a kind a second the log only counts, so what is not there is done again.
async function logged(pattern, again = () => ask('text')) {
	return until(`the log says ${pattern}`, async () => {
		const found = gate.program.text().split('\n')
			.filter((line) => line.startsWith('{') && pattern.test(line)).at(-1);
		if (!found)
			await again();
		return found;
	});
}

// In each form: the text that came first, an error, and nothing that says "finished".
async function fails(script, text = 'Half of') {
	server.chat = script;
	for (const form of forms) {
		const seen = await ask(form);
		assert.equal(seen.status, 200, form);
		assert.equal(seen.text, text, form);
		assert.ok(seen.error, `${form}: an error`);
		assert.equal(seen.finish, null, `${form}: not finished`);
	}
}

async function is(script, text, finishes = { data: 'stop' }) {
	server.chat = script;
	for (const form of forms) {
		const seen = await ask(form);
		assert.deepEqual({ status: seen.status, text: seen.text, error: seen.error, cut: seen.cut },
			{ status: 200, text, error: null, cut: false }, form);
		assert.equal(seen.finish, finishes[form] ?? 'end', form);
	}
}

const half = chunk({ content: 'Half of' });

for (const [name, failure] of Object.entries({
	'`errors`': event({ errors: [{ message: `oh ${secret}` }] }),
	'`object: error`': event({ object: 'error', message: `oh ${secret}`, code: 500 }),
	'`type: error`': event({ type: 'error', error: { type: 'api_error', message: `oh ${secret}` } }),
	'`error_code`': event({ error_code: 336003, error_msg: `oh ${secret}` }),
	'`detail`': event({ detail: `oh ${secret}` }),
	'`code` and `message`': event({ code: 'InternalError', message: `oh ${secret}` }),
	'an event named error': `event: error\ndata: oh ${secret}\n\n`,
	'a field named error': `error: {"code":500,"message":"oh ${secret}"}\n\n`,
	'a form that nobody knows': event({ fault: { message: `oh ${secret}` } })
		+ event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } }),
	'a `message` alone': event({ message: `oh ${secret}` }),
	'a line of a proxy': `upstream failed: oh ${secret}\n\n`,
	'a word alone': `oh ${secret}\n\n`,
	'bare JSON of a proxy': `{"error":{"message":"oh ${secret}"}}\n\n`,
	'an error inside choices': event({ choices: [{ index: 0, delta: {},
		error: { code: 502, message: `oh ${secret}` } }] }),
}))
	test(`half an answer, ${name}, then [DONE]: an error, its words in the log alone`, async () => {
		await fails([half, failure, DONE]);
		await logged(new RegExp(`model.refused.*oh ${secret}`));
	});

test('half an answer and finish_reason "error", or another word for it: an error', async () => {
	for (const word of ['network_error', 'insufficient_system_resource', 'abort', 'error'])
		await fails([half, chunk({ content: '' }, word), DONE]);
	await logged(/model.refused.*JSON without a message/);
});

test('half an answer as one chunk of JSON, or an error named [DONE]: an error', async () => {
	server.chat = (request, response) => json(response, 200,
		{ choices: [{ index: 0, delta: { content: 'Half of' }, finish_reason: null }] });
	for (const form of forms)
		assert.equal((await ask(form)).status, 502, form);
	await fails([half, 'event: error\ndata: [DONE]\n\n']);
});

test('what is no chunk is passed over where words or a finish_reason follow it', async () => {
	const note = event({ note: { text: 'working on it' } });
	await is([chunk({ content: 'Who' }), note, chunk({ content: 'le' }), DONE], 'Whole',
		{ data: 'other' });
	await is([chunk({ content: 'Whole' }), note, chunk({}, 'stop'), note, DONE], 'Whole');
	const line = 'x-served-by: a proxy\n';
	await is([line + chunk({ content: 'Who' }), line, chunk({ content: 'le' }), 'id: 7\n\n', DONE],
		'Whole', { data: 'other' });
	await is([line + chunk({ content: 'Whole' }), chunk({}, 'stop'), `${line}\n`, DONE], 'Whole');
});

test('a line behind the last words, in their own event even: an error', async () => {
	const last = chunk({ content: ' of' });
	await fails([chunk({ content: 'Half' }), last.replace(/\n\n$/, `\noh ${secret}\n\n`), DONE]);
});

test('finish_reason, then silence: the answer is whole, and waits for nothing more',
	{ timeout: 240000 }, async () => {
		await is([chunk({ content: 'Whole' }), chunk({}, 'stop'), STALL], 'Whole');
	});

test('finish_reason, then signs of life without an end: the same', { timeout: 100000 }, async () => {
	for (const sign of [': ping\n\n', 'data:\n\n']) {
		server.chat = [chunk({ content: 'Whole' }), chunk({}, 'stop'),
			...Array(600).fill([200, sign]).flat()];
		const seen = await ask('data');
		assert.deepEqual([seen.text, seen.error, seen.finish], ['Whole', null, 'stop']);
	}
});

test('finish_reason "" in every chunk, then a break: an error', async () => {
	await fails([chunk({ content: 'Half' }, ''), chunk({ content: ' of' }, ''), CUT]);
	await fails([chunk({ content: 'Half' }, ''), chunk({ content: ' of' }, '')]);
	await fails([chunk({ content: 'Half' }, 'null'), chunk({ content: ' of' }, 'null'), CUT]);
	await is([chunk({ content: 'Whole' }, ''), chunk({ content: '' }, ''), DONE], 'Whole',
		{ data: 'other' });
});

test('words and the error in one write: the words are shown, then the error', async () => {
	await fails([half + event({ error: { message: `oh ${secret}` } })]);
	await fails([half + 'data: {"choices":[{"delta\n\n'], 'Half of');
});

test('no empty line behind the last event', async () => {
	await is([chunk({ content: 'Whole' }), 'data: [DONE]'], 'Whole', { data: 'other' });
	await is([chunk({ content: 'Whole' }, 'stop').trimEnd()], 'Whole');
	await fails([half, event({ error: { message: secret } }).trimEnd()]);
	await fails([half.trimEnd()]);
});

test('an empty error is none', async () => {
	for (const error of ['', {}, [], null, false, { code: null, message: '' }])
		await is([chunk({ content: 'Whole' }, null, { error }), chunk({}, 'stop', { error }), DONE],
			'Whole');
});

test('unknown words for the end', async () => {
	for (const [word, data] of [['STOP', 'stop'], ['end_turn', 'stop'], ['eos_token', 'stop'],
		['max_tokens', 'length'], ['model_length', 'length'], ['SAFETY', 'content-filter'], ['tool_use', 'other'],
		['whatever', 'other']])
		await is([chunk({ content: 'Whole' }), chunk({}, word), DONE], 'Whole', { data });
	await is([chunk({ content: 'Whole' }, 'stop')], 'Whole');
	await is([chunk({ content: 'Whole' }), DONE], 'Whole', { data: 'other' });
});

test('content in parts, and a message in the place of the delta', async () => {
	await is([chunk({ content: [{ type: 'text', text: 'Whole' }, { type: 'text', text: ' answer' }] }),
		chunk({ content: [] }, 'stop'), DONE], 'Whole answer');
	server.chat = [chunk({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] }] }),
		chunk({ content: [{ type: 'text', text: 'Whole' }] }, 'stop'), DONE];
	const { parts } = readUiStream((await tenant.chat('?', { form: 'ui' })).body);
	assert.deepEqual(parts.filter((p) => p.type.endsWith('-delta')).map((p) => [p.type, p.delta]),
		[['reasoning-delta', 'Hm.'], ['text-delta', 'Whole']]);
	await is([event({ choices: [{ index: 0, message: { content: 'Whole' }, finish_reason: 'stop' }] }),
		DONE], 'Whole');
	await is([
		event({ choices: [{ index: 0, message: { content: 'Wh' }, delta: { content: 'Wh' } }] }),
		event({ choices: [{ index: 0, message: { content: 'Whole' }, delta: { content: 'ole' },
			finish_reason: 'stop' }] }), DONE], 'Whole');
});

test('signs of life are passed over and never sent on', async () => {
	const script = ['data:\n\n', 'data: \n\n', ': PROCESSING\n\n', 'event: ping\ndata: {"type":"ping"}\n\n',
		'event: ping\ndata: ping\n\n', chunk({ content: 'Wh' }), 'data:\n\n', 'data:\r\n\r\n',
		chunk({ content: 'ole' }, 'stop'), DONE];
	await is(script, 'Whole');
	server.chat = script;
	const answer = await tenant.chat('?', { form: 'ui' });
	assert.doesNotMatch(answer.body, /^data:\s*$/m);
});

test('characters cut in two, and bytes that are none', async () => {
	await is([event('{"choices":[{"index":0,"delta":{"content":"Hi \\ud83d"}}]}'),
		event('{"choices":[{"index":0,"delta":{"content":"\\ude00!"},"finish_reason":"stop"}]}'),
		DONE], 'Hi \u{1f600}!');
	const raw = (...bytes) => Buffer.concat([Buffer.from('data: {"choices":[{"index":0,"delta":{"content":"'),
		Buffer.from(bytes), Buffer.from('"}}]}\n\n')]);
	await is([raw(0x61, 0xe4, 0xb8), raw(0xad, 0x62), chunk({}, 'stop'), DONE], 'a\u4e2db');
	await is([raw(0x61, 0xff, 0x62), raw(0x63), chunk({}, 'stop'), DONE], 'a\ufffdbc');
	await fails([half, event('{"choices":[{"index":0,"delta":{"content":"x')]);
});

test('two choices, null content, CRLF, no space after the colon', async () => {
	await is([event({ choices: [{ index: 1, delta: { content: 'no' } }] }),
		event({ choices: [{ delta: { content: 'no' }, index: 1, finish_reason: 'length' }] }),
		chunk({ content: null }), chunk({ content: 'Whole' }), chunk({}, 'stop'), DONE], 'Whole');
	await is(words('Wh', 'ole').map((part) => part.replace(/\n/g, '\r\n')), 'Whole');
	await is(words('Wh', 'ole').map((part) => part.replace('data: ', 'data:')), 'Whole');
});

const completion = { id: 'c', object: 'chat.completion', created: 1, model: 'm',
	choices: [{ index: 0, message: { role: 'assistant', content: 'Whole answer.' },
		finish_reason: 'stop' }], usage: { prompt_tokens: 11, completion_tokens: 4 } };

test('a whole chat.completion is the answer, whatever its media type', async () => {
	for (const type of ['application/json', 'text/event-stream', 'text/plain'])
		await is((request, response) => json(response, 200, completion, { 'content-type': type }),
			'Whole answer.');
	const line = JSON.parse(await logged(/"path":"\/chat"|"route":"\/chat"|POST \/chat/));
	assert.equal(line.tokens_out ?? line.output_tokens, 4, JSON.stringify(line));
});

test('events under another media type are a stream all the same', async () => {
	for (const type of ['application/json', 'text/plain'])
		await is((request, response) => server.play(words('Wh', 'ole'), response,
			{ 'content-type': type }), 'Whole');
});

// Before a word: a status of its own in each form.
async function refused(play, status, code, detail) {
	server.chat = play;
	for (const form of forms) {
		const seen = await ask(form);
		assert.equal(seen.status, status, form);
		assert.equal(seen.problem.code, code);
		assert.match(seen.problem.detail, detail);
	}
}

test('200 with an error object is that error', async () => {
	await refused((q, r) => json(r, 200, { error: { message: `no such thing ${secret}` } }), 502,
		'model_failed', /reported an error in the place of its answer/);
	await logged(new RegExp(`model.refused.*HTTP 200.*no such thing ${secret}`));
	await refused((q, r) => json(r, 200, { error: { code: 'rate_limit_exceeded', message: 'x' } }),
		503, 'overloaded', /overloaded/);
});

test('HTML and gzip in the place of a stream: a clear failure, the log says what to look at', async () => {
	await refused((q, r) => json(r, 200, '<!doctype html><title>Welcome</title>',
		{ 'content-type': 'text/html' }), 502, 'model_failed', /cannot be used/);
	await logged(/It answered HTML; look at model_url/);
	await refused((q, r) => json(r, 200, '{"model":"m","response":"native"}'), 502, 'model_failed',
		/cannot be used/);
	await logged(/JSON without a message: model, response/);
	const asked = [];
	await refused((q, r) => {
		asked.push(q.headers['accept-encoding']);
		r.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
		r.end(gzipSync(JSON.stringify(completion)));
	}, 502, 'model_failed', /cannot be used/);
	await logged(/It answered compressed/);
	assert.deepEqual([...new Set(asked)], ['identity']);
});

test('too long, in the dialects of servers: 400 of the client\'s, with what to do', async () => {
	const dialects = [
		[400, { error: { message: secret, type: 'invalid_request_error', param: 'messages',
			code: 'context_length_exceeded' } }],
		[400, { object: 'error', message: `This model's maximum context length is 512 tokens, ${secret}`,
			type: 'BadRequestError', code: 400 }],
		[400, { error: { code: 400, message: secret, type: 'exceed_context_size_error', n_ctx: 512 } }],
		[500, { error: { code: 500, message: 'the request exceeds the available context size' } }],
		[400, { type: 'error', error: { type: 'invalid_request_error',
			message: 'prompt is too long: 210000 tokens > 200000 maximum' } }],
		[200, { error: { message: secret, code: 'context_length_exceeded' } }],
		[413, { error: { message: secret, code: 'context_length_exceeded' } }],
		[422, { detail: [{ loc: ['body'], msg: 'Input is too long', type: 'value_error' }] }],
	];
	for (const [status, body] of dialects)
		await refused((q, r) => json(r, status, body), 400, 'context_length_exceeded',
			/too long for the chat model\. Ask with fewer or shorter messages/);
	await logged(/model.refused.*HTTP 422.*Input is too long/);
});

test('a content filter: 400 of the client\'s, with what to do', async () => {
	for (const body of [{ error: { message: secret, code: 'content_filter' } },
		{ error: { message: 'x', code: null, status: 400, innererror: {
			code: 'ResponsibleAIPolicyViolation', content_filter_result: {} } } },
		{ error: { message: secret, code: 'data_inspection_failed' } },
		{ error: { message: 'triggering Azure OpenAI\'s content management policy' } }])
		await refused((q, r) => json(r, 400, body), 400, 'content_filtered', /Word it differently/);
});

test('what a client can change says nothing of the server', async () => {
	const ready = (await gate.anonymous.get('/readyz')).json;
	assert.equal(ready.checks?.model ?? 'ok', 'ok', JSON.stringify(ready));
});

test('too long in the middle of a stream: told inside it', async () => {
	server.chat = [half, event({ error: { message: secret, code: 'context_length_exceeded' } }), DONE];
	for (const form of ['ui', 'data']) {
		const seen = await ask(form);
		assert.equal(seen.text, 'Half of');
		assert.match(seen.error, /too long/);
	}
});

test('the question is left out of the log where the server quotes it', async () => {
	await refused((q, r) => json(r, 422, { detail: [{ msg: `bad: ${q.body.messages.at(-1).content}` }] }),
		502, 'model_failed', /refused/);
	await logged(/model.refused.*left out: it quotes the request/);
	assert.doesNotMatch(gate.program.text(), /old boat burn/);
});

test('embeddings: 200 with an error object, HTML, gzip, and too long', async () => {
	const search = async (play) => {
		server.embeddings = play;
		const answer = await tenant.search('litres');
		assert.ok(!answer.body.includes(secret));
		return answer;
	};
	let answer = await search((q, r) => json(r, 200, { error: { message: `not loaded ${secret}` } }));
	assert.equal(answer.status, 502, answer.body);
	assert.match(answer.json.detail, /embedding model reported an error in the place/);
	await logged(new RegExp(`model.refused.*embedding.*not loaded ${secret}`),
		() => tenant.search('litres'));
	answer = await search((q, r) => json(r, 200, '<html>', { 'content-type': 'text/html' }));
	assert.equal(answer.status, 502, answer.body);
	await logged(/embedding model's answer.*It answered HTML; look at model_url/,
		() => tenant.search('litres'));
	answer = await search((q, r) => r.end(gzipSync('{}')));
	assert.equal(answer.status, 502, answer.body);
	await logged(/embedding model's answer.*It answered compressed/, () => tenant.search('litres'));
	answer = await search((q, r) => json(r, 400, { error: {
		message: 'This model\'s maximum context length is 8192 tokens' } }));
	assert.equal(answer.status, 400, answer.body);
	assert.equal(answer.json.code, 'context_length_exceeded');
});
