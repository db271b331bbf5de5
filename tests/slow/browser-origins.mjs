// SPDX-License-Identifier: MIT
// useChat of the AI SDK in Chromium, on a page of another origin, straight against tenantgate: the
// page's server gives it a credential and is asked for nothing else. Packages and Chromium as
// browser.mjs has them.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Stack } from '../live/lib/stack.mjs';
import { until } from '../live/lib/process.mjs';
import { chunk, event, DONE, ModelServer, STALL, words } from '../live/lib/model-server.mjs';
import { ChatPage, launchChromium, pageScript, sendPage } from './browser/chat-page.mjs';

const stack = new Stack('browser-origins');
let model, gate, limited, app, script, browser, page, chat, credential;

// What the page is given: a token of one tenant and user, for minutes.
const forPages = async () => (await (await gate.tenant('browser')).post('/tokens',
	{ user: 'mia' })).json.token;

// The web app's server, under two names, which are two origins.
async function startApp() {
	const server = createServer((q, r) => (q.url === '/credential'
		? r.end(credential) : sendPage(q, r, script)));
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address();
	return { server, origin: `http://localhost:${port}`, stranger: `http://127.0.0.1:${port}` };
}

const address = (at, more = '', from = app.origin) =>
	`${from}/?api=${encodeURIComponent(`${at.url}/chat`)}${more}`;

before(async () => {
	script = await pageScript();
	app = await startApp();
	model = await ModelServer.start();
	await stack.surroundings({ neon: false });
	const settings = { model_url: model.url, cors_allow_origins: app.origin };
	gate = await stack.tenantgate(settings);
	limited = await stack.tenantgate({ ...settings, rate_limit_requests_per_minute: 1 });
	const tenant = await gate.tenant('browser');
	const answer = await tenant.ingestText('The boat burns 19 litres an hour.',
		{ documentId: 'boat', title: 'The boat' });
	assert.equal(answer.status, 201, answer.body);
	browser = await launchChromium();
});
after(async () => {
	await browser?.close();
	app?.server.closeAllConnections();
	app?.server.close();
	await stack.stop();
	await model?.stop();
});
beforeEach(async () => {
	model.reset();
	credential = await forPages();
	await page?.close();
	page = await browser.newPage();
	chat = new ChatPage(page);
	await page.goto(address(gate));
});

// What a page's own code would do; [status, body as JSON or null, the named fields].
const fetched = (path, options = {}, names = []) => page.evaluate(async ([url, init, fields]) => {
	const key = await (await fetch('/credential')).text();
	const body = init.form ? new FormData() : init.body;
	for (const [name, text, fileName] of init.form ?? [])
		body.append(name, new Blob([text], { type: 'text/plain' }), fileName);
	const answer = await fetch(url, { method: init.method, body, headers: { ...init.headers,
		authorization: `Bearer ${key}` } });
	const text = await answer.text();
	return [answer.status, text === '' ? null : JSON.parse(text),
		fields.map((name) => answer.headers.get(name))];
}, [`${gate.url}${path}`, options, names]);

test('two turns with their sources, each asked for by a preflight at most', async () => {
	for (const turn of [1, 2]) {
		model.chat = words('Nineteen', ' litres', ` (${turn}).`);
		await chat.say('How many litres an hour does the boat burn?');
		await until('the answer is there', async () =>
			(await chat.shown('.assistant')).length === turn && (await chat.status()) === 'ready', 20000);
		assert.equal(await chat.last('.text'), `Nineteen litres (${turn}).`);
		assert.match(await chat.last('.source'), /The boat/);
	}
	const seen = gate.lines().filter((l) => l.event === 'access' && l.path === '/chat')
		.map((l) => [l.method, l.status]);
	assert.deepEqual(seen, [['OPTIONS', 204], ['POST', 200], ['POST', 200]]);
});

