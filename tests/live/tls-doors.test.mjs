// SPDX-License-Identifier: MIT
// Certificates that are renewed while clients are served, sessions over time, clients that stall in
// their handshake, operators with certificates, and TLS behind a proxy and across a restart.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { sign } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Client } from './lib/client.mjs';
import { freePort, sleep, until } from './lib/process.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { Authority, handshake, hello, receive, TlsClient } from './lib/tls.mjs';

const run = promisify(execFile);
const stack = new Stack('tls-doors');
const REQUEST = 'GET /healthz HTTP/1.1\r\nHost: gate.test\r\n\r\n';
const SESSION_S = 2;
let ca, clients, gate, base, named, trusted, admin, adminKey, operator, health, folder;

before(async () => {
	folder = join(stack.dir, 'run');
	mkdirSync(folder);
	chmodSync(folder, 0o777);
	ca = new Authority(join(stack.dir, 'pki'));
	clients = new Authority(join(stack.dir, 'operators'), 'operators');
	named = ca.issue('gate.test', { kind: ['rsa:2048'] });
	trusted = { ca: ca.pem, servername: 'gate.test' };
	operator = clients.issue('operator', { san: 'URI:spiffe://ours/operator,email:op@ours.test' });
	await stack.surroundings({ neon: false });
	base = { workers: 2, tls_certificate: named.certificate, tls_certificate_key: named.key,
		tls_session_timeout: `${SESSION_S}s`, tls_handshake_timeout: '1s',
		health_listen_port: await freePort(), health_tls: 'on',
		admin_listen_port: await freePort(), admin_tls_certificate: ca.issue('admin.test', { san: 'DNS:admin.test,IP:127.0.0.1' }).certificate,
		admin_tls_client_ca: clients.file,
		admin_tls_client_names: 'spiffe://ours/operator, Ops.Ours.Test',
		listen_port: await freePort(), takeover_socket: join(folder, 'socket'),
		rate_limit_requests_per_minute: 0 };
	gate = await stack.tenantgate(base, { wait: false });
	await gate.program.says(/"serve.ready"/);
	adminKey = await gate.key('--admin');
	admin = adminAs(operator);
	health = new TlsClient(base.health_listen_port, trusted);
});
after(() => stack.stop());

const adminAs = (who) => new TlsClient(base.admin_listen_port, { ca: ca.pem, servername: 'admin.test',
	...who && { cert: who.pem, key: who.keyPem } },
{ authorization: `Bearer ${adminKey}`, host: 'localhost' });

const tenantClient = async () => new TlsClient(gate.port, trusted,
	{ authorization: `Bearer ${await gate.service()}`, 'x-tenant-id': 'harbour' });

const reload = (changes = {}) => {
	renameSync(stack.conf({ ...base, ...changes }), gate.path);
	return admin.post('/admin/reload', {});
};

const shown = async () => {
	const socket = await handshake(gate.port, trusted);
	const { serialNumber } = socket.getPeerCertificate();
	socket.destroy();
	return serialNumber;
};

async function samples(pattern) {
	const { body } = await admin.get('/metrics');
	return body.split('\n').filter((line) => pattern.test(line) && !line.startsWith('#'));
}

