// SPDX-License-Identifier: MIT
// Attempts to break what is promised: tenants mixed on one connection, clients that leave at every
// moment, a log that nobody reads, few descriptors, a list of documents that was left half-way.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import { Gate, programs, Stack } from './lib/stack.mjs';
import { freePort, sleep, until } from './lib/process.mjs';

const stack = new Stack('breaker');
let gate, lantern, kettle, key;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0, ingest_timeout: '5s',
		default_pool_size: 4, log_level: 'debug' });
	lantern = await gate.tenant('a:b');
	kettle = await gate.tenant('a');
	key = await gate.service();
	assert.equal((await lantern.ingestText('The lantern code is quince.', { documentId: 'd' })).status,
		201);
	assert.equal((await kettle.ingestText('The kettle whistles.', { documentId: 'b:d' })).status,
		201);
});
after(() => stack.stop());

const request = (tenant, fields = '', body = '{"query":"the code","topK":50}') =>
	`POST /search HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n${fields}` +
	`X-Tenant-Id: ${tenant}\r\nContent-Type: application/json\r\n` +
	`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

// What a connection returns for these bytes until it closes: the last request asks for that.
const CLOSE = 'Connection: close\r\n';
const exchange = (bytes) => new Promise((resolve) => {
	let all = '';
	const socket = net.connect(gate.port, '127.0.0.1', () => socket.write(bytes));
	const timer = setTimeout(() => socket.destroy(), 20000);
	socket.on('data', (piece) => {
		all += piece;
	});
	socket.on('error', () => {});
	socket.on('close', () => {
		clearTimeout(timer);
		resolve(all);
	});
});

test('tenants taking turns on one connection each see their own', async () => {
	const received = await exchange(Array.from({ length: 20 }, (_, i) =>
		request(i % 2 ? 'a' : 'a:b', i === 19 ? CLOSE : '')).join(''));
	const bodies = received.split('HTTP/1.1 200 OK').slice(1);
	assert.equal(bodies.length, 20, received.slice(0, 2000));
	bodies.forEach((body, i) => {
		assert.equal(/quince/.test(body), i % 2 === 0, body);
		assert.equal(/whistles/.test(body), i % 2 === 1, body);
	});
});

test('after an error, the next request on the connection is answered by itself', async () => {
	const received = await exchange(request('a:b') + request('b c') + request('a', '', '{"query":1}') +
		request('a', 'X-Tenant-Id: a:b\r\n') + request('a', CLOSE));
	assert.deepEqual([...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1]),
		['200', '400', '400', '400', '200']);
	assert.equal(received.match(/"content":"[^"]*quince/g).length, 1);
	assert.match(received.slice(received.lastIndexOf('HTTP/1.1')), /whistles/);
});

test("another tenant's ids find nothing", async () => {
	for (const documentIds of [['d'], ['b:d', 'd'], ['a:b:d'], ['a/d']]) {
		const answer = await kettle.search('code', { documentIds });
		assert.equal(answer.status, 200, answer.body);
		assert.doesNotMatch(answer.body, /quince/);
	}
});

test("a record copied to another tenant's key in Redis opens nothing", async () => {
	const redis = (...words) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...words],
		{ encoding: 'utf8' }).trim();
	const replica = await stack.tenantgate({ rate_limit_requests_per_minute: 0 });
	assert.equal(redis('COPY', 'tg:tenant:test:a:b', 'tg:tenant:test:a', 'REPLACE'), '1');
	replica.serviceKey = key;
	const answer = await (await replica.tenant('a')).search('code');
	assert.equal(answer.status, 200);
	assert.doesNotMatch(answer.body, /quince/);
	assert.match(answer.body, /whistles/);
	await replica.program.stop();
});

test('clients that leave at every moment: no connection is lost, no tenant sees another', async () => {
	await stack.knobs({ tokens: 20, token_delay_ms: 5, embed_delay_ms: 10 });
	let left = 200;
	const leave = (turn) => new Promise((resolve) => {
		const tenant = turn % 2 ? 'a' : 'a:b';
		const chat = request(tenant, '', '{"messages":[{"role":"user","content":"code?"}]}')
			.replace('/search', '/chat');
		const text = JSON.stringify({ documentId: `x${turn % 7}`, text: 'words '.repeat(3000) });
		const ingest = request(tenant, 'Accept: text/event-stream\r\n', text)
			.replace('/search', '/ingest');
		const socket = net.connect(gate.port, '127.0.0.1', () => {
			socket.write([chat, ingest, request(tenant)][turn % 3]);
			setTimeout(() => (turn % 2 ? socket.resetAndDestroy() : socket.destroy()),
				Math.random() * 150);
		});
		socket.on('error', () => {});
		socket.on('close', resolve);
	});
	await Promise.all(Array.from({ length: 20 }, async () => {
		while (left > 0)
			await leave(left--);
	}));
	await stack.knobs();
	assert.equal(gate.program.ended, undefined, gate.program.tail());
	const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
		(i % 2 ? kettle : lantern).search('the code', { topK: 50, documentIds: ['d', 'b:d'] })));
	answers.forEach((answer, i) => {
		assert.equal(answer.status, 200, answer.body);
		assert.equal(/quince/.test(answer.body), i % 2 === 0);
		assert.equal(/whistles/.test(answer.body), i % 2 === 1);
	});
});

test('a list left half-way is reconciled at the next contact', async () => {
	await stack.sql("update documents set status = 'ingesting', sha256 = null, " +
		"updated_at = now() - interval '1 minute' where user_id = 'a' and document_id = 'b:d'; " +
		"insert into documents (user_id, document_id, title, file_name, status, updated_at) " +
		"values ('a', 'never', '', '', 'ingesting', now() - interval '1 minute')", 'catalog');
	// Reconciled at most once in ingest_timeout: the first contact after that does it.
	await until('reconciled', async () => {
		assert.equal((await kettle.search('kettle')).status, 200);
		const rows = await stack.sql("select document_id, status, sha256 is not null from " +
			"documents where user_id = 'a' and document_id in ('b:d', 'never')", 'catalog');
		return rows.length === 1 && rows[0].join() === 'b:d,ready,t';
	});
});

test('the log of all this is JSON, and has no secret, prompt or text', () => {
	const text = gate.program.text();
	gate.lines();
	for (const secret of [key.split('_')[2], stack.pg.password, stack.sealKey, 'sk-test', 'quince',
		'whistles', 'words words'])
		assert.ok(!text.includes(secret), secret);
});

// A tenantgate started by a shell, which can take something away from it first.
async function shellGate(script) {
	const path = stack.conf({ rate_limit_requests_per_minute: 0, log_level: 'info',
		log_file: script.includes('2>') ? '' : join(stack.dir, 'shell.log'),
		listen_port: await freePort() });
	const child = spawn('sh', ['-c', `${script.replace('PROGRAM',
		`exec ${programs.tenantgate()} -c ${path}`)}`], { stdio: 'ignore' });
	const port = Number(/^listen_port = (\d+)/m.exec(execFileSync('cat', [path], {
		encoding: 'utf8' }))[1]);
	const shelled = new Gate({ text: () => '' }, port, path);
	shelled.serviceKey = key;
	await until('ready', async () => (await shelled.anonymous.get('/readyz')
		.catch(() => null))?.status === 200);
	return { shelled, child, gone: new Promise((resolve) => child.once('exit', resolve)) };
}

test('a log that nobody reads delays no request', async () => {
	const fifo = join(stack.dir, 'fifo');
	execFileSync('mkfifo', ['-m', '666', fifo]);
	const reader = spawn('sh', ['-c', `exec 3<>${fifo}; exec sleep 60`], { stdio: 'ignore' });
	await sleep(200);
	const { shelled, child, gone } = await shellGate(`PROGRAM 2>${fifo}`);
	const client = await shelled.tenant('a');
	for (let i = 0; i < 20; i++) {
		const answers = await Promise.all(Array.from({ length: 20 }, () =>
			client.post('/search', '{')));
		assert.ok(answers.every((answer) => answer.status === 400));
	}
	assert.equal((await shelled.anonymous.get('/healthz')).status, 200);
	child.kill('SIGTERM');
	assert.equal(await gone, 0);
	reader.kill();
});

test('a small soft limit of descriptors is raised', async () => {
	const { shelled, child, gone } = await shellGate('ulimit -Sn 64; PROGRAM');
	const sockets = Array.from({ length: 150 }, () => net.connect(shelled.port, '127.0.0.1'));
	for (const socket of sockets)
		socket.on('error', () => {});
	await sleep(300);
	assert.equal((await (await shelled.tenant('a')).search('kettle')).status, 200);
	for (const socket of sockets)
		socket.destroy();
	child.kill('SIGTERM');
	assert.equal(await gone, 0);
});
