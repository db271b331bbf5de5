// SPDX-License-Identifier: MIT
// TLS towards databases and Redis: whoever is not the one that the configuration names gets no byte
// of ours, whatever is wrong is told in words, and nobody else is held up.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { makeCertificates, makeFaults } from './lib/certificates.mjs';
import { sleep, until } from './lib/process.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { CUTS, faultsOf, PLAIN, STALLS, TlsPeer } from './lib/tls-peer.mjs';

const stack = new Stack('tls-outwards');
const PASSWORD = 'hunter2-of-the-pond', REDIS_PASSWORD = 'hunter2-of-the-cache';
let folder, caFile, certificates, gate, calm, own, peers = {};

// Postgres itself under TLS, by whoever stands in the middle.
function postgresInTls(port) {
	return new Promise((done, fail) => {
		const socket = net.connect(port, '127.0.0.1', () =>
			socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])));
		socket.once('error', fail);
		socket.once('data', () => {
			const inner = tls.connect({ socket, rejectUnauthorized: false }, () => done(inner));
		});
	});
}

const url = (port, more = '', database = 'pond') =>
	`postgresql://pond:${PASSWORD}@localhost:${port}/${database}?sslmode=verify-full${more}`;

const catalogAt = (port) =>
	`postgresql://postgres:${stack.pg.password}@localhost:${port}/catalog?sslmode=verify-full`;

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'tg-outwards-'));
	chmodSync(folder, 0o755);
	makeCertificates(folder);
	certificates = makeFaults(folder);
	caFile = join(folder, 'ca.pem');
	await stack.surroundings({ neon: false, redis: false, postgres: ['ssl=on',
		`ssl_cert_file=${join(folder, 'server.pem')}`, `ssl_key_file=${join(folder, 'server.key')}`] });
	await stack.redis(['--requirepass', REDIS_PASSWORD]);
	await stack.sql(`create role pond login password '${PASSWORD}'`);
	await stack.sql('create database pond owner pond');
	await stack.sql('create extension vector', 'pond');
	const database = { certificates, port: stack.pg.port, postgres: true };
	peers.tenant = await TlsPeer.start(database);
	peers.catalog = await TlsPeer.start(database);
	peers.middle = await TlsPeer.start({ ...database, behind: postgresInTls });
	peers.redis = await TlsPeer.start({ certificates, port: stack.cache.port, plainAnswer: '-ERR\r\n' });
	const settings = { allowed_networks: '127.0.0.1', tenant_ca_file: caFile,
		server_connect_timeout: '1s', server_login_retry: '100ms' };
	gate = await stack.tenantgateWithAdmin({ ...settings, redis_ca_file: caFile, redis_timeout: '1s',
		redis_url: `rediss://:${REDIS_PASSWORD}@localhost:${peers.redis.at}` });
	own = await stack.tenantgate({ catalog_connect_timeout: '1s', catalog_ca_file: caFile,
		redis_url: '', catalog_url: catalogAt(peers.catalog.at) });
	calm = await gate.tenant('calm');
	assert.equal((await calm.ingestText('The boat burns 19 litres an hour.')).status, 201);
});
after(async () => {
	await stack.stop();
	await Promise.all(Object.values(peers).map((peer) => peer.stop()));
	rmSync(folder, { recursive: true, force: true });
});

// Nothing but a handshake was sent, whatever came of it.
function nothingWasTold(peer, mode, ...secrets) {
	const notes = peer.heardIn(mode);
	assert.ok(notes.length > 0, `${mode}: it was connected to`);
	for (const { raw, text } of notes) {
		assert.equal(text, '', mode);
		for (const secret of secrets)
			assert.ok(!raw.includes(secret), `${mode}: ${secret}`);
	}
}

// In a line behind that many characters; ask: what makes it say that, again and again.
const saysAnew = (from, program, pattern, ask = () => {}) =>
	until(`${program.name} says ${pattern}`, async () => {
		await ask();
		return program.text().slice(from).split('\n').find((line) => pattern.test(line));
	});

async function othersAreServed() {
	assert.equal((await gate.anonymous.get('/healthz')).status, 200);
	const found = await calm.search('boat');
	assert.equal(found.status, 200, found.body);
}

// Each mode in turn: whoever was connected is cut off and comes again, and finds what is there now.
// ask: what makes it come, where it does not by itself.
async function inEachMode(peer, program, event, patterns, secrets, ask = () => {}) {
	for (const [mode, pattern] of Object.entries(patterns)) {
		const from = program.text().length;
		peer.mode = mode;
		peer.dropAll();
		await saysAnew(from, program, new RegExp(`"${event}".*${pattern.source}`), ask);
		nothingWasTold(peer, mode, ...secrets);
		await othersAreServed();
	}
	peer.mode = 'good';
	peer.dropAll();
}

