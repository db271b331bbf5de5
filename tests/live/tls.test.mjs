// SPDX-License-Identifier: MIT
// TLS at the doors: what clients may speak and what not, which certificate they are shown, sessions
// that are resumed, and all that HTTP promises, under it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { heavyPdf } from './lib/heavy-pdf.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';
import { Authority, handshake, receive, TlsClient } from './lib/tls.mjs';

const stack = new Stack('tls');
const REQUEST = 'GET /healthz HTTP/1.1\r\nHost: gate.test\r\n\r\n';
let ca, gate, port, trusted, tenant;

before(async () => {
	ca = new Authority(join(stack.dir, 'pki'));
	const named = ca.issue('gate.test', { san: 'DNS:gate.test,IP:127.0.0.1' });
	const other = ca.issue('other.test');
	const rsa = ca.issue('both-rsa', { san: 'DNS:both.test', kind: ['rsa:2048'] });
	const ec = ca.issue('both-ec', { san: 'DNS:both.test' });
	const wild = ca.issue('wild', { san: 'DNS:*.wild.test' });
	const all = [named, other, rsa, ec, wild];
	trusted = { ca: ca.pem };
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: 2, tls_certificate: all.map((c) => c.certificate).join(', '),
		tls_certificate_key: all.map((c) => c.key).join(', '), rate_limit_requests_per_minute: 0 },
	{ wait: false });
	await gate.program.says(/"serve.ready"/);
	({ port } = gate);
	tenant = new TlsClient(port, { ...trusted, servername: 'gate.test' },
		{ authorization: `Bearer ${await gate.service()}`, 'x-tenant-id': 'harbour' });
});
after(() => stack.stop());

// openssl s_client: what it says, its input being `input`.
function sClient(args, input = '') {
	return new Promise((resolve) => {
		const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile',
			ca.file, '-servername', 'gate.test', ...args]);
		let said = '';
		for (const out of [client.stdout, client.stderr])
			out.on('data', (data) => { said += data; });
		client.on('close', (code) => resolve({ code, said }));
		client.stdin.on('error', () => {});
		client.stdin.end(input);
	});
}

test('1.2 and 1.3 are spoken, 1.1 is not', async () => {
	for (const version of ['TLSv1.2', 'TLSv1.3']) {
		const socket = await handshake(port, { ...trusted, minVersion: version, maxVersion: version });
		assert.equal(socket.getProtocol(), version);
		socket.write(REQUEST);
		assert.match(await receive(socket, (got) => got.includes('\r\n\r\n')), /^HTTP\/1.1 200 /);
		socket.destroy();
	}
	const old = await sClient(['-tls1_1', '-cipher', 'ALL@SECLEVEL=0']);
	assert.notEqual(old.code, 0);
	assert.match(old.said, /alert protocol version|no protocols available/);
});

