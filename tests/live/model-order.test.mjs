// SPDX-License-Identifier: MIT
// Models in order, and servers that fail: which is asked, how often each has received a request,
// and what /readyz and the logs say of it. Over HTTP/2, what is certain to be unprocessed.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants, createSecureServer } from 'node:http2';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chunk, CUT, embeddingsOf, json, ModelServer, words } from './lib/model-server.mjs';
import { Client } from './lib/client.mjs';
import { freePort, until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const run = promisify(execFile);
const stack = new Stack('model-order');
const servers = {};
const sessions = new Set();
let gate, tenant, settings, overHttp2;

// A stand-in over HTTP/2, with a certificate for localhost, which is its own authority.
async function http2Server() {
	const [key, cert] = ['h2.key', 'h2.pem'].map((name) => join(stack.dir, name));
	await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
		'-nodes', '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
		'-keyout', key, '-out', cert]);
	const model = new ModelServer();
	model.http = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) },
		(q, r) => model.answer(q, r).catch(() => {}));
	model.http.on('session', (session) => {
		sessions.add(session);
		session.on('error', () => {});
	});
	model.http.on('stream', (stream) => stream.on('error', () => {}));
	await new Promise((resolve) => model.http.listen(0, 'localhost', resolve));
	model.url = `https://localhost:${model.http.address().port}/v1`;
	model.stop = () => {
		sessions.forEach((session) => session.destroy());
		return new Promise((resolve) => model.http.close(resolve));
	};
	return { model, cert };
}

before(async () => {
	await stack.surroundings({ redis: false, neon: false });
	for (const name of ['first', 'second', 'vectors'])
		servers[name] = await ModelServer.start();
	const { model, cert } = await http2Server();
	servers.h2 = model;
	settings = {
		model_url: servers.vectors.url, model_retries: 1, ca_file: cert,
		chat_model: 'first/big, second/small', embedding_model: 'embedder',
		rate_limit_requests_per_minute: 0,
		'model first': { url: servers.first.url },
		'model second': { url: servers.second.url },
	};
	gate = await stack.tenantgate(settings);
	tenant = await gate.tenant('lantern');
	overHttp2 = await stack.tenantgate({ ...settings, chat_model: 'h2/m',
		embedding_model: 'h2/embedder', 'model h2': { url: model.url } });
	overHttp2.serviceKey = await gate.service();
	for (const one of [tenant, await gate.tenant('kettle')])
		assert.equal((await one.ingestText('The boat burns 19 litres.', { documentId: 'boat' })).status,
			201);
});
after(async () => {
	await stack.stop();
	for (const server of Object.values(servers))
		await server.stop();
});
beforeEach(() => Object.values(servers).forEach((server) => server.reset()));

const fails = (status, headers = {}) => (request, response) =>
	json(response, status, { error: { message: 'no', code: null } }, headers);
const received = () => [servers.first.chats().length, servers.second.chats().length];
const chat = (client = tenant) => client.chat('How many litres?');
const accessLine = (program, answer) => until('its line in the access log', async () =>
	program.lines().find((line) => line.event === 'access' &&
		line.request_id === answer.headers['x-request-id']));

test('the first answers: nobody else is asked', async () => {
	const answer = await chat();
	assert.equal(answer.body, 'Hello there.');
	assert.deepEqual(received(), [1, 0]);
	assert.equal((await accessLine(gate, answer)).model, 'first/big');
});

for (const [what, play, tries] of [
	['fails with 500', fails(500), 2], ['does not know its key', fails(401), 1],
	['does not know the model', fails(404), 1], ['is lost', (q, r) => r.destroy(), 1],
]) {
	test(`the first ${what}: after its tries the second answers`, async () => {
		servers.first.chat = play;
		const answer = await chat();
		assert.equal(answer.status, 200, answer.body);
		assert.equal(answer.body, 'Hello there.');
		assert.deepEqual(received(), [tries, 1]);
		assert.equal(servers.second.chats()[0].body.model, 'small');
		assert.equal((await accessLine(gate, answer)).model, 'second/small');
		const said = gate.lines().find((line) => line.event === 'model.fallback' &&
			line.request_id === answer.headers['x-request-id']);
		assert.match(said.message, /'first\/big' gave no answer, so 'second\/small' is asked/);
	});
}

test('the first says nothing in time: the second answers', async () => {
	const { other } = await another({ 'model first': { url: servers.first.url,
		first_byte_timeout: '400ms' } });
	servers.first.chat = () => {};
	assert.equal((await chat(await other.tenant('lantern'))).body, 'Hello there.');
	assert.deepEqual(received(), [1, 1]);
	await other.program.stop();
});

test("the request's own fault, and an answer that has begun, are the first's", async () => {
	servers.first.chat = fails(400);
	assert.notEqual((await chat()).status, 200);
	assert.deepEqual(received(), [1, 0]);
	servers.first.chat = [chunk({ role: 'assistant', content: 'Half' }), CUT];
	const { answer } = await tenant.chat('How many litres?', { form: 'ui' })
		.then((all) => ({ answer: all.body }), (error) => ({ answer: error.message }));
	assert.doesNotMatch(answer, /Hello/);
	assert.deepEqual(received(), [2, 0]);
});

test('a request that names the first is as one that names none; another is asked alone', async () => {
	servers.first.chat = fails(500);
	servers.second.chat = fails(500);
	await tenant.chat('How many litres?', { fields: { model: 'first/big' } });
	assert.deepEqual(received(), [2, 2]);
	await tenant.chat('How many litres?', { fields: { model: 'small' } });
	assert.deepEqual(received(), [2, 4]);
});

