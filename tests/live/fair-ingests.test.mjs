// SPDX-License-Identifier: MIT
// Memory for documents is shared among tenants: neither bodies that drip nor bodies that wait for a
// hung database keep another's document out.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { Stack } from './lib/stack.mjs';
import { sleep, until } from './lib/process.mjs';
import { databases, lockTables, within } from './lib/crowd.mjs';

const UPLOADS = 100;
const BODY = 1 << 20;
const stack = new Stack('fair-ingests');
let gate, quiet, database;
const sockets = new Set();

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0,
		max_ingest_memory: '64MiB', query_wait_timeout: '5m' });
	quiet = await gate.tenant('quiet');
	const noisy = await gate.tenant('noisy');
	for (const tenant of [noisy, quiet]) {
		const stored = await tenant.ingestText('The kettle whistles.', { documentId: 'k' });
		assert.equal(stored.status, 201, stored.body);
	}
	database = (await databases(stack)).noisy;
});
after(async () => {
	for (const socket of sockets)
		socket.destroy();
	await stack.stop();
});

// An upload of the noisy tenant, whose header is sent; the client asks to be told to go on. With
// `heard`: all that was answered.
async function upload(name) {
	const socket = net.connect(gate.port, '127.0.0.1');
	sockets.add(socket);
	socket.on('error', () => {});
	socket.heard = '';
	socket.on('data', (piece) => {
		socket.heard += piece;
	});
	socket.write(`POST /ingest?documentId=${name} HTTP/1.1\r\nHost: x\r\n` +
		`Authorization: Bearer ${await gate.service()}\r\nX-Tenant-Id: noisy\r\n` +
		`Content-Type: text/plain\r\nContent-Length: ${BODY}\r\nExpect: 100-continue\r\n\r\n`);
	return socket;
}

const hearAll = (uploads) => until('all uploads are answered or told to go on', () =>
	uploads.every((one) => one.heard !== ''));
const statuses = (uploads) => uploads.map((one) => Number(one.heard.split(' ')[1]));
const count = (list, wanted) => list.filter((status) => status === wanted).length;

// Only a program that makes the quiet one wait for the noisy one needs so long.
const storeQuietly = async (id) => {
	const answer = await within(30000, (signal) => quiet.ask('POST', `/ingest?documentId=${id}`, {
		headers: { 'content-type': 'text/plain' }, body: `Kettle ${id} whistles.`, signal })
		.catch((error) => ({ status: error.name })));
	return answer.status;
};

const gone = async () => {
	for (const socket of sockets)
		socket.destroy();
	sockets.clear();
	await sleep(50);
};

test(`${UPLOADS} uploads of one tenant drip: another's documents are stored`, async () => {
	const drips = await Promise.all(Array.from({ length: UPLOADS }, (_, i) => upload(`drip${i}`)));
	await hearAll(drips);
	const dripping = setInterval(() => {
		for (const socket of drips)
			socket.write('x');
	}, 500);
	try {
		for (let i = 0; i < 5; i++)
			assert.equal(await storeQuietly(`a${i}`), 201);
		// What has not arrived takes no memory: none is refused for it either.
		assert.equal(count(statuses(drips), 100), UPLOADS, String(statuses(drips)));
	} finally {
		clearInterval(dripping);
		await gone();
	}
});

test(`${UPLOADS} MB of one tenant wait for its locked tables: another's are stored`, async () => {
	const lock = await lockTables(stack, database);
	try {
		const body = 'The lantern is lit at dusk. '.repeat(BODY / 28 + 1).slice(0, BODY);
		const uploads = await Promise.all(Array.from({ length: UPLOADS }, (_, i) =>
			upload(`full${i}`)));
		await hearAll(uploads);
		await Promise.all(uploads.map((socket) => new Promise((resolve) => {
			socket.on('close', resolve);
			socket.write(body, resolve);
		})));
		for (let i = 0; i < 5; i++)
			assert.equal(await storeQuietly(`b${i}`), 201);
		assert.equal(gate.program.ended, undefined);
	} finally {
		await gone();
		await lock.release();
	}
});

test('afterwards the noisy one stores its own', async () => {
	const noisy = await gate.tenant('noisy');
	const answers = await Promise.all(Array.from({ length: 10 }, (_, i) =>
		noisy.ingestText('The lantern is lit.', { documentId: `after${i}` })));
	assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [201]);
});