test('operators: a listed name of the right CA, and none else', async () => {
	assert.equal((await admin.get('/healthz')).status, 200);
	const byName = clients.issue('named', { san: 'DNS:ops.ours.test' });
	assert.equal((await adminAs(byName).get('/healthz')).status, 200);
	const byCommonName = clients.issue('common', { san: '', cn: 'ops.ours.test' });
	assert.equal((await adminAs(byCommonName).get('/healthz')).status, 200);
	const strangers = [
		null,	// shows none
		clients.issue('unlisted', { san: 'DNS:other.test' }),
		// The common name counts only where there is no other.
		clients.issue('masked', { san: 'DNS:other.test', cn: 'ops.ours.test' }),
		clients.issue('over', { san: 'URI:spiffe://ours/operator', days: -1 }),
		ca.issue('foreign', { san: 'URI:spiffe://ours/operator' }),
	];
	for (const who of strangers)
		await assert.rejects(adminAs(who).get('/healthz'), /ECONNRESET|alert|socket hang up|EPROTO/,
			JSON.stringify(who?.certificate));
	const both = join(clients.folder, 'both.pem');
	const keyFile = join(clients.folder, 'admin-key');
	writeFileSync(both, operator.pem + operator.keyPem);
	writeFileSync(keyFile, adminKey, { mode: 0o600 });
	const ctl = (...args) => run(programs.ctl(), ['--url', `https://127.0.0.1:${base.admin_listen_port}`,
		'--key-file', keyFile, ...args, 'status']);
	assert.match((await ctl('--ca-file', ca.file, '--cert-file', both)).stdout, /serving/);
	await assert.rejects(ctl('--ca-file', ca.file), { code: 3 });
	await assert.rejects(ctl('--cert-file', both), /certificate/);
	const [line] = gate.lines().filter((l) => l.event === 'tls.handshake');
	assert.match(line.message, /handshake failed \(.*\)\. Client 127\.0\.0\.1\. Look at/);
});

test('an operator whose name is taken away has no connection left; one that is still listed comes again',
	async () => {
		const leaver = clients.issue('leaver', { san: 'DNS:leaver.test' });
		const names = `${base.admin_tls_client_names}, leaver.test`;
		assert.equal((await reload({ admin_tls_client_names: names })).status, 200);
		const socket = await handshake(base.admin_listen_port, { ca: ca.pem, servername: 'admin.test',
			cert: leaver.pem, key: leaver.keyPem });
		const said = [];
		socket.on('data', (piece) => said.push(piece));
		socket.on('error', () => {});
		const ask = () => socket.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
		ask();
		await until('it is answered', () => Buffer.concat(said).includes('HTTP/1.1 200'));
		assert.equal((await reload()).status, 200);
		ask();
		await until('it has ended', () => socket.closed);
		assert.equal(Buffer.concat(said).toString().split('HTTP/1.1 ').length, 2, 'one answer');
		assert.equal((await admin.get('/healthz')).status, 200);
	});

test('a certificate is renewed under a stream: it goes on, who comes next is shown the new one', async () => {
	const client = await tenantClient();
	assert.equal((await client.ingestText('The boats lie at the north quay.')).status, 201);
	await stack.knobs({ tokens: 60, token_delay_ms: 20 });
	const stream = await client.openChat('Where do the boats lie?');
	const idle = await handshake(gate.port, trusted);
	const old = await shown();
	Authority.replace(named, ca.issue('renewed', { san: 'DNS:gate.test' }));
	const answer = await reload();
	assert.equal(answer.status, 200, answer.body);
	const now = await shown();
	assert.notEqual(now, old);
	assert.equal((await stream.text()).trim().split(/\s+/).length, 60);
	idle.write(REQUEST);
	assert.match(await receive(idle, (got) => got.includes('\r\n\r\n')), /^HTTP\/1.1 200 /);
	idle.destroy();
	await stack.knobs();
});

test('files that are no good change nothing, and each reason is told', async () => {
	const before = await shown();
	const other = ca.issue('another');
	const broken = join(ca.folder, 'broken.pem');
	writeFileSync(broken, 'no PEM');
	const locked = join(ca.folder, 'locked.key');
	ca.openssl('pkey', '-in', other.key, '-aes256', '-passout', 'pass:x', '-out', locked);
	chmodSync(locked, 0o644);
	const pipe = join(ca.folder, 'pipe.key');
	execFileSync('mkfifo', [pipe]);
	const short = ca.issue('short', { kind: ['rsa:1024'] });
	const faults = [
		[{ tls_certificate: '/nowhere.pem' }, 'tls_certificate: /nowhere.pem cannot be read'],
		[{ tls_certificate: broken, tls_certificate_key: other.key }, 'has no certificate in it'],
		[{ tls_certificate_key: other.key }, 'does not belong to the certificate'],
		[{ tls_certificate: other.certificate, tls_certificate_key: locked }, 'with a passphrase'],
		[{ tls_certificate: other.certificate, tls_certificate_key: pipe }, 'pipe.key cannot be read'],
		[{ tls_certificate: short.certificate, tls_certificate_key: short.key }, 'too short'],
		[{ tls_certificate: `${named.certificate}, ${other.certificate}` }, 'As many keys'],
		[{ tls_ciphers: 'ROT13' }, 'None of these ciphers'],
		[{ admin_tls_client_names: '' }, 'Say which names'],
		[{ admin_tls_client_ca: broken }, 'has no certificate in it'],
		[{ tls_certificate: '', tls_certificate_key: '' }, 'With health_tls = on'],
	];
	for (const [changes, reason] of faults) {
		const { status, json } = await reload(changes);
		assert.equal(status, 422, reason);
		const text = JSON.stringify(json);
		assert.ok(text.includes(reason), `${reason}: ${text}`);
		assert.match(text, /tenantgate-\d+\.conf:\d+: (admin_)?tls_/);
	}
	assert.equal(await shown(), before);
	const kept = await reload();
	assert.equal(kept.status, 200, kept.body);
});

