// SPDX-License-Identifier: MIT
// Readers of /chat that stop in the middle of a fast answer: the model is held back, what was freed
// meanwhile is not missed when they go on. What they hold of the memory is tests/slow/run stalled's.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { ModelServer, chunk, event, words } from './lib/model-server.mjs';
import { sleep, until } from './lib/process.mjs';

const EVENTS = 16000; // of 500 bytes of text each: more than the kernel takes for a client
const READERS = 4;
const secret = 'the harbour master keeps the lantern oil in the third cellar';
const text = (i) => `${i} ${'tide '.repeat(100)}`.slice(0, 500);
const whole = Array.from({ length: EVENTS }, (_, i) => text(i)).join('');
const stack = new Stack('stalled-readers');
let gate, server, tenant;
let events = 0; // written by the model, of all answers

before(async () => {
	server = await ModelServer.start();
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0,
		model_url: server.url, model_idle_timeout: '10m', chat_timeout: '10m' });
	tenant = await gate.tenant('tide');
	const stored = await tenant.ingestText('Spring tides are high.', { documentId: 'tides' });
	assert.equal(stored.status, 201, stored.body);
});
after(async () => {
	await stack.stop();
	await server.stop();
});

// As fast as it is read; `last`: what follows the words.
const answer = (last) => async (request, response) => {
	response.writeHead(200, { 'content-type': 'text/event-stream' });
	response.setMaxListeners(0);
	for (let i = 0; i < EVENTS && !response.destroyed; i++) {
		events++;
		if (!response.write(chunk({ content: text(i) })))
			await new Promise((go) => response.once('drain', go).once('close', go));
	}
	response.end(last);
};

// The first bytes have come; nothing is read from then on.
async function stalledReader(question = 'How high?') {
	const reader = await tenant.openChat(question);
	assert.equal(reader.status, 200);
	reader.stream.pause();
	return { goOn() {
		const rest = reader.text();
		reader.stream.resume();
		return rest;
	} };
}

async function modelIsHeldBack() {
	let seen = -1;
	await until('the model is held back', async () => {
		const same = seen === events && events > 0;
		seen = events;
		await sleep(200);
		return same;
	});
}

test('readers that stop hold the model back, and have every word when they go on', async () => {
	server.chat = answer(chunk({}, 'stop') + event('[DONE]'));
	events = 0;
	const readers = await Promise.all(Array.from({ length: READERS }, () => stalledReader()));
	await modelIsHeldBack();
	assert.ok(events < READERS * EVENTS, 'all of the answers was taken of the model');
	for (const got of await Promise.all(readers.map((reader) => reader.goOn())))
		assert.ok(got === whole, `${got.length} bytes of ${whole.length}, or other ones`);
});

test('an error that quotes a long question which is no longer in memory is not in the log',
	async () => {
		server.chat = answer(event({ error: { message: `cannot say: ${secret}`, code: 'odd' } }));
		events = 0;
		const reader = await stalledReader(`${'How high? '.repeat(3000)}${secret}`);
		await modelIsHeldBack();
		await assert.rejects(reader.goOn());
		const line = await until('the error is in the log',
			() => gate.lines().find((l) => l.event === 'model.refused'));
		assert.match(JSON.stringify(line), /left out/);
		assert.ok(!gate.program.text().includes(secret));
	});

test('a stalled reader whose model is cut off hears of it when it goes on', async () => {
	server.chat = answer('');
	events = 0;
	const reader = await stalledReader();
	await modelIsHeldBack();
	server.http.closeAllConnections();
	await assert.rejects(reader.goOn());
	server.chat = words('Well', ' again.');
	const next = await tenant.chat('How high?');
	assert.match(next.body, /again/);
});
