// SPDX-License-Identifier: MIT
// A process that is replaced while it serves: what a drain says to clients, who may share a port, a
// successor that takes the listening sockets over, and sockets that a service manager holds.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { Client, readDataStream } from './lib/client.mjs';
import { manage } from './lib/manager.mjs';
import { freePort, until } from './lib/process.mjs';
import { Gate, programs, Stack } from './lib/stack.mjs';

const stack = new Stack('restart');
let gate, folder, serials = 0;

before(async () => {
	await stack.surroundings({ neon: false });
	// The process's user makes its socket there, and the pid file is written before.
	folder = join(stack.dir, 'run');
	mkdirSync(folder);
	chmodSync(folder, 0o777);
	gate = await stack.tenantgate();
	const lantern = await gate.tenant('lantern');
	const answer = await lantern.ingestText('The boat burns 19 litres an hour.', { documentId: 'b' });
	assert.equal(answer.status, 201, answer.body);
});
after(() => stack.stop());

// One more tenantgate of the same key, catalog and tenant.
async function another(changes, options) {
	const one = await stack.tenantgate(changes, options);
	one.serviceKey = await gate.service();
	return one;
}

async function withSocket(changes = {}) {
	const n = ++serials;
	return { rate_limit_requests_per_minute: 0, takeover_socket: join(folder, `${n}.socket`), pid_file: join(folder, `${n}.pid`),
		listen_port: await freePort(), health_listen_port: await freePort(), ...changes };
}

// The successor of what was started with those settings, when it has taken over.
async function successor(settings, changes = {}) {
	const path = stack.conf({ ...settings, ...changes });
	const program = stack.program('successor', programs.tenantgate(), ['--take-over', '-c', path]);
	await program.says(/"serve.listening"/);
	const next = new Gate(program, settings.listen_port, path);
	next.serviceKey = await gate.service();
	return next;
}

// Calls on one connection that is kept, until told to stop; each its status.
function caller(port, key) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	const body = JSON.stringify({ query: 'litres' });
	const seen = { statuses: [], errors: [], stop: false };
	const call = () => new Promise((resolve) => {
		const request = http.request({ port, host: '127.0.0.1', agent, method: 'POST', path: '/search',
			headers: { authorization: `Bearer ${key}`, 'x-tenant-id': 'lantern',
				'content-type': 'application/json' } }, (answer) => {
			answer.resume();
			answer.on('end', () => resolve(seen.statuses.push(answer.statusCode)));
		});
		request.on('error', (error) => resolve(seen.errors.push(error)));
		request.end(body);
	});
	seen.done = (async () => {
		while (!seen.stop)
			await call();
		agent.destroy();
	})();
	return seen;
}

// A connection that sends what it is told; `heard` grows.
function connection(port) {
	const socket = net.connect(port, '127.0.0.1');
	const c = { socket, heard: '', send: (text) => socket.write(text) };
	c.connected = new Promise((resolve) => socket.once('connect', resolve));
	c.closed = new Promise((resolve) => socket.once('close', resolve));
	socket.on('data', (data) => {
		c.heard += data;
	});
	socket.on('error', () => {});
	return c;
}

const ask = 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n';

test('so_reuseport: off, a second start at the port is refused; on, both serve', async () => {
	const port = await freePort();
	const first = await another({ listen_port: port });
	const refused = stack.program('refused', programs.tenantgate(),
		['-c', stack.conf({ listen_port: port })]);
	assert.equal((await refused.exit).code, 1);
	assert.match(refused.text(), /Cannot listen on 127\.0\.0\.1 port \d+ \(Address already in use\)/);
	assert.equal((await first.anonymous.get('/healthz')).status, 200);
	await first.program.stop();

	const both = [await another({ listen_port: port, so_reuseport: 'on' }),
		await another({ listen_port: port, so_reuseport: 'on' })];
	await both[1].program.says(/"serve.ready"/);	// the first may have said so for it
	const lantern = await both[0].tenant('lantern');
	const served = () => both.map((one) => one.lines().filter((l) => l.path === '/search').length);
	await until('each has answered', async () => {
		assert.equal((await lantern.search('litres')).status, 200);
		return served().every((n) => n > 0);
	});
	await Promise.all(both.map((one) => one.program.stop()));
});