test('a folder has all its certificates, each with its key in it or beside it', async () => {
	const shelf = join(stack.dir, 'shelf');
	mkdirSync(shelf);
	chmodSync(shelf, 0o755);
	const write = (name, text) => writeFileSync(join(shelf, name), text, { mode: 0o644 });
	const first = ca.issue('first.test'), second = ca.issue('second.test'), third = ca.issue('third.test');
	write('a.pem', first.pem + first.keyPem);
	write('b.crt', second.pem);
	write('b.key', second.keyPem);
	write('c.pem', third.pem);
	write('c.pem.key', third.keyPem);
	write('.hidden.pem', 'no PEM');
	write('README', 'no PEM');
	const { status, body } = await reload({ tls_certificate: shelf, tls_certificate_key: '' });
	assert.equal(status, 200, body);
	for (const [servername, name] of [['first.test', 'first.test'], ['second.test', 'second.test'],
		['third.test', 'third.test'], ['gate.test', 'first.test']]) {
		const socket = await handshake(gate.port, { ca: ca.pem, servername, rejectUnauthorized: false });
		assert.equal(socket.getPeerCertificate().subject.CN, name);
		socket.destroy();
	}
	write('d.pem', 'no PEM');
	assert.equal((await reload({ tls_certificate: shelf, tls_certificate_key: '' })).status, 422);
	assert.equal((await reload()).status, 200);
});

test('of three certificates of one host, two with a key of the same kind, the first of these is shown', async () => {
	const [one, two, three] = [['rsa:2048'], undefined, ['rsa:2048']].map((kind, i) =>
		ca.issue(`third-${i}`, { san: 'DNS:third.test', kind }));
	const { status, body } = await reload({ tls_certificate_key: '',
		tls_certificate: [one, two, three].map((c) => c.certificate).join(', ') });
	assert.equal(status, 200, body);
	const client = { ca: ca.pem, servername: 'third.test', maxVersion: 'TLSv1.2' };
	for (const [ciphers, name] of [['ECDHE-RSA-AES128-GCM-SHA256', 'third-0'],
		['ECDHE-ECDSA-AES128-GCM-SHA256', 'third-1']]) {
		const socket = await handshake(gate.port, { ...client, ciphers });
		assert.equal(socket.getPeerCertificate().subject.CN, name);
		socket.destroy();
	}
	assert.equal((await reload()).status, 200);
});

test('a certificate that is over is served, with a warning and on the page of metrics', async () => {
	const over = ca.issue('over.test', { days: -1 });
	const soon = ca.issue('soon.test', { days: 5 });
	const { status, body } = await reload({
		tls_certificate: `${named.certificate}, ${over.certificate}, ${soon.certificate}`,
		tls_certificate_key: '' });
	assert.equal(status, 200, body);
	assert.match(body, /over\.test.*is over since.*clients refuse it/);
	const warnings = gate.lines().filter((l) => l.event === 'tls.certificate').map((l) => l.message);
	assert.ok(warnings.some((m) => /over\.test in .* is over since/.test(m)), warnings.join());
	assert.ok(warnings.some((m) => /soon\.test in .* is over at/.test(m)));
	const lines = await samples(/certificate_expiry/);
	const until = (name) => Number(lines.find((l) => l.includes(`name="${name}"`)).split(' ').pop());
	assert.ok(until('over.test') < Date.now() / 1000);
	assert.ok(Math.abs(until('soon.test') - Date.now() / 1000 - 5 * 86400) < 600);
	assert.ok(until('admin.test') > Date.now() / 1000 + 29 * 86400);
	assert.match(lines.find((l) => l.includes('admin.test')), /listener="admin"/);
	await reload();
});

