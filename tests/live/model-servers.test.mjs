// SPDX-License-Identifier: MIT
// Models on several servers: [model NAME] sections, which of them is asked for what, what each is
// sent, and which models a request may name.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { json, ModelServer, words } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { programs, Stack } from './lib/stack.mjs';

const run = promisify(execFile);
const stack = new Stack('model-servers');
const servers = {};
let gate, tenant, settings;

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

// Azure's routes by deployment: any other path, version or way to send the key is refused.
async function azure(request, response) {
	const url = new URL(request.path, 'http://azure');
	if (request.headers['api-key'] !== 'azure-key' || request.headers.authorization !== undefined)
		return json(response, 401, { error: { code: '401', message: 'Access denied' } });
	if (url.pathname !== '/openai/deployments/my%20model/chat/completions' ||
		url.searchParams.get('api-version') !== '2024-10-21')
		return json(response, 404, { error: { code: '404', message: 'Resource not found' } });
	return servers.azure.play(words('From Azure.'), response);
}

before(async () => {
	for (const name of ['talk', 'vectors', 'azure', 'spare'])
		servers[name] = await ModelServer.start();
	const origin = (server) => new URL(server.url).origin;
	settings = {
		model_url: servers.spare.url, model_api_key: 'spare-key',
		chat_model: 'talk/org/big', embedding_model: 'vectors/embedder',
		models_allowed: 'azure/my model, talk/small, openrouter/free',
		answer_tokens: 500, max_answer_tokens: 800,
		'model talk': { url: `${servers.talk.url}/?team=a%20b`, api_key: 'talk-key',
			headers: '{"X-Title": "Docs, and more", "X-Pass": "sesame-open-7"}',
			extra_body: '{"top_p": 0.5, "temperature": 0.25, "provider": {"order": ["x"]}}',
			send_user: 'on' },
		'model vectors': { url: servers.vectors.url, api_key: 'vectors-key',
			embedding_extra_body: '{"input_type": "passage"}', embedding_batch_items: 2, send_user: 'on' },
		'model azure': { url: origin(servers.azure), api_key: 'azure-key',
			api_key_header: 'api-key', deployments: 'on', api_version: '2024-10-21',
			max_tokens_field: 'max_completion_tokens', answer_tokens: 300 },
	};
	await stack.surroundings({ redis: false, neon: false });
	gate = await stack.tenantgate(settings);
	tenant = await gate.tenant('lantern');
	const stored = await tenant.ingestText('The boat burns 19 litres an hour.',
		{ documentId: 'boat' });
	assert.equal(stored.status, 201, stored.body);
});
after(async () => {
	await stack.stop();
	for (const server of Object.values(servers))
		await server.stop();
});
beforeEach(() => {
	for (const server of Object.values(servers))
		server.reset();
	servers.azure.chat = azure;
});

async function asked(server, fields = {}, headers = {}) {
	const answer = await tenant.chat('How many litres?', { fields, headers });
	assert.equal(answer.status, 200, answer.body);
	assert.equal(server.chats().length, 1);
	return { ...server.chats()[0], answer: answer.body };
}

test('the chat is on one server, the vectors on another, the third is left alone', async () => {
	const { path, headers, body, answer } = await asked(servers.talk);
	assert.equal(answer, 'Hello there.');
	assert.equal(body.model, 'org/big');
	assert.equal(headers.authorization, 'Bearer talk-key');
	assert.equal(path, '/v1/chat/completions?team=a%20b', 'the path goes before the query');
	assert.equal(servers.vectors.requests.length, 1);
	const [vectors] = servers.vectors.requests;
	assert.equal(vectors.path, '/v1/embeddings');
	assert.equal(vectors.headers.authorization, 'Bearer vectors-key');
	assert.equal(vectors.body.model, 'embedder');
	assert.equal(vectors.body.input_type, 'passage');
	assert.equal(servers.talk.requests.length, 1);
	assert.equal(servers.spare.requests.length + servers.azure.requests.length, 0);
});