test('no weak ciphers, no compression, no renegotiation, no early data', async () => {
	for (const weak of ['AES128-SHA', 'AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'NULL', 'aNULL'])
		assert.notEqual((await sClient(['-tls1_2', '-cipher', `${weak}:@SECLEVEL=0`])).code, 0, weak);
	const strong = await sClient(['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256', '-comp']);
	assert.equal(strong.code, 0);
	assert.match(strong.said, /Compression: NONE/);
	assert.match(strong.said, /Verify return code: 0 \(ok\)/);
	const again = await sClient(['-tls1_2'], 'R\n');
	assert.match(again.said, /no renegotiation/);
	assert.doesNotMatch((await sClient(['-tls1_3'], 'Q\n')).said, /Max Early Data: [1-9]/);
});

test('ALPN: http/1.1; who speaks h2 alone is told that there is none', async () => {
	const both = await handshake(port, { ...trusted, ALPNProtocols: ['h2', 'http/1.1'] });
	assert.equal(both.alpnProtocol, 'http/1.1');
	both.destroy();
	await assert.rejects(handshake(port, { ...trusted, ALPNProtocols: ['h2'] }),
		/no application protocol/i);
	const none = await handshake(port, trusted);
	assert.equal(none.alpnProtocol, false);
	none.destroy();
});

test('the certificate is the one of the name: itself, then a wildcard, else the first', async () => {
	const shown = async (servername, options = {}) => {
		const socket = await handshake(port, { ...trusted, rejectUnauthorized: false, servername,
			...options });
		const { subject, bits } = socket.getPeerCertificate();
		socket.destroy();
		return `${subject.CN} ${bits}`;
	};
	assert.equal(await shown('gate.test'), 'gate.test 256');
	assert.equal(await shown('OTHER.test'), 'other.test 256');
	assert.equal(await shown('a.wild.test'), 'wild 256');
	assert.equal(await shown('wild.test'), 'gate.test 256');
	assert.equal(await shown('a.b.wild.test'), 'gate.test 256');
	assert.equal(await shown(''), 'gate.test 256');
	// Of a host with two, each client has the one it can use.
	assert.equal(await shown('both.test'), 'both-ec 256');
	assert.equal(await shown('both.test', { maxVersion: 'TLSv1.2',
		ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }), 'both-rsa 2048');
});

test('a request in the clear is told so', async () => {
	const answer = await gate.anonymous.get('/healthz');
	assert.equal(answer.status, 400);
	assert.match(answer.json.detail, /speaks TLS; ask it by https/);
	assert.equal(answer.headers.connection, 'close');
	const noise = connect(port, '127.0.0.1');
	noise.write(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
	await receive(noise);	// closed
});

test('a document, an answer and its access line', async () => {
	const stored = await tenant.ingestText('The boats lie at the north quay.');
	assert.equal(stored.status, 201, stored.body);
	assert.equal((await tenant.chat('Where do the boats lie?')).status, 200);
	const line = await until('the access line', () => gate.lines().find((l) => l.event === 'access' &&
		l.route === 'chat'));
	assert.equal(line.tls, 'TLSv1.3');
});

test('a body of megabytes, and requests one behind the other', async () => {
	const text = 'A line of the log book, and another one.\n'.repeat(20000);
	const stored = await tenant.ingestText(text, { title: 'book' });
	assert.equal(stored.status, 201, stored.body);
	const socket = await handshake(port, trusted);
	socket.write(REQUEST.repeat(50));
	const got = await receive(socket, (all) => all.split('HTTP/1.1 200').length === 51);
	assert.equal(got.split('HTTP/1.1 200').length, 51);
	socket.destroy();
});

// All that is sent is some megabytes; the one who reads slowly holds up nobody, and gets all of it.
test('a large answer to one who reads slowly', async () => {
	const lines = 'x'.repeat(600);
	for (let i = 0; i < 3; i++)
		assert.equal((await tenant.ingestText(`Buoy ${i}. ${lines}`, { title: `b${i}` })).status, 201);
	await stack.knobs({ tokens: 60000 });
	const answer = await tenant.openChat('How many buoys?');
	answer.stream.pause();
	const other = await tenant.get('/healthz');
	assert.equal(other.status, 200);
	answer.stream.resume();
	assert.equal((await answer.text()).trim().split(/\s+/).length, 60000);
	await stack.knobs();
});

test('a client that goes in the middle of an answer ends it, with a close_notify and without', async () => {
	await stack.knobs({ tokens: 2000, token_delay_ms: 20 });
	for (const leave of ['end', 'destroy']) {
		const before = gate.lines().filter((l) => l.status === 499).length;
		const answer = await tenant.openChat('How high is the tide?');
		await new Promise((resolve) => answer.stream.once('data', resolve));
		answer.request.socket[leave]();
		await until('it is seen to have left', () => gate.lines()
			.filter((l) => l.status === 499 && l.route === 'chat').length > before);
	}
	await stack.knobs();
});

test('an answer that ends with its connection ends with a close_notify', async () => {
	const { said } = await sClient(['-msg', '-quiet', '-tls1_2'], REQUEST.replace('\r\n\r\n',
		'\r\nConnection: close\r\n\r\n'));
	assert.match(said, /<<< TLS 1\.2, Alert \[length 0002\], warning close_notify/);
});

test('a session is resumed by whichever worker has the client next', async () => {
	for (const version of ['TLSv1.2', 'TLSv1.3']) {
		const options = { ...trusted, minVersion: version, maxVersion: version };
		let socket = await handshake(port, options);
		assert.equal(socket.isSessionReused(), false);
		for (let i = 0; i < 20; i++) {
			socket.write(REQUEST);
			await receive(socket, (got) => got.includes('\r\n\r\n'));
			await until('a ticket', () => socket.ticket);
			const session = socket.ticket;
			socket.destroy();
			socket = await handshake(port, { ...options, session });
			assert.equal(socket.isSessionReused(), true, `${version} ${i}`);
			// In 1.3 each has another, for clients use it once.
			if (version === 'TLSv1.2')
				socket.ticket ??= session;
		}
		socket.destroy();
	}
});

// RFC 6066 3.
test('a session is not resumed under another name: that one has its own certificate', async () => {
	for (const version of ['TLSv1.2', 'TLSv1.3']) {
		const options = { ...trusted, minVersion: version, maxVersion: version };
		const first = await handshake(port, { ...options, servername: 'gate.test' });
		first.write(REQUEST);
		await receive(first, (got) => got.includes('\r\n\r\n'));
		await until('a ticket', () => first.ticket);
		first.destroy();
		for (const [servername, reused] of [['other.test', false], ['gate.test', true]]) {
			const socket = await handshake(port, { ...options, servername, session: first.ticket });
			assert.equal(socket.isSessionReused(), reused, `${version} ${servername}`);
			if (!reused)
				assert.equal(socket.getPeerCertificate().subject.CN, servername);
			socket.destroy();
		}
	}
});

test('no turn of a loop was long', () => {
	assert.deepEqual(gate.lines().filter((l) => l.event === 'worker.long_turn'), []);
});

// More than a socket's buffers and the session's hold, taken piece by piece.
test('a document of 12 MB comes through, counted and chunked', async () => {
	for (const chunked of [false, true]) {
		const body = heavyPdf(12 << 20, `sealed ${chunked}`);
		const answer = await tenant.ask('POST', '/ingest', { body, headers: { 'content-type':
			'application/pdf', ...(chunked ? { 'transfer-encoding': 'chunked' }
			: { 'content-length': body.length }) } });
		assert.equal(answer.status, 201, answer.body);
		assert.equal(answer.json.document.bytes, body.length);
	}
});