describe('TLS outwards', { concurrency: true }, () => {
	test('who is not the Redis of rediss:// is not logged in to', async () => {
		const isUp = () => until('Redis is up again', async () => {
			const answers = await Promise.all(Array.from({ length: 8 }, () => gate.anonymous.get('/readyz',
				{ headers: { connection: 'close' } })));
			return answers.every((answer) => answer.json.degraded.length === 0);
		});
		const { commonName, ...others } = {
			[CUTS]: /TLS failed: the server ended the connection/,
			...faultsOf('localhost', caFile), [STALLS]: /did not complete TLS's handshake within 1000 ms/,
			[PLAIN]: /TLS failed: the server does not speak TLS there/ };
		await inEachMode(peers.redis, gate.program, 'redis.down', others, [REDIS_PASSWORD, 'AUTH']);
		await isUp();
		await sleep(2100);	// from then on the same words are news again
		await inEachMode(peers.redis, gate.program, 'redis.down', { commonName },
			[REDIS_PASSWORD, 'AUTH']);
		await isUp();
		assert.ok(peers.redis.heardIn('good').some(({ text }) => text.includes(REDIS_PASSWORD)));
	});

	test('who is not the tenant\'s database is told neither who we are nor the password', async () => {
		assert.equal((await gate.admin.post('/admin/tenants/frog/adopt',
			{ url: url(peers.tenant.at) })).status, 200);
		const frog = await gate.tenant('frog');
		await frog.ingestText('The lily is white.', { documentId: 'lily' });
		await inEachMode(peers.tenant, gate.program, 'pool.login_failed', { ...faultsOf('localhost', caFile),
			[STALLS]: /the server did not answer in time/,
			[PLAIN]: /server does not support SSL, but SSL was required/,
			[CUTS]: /closed the connection|SSL SYSCALL error|Connection reset/,
		}, [PASSWORD, 'pond'], async () => {
			const answer = await frog.search('lily');
			assert.ok([502, 503, 504].includes(answer.status), answer.body);
			assert.doesNotMatch(answer.body, /certificate of|CA file/);
		});
		await until('it is served again', async () => (await frog.search('lily')).status === 200);
		assert.ok(peers.tenant.heardIn('good').every(({ text }) => !text.includes(PASSWORD)), 'SCRAM');
	});

	test('who is not the catalog is told nothing either', async () => {
		const key = await own.service();
		let n = 0;
		await inEachMode(peers.catalog, own.program, 'pool.login_failed', { ...faultsOf('localhost', caFile),
			[STALLS]: /the server did not answer in time/,
			[PLAIN]: /server does not support SSL, but SSL was required/,
			[CUTS]: /closed the connection|SSL SYSCALL error|Connection reset/,
		}, [stack.pg.password, key, 'catalog'], async () => {
			const answer = await (await own.tenant(`newcomer-${++n}`)).search('x');
			assert.equal(answer.status, 503, answer.body);
			assert.doesNotMatch(answer.body, /certificate of|CA file/);
		});
		await until('it is ready again', async () => (await own.anonymous.get('/readyz')).status === 200);
	});

	test('a host may be written with the root\'s dot: verified, and served', async () => {
		await stack.sql('create database marsh owner pond');
		await stack.sql('create extension vector', 'marsh');
		const answer = await gate.admin.post('/admin/tenants/toad/adopt',
			{ url: url(stack.pg.port, '', 'marsh').replace('@localhost:', '@localhost.:') });
		assert.equal(answer.status, 200, answer.body);
		const toad = await gate.tenant('toad');
		assert.equal((await toad.ingestText('The reeds are high.')).status, 201);
	});

	test('a start against a catalog that is another ends with the reason', async () => {
		const other = await TlsPeer.start({ certificates, port: stack.pg.port, postgres: true,
			mode: 'expired' });
		peers.other = other;
		const program = stack.program('tenantgate', programs.tenantgate(), ['-c', stack.conf({
			redis_url: '', catalog_ca_file: caFile, catalog_url: catalogAt(other.at) })]);
		assert.equal((await program.exit).code, 1);
		assert.match(program.text(), new RegExp(`refuses the login: ${faultsOf('localhost', caFile).expired.source}`));
		nothingWasTold(other, 'expired', stack.pg.password);
	});

	test('a man in the middle whose certificate is trusted is found out by channel binding', async () => {
		const adopt = (tenant, port, more, database) => gate.admin.post(
			`/admin/tenants/${tenant}/adopt`, { url: url(port, more, database) });

		for (const database of ['brook', 'creek']) {
			await stack.sql(`create database ${database} owner pond`);
			await stack.sql('create extension vector', database);
		}
		for (const more of ['&channel_binding=require', '&channel_binding=prefer', '']) {
			const from = gate.program.text().length;
			const answer = await adopt('newt', peers.middle.at, more, 'brook');
			assert.equal(answer.status, 502, answer.body);
			await saysAnew(from, gate.program, /channel binding check failed/);
		}
		// It is that which finds it out; and one that is asked for is asked for at each login.
		const unbound = await adopt('newt', peers.middle.at, '&channel_binding=disable', 'brook');
		assert.equal(unbound.status, 200, unbound.body);
		const bound = await adopt('carp', stack.pg.port, '&channel_binding=require', 'creek');
		assert.equal(bound.status, 200, bound.body);
		const carp = await gate.tenant('carp');
		assert.equal((await carp.ingestText('The brook is cold.')).status, 201);
		assert.deepEqual(await stack.sql("select db_channel_binding from tenants where tenant_id = 'carp'",
			'catalog'), [['require']]);
	});
});