test('stop: the words so far stay, and the model is let go', async () => {
	let left = false;
	model.chat = (q, r) => {
		r.on('close', () => { left = true; });
		return model.play([...words('Nineteen').slice(0, 2), STALL], r);
	};
	await chat.say('How many litres?');
	await until('the first word is shown', async () => (await chat.last('.text')) === 'Nineteen', 20000);
	await page.click('#stop');
	await chat.ended();
	await until('the model is let go', () => left, 5000);
	assert.equal(await chat.last('.text'), 'Nineteen');
});

test('over the rate: a sentence on the page, and when to come again', async () => {
	model.chat = words('Nineteen.');
	await page.goto(address(limited));
	await chat.say('How many litres?');
	await chat.ended();
	await chat.say('And now?');
	await chat.ended('error');
	assert.match((await chat.shown('#error'))[0],
		/^This tenant is over its rate of 1 requests a minute; try again in \d+ s\.$/);
	assert.equal(model.chats().length, 1);
});

test('an error in the middle, a key that is none, a service key: a sentence each', async () => {
	model.chat = [chunk({ role: 'assistant', content: 'Nine' }), 50,
		event({ error: { message: 'secret', type: 'server_error' } }), DONE];
	await chat.say('How many litres?');
	await chat.ended('error');
	assert.match((await chat.shown('#error'))[0], /^[A-Z][^{}]*\.$/);
	for (const [given, sentence] of [['tg_none', /^The API key or token is missing or not valid; .*\.$/],
		[await gate.service(), /^A service key does not belong in a page, .*\.$/]]) {
		credential = given;
		await page.goto(address(gate));
		await chat.say('How many litres?');
		await chat.ended('error');
		assert.match((await chat.shown('#error'))[0], sentence);
	}
});

test('a chat that is opened again has nothing to resume', async () => {
	const answers = [];
	page.on('response', (r) => answers.push([r.request().method(), r.status(),
		new URL(r.url()).pathname]));
	const resumed = () => answers.find(([method, , path]) => method === 'GET' &&
		path === '/chat/chat-7/stream');
	await page.goto(address(gate, '&chat=chat-7&resume'));
	await until('it was asked', () => resumed() !== undefined, 20000);
	assert.deepEqual(resumed(), ['GET', 204, '/chat/chat-7/stream']);
	await chat.ended();
	assert.deepEqual(await chat.shown('#error'), []);
});

test('documents in, listed, renamed and away, and the fields that a page may read', async () => {
	const [made, body] = await fetched('/ingest', { method: 'POST',
		form: [['file', 'The horn is loud.', 'horn.txt']] });
	assert.equal(made, 201, JSON.stringify(body));
	const { id } = body.document;
	const [listed, { documents }, [policy, left, requestId, none]] = await fetched('/documents',
		{ method: 'GET', headers: { 'x-request-id': 'page-1', traceparent:
			'00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } },
		['ratelimit-policy', 'ratelimit', 'x-request-id', 'server']);
	assert.equal(listed, 200);
	assert.ok(documents.some((d) => d.id === id));
	assert.match(policy, /^"tenant";q=/);
	assert.match(left, /^"tenant";r=/);
	assert.equal(requestId, 'page-1');
	assert.equal(none, null);
	const [renamed, after] = await fetched(`/documents/${id}`, { method: 'PATCH',
		headers: { 'content-type': 'application/json' }, body: JSON.stringify({ title: 'Horn' }) });
	assert.deepEqual([renamed, after.document.title], [200, 'Horn']);
	assert.equal((await fetched(`/documents/${id}`, { method: 'DELETE' }))[0], 204);
	assert.equal((await fetched(`/documents/${id}`, { method: 'GET' }))[0], 404);
	assert.equal((await fetched('/no/such/path', { method: 'PUT' }))[0], 404);
});

test('a page of an origin that is not listed gets nothing, and nothing is done for it', async () => {
	await page.goto(address(gate, '', app.stranger));
	await chat.say('How many litres?');
	await chat.ended('error');
	assert.equal((await chat.shown('#error'))[0], 'Failed to fetch');
	assert.equal(model.chats().length, 0);
});