test('a server has its own fields and members; a temperature of the request goes first', async () => {
	const { headers, body } = await asked(servers.talk);
	assert.equal(headers['x-title'], 'Docs, and more');
	assert.equal(headers['x-pass'], 'sesame-open-7');
	assert.equal(body.top_p, 0.5);
	assert.deepEqual(body.provider, { order: ['x'] });
	assert.equal(body.temperature, 0.25);
	servers.talk.reset();
	const own = await asked(servers.talk, { temperature: 0.75 });
	assert.equal(own.body.temperature, 0.75);
	assert.equal(own.text.match(/"temperature"/g).length, 1);
});

test('a batch of a server is as small as it wants', async () => {
	const text = Array.from({ length: 5 }, (_, i) => `Part ${i}. ${'word '.repeat(190)}`).join('\n\n');
	const stored = await tenant.ingestText(text, { documentId: 'long' });
	assert.equal(stored.status, 201, stored.body);
	const sizes = servers.vectors.requests.map((request) => request.body.input.length);
	assert.ok(sizes.length > 1 && sizes.every((size) => size <= 2), `${sizes}`);
});

test('Azure: the deployment in the path, the version in the query, the key in its field', async () => {
	for (const model of ['azure/my model', 'my model']) {
		servers.azure.requests = [];
		const { body, answer } = await asked(servers.azure, { model });
		assert.equal(answer, 'From Azure.');
		assert.equal(body.max_completion_tokens, 300);
		assert.equal(body.max_tokens, undefined);
	}
	assert.equal(servers.talk.requests.length, 0);
});

test('a request names allowed models alone: else 400 with the list, and nothing is asked', async () => {
	assert.equal((await asked(servers.talk, { model: 'small' })).body.model, 'small');
	servers.talk.reset();
	assert.equal((await asked(servers.talk, { model: 'talk/org/big' })).body.model, 'org/big');
	const spare = await asked(servers.spare, { model: 'openrouter/free' });
	assert.equal(spare.body.model, 'openrouter/free', 'no server has that name');
	assert.equal(spare.headers.authorization, 'Bearer spare-key');
	for (const server of Object.values(servers))
		server.reset();
	for (const model of ['gpt-9', 'spare/small', 'azure/small', 'talk/']) {
		const answer = await tenant.chat('How many litres?', { fields: { model } });
		assert.equal(answer.status, 400, answer.body);
		assert.equal(JSON.parse(answer.body).code, 'invalid_field');
		assert.match(JSON.parse(answer.body).detail,
			/"model" must be one of .*: talk\/org\/big, azure\/my model, talk\/small, openrouter\/free\./);
	}
	for (const server of Object.values(servers))
		assert.equal(server.requests.length, 0);
});

test('an answer is as long as the request says, or the settings, and never past the cap', async () => {
	const tokens = async (fields) => {
		servers.talk.reset();
		const { body } = await asked(servers.talk, fields);
		assert.equal(body.max_completion_tokens, undefined);
		return body.max_tokens;
	};
	assert.equal(await tokens({}), 500);
	assert.equal(await tokens({ maxTokens: 20 }), 20);
	assert.equal(await tokens({ max_tokens: 30 }), 30);
	assert.equal(await tokens({ maxTokens: 801 }), 800);
	for (const maxTokens of [0, -1, 1.5, '20']) {
		const answer = await tenant.chat('How many litres?', { fields: { maxTokens } });
		assert.equal(answer.status, 400, answer.body);
		assert.match(JSON.parse(answer.body).detail, /"maxTokens"/);
	}
});

test('a user is a pseudonym: the same each time, another for each tenant and user', async () => {
	const other = await gate.tenant('harbour');
	assert.equal((await other.ingestText('Nothing.', { documentId: 'x' })).status, 201);
	const userOf = async (client, headers = {}) => {
		servers.talk.reset();
		const answer = await client.chat('How many litres?', { headers });
		assert.equal(answer.status, 200, answer.body);
		const [request] = servers.talk.chats();
		assert.match(request.body.user, /^[0-9a-f]{64}$/);
		assert.doesNotMatch(request.text + JSON.stringify(request.headers), /lantern|anna/);
		return request.body.user;
	};
	const anna = await userOf(tenant, { 'x-user-id': 'anna' });
	assert.equal(await userOf(tenant, { 'x-user-id': 'anna' }), anna);
	const users = [anna, await userOf(tenant, { 'x-user-id': 'bert' }), await userOf(tenant),
		await userOf(other, { 'x-user-id': 'anna' }), await userOf(other)];
	assert.equal(new Set(users).size, users.length);
	assert.equal((await asked(servers.spare, { model: 'openrouter/free' })).body.user, undefined,
		'not where send_user is off');
});