// A program of its own: what a server has asked for stays with it.
async function another(changes = {}) {
	const port = await freePort();
	const other = await stack.tenantgate({ ...settings, health_listen_port: port, ...changes });
	other.serviceKey = await gate.service();
	const doctor = new Client(`http://127.0.0.1:${port}`);
	return { other, readyz: async () => (await doctor.get('/readyz')).json };
}

test('Retry-After is kept: nobody asks until then, and /readyz says so', async () => {
	const { other, readyz } = await another();
	servers.first.chat = fails(429, { 'retry-after': '900' });
	const [lantern, kettle] = [await other.tenant('lantern'), await other.tenant('kettle')];
	assert.equal((await chat(lantern)).status, 200);
	servers.first.chat = words('Well again.');
	for (const client of [lantern, kettle, lantern])
		assert.equal((await chat(client)).body, 'Hello there.');
	assert.deepEqual(received(), [1, 4]);
	const { checks, degraded } = await readyz();
	assert.deepEqual(degraded, ['model']);
	assert.match(checks.model, /chat model asked for a pause \(HTTP 429\).*'first'/);
	assert.equal((await other.anonymous.get('/readyz')).json.checks.model, 'ill');

	servers.second.chat = fails(503, { 'retry-after': '600' });
	const told = await chat(kettle);
	assert.equal(told.status, 503);
	for (const client of [lantern, kettle]) {
		const answer = await chat(client);
		assert.equal(answer.status, 503, answer.body);
		const after = Number(answer.headers['retry-after']);
		assert.ok(after > 300 && after <= 600, `Retry-After: ${after}`);
	}
	assert.deepEqual(received(), [1, 5]);
	await other.program.stop();
});

test("a quota that is used up: its server is not asked again, and the operator reads why", async () => {
	const { other, readyz } = await another();
	const client = await other.tenant('lantern');
	servers.first.chat = (request, response) => json(response, 429,
		{ error: { message: 'pay', type: 'insufficient_quota', code: 'insufficient_quota' } });
	for (let i = 0; i < 3; i++)
		assert.equal((await chat(client)).status, 200);
	assert.deepEqual(received(), [1, 3]);
	assert.match((await readyz()).checks.model, /quota of the chat model .*HTTP 429.*'first'/);
	await other.program.stop();
});

test('failures of one tenant keep nobody away; of several they do, until a probe succeeds', async () => {
	const { other, readyz } = await another({ chat_model: 'first/big', model_retries: 0 });
	const [lantern, kettle] = [await other.tenant('lantern'), await other.tenant('kettle')];
	servers.first.chat = fails(500);
	for (let i = 0; i < 8; i++)
		assert.equal((await chat(lantern)).status, 502);
	assert.deepEqual(received(), [8, 0], 'each was asked');
	servers.first.chat = words('For kettle.');
	assert.equal((await chat(kettle)).body, 'For kettle.');

	servers.first.reset();
	servers.first.chat = fails(500);
	for (const client of [lantern, kettle, lantern, kettle, lantern])
		assert.equal((await chat(client)).status, 502);
	const refused = await chat(kettle);
	assert.equal(refused.status, 503, refused.body);
	assert.ok(Number(refused.headers['retry-after']) >= 1);
	assert.deepEqual(received(), [5, 0]);
	assert.match((await readyz()).checks.model,
		/last 5 calls of the chat model failed \(HTTP 500\).*'first'/);

	servers.first.chat = words('Well again.');
	const well = await until('a probe is let through', async () => {
		const answer = await chat(lantern);
		return answer.status === 200 && answer;
	});
	assert.equal(well.body, 'Well again.');
	assert.deepEqual(received(), [6, 0]);
	assert.deepEqual((await readyz()).degraded, []);
	await other.program.stop();
});

test('HTTP/2: a refused stream is tried again, a chat that was lost is not', async () => {
	const client = await overHttp2.tenant('lantern');
	const once = (play) => (request, response) => {
		servers.h2.chat = words('The second time.');
		play(response.stream);
	};
	servers.h2.chat = once((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
	assert.equal((await chat(client)).body, 'The second time.');
	assert.equal(servers.h2.chats().length, 2);
	servers.h2.requests = [];
	servers.h2.chat = once(({ session, id }) => {
		session.goaway(constants.NGHTTP2_NO_ERROR, id - 2);
		setImmediate(() => session.destroy());
	});
	assert.equal((await chat(client)).body, 'The second time.');
	assert.equal(servers.h2.chats().length, 2);
	for (const play of [(stream) => stream.session.destroy(),
		(stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)]) {
		servers.h2.requests = [];
		servers.h2.chat = once(play);
		assert.equal((await chat(client)).status, 502);
		assert.equal(servers.h2.chats().length, 1);
	}
	servers.h2.requests = [];
	servers.h2.chat = (q, r) => r.stream.close(constants.NGHTTP2_REFUSED_STREAM);
	assert.equal((await chat(client)).status, 502);
	assert.equal(servers.h2.chats().length, 2, 'at most model_retries more');
});

test('HTTP/2: an embedding is asked for again also after a lost stream or connection', async () => {
	const client = await overHttp2.tenant('lantern');
	for (const play of [(stream) => stream.session.destroy(),
		(stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
		(stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM)]) {
		servers.h2.reset();
		servers.h2.embeddings = (request, response) => {
			servers.h2.embeddings = (q, r) => json(r, 200, embeddingsOf(q.body));
			play(response.stream);
		};
		const found = await client.search('litres');
		assert.equal(found.status, 200, found.body);
		assert.equal(servers.h2.requests.length, 2);
	}
});
