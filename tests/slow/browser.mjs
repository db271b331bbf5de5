// SPDX-License-Identifier: MIT
// useChat of the AI SDK in Chromium, against a web app's server that passes /chat on to tenantgate.
// Packages: npm install in tests/slow/browser; a Chromium: Debian's.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { Stack } from '../live/lib/stack.mjs';
import { until } from '../live/lib/process.mjs';
import { chunk, DONE, event, json, ModelServer, STALL, words } from '../live/lib/model-server.mjs';
import { ChatPage, launchChromium, pageScript, sendPage } from './browser/chat-page.mjs';

const stack = new Stack('browser');
let model, gate, app, browser, page, chat;

// The web app: the page, and its own door to /chat, where the key is added.
async function startApp(script, headers) {
	const server = createServer((q, r) => {
		if (q.url.startsWith('/chat')) {
			const up = request(gate.url + q.url, { method: q.method, headers: { ...headers,
				'content-type': 'application/json', accept: q.headers.accept } }, (answer) => {
				r.writeHead(answer.statusCode, answer.headers);
				answer.pipe(r);
			});
			up.on('error', () => r.destroy());
			r.on('close', () => up.destroy());
			return q.pipe(up);
		}
		return sendPage(q, r, script);
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return { server, url: `http://127.0.0.1:${server.address().port}/` };
}

before(async () => {
	model = await ModelServer.start();
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ model_url: model.url, stream_keepalive_interval: '300ms' });
	const tenant = await gate.tenant('browser');
	const answer = await tenant.ingestText('The boat burns 19 litres an hour.',
		{ documentId: 'boat', title: 'The boat' });
	assert.equal(answer.status, 201, answer.body);
	app = await startApp(await pageScript(), tenant.headers);
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
	await page?.close();
	page = await browser.newPage();
	chat = new ChatPage(page);
	await page.goto(app.url);
});

const shown = (selector) => chat.shown(selector);
const status = () => chat.status();
const last = (selector) => chat.last(selector);
const say = (text) => chat.say(text);
const ended = (as) => chat.ended(as);

test('two turns, each with its words and its sources', async () => {
	for (const turn of [1, 2]) {
		model.chat = words('Nineteen', ' litres', ` (${turn}).`);
		await say('How many litres an hour does the boat burn?');
		await until('the answer is there', async () =>
			(await shown('.assistant')).length === turn && (await status()) === 'ready', 20000);
		assert.equal(await last('.text'), `Nineteen litres (${turn}).`);
		assert.match(await last('.source'), /The boat/);
	}
	const { messages } = model.chats()[1].body;
	assert.deepEqual(messages.map((m) => m.role), ['system', 'user', 'assistant', 'user']);
	assert.equal(messages[2].content, 'Nineteen litres (1).');
});

test('a model that thinks: its reasoning, then its words', async () => {
	model.chat = [chunk({ reasoning_content: 'Litres, ' }), 1000, chunk({ reasoning_content: 'hm.' }),
		1000, ...words('Nineteen.')];
	await say('How many litres?');
	await until('the reasoning is shown', async () => /Litres/.test(await last('.reasoning')), 20000);
	await ended();
	assert.equal(await last('.reasoning'), 'Litres, hm.');
	assert.equal(await last('.text'), 'Nineteen.');
});

test('a refusal and a failure in the middle: a sentence each, and the next turn is well', async () => {
	model.chat = (q, r) => json(r, 400, { error: { message: 'secret', code: 'context_length_exceeded' } });
	await say('How many litres?');
	await ended('error');
	assert.match((await shown('#error'))[0], /^[A-Z][^{}]*\.$/);
	await page.goto(app.url);
	model.chat = [chunk({ role: 'assistant', content: 'Nine' }), 50,
		event({ error: { message: 'secret words of the server', type: 'server_error' } }), DONE];
	await say('How many litres?');
	await ended('error');
	assert.match((await shown('#error'))[0], /^[A-Z][^{}]*\.$/);
	assert.doesNotMatch((await shown('#error'))[0], /secret/);
	model.chat = words('Nineteen.');
	await say('Once more?');
	await ended();
	assert.equal(await last('.text'), 'Nineteen.');
});

test('stop: the words so far stay, and the model is let go', async () => {
	let left = false;
	model.chat = (q, r) => {
		r.on('close', () => { left = true; });
		return model.play([...words('Nineteen').slice(0, 2), STALL], r);
	};
	await say('How many litres?');
	await until('the first word is shown', async () => (await last('.text')) === 'Nineteen', 20000);
	await page.click('#stop');
	await ended();
	await until('the model is let go', () => left, 5000);
	assert.equal(await last('.text'), 'Nineteen');
});

test('a file that goes with the question', async () => {
	await page.setInputFiles('#files', { name: 'log.txt', mimeType: 'text/plain',
		buffer: Buffer.from('On Monday the boat burned 23 litres an hour.') });
	await say('And on Monday?');
	await ended();
	assert.match(JSON.stringify(model.chats().at(-1).body.messages), /burned 23 litres/);
});

test('a chat that is opened again has nothing to resume', async () => {
	const answers = [];
	page.on('response', (r) => answers.push([r.status(), new URL(r.url()).pathname]));
	await page.goto(`${app.url}?chat=chat-7&resume`);
	await until('it was asked', () => answers.some(([, path]) => path === '/chat/chat-7/stream'), 20000);
	assert.deepEqual(answers.find(([, path]) => path === '/chat/chat-7/stream'), [204,
		'/chat/chat-7/stream']);
	await ended();
	assert.deepEqual(await shown('#error'), []);
});
