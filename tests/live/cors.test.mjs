// SPDX-License-Identifier: MIT
// Pages of other origins, as a browser speaks for them: which may read an answer, of whatever kind;
// preflights; a service key in a page.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { Client } from './lib/client.mjs';
import { chunk, DONE, ModelServer, words } from './lib/model-server.mjs';
import { freePort, until } from './lib/process.mjs';
import { source, Stack } from './lib/stack.mjs';

const APP = 'https://app.example.com';
const PHONE = 'capacitor://localhost';
const STRANGER = 'https://app.example.com.evil.example';
const BIG = 40000;
const stack = new Stack('cors');
let model, base, gate, health, page;

const preflight = (path, { origin = APP, method = 'POST', fields = 'authorization,content-type',
	headers = {}, at = gate.anonymous } = {}) => at.ask('OPTIONS', path, { headers: {
	...(origin === null ? {} : { origin }), 'access-control-request-method': method,
	'access-control-request-headers': fields, ...headers } });

const list = (value) => (value ?? '').toLowerCase().split(/ *, */).filter((item) => item !== '');
const corsFields = (answer) => Object.keys(answer.headers)
	.filter((name) => name.startsWith('access-control-')).sort();

// May a page of APP read all of it?
function readable(answer, ...names) {
	assert.equal(answer.headers['access-control-allow-origin'], APP);
	assert.equal(answer.headers['access-control-allow-credentials'], undefined);
	assert.ok(list(answer.headers.vary).includes('origin'), answer.headers.vary);
	const exposed = list(answer.headers['access-control-expose-headers']);
	assert.ok(!exposed.includes('*'));
	for (const name of ['x-request-id', ...names]) {
		assert.notEqual(answer.headers[name], undefined, `${name} is not there`);
		assert.ok(exposed.includes(name), `${name} is not exposed`);
	}
}

function unreadable(answer) {
	assert.deepEqual(corsFields(answer), []);
	assert.ok(list(answer.headers.vary).includes('origin'), answer.headers.vary);
}

// The bytes of one request, and all that is answered to them.
function raw(text, port = gate.port) {
	return new Promise((resolve, reject) => {
		const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
		let answer = '';
		socket.setEncoding('latin1');
		socket.on('data', (piece) => { answer += piece; });
		socket.on('close', () => {
			const [line, ...lines] = answer.split('\r\n\r\n')[0].split('\r\n');
			resolve({ status: Number(line.split(' ')[1]), headers: Object.fromEntries(lines.map((l) =>
				[l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)])) });
		});
		socket.on('error', reject);
	});
}

before(async () => {
	model = await ModelServer.start();
	await stack.surroundings({ neon: false });
	base = { model_url: model.url, cors_allow_origins: `${APP}, ${PHONE}`,
		health_listen_port: await freePort(), rate_limit_requests_per_minute: 0 };
	gate = await stack.tenantgateWithAdmin(base);
	base.admin_listen_port = Number(new URL(gate.adminUrl).port);
	health = new Client(`http://127.0.0.1:${base.health_listen_port}`);
	const tenant = await gate.tenant('reader');
	assert.equal((await tenant.ingestText('The boat burns 19 litres.',
		{ documentId: 'boat' })).status, 201);
	page = new Client(gate.url, { origin: APP,
		authorization: `Bearer ${await gate.key('--tenant', 'reader')}` });
});
after(async () => {
	await stack.stop();
	await model?.stop();
});
beforeEach(() => model.reset());

test('a preflight of each path, also of none, before anybody is asked for a key', async () => {
	const allowed = { '/chat': 'post', '/ingest': 'post', '/documents': 'get',
		'/documents/boat': 'get, patch, delete', '/chat/c1/stream': 'get' };
	for (const [path, methods] of Object.entries(allowed)) {
		const answer = await preflight(path);
		assert.equal(answer.status, 204);
		assert.equal(answer.body, '');
		assert.equal(answer.headers['access-control-allow-origin'], APP);
		assert.deepEqual(list(answer.headers['access-control-allow-methods']), list(methods));
		const fields = list(answer.headers['access-control-allow-headers']);
		for (const name of ['authorization', 'content-type', 'user-agent', 'x-tenant-id',
			'x-user-id', 'x-request-id', 'traceparent', 'tracestate', 'x-tenantgate-stream'])
			assert.ok(fields.includes(name), name);
		assert.ok(Number(answer.headers['access-control-max-age']) > 0);
		assert.equal(answer.headers['access-control-allow-credentials'], undefined);
		assert.ok(list(answer.headers.vary).includes('origin'));
	}
	const nowhere = await preflight('/no/such/path', { method: 'DELETE' });
	assert.equal(nowhere.status, 204);
	assert.ok(list(nowhere.headers['access-control-allow-methods']).includes('delete'));
	assert.equal((await preflight('/chat', { origin: PHONE }))
		.headers['access-control-allow-origin'], PHONE);
});

