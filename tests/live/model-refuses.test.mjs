// SPDX-License-Identifier: MIT
// Servers that refuse what OpenAI takes, each in its own words: they are asked once again without
// it, and from then on without it at once. What a tenant writes teaches nobody anything.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { ModelServer, embeddingsOf, json, words } from './lib/model-server.mjs';

const stack = new Stack('model-refuses');
let server, gate, acme, other;

// Each name is a model of its own, of which nothing is known yet.
const allowed = () => [...dialects.map(([name]) => name), 'gemma-long', 'else', 'no', 'echo', 'hot', 'm',
	'limit', 'user'].join(', ');

// One tenantgate at a time: what it has learned goes with it.
async function restart(settings = {}) {
	await gate?.program.stop();
	server.reset();
	gate = await stack.tenantgate({ model_url: server.url, workers: 1,
		rate_limit_requests_per_minute: 0, models_allowed: allowed(), ...settings });
	acme = await gate.tenant('acme');
	other = await gate.tenant('other');
}

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	await restart();
});
after(async () => {
	await stack.stop();
	await server.stop();
});

const habits = () => gate.lines().filter((line) => line.event === 'model.habit');
const openai = (message, param = null, code = null) =>
	({ error: { message, type: 'invalid_request_error', param, code } });
const pydantic = (...fields) => fields.map((field) => ({ type: 'extra_forbidden',
	loc: ['body', field], msg: 'Extra inputs are not permitted', input: 1 }));
const vllm = (message) => ({ object: 'error', message, type: 'BadRequestError', param: null, code: 400 });

const has = {
	stream_options: (body) => body.stream_options !== undefined,
	temperature: (body) => body.temperature !== undefined,
	system: (body) => body.messages.some((message) => message.role === 'system'),
	both: (body) => has.stream_options(body) || has.temperature(body),
};

// The server refuses by this, and answers otherwise.
const refusing = (refuses, status, body) => (request, response) => {
	if (refuses(request.body))
		return json(response, status, typeof body === 'function' ? body(request) : body);
	return server.play(words('Hello', ' there'), response);
};

const ask = (tenant, model, fields = {}, question = 'When does the kettle whistle?') =>
	tenant.chat(question, { fields: { model, temperature: 0.5, ...fields } });

// How many requests of a chat it takes, what the last one had, and that the answer came.
async function asked(...args) {
	const begin = server.chats().length;
	const answer = await ask(...args);
	const requests = server.chats().slice(begin);
	return { status: answer.status, text: answer.body, times: requests.length,
		body: requests.at(-1)?.body };
}

const dialects = [
	['azure', has.stream_options, 400, openai('Unrecognized request argument supplied: stream_options')],
	['openai-param', has.stream_options, 400, openai("Unknown parameter: 'stream_options'.",
		'stream_options', 'unknown_parameter')],
	['vllm', has.stream_options, 400, vllm("[{'type': 'extra_forbidden', 'loc': ('body', " +
		"'stream_options'), 'msg': 'Extra inputs are not permitted', 'input': {}}]")],
	['mistral', has.both, 422, { object: 'error', message: { detail:
		pydantic('stream_options', 'temperature') }, type: 'invalid_request_error' }],
	['groq', has.stream_options, 400, { error: { message:
		"property 'stream_options' is unsupported, did you mean 'stream'?" } }],
	['xai', has.stream_options, 400, { error: 'Argument not supported: stream_options' }],
	['gemini', has.stream_options, 400, [{ error: { code: 400, message: 'Invalid JSON payload ' +
		'received. Unknown name "stream_options": Cannot find field.' } }]],
	['fireworks', has.stream_options, 400, { error: { message:
		"Extra inputs are not permitted, field: 'stream_options'" } }],
	['openai-reasons', has.temperature, 400, openai("Unsupported value: 'temperature' does not " +
		'support 0.5 with this model. Only the default (1) value is supported.', 'temperature',
	'unsupported_value')],
	['o1-mini', has.system, 400, openai("Unsupported value: 'messages[0].role' does not support " +
		"'system' with this model.", 'messages[0].role', 'unsupported_value')],
	['gemma', has.system, 400, vllm('System role not supported')],
	['mistral-7b', has.system, 400, vllm('Conversation roles must alternate user/assistant/...')],
	['wordless', has.stream_options, 400, {}],
	['wordless-page', has.temperature, 422, '<html>Unprocessable</html>', 3],
];