test('a trace goes on to the model, with a span of its own; else a new one does', async () => {
	const traced = async (traceparent) => {
		servers.talk.reset();
		return (await asked(servers.talk, {}, traceparent ? { traceparent } : {}))
			.headers.traceparent;
	};
	const sent = await traced(`00-${TRACE}-${PARENT}-01`);
	assert.match(sent, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
	assert.ok(!sent.includes(PARENT));
	assert.notEqual(await traced(`00-${TRACE}-${PARENT}-01`), sent);
	for (const bad of [undefined, `00-${TRACE}-${PARENT}`, `00-${TRACE.toUpperCase()}-${PARENT}-01`]) {
		const begun = await traced(bad);
		assert.match(begun, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
		assert.ok(!begun.includes(TRACE.toLowerCase()) && !begun.includes(PARENT));
	}
});

test('vectors are asked for with the user and the trace too: of a chat, a search, a document', async () => {
	const headers = { 'x-user-id': 'anna', traceparent: `00-${TRACE}-${PARENT}-01` };
	const of = async (path, body) => {
		const begin = servers.vectors.requests.length;
		const answer = await tenant.post(path, body, headers);
		assert.ok(answer.status < 300, answer.body);
		const [request] = servers.vectors.requests.slice(begin);
		assert.match(request.headers.traceparent, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
		return request.body.user;
	};
	const users = [await of('/chat', { messages: [{ role: 'user', content: 'How many?' }] }),
		await of('/search', { query: 'How many?' }),
		await of('/ingest', { text: 'It has one mast.', documentId: 'mast' })];
	assert.match(users[0], /^[0-9a-f]{64}$/);
	assert.deepEqual(new Set(users), new Set([servers.talk.chats()[0].body.user]));
});

test('a long question is written by a helper for the same server and user', async () => {
	const { body } = await asked(servers.azure, { model: 'azure/my model', messages: [
		{ role: 'user', content: 'litres? '.repeat(12000) }] });
	assert.equal(body.model, 'my model');
	assert.equal(body.max_completion_tokens, 300);
});

test('the log says which server failed, and shows no secret that it repeats', async () => {
	servers.talk.chat = (request, response) => json(response, 401, { error: {
		code: 'bad_pass', message: `No such pass: ${request.headers['x-pass']}` } });
	const answer = await tenant.chat('How many litres?');
	assert.equal(answer.status, 502, answer.body);
	const line = await until('the refusal is logged', () => gate.program.text().split('\n')
		.find((l) => l.includes('bad_pass')));
	assert.match(line, /The chat model of server 'talk' refused .*left out/);
	assert.doesNotMatch(gate.program.text(), /sesame-open-7|talk-key/);
});

test('-t refuses a bad section, with its line', async () => {
	const refused = async (changes) => {
		const path = stack.conf({ ...settings, ...changes });
		const error = await run(programs.tenantgate(), ['-t', '-c', path]).then(() =>
			assert.fail('it was taken'), (failed) => failed);
		return error.stderr;
	};
	await run(programs.tenantgate(), ['-t', '-c', stack.conf(settings)]);
	assert.match(await refused({ 'model x': { api_key: 'k' } }), /:\d+: url must be set\./);
	assert.match(await refused({ 'model x': { url: 'http://x#y' } }), /:\d+: url: .* no fragment/);
	assert.match(await refused({ 'model x': { url: 'http://x', headers: '{"Host": "y"}' } }),
		/:\d+: headers: The field Host is tenantgate's own; remove it\./);
	assert.match(await refused({ 'model x': { url: 'http://x', extra_body: '{"stream": false}' } }),
		/:\d+: extra_body: The member "stream" is tenantgate's own; remove it\./);
	assert.match(await refused({ 'model x': { url: 'http://x', ulr: 'y' } }),
		/:\d+: Unknown key "ulr"; did you mean "url"\?/);
	assert.match(await refused({ 'modell x': { url: 'http://x' } }),
		/:\d+: Unknown section \[modell x\]; did you mean \[model NAME\]\?/);
	assert.match(await refused({ chat_model: 'talk/' }), /:\d+: chat_model: A name of a model is missing/);
});