test('who stalls in a handshake holds up nobody, and is cut off', async () => {
	const stalled = Array.from({ length: 60 }, (_, i) => {
		const socket = connect(gate.port, '127.0.0.1');
		socket.on('error', () => {});
		if (i % 2)	// half of a hello
			socket.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]));
		return { socket, gone: new Promise((resolve) => socket.once('close', resolve)) };
	});
	await until('they are counted', async () => {
		const [line] = await samples(/handshakes_in_progress/);
		return Number(line.split(' ').pop()) >= 60;
	});
	const took = [];
	for (let i = 0; i < 40; i++) {
		const from = performance.now();
		assert.equal((await health.get('/healthz')).status, 200);
		took.push(performance.now() - from);
	}
	for (const { socket } of stalled)
		socket.resume();
	await Promise.all(stalled.map(({ gone }) => gone));
	const alone = [];
	for (let i = 0; i < 40; i++) {
		const from = performance.now();
		assert.equal((await health.get('/healthz')).status, 200);
		alone.push(performance.now() - from);
	}
	const median = (list) => list.sort((a, b) => a - b)[list.length / 2];
	console.log(`# beside 60 stalled ${median(took).toFixed(2)} ms, alone ${median(alone).toFixed(2)} ms`);
	assert.ok(median(took) < 3 * median(alone) + 2, `${median(took)} ${median(alone)}`);
	const [timeouts] = await samples(/handshakes_total\{result="timeout"/);
	assert.ok(Number(timeouts.split(' ').pop()) >= 60, timeouts);
});

async function loopsCpu() {
	const lines = await samples(/^tenantgate_loop_cpu_seconds_total/);
	return lines.reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}

// What as many signatures take of a processor.
function signaturesCpu(key, count) {
	const before = process.cpuUsage().user;
	for (let i = 0; i < count; i++)
		sign('sha256', Buffer.alloc(130), key);
	return (process.cpuUsage().user - before) / 1e6;
}

// All hellos are there at once.
test('a burst of handshakes by a slow key leaves the loops alone', async () => {
	const slow = ca.issue('slow', { san: 'DNS:gate.test', kind: ['rsa:4096'] });
	assert.equal((await reload({ tls_certificate: slow.certificate,
		tls_certificate_key: slow.key, tls_handshake_timeout: '60s' })).status, 200);
	const bytes = await hello(trusted);
	const sockets = Array.from({ length: 100 }, () => connect(gate.port, '127.0.0.1'));
	await Promise.all(sockets.map((s) => new Promise((resolve) => s.once('connect', resolve))));
	await until('they are accepted', async () => {
		const [line] = await samples(/handshakes_in_progress/);
		return Number(line.split(' ').pop()) >= 100;
	});
	const before = await loopsCpu();
	for (const socket of sockets)
		socket.write(bytes);
	const answers = await Promise.all(sockets.map((s) => receive(s, (got) => got.length > 1000)));
	assert.ok(answers.every((got) => got.length > 1000 && got.charCodeAt(0) === 22));
	for (const socket of sockets)
		socket.destroy();
	const loops = await loopsCpu() - before, signatures = signaturesCpu(slow.keyPem, sockets.length);
	console.log(`# ${loops.toFixed(3)} s of the loops, ${signatures.toFixed(3)} s are the signatures`);
	assert.ok(loops < signatures / 2, `${loops} ${signatures}`);
	assert.deepEqual(gate.lines().filter((l) => l.event === 'worker.long_turn'), []);
	assert.equal((await reload()).status, 200);
});