for (const [name, refuses, status, body, first = 2] of dialects)
	test(`${name}: ${first} requests at first, then one, for other tenants too`, async () => {
		server.chat = refusing(refuses, status, body);
		const before = habits().length;
		const one = await asked(acme, name);
		assert.deepEqual([one.status, one.text, one.times], [200, 'Hello there', first]);
		const two = await asked(other, name);
		assert.deepEqual([two.status, two.text, two.times], [200, 'Hello there', 1]);
		const learned = habits().slice(before);
		assert.equal(learned.length, refuses === has.both ? 2 : 1);
		for (const line of learned) {
			assert.equal(line.level, 'notice');
			assert.match(line.message, new RegExp(`'${name}' of server 'default' refuses .* set model_[a-z_]+ = `));
		}
		// Nothing else is left out.
		for (const field of ['stream_options', 'temperature'])
			assert.equal(two.body[field] !== undefined, !refuses({ messages: [], [field]: 1 }), field);
	});

test('without a system role its text begins the first user turn, also of a long chat', async () => {
	server.chat = refusing(has.system, 400, vllm('System role not supported'));
	const long = 'tea '.repeat(30000);
	for (const [times, tenant] of [[2, acme], [1, other]]) {
		const { status, times: counted, body } = await asked(tenant, 'gemma-long', {}, long);
		assert.deepEqual([status, counted], [200, times]);
		assert.deepEqual(body.messages.map((message) => message.role), ['user']);
		assert.match(body.messages[0].content, /^The user asks about their own documents[^]*\n\ntea /);
		assert.ok(body.messages[0].content.endsWith(long));
	}
});

test('the limit of tokens and the user, where they are sent', async () => {
	await restart({ answer_tokens: 300, model_send_user: 'on' });
	server.chat = refusing((body) => body.max_tokens, 400, openai("Unsupported parameter: " +
		"'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
	'max_tokens', 'unsupported_parameter'));
	for (const [times, tenant] of [[2, acme], [1, other]]) {
		const { status, times: counted, body } = await asked(tenant, 'limit');
		assert.deepEqual([status, counted, body.max_completion_tokens], [200, times, 300]);
		assert.equal(body.max_tokens, undefined);
		assert.match(body.user, /^[0-9a-f]{64}$/);
	}
	server.chat = refusing((body) => body.user, 400, { error: { message:
		"property 'user' is unsupported" } });
	for (const [times, tenant] of [[2, acme], [1, other]]) {
		const { status, times: counted, body } = await asked(tenant, 'user');
		assert.deepEqual([status, counted, body.max_tokens], [200, times, 300]);
		assert.equal(body.user, undefined);
	}
	assert.match(habits().map((line) => line.message).join(),
		/set model_max_tokens_field\..*set model_send_user = off\./);
	await restart();
});

test('what is plainly something else is asked once', async () => {
	for (const [status, body] of [
		[400, openai("This model's maximum context length is 4096 tokens.", 'messages',
			'context_length_exceeded')],
		[400, openai('The response was filtered.', 'prompt', 'content_filter')],
		[400, openai('The model `x` does not exist', null, 'model_not_found')],
		[401, openai('stream_options', 'stream_options')],
		[404, 'no such page'],
		[400, openai('max_tokens is too large', 'max_tokens', 'invalid_value')],
	]) {
		server.chat = refusing(() => true, status, body);
		const { status: got, times } = await asked(acme, 'else');
		assert.ok(got >= 400, JSON.stringify(body));
		assert.equal(times, 1, JSON.stringify(body));
	}
});

test('a server that refuses all is asked a few times only, and nothing is remembered', async () => {
	const before = habits().length;
	server.chat = refusing(() => true, 400, {});
	assert.deepEqual((await asked(acme, 'no')).times, 5);
	server.chat = refusing(() => false);
	const { body } = await asked(other, 'no');
	assert.ok(has.stream_options(body) && has.temperature(body) && has.system(body));
	// It has answered with all of them: now they are not to blame any more.
	server.chat = refusing(() => true, 400, {});
	const { status, times } = await asked(acme, 'no');
	assert.deepEqual([status, times], [502, 1]);
	assert.equal(habits().length, before);
});

// A server that repeats the prompt in a refusal that has another reason, which passes.
test('what a prompt says is tried for its tenant, and learned for nobody', async () => {
	const before = habits().length;
	for (const [question, echo] of [
		["Unsupported parameter: 'stream_options'", has.stream_options],
		['The System Role is not supported', has.system],
		['temperature is an unknown field', has.temperature],
	]) {
		let refused = 0;
		server.chat = refusing(() => refused++ === 0, 400, ({ body }) =>
			({ error: { message: `Cannot handle: ${body.messages.at(-1).content}` } }));
		const attack = await asked(acme, 'echo', {}, question);
		assert.deepEqual([attack.status, attack.times], [200, 2]);
		assert.ok(!echo(attack.body), 'it was tried');
		server.chat = refusing(() => false);
		const { body, times } = await asked(other, 'echo');
		assert.equal(times, 1);
		assert.ok(has.stream_options(body) && has.temperature(body) && has.system(body), question);
	}
	assert.equal(habits().length, before);
});