test('from the first moment of a drain every answer ends its connection', async () => {
	const leaving = await another({ drain_delay: '60s', health_listen_port: await freePort() });
	const kept = connection(leaving.port);
	kept.send(ask);
	await until('an answer', () => /\r\n\r\n/.test(kept.heard));
	assert.doesNotMatch(kept.heard, /Connection: close/i);
	leaving.program.kill('SIGTERM');
	await leaving.program.says(/"serve.drain"/);
	kept.heard = '';
	kept.send(ask);
	await kept.closed;
	assert.match(kept.heard, /^HTTP\/1\.1 503 [^]*\r\nConnection: close\r\n/);
	const client = await leaving.tenant('lantern');
	assert.equal((await client.search('litres')).status, 200);	// served all the same
	leaving.program.kill('SIGTERM');
	assert.equal((await leaving.program.exit).code, 0);
});

test('connections without a request have keepalive_min_timeout, and do not hold a drain', async () => {
	const leaving = await another({ keepalive_min_timeout: '700ms', shutdown_timeout: '60s',
		client_header_timeout: '60s' });
	const silent = connection(leaving.port), kept = connection(leaving.port);
	await silent.connected;
	kept.send(ask);
	await until('an answer', () => /\r\n\r\n/.test(kept.heard));
	leaving.program.kill('SIGTERM');
	await leaving.program.says(/"serve.drain"/);
	kept.heard = '';
	kept.send(ask);	// the request that was about to come
	await kept.closed;
	assert.match(kept.heard, /^HTTP\/1\.1 503 [^]*\r\nConnection: close\r\n/);
	await silent.closed;
	assert.equal(silent.heard, '');
	assert.equal((await leaving.program.exit).code, 0);
	assert.doesNotMatch(leaving.program.text(), /shutting down/);
});

test('a successor takes over: no request fails, a stream ends by itself', async () => {
	const settings = await withSocket({ shutdown_timeout: '60s' });
	let current = await another(settings);
	const health = new Client(`http://127.0.0.1:${settings.health_listen_port}`);
	const key = await gate.service();
	const callers = [1, 2, 3, 4].map(() => caller(settings.listen_port, key));
	await stack.knobs({ tokens: 60, token_delay_ms: 20 });
	for (let i = 0; i < 3; i++) {
		const before = callers.map((c) => c.statuses.length);
		const stream = await (await current.tenant('lantern')).openChat('litres?', { form: 'data' });
		const whole = stream.text();
		// More workers than sockets, and fewer.
		const next = await successor(settings, { workers: [3, 1, 2][i] });
		assert.equal((await health.get('/readyz')).status, 200);
		assert.equal(readDataStream(await whole).finish.finishReason, 'stop');
		assert.equal((await current.program.exit).code, 0, current.program.tail());
		assert.match(current.program.text(), /"serve.takeover"/);
		assert.equal(readFileSync(settings.pid_file, 'utf8'), `${next.program.pid}\n`);
		await until('all are answered by the successor', () =>
			callers.every((c, n) => c.statuses.length > before[n] + 20));
		current = next;
	}
	for (const c of callers) {
		c.stop = true;
		await c.done;
		assert.deepEqual(c.errors, []);
		assert.deepEqual([...new Set(c.statuses)], [200]);
	}
	// What was taken over is let go of, too: nobody is to wait in the queue of one that drains.
	await stack.knobs({ tokens: 60, token_delay_ms: 50 });
	const last = (await (await current.tenant('lantern')).openChat('litres?', { form: 'data' })).text();
	current.program.kill('SIGTERM');
	await until('connections are refused', () => new Promise((resolve) => {
		const socket = net.connect(settings.listen_port, '127.0.0.1', () => resolve(socket.destroy() && false));
		socket.on('error', () => resolve(true));
	}));
	assert.equal(current.program.ended, undefined);
	assert.equal(readDataStream(await last).finish.finishReason, 'stop');
	assert.equal((await current.program.exit).code, 0);
	await stack.knobs();
});