test('a ticket is good for its period and one more, across a reload; then there is a new key', async () => {
	const options = { ...trusted, maxVersion: 'TLSv1.2' };
	const first = await handshake(gate.port, options);
	await until('a ticket', () => first.ticket);
	const began = Date.now();
	first.destroy();
	assert.equal((await reload()).status, 200);
	const resumes = async (session) => {
		const socket = await handshake(gate.port, { ...options, session });
		const reused = socket.isSessionReused();
		socket.destroy();
		return reused;
	};
	assert.equal(await resumes(first.ticket), true);
	await until('it is not resumed any more', async () => !await resumes(first.ticket));
	assert.ok(Date.now() - began >= SESSION_S * 1000 - 1000, `${Date.now() - began} ms`);
	const second = await handshake(gate.port, options);
	await until('a ticket', () => second.ticket);
	second.destroy();
	assert.equal(await resumes(second.ticket), true);
});

test('a cipher that is taken out is out for sessions, too; connections go on', async () => {
	const gone = 'ECDHE-ECDSA-AES128-GCM-SHA256', left = 'ECDHE-ECDSA-AES256-GCM-SHA384';
	const settings = (ciphers) => ({ tls_session_timeout: '1h', tls_ciphers: ciphers });
	const options = { ...trusted, maxVersion: 'TLSv1.2' };
	assert.equal((await reload(settings(`${gone}:${left}`))).status, 200);
	const open = await handshake(gate.port, { ...options, ciphers: gone });
	await until('a ticket', () => open.ticket);
	const resumed = await handshake(gate.port, { ...options, session: open.ticket });
	assert.equal(resumed.isSessionReused(), true);
	resumed.destroy();
	assert.equal((await reload(settings(left))).status, 200);
	const other = await handshake(gate.port, { ...options, session: open.ticket });
	assert.equal(other.isSessionReused(), false);
	assert.equal(other.getCipher().name, left);
	other.destroy();
	open.write(REQUEST);
	assert.match(await receive(open, (got) => got.includes('\r\n\r\n')), /^HTTP\/1.1 200 /);
	open.destroy();
	assert.equal((await reload()).status, 200);
});

test('a successor takes the port over, with certificates that it reads anew', async () => {
	const client = await tenantClient();
	await stack.knobs({ tokens: 60, token_delay_ms: 20 });
	const stream = await client.openChat('Where do the boats lie?');
	const before = await shown();
	Authority.replace(named, ca.issue('successor', { san: 'DNS:gate.test' }));
	const path = stack.conf(base);
	const program = stack.program('successor', programs.tenantgate(), ['--take-over', '-c', path]);
	await program.says(/"serve.listening"/);
	await until('the new certificate is shown', async () => await shown() !== before);
	assert.equal((await stream.text()).trim().split(/\s+/).length, 60);
	assert.equal((await client.search('boats')).status, 200);
	await stack.knobs();
});

test('behind a proxy: its header in the clear comes before the hello', async () => {
	const proxied = await stack.tenantgate({ workers: 1, tls_certificate: named.certificate,
		proxy_protocol: 'on', trusted_proxies: '127.0.0.1', rate_limit_requests_per_minute: 0 },
	{ wait: false });
	await proxied.program.says(/"serve.ready"/);
	const ask = async (split) => {
		const socket = connect(proxied.port, '127.0.0.1');
		const header = 'PROXY TCP4 203.0.113.7 127.0.0.1 4000 443\r\n';
		socket.write(split ? header.slice(0, 10) : header);
		if (split) {
			await sleep(20);
			socket.write(header.slice(10));
		}
		const secure = await handshake(proxied.port, { ...trusted, socket });
		secure.write('POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
		const got = await receive(secure, (all) => all.includes('\r\n\r\n'));
		secure.destroy();
		return got;
	};
	assert.match(await ask(false), /^HTTP\/1.1 401 /);
	assert.match(await ask(true), /^HTTP\/1.1 401 /);
	const line = await until('the access line', () => proxied.lines().find((l) => l.event === 'access'));
	assert.equal(line.remote, '203.0.113.7');
	assert.equal(line.tls, 'TLSv1.3');
	await assert.rejects(handshake(proxied.port, trusted), /closed|ECONNRESET|hang up|disconnected/);
	const clear = new Client(`http://127.0.0.1:${proxied.port}`);
	await assert.rejects(clear.get('/healthz'));
});