test('a temperature out of the server\'s range is its client\'s fault alone', async () => {
	const hot = (body) => body.temperature > 1.5;
	for (const message of ['temperature must be at most 1.5', "Unsupported value: 'temperature' 1.8"]) {
		server.chat = refusing(hot, 400, openai(message, 'temperature'));
		await asked(acme, 'hot', { temperature: 1.8 });
		const { times, body } = await asked(other, 'hot');
		assert.equal(times, 1);
		assert.equal(body.temperature, 0.5);
	}
});

const paragraphs = (n, what) => Array.from({ length: n }, (_, i) =>
	`${what} ${i}: ` + `The kettle number ${i} whistles at noon. `.repeat(22)).join('\n\n');

const embeddings = () => server.requests.filter((request) => request.path.endsWith('/embeddings'));
const sizes = (begin = 0) => embeddings().slice(begin).map((request) => [request.body.input].flat().length);

// Stores a document of so many chunks; the texts of each request that this took.
async function ingested(tenant, id, n = 250) {
	const begin = embeddings().length;
	const stored = await tenant.ingestText(paragraphs(n, id), { documentId: id });
	return { status: stored.status, chunks: stored.json?.document?.chunks, sizes: sizes(begin) };
}

for (const [name, status, body] of [
	['vllm', 400, vllm('base64 encoding is not currently supported')],
	['a gateway', 400, openai("Invalid value for 'encoding_format' = base64.")],
	['wordless', 422, ''],
])
	test(`${name}: base64 is refused, and not asked for again`, async () => {
		await restart();
		server.embeddings = (request, response) => request.body.encoding_format
			? json(response, status, body) : json(response, 200, embeddingsOf(request.body));
		assert.deepEqual(await ingested(acme, `float-${name}`, 3),
			{ status: 201, chunks: 3, sizes: [3, 3] });
		const begin = embeddings().length;
		const found = await acme.search('kettle number 2', { topK: 1 });
		assert.equal(found.status, 200, found.body);
		assert.equal(embeddings().length, begin + 1);
		assert.equal(habits().length, 1);
		assert.match(habits()[0].message, /embedding_encoding = float/);
	});

test('the configuration says it beforehand', async () => {
	await restart({ model_stream_options: 'off', model_temperature: 'off',
		model_system_role: 'developer', embedding_encoding: 'float', embedding_batch_items: 100,
		document_embedding_memory: '64MiB' });
	const plain = await asked(acme, 'm');
	assert.deepEqual([plain.status, plain.times], [200, 1]);
	assert.ok(!has.stream_options(plain.body) && !has.temperature(plain.body));
	assert.equal(plain.body.messages[0].role, 'developer');
	assert.equal(embeddings().at(-1).body.encoding_format, undefined);
	assert.deepEqual((await ingested(acme, 'd')).sizes.sort((a, b) => b - a), [100, 100, 50]);
	await restart({ model_stream_options: 'on', model_system_role: 'user',
		embedding_encoding: 'base64' });
	assert.deepEqual((await asked(acme, 'm')).body.messages.map((m) => m.role), ['user']);
	server.chat = refusing(has.stream_options, 400, openai('no', 'stream_options'));
	const refused = await asked(acme, 'm');
	assert.deepEqual([refused.status, refused.times], [502, 1]);
	server.embeddings = (request, response) => json(response, 400, openai('no', 'encoding_format'));
	assert.equal((await acme.search('x')).status, 502);
	assert.equal(habits().length, 0);
});

test('each server has habits and settings of its own', async () => {
	const east = await ModelServer.start();
	try {
		await restart({ models_allowed: 'east/m, m, plain/m', 'model east': { url: east.url },
			'model plain': { url: server.url, stream_options: 'off', system_role: 'user' } });
		east.chat = (request, response) => has.stream_options(request.body)
			? json(response, 400, { error: 'Argument not supported: stream_options' })
			: east.play(words('From the east.'), response);
		for (const times of [2, 3]) {
			const answer = await ask(acme, 'east/m');
			assert.deepEqual([answer.status, answer.body], [200, 'From the east.']);
			assert.equal(east.chats().length, times);
		}
		assert.match(habits()[0].message, /'m' of server 'east' .* set stream_options = off\./);
		const here = await asked(acme, 'm'); // the same name, another server
		assert.equal(here.times, 1);
		assert.ok(has.stream_options(here.body) && has.system(here.body));
		const plain = await asked(acme, 'plain/m');
		assert.equal(plain.times, 1);
		assert.ok(!has.stream_options(plain.body) && !has.system(plain.body));
	} finally {
		await east.stop();
	}
});