test('a predecessor that hangs keeps nobody waiting', async () => {
	const settings = await withSocket({ workers: 1 });
	const first = await another(settings);
	// What keeps it from being gone before it is stopped.
	await stack.knobs({ tokens: 1000, token_delay_ms: 50 });
	const stream = await (await first.tenant('lantern')).openChat('litres?');
	const next = await successor(settings);
	// It accepts nobody from now on, and its sockets are open all the same.
	first.program.kill('SIGSTOP');
	const threads = `/proc/${first.program.pid}/task`;
	await until('each of its threads is stopped', () => readdirSync(threads).every((thread) =>
		/^State:\s+T/m.test(readFileSync(`${threads}/${thread}/status`, 'utf8'))));
	const queued = [];
	for (let i = 0; i < 50; i++) {
		const c = connection(settings.listen_port);
		await c.connected;
		c.send(ask);
		queued.push(c);
	}
	for (const c of queued)
		await until('an answer', () => /^HTTP\/1\.1 200 /.test(c.heard));
	first.program.kill('SIGCONT');
	stream.request.destroy();
	await stack.knobs();
	assert.equal((await first.program.exit).code, 0);
	await next.program.stop();
});

test('a successor that cannot start changes nothing', async () => {
	const settings = await withSocket();
	const first = await another(settings);
	for (const [changes, said] of [
		[{ catalog_url: `${stack.pg.url('postgres')}_no` }, /The catalog refuses the login/],
		[{ seal_keys: 'ab'.repeat(32) }, /seal_keys/],
		[{ catalog_url: 'postgres://nobody:x@127.0.0.1:1/none' }, /"catalog/],
	]) {
		const failing = stack.program('failing', programs.tenantgate(),
			['--take-over', '-c', stack.conf({ ...settings, ...changes })]);
		await failing.says(said);
		failing.kill('SIGTERM');
		await failing.exit;
		const kept = connection(settings.listen_port);
		kept.send(ask);
		await until('an answer', () => /\r\n\r\n/.test(kept.heard));
		assert.match(kept.heard, /^HTTP\/1\.1 200 /);
		assert.doesNotMatch(kept.heard, /Connection: close/i);
		kept.socket.destroy();
		assert.equal((await (await first.tenant('lantern')).search('litres')).status, 200);
		assert.equal(readFileSync(settings.pid_file, 'utf8'), `${first.program.pid}\n`);
	}
	const alone = stack.program('alone', programs.tenantgate(),
		['--take-over', '-c', stack.conf({ ...await withSocket() })]);
	assert.equal((await alone.exit).code, 1);
	assert.match(alone.text(), /No tenantgate of this user answers at takeover_socket .*without --take-over/);
	const beside = stack.program('beside', programs.tenantgate(),
		['-c', stack.conf({ ...settings, listen_port: await freePort(),
			health_listen_port: await freePort() })]);
	assert.equal((await beside.exit).code, 1);
	assert.match(beside.text(), /answers at takeover_socket .* start with --take-over/);
	// After all that one that can, does.
	const next = await successor(settings);
	assert.equal((await first.program.exit).code, 0);
	await next.program.stop();
});

test('sockets of a service manager: what waits while the program is restarted is answered', async () => {
	const ports = [await freePort(), await freePort()];
	const path = stack.conf({ listen_port: ports[0], health_listen_port: ports[1], workers: 2 });
	const { program, started } = manage(stack, path, ports);
	const health = new Client(`http://127.0.0.1:${ports[1]}`);
	await until('it is ready', async () =>
		(await health.get('/readyz').catch(() => null))?.status === 200);
	process.kill(await started(1), 'SIGTERM');
	// Not a moment in which a connection is refused.
	const waiting = [];
	await until('the first is gone', async () => {
		const c = connection(ports[1]);
		await c.connected;
		c.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
		waiting.push(c);
		return /gone 1 with 0/.test(program.text());
	});
	for (const c of waiting)
		await until('an answer', () => /^HTTP\/1\.1 200 /.test(c.heard));
	await until('it is ready', async () => (await health.get('/readyz')).status === 200);
	process.kill(await started(2), 'SIGTERM');
	assert.equal((await program.exit).code, 0);
	assert.match(program.text(), /gone 2 with 0/);
});
