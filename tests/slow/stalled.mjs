// SPDX-License-Identifier: MIT
// What 500 readers that stop in the middle of an endless, fast answer hold of tenantgate's memory, as
// the kernel counts it (Rss of smaps_rollup); and that they give it back, when they go on and when
// they leave. Of a build without sanitizers, whose allocator this is about (tests/slow/run stalled).
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { programs, Stack } from '../live/lib/stack.mjs';
import { ModelServer, chunk } from '../live/lib/model-server.mjs';
import { sleep, until } from '../live/lib/process.mjs';

const READERS = Number(process.env.READERS ?? 500);
const HISTORY = Number(process.env.HISTORY ?? 4096); // bytes of the conversation so far
const EACH_KIB = 64;
const KEPT_KIB = 24; // afterwards: mostly pages that something small is still on
const WORKERS = Number(process.env.WORKERS ?? 2);
const sanitized = readFileSync(programs.tenantgate()).includes('__asan_init');
const stack = new Stack('stalled');
const answer = Buffer.from(chunk({ content: 'tides '.repeat(40) }).repeat(32));
let gate, server, idle, key;
let sent = 0; // bytes of the model's, so far
let playing = 0;
let ending = false;

// Writes as fast as it is read; after `ending` the answer has a last word.
async function endless(request, response) {
	playing++;
	response.on('close', () => playing--);
	// No connections are kept: those have their place in memory too.
	response.writeHead(200, { 'content-type': 'text/event-stream', connection: 'close' });
	while (!ending && !response.destroyed) {
		sent += answer.length;
		if (!response.write(answer))
			await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
		else
			await new Promise(setImmediate);
	}
	response.end(`${chunk({}, 'stop')}data: [DONE]\n\n`);
}

const kib = (field) => Number(new RegExp(`^${field}: *(\\d+) kB`, 'm')
	.exec(readFileSync(`/proc/${gate.program.pid}/smaps_rollup`, 'utf8'))[1]);
const each = () => (kib('Rss') - idle) / READERS;

// A reader that stops after its first bytes of body.
function reader() {
	const body = JSON.stringify({ messages: [
		{ role: 'user', content: 'When? '.repeat(HISTORY / 6) },
		{ role: 'assistant', content: 'At new moon.' },
		{ role: 'user', content: 'How high does the spring tide rise?' }] });
	const socket = net.connect({ port: gate.port, host: '127.0.0.1' });
	const state = { socket, text: '', bytes: 0, ended: false, stalled: false };
	socket.on('error', () => {});
	socket.on('close', () => state.ended = true);
	socket.on('data', (piece) => {
		state.bytes += piece.length;
		state.tail = piece.subarray(-64).toString('latin1');
		if (state.bytes > 2000 && !state.going) {
			state.stalled = true;
			socket.pause();
		}
	});
	socket.write(`POST /chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n` +
		'X-Tenant-Id: tide\r\nContent-Type: application/json\r\nConnection: close\r\n' +
		`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
	return state;
}

async function crowd(n) {
	const readers = [];
	for (let i = 0; i < n; i++) {
		readers.push(reader());
		if (i % 20 === 19)
			await until('they have begun', () => readers.every((r) => r.stalled || r.ended), 60000);
	}
	assert.deepEqual(readers.filter((r) => r.ended).length, 0, gate.program.tail());
	let before = -1;
	await until('nothing more is taken of the model', async () => {
		const quiet = before === sent;
		before = sent;
		await sleep(500);
		return quiet;
	}, 120000);
	return readers;
}

async function leave(readers) {
	readers.forEach((r) => r.socket.destroy());
	await until('no answer is left', () => playing === 0, 60000);
}

before(async () => {
	if (sanitized)
		throw new Error('needs a build without AddressSanitizer');
	server = await ModelServer.start();
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: WORKERS, rate_limit_requests_per_minute: 0,
		rate_limit_key_requests_per_minute: 0, model_url: server.url, access_log: 'off',
		max_model_streams: 2 * READERS, max_embedding_calls: 200, max_upstream_conn: 3 * READERS,
		max_client_conn: 3 * READERS, chat_timeout: '30m', model_idle_timeout: '10m' });
	const tide = await gate.tenant('tide');
	key = await gate.service();
	const stored = await tide.ingestText('Spring tides come at new and full moon, when sun and moon ' +
		'pull along one line. They rise about a fifth above the mean tide. '.repeat(100),
	{ documentId: 'tides' });
	assert.equal(stored.status, 201, stored.body);
	server.chat = endless;
	await leave(await crowd(10)); // what is made once, is made
	await sleep(500);
	idle = kib('Rss');
});
after(async () => {
	await stack.stop();
	await server?.stop();
});

test(`${READERS} stalled readers hold at most ${EACH_KIB} KiB each, and give it back`, async (t) => {
	const say = (what) => t.diagnostic(`${what}: ${each().toFixed(1)} KiB each`);
	const givenBack = async (what) => {
		await until('memory is given back', () => each() <= KEPT_KIB, 20000)
			.catch((error) => assert.fail(`${error.message}: ${each()} KiB each are kept`));
		say(what);
	};
	t.diagnostic(`idle: ${idle} KiB; ${WORKERS} workers; ${HISTORY} bytes of history`);
	let readers = await crowd(READERS);
	say('stalled');
	const stalled = each();
	await leave(readers);
	await givenBack('left');
	readers = await crowd(READERS);
	say('stalled again');
	const again = each();
	ending = true;
	readers.forEach((r) => {
		r.going = true;
		r.socket.resume();
	});
	await until('all have ended', () => readers.every((r) => r.ended), 120000);
	await givenBack('went on to the end');
	const whole = readers.filter((r) => r.tail.endsWith('0\r\n\r\n')).length;
	assert.equal(whole, READERS);
	assert.ok(Math.max(stalled, again) <= EACH_KIB, `${stalled}, ${again} KiB each`);
});