test('another origin is told nothing; what is no preflight is answered as ever', async () => {
	for (const origin of [STRANGER, 'null', '*', 'http://app.example.com', `${APP}:8443`, `${APP}/`,
		'https://APP.example.com', `${APP},${PHONE}`, '']) {
		const answer = await preflight('/chat', { origin });
		assert.equal(answer.status, 204, origin);
		unreadable(answer);
	}
	const twice = await raw(`OPTIONS /chat HTTP/1.1\r\nHost: x\r\nOrigin: ${APP}\r\nOrigin: ${APP}` +
		'\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n');
	assert.equal(twice.status, 204);
	unreadable(twice);
	const without = await preflight('/chat', { origin: null });
	assert.equal(without.status, 405);
	assert.equal(without.headers.allow, 'POST');
	const asksNothing = await gate.anonymous.ask('OPTIONS', '/chat', { headers: { origin: APP } });
	assert.equal(asksNothing.status, 405);
	readable(asksNothing, 'allow');
	assert.equal((await gate.anonymous.ask('OPTIONS', '/', {})).status, 204);
});

test('a preflight counts against no limit and wakes nobody', async () => {
	const before = (await stack.sql('select count(*) from public.tenants', 'catalog'))[0][0];
	const limited = await stack.tenantgate({ ...base, admin_listen_port: 0, health_listen_port: 0,
		rate_limit_requests_per_minute: 1, rate_limit_key_requests_per_minute: 1,
		auth_failures_per_minute: 1 });
	for (let i = 0; i < 50; i++) {
		const answer = await preflight('/chat', { at: limited.anonymous,
			headers: { 'x-tenant-id': 'never-seen' } });
		assert.equal(answer.status, 204);
	}
	const asked = await new Client(limited.url, page.headers).get('/chat/c1/stream');
	assert.equal(asked.status, 204);
	assert.equal((await stack.sql('select count(*) from public.tenants', 'catalog'))[0][0], before);
	assert.equal(model.requests.length, 0);
	await limited.program.stop();
});

test('a page reads answers of every kind', async () => {
	model.chat = words('Nineteen', ' litres.');
	const chat = await page.chat('How many litres?', { form: 'ui' });
	assert.equal(chat.status, 200);
	readable(chat, 'x-vercel-ai-ui-message-stream');
	readable(await page.chat('How many?', { form: 'data' }), 'x-vercel-ai-data-stream');
	for (const [status, answer] of [
		[200, await page.get('/documents')],
		[204, await page.get('/chat/c1/stream')],
		[404, await page.get('/documents/none')],
		[404, await page.get('/no/such/path')],
		[400, await page.post('/search', '{')],
		[400, await page.post('/chat', { messages: [] })],
		[200, await page.get('/healthz')],
	]) {
		assert.equal(answer.status, status, answer.body);
		readable(answer);
	}
	const wrong = await page.get('/chat');
	assert.equal(wrong.status, 405);
	readable(wrong, 'allow');
	const nobody = await page.get('/documents', { headers: { authorization: 'Bearer tg_x' } });
	assert.equal(nobody.status, 401);
	readable(nobody, 'www-authenticate');
	unreadable(await page.get('/documents', { headers: { origin: STRANGER } }));
	unreadable(await new Client(gate.url, { authorization: page.headers.authorization })
		.get('/documents'));
});

test('a page reads what was refused before there was a request', async () => {
	const head = `Host: x\r\nOrigin: ${APP}\r\n`;
	for (const [status, text] of [
		[400, `GET / HTTP/1.1\r\n${head}Bad Name: x\r\n\r\n`],
		[417, `POST /chat HTTP/1.1\r\n${head}Expect: the-best\r\n\r\n`],
		[431, `GET / HTTP/1.1\r\n${head}X: ${'x'.repeat(BIG)}\r\n\r\n`],
	]) {
		const answer = await raw(text);
		assert.equal(answer.status, status);
		readable(answer);
	}
	// Nothing was read of it but the first line.
	const long = await raw(`GET /${'x'.repeat(BIG)} HTTP/1.1\r\n${head}\r\n`);
	assert.equal(long.status, 414);
	unreadable(long);
});

test('a page reads that it is over its rate, and when to come again', async () => {
	const limited = await stack.tenantgate({ ...base, admin_listen_port: 0, health_listen_port: 0,
		rate_limit_requests_per_minute: 1 });
	const client = new Client(limited.url, page.headers);
	await client.get('/chat/c1/stream');
	const answer = await client.get('/documents');
	assert.equal(answer.status, 429);
	readable(answer, 'ratelimit', 'ratelimit-policy', 'retry-after');
	assert.match(answer.json.detail, /^[A-Z].*\.$/);
	await limited.program.stop();
});

