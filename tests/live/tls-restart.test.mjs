// SPDX-License-Identifier: MIT
// Listening sockets that are older than the process, of a service manager or of the process before:
// TLS is spoken on those that are configured so, and on no other.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from './lib/client.mjs';
import { manage } from './lib/manager.mjs';
import { freePort, until } from './lib/process.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { Authority, handshake, receive } from './lib/tls.mjs';

const stack = new Stack('tls-restart');
const REQUEST = 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
let ca, ports, settings, manager, health;

const issue = (name, host) => ca.issue(name, { san: `DNS:${host}` });

before(async () => {
	const folder = join(stack.dir, 'run');
	mkdirSync(folder);
	chmodSync(folder, 0o777);
	ca = new Authority(join(stack.dir, 'pki'));
	await stack.surroundings({ neon: false });
	ports = { admin: await freePort(), health: await freePort(), public: await freePort() };
	settings = { listen_port: ports.public, health_listen_port: ports.health, workers: 2,
		admin_listen_port: ports.admin, takeover_socket: join(folder, 'socket'),
		tls_certificate: issue('first', 'gate.test').certificate,
		admin_tls_certificate: issue('admin', 'admin.test').certificate };
	// Which of them is which, their ports alone tell.
	manager = manage(stack, stack.conf(settings), Object.values(ports));
	health = new Client(`http://127.0.0.1:${ports.health}`);
});
after(() => stack.stop());

const isReady = () => until('it is ready', async () =>
	(await health.get('/readyz').catch(() => null))?.status === 200);

async function served(port, servername) {
	const socket = await handshake(port, { ca: ca.pem, servername });
	socket.write(REQUEST);
	const got = await receive(socket, (all) => all.includes('\r\n\r\n'));
	socket.destroy();
	return got.split('\r\n')[0];
}

async function eachSpeaksItsOwn() {
	assert.equal(await served(ports.public, 'gate.test'), 'HTTP/1.1 200 OK');
	assert.equal(await served(ports.admin, 'admin.test'), 'HTTP/1.1 200 OK');
	await assert.rejects(served(ports.admin, 'gate.test'), /altnames/);
	for (const name of ['public', 'admin']) {
		const answer = await new Client(`http://127.0.0.1:${ports[name]}`).get('/healthz');
		assert.equal(answer.status, 400);
		assert.match(answer.json.detail, /speaks TLS/);
	}
	assert.equal((await health.get('/healthz')).status, 200);
	await assert.rejects(served(ports.health, 'gate.test'));
}

test('sockets of a service manager: each speaks what is configured for its port', async () => {
	await isReady();
	await eachSpeaksItsOwn();
});

test('a client whose hello comes while the program is restarted has its handshake then', async () => {
	const { program, started } = manager;
	process.kill(await started(1), 'SIGTERM');
	const waiting = [];
	await until('the first is gone', () => {
		waiting.push(served(ports.public, 'gate.test').catch((error) => error.message));
		return /gone 1 with 0/.test(program.text());
	});
	waiting.push(served(ports.public, 'gate.test'));
	assert.equal(await waiting.at(-1), 'HTTP/1.1 200 OK');
	// Who came to the process that was going may have been sent away, after a handshake.
	const answers = await Promise.all(waiting);
	assert.ok(answers.every((line) => /200 OK|closed|ECONNRESET|hang up|disconnected/.test(line)),
		[...new Set(answers)].join('; '));
	await isReady();
	await eachSpeaksItsOwn();
});

test('a successor takes them over from it, with certificates of its own', async () => {
	const path = stack.conf({ ...settings, tls_certificate: issue('second', 'gate.test').certificate });
	const before = await handshake(ports.public, { ca: ca.pem });
	const next = stack.program('successor', programs.tenantgate(), ['--take-over', '-c', path]);
	await next.says(/"serve.listening"/);
	const { serialNumber } = before.getPeerCertificate();
	before.destroy();
	await until('the first is gone', () => /gone 2 with 0/.test(manager.program.text()));
	const socket = await handshake(ports.public, { ca: ca.pem });
	assert.notEqual(socket.getPeerCertificate().serialNumber, serialNumber);
	socket.destroy();
	await isReady();
	await eachSpeaksItsOwn();
});