test('a stream is readable from its head on', async () => {
	model.chat = [chunk({ role: 'assistant', content: 'Nine' }), DONE];
	const answer = await page.openChat('How many?', { form: 'ui' });
	readable(answer);
	answer.request.destroy();
});

test('while it starts: a preflight is answered, and a page reads that it is too early', async () => {
	const early = await stack.tenantgate({ ...base, admin_listen_port: 0, health_listen_port: 0,
		catalog_url: `postgresql://nobody:x@127.0.0.1:${await freePort()}/none` }, { wait: false });
	assert.equal((await preflight('/chat', { at: early.anonymous }))
		.headers['access-control-allow-origin'], APP);
	const answer = await new Client(early.url, page.headers).get('/documents');
	assert.equal(answer.status, 503);
	readable(answer, 'retry-after');
	await early.program.stop();
});

test('a service key from a page is refused, and only a right one is told why', async () => {
	const service = await gate.tenant('reader');
	for (const origin of [APP, STRANGER, gate.url, 'null', '']) {
		const answer = await service.ask('GET', '/documents', { headers: { origin } });
		assert.equal(answer.status, 403, origin);
		assert.equal(answer.json.code, 'forbidden');
		assert.match(answer.json.detail, /^A service key does not belong in a page.*\.$/);
	}
	readable(await service.ask('GET', '/documents', { headers: { origin: APP } }));
	assert.equal((await service.ask('PUT', '/tenant', { headers: { origin: APP } })).status, 403);
	assert.equal((await service.get('/documents')).status, 200);
	const key = await gate.service();
	const forged = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
	const wrong = await service.ask('GET', '/documents', { headers: { origin: APP,
		authorization: `Bearer ${forged}` } });
	const unknown = await service.ask('GET', '/documents', { headers: { origin: APP,
		authorization: 'Bearer tg_nobody' } });
	assert.equal(wrong.status, 401);
	assert.equal(wrong.json.detail, unknown.json.detail);
	assert.equal((await page.get('/documents', { headers: { origin: STRANGER } })).status, 200);
});

test('the admin and health doors say nothing to pages', async () => {
	for (const client of [gate.admin, health])
		for (const answer of [await client.get('/healthz', { headers: { origin: APP } }),
			await preflight('/healthz', { at: client }), await preflight('/chat', { at: client })]) {
			assert.deepEqual(corsFields(answer), []);
			assert.equal(answer.headers.vary, undefined);
		}
});

test('a reload lists other origins; none, and nothing varies', async () => {
	const reload = async (cors_allow_origins) => {
		renameSync(stack.conf({ ...base, cors_allow_origins }), gate.path);
		return gate.admin.ask('POST', '/admin/reload');
	};
	const open = await page.openChat('How many?', { form: 'text' });
	assert.equal((await reload('https://other.example')).status, 200);
	await until('the origin is listed no more', async () =>
		(await page.get('/healthz')).headers['access-control-allow-origin'] === undefined);
	await open.text();
	unreadable(await page.get('/healthz'));
	for (const bad of ['*', 'null', 'https://*.example.com', 'app.example.com', `${APP}/`,
		`${APP}:443`, 'https://App.example.com', `${APP},,`]) {
		const answer = await reload(bad);
		assert.equal(answer.status, 422, `${bad}: ${answer.body}`);
		assert.match(answer.body, /cors_allow_origins/);
	}
	assert.equal((await reload('')).status, 200);
	await until('nothing varies', async () =>
		(await page.get('/healthz')).headers.vary === undefined);
	assert.deepEqual(corsFields(await preflight('/chat')), []);
	assert.equal((await reload(base.cors_allow_origins)).status, 200);
	await until('it is listed again', async () =>
		(await page.get('/healthz')).headers['access-control-allow-origin'] === APP);
});

// Else a field that is added one day is there and no page sees it.
test('each field that a response may have is exposed, or named here', async () => {
	const always = ['cache-control', 'content-type', 'content-length', 'expires'];	// by browsers
	const ours = ['x-accel-buffering'];	// to proxies
	const exposed = list((await page.get('/healthz')).headers['access-control-expose-headers']);
	const set = new Set();
	for (const room of ['http', 'api'])
		for (const file of readdirSync(join(source, 'src', room)).filter((f) => f.endsWith('.c')))
			for (const [, name] of readFileSync(join(source, 'src', room, file), 'utf8')
				.matchAll(/http_set\(\S+, "([A-Za-z-]+)"|set_number\(\S+, "([A-Za-z-]+)"/g))
				set.add((name ?? '').toLowerCase());
	const hidden = [...set].filter((name) => name !== '' && !exposed.includes(name) &&
		!always.includes(name) && !ours.includes(name) && !name.startsWith('access-control-'));
	assert.deepEqual(hidden, []);
	assert.ok(set.has('retry-after') && set.has('ratelimit'));
});
