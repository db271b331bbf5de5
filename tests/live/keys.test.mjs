// SPDX-License-Identifier: MIT
// Invented keys: what they cost, and that they stand in nobody's way.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import net from 'node:net';
import { Stack } from './lib/stack.mjs';
import { sleep } from './lib/process.mjs';
import { Client } from './lib/client.mjs';

const stack = new Stack('keys');
let gate;
const letters = '23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ';
const invent = (n) => Array.from({ length: n },
	() => letters[Math.floor(Math.random() * letters.length)]).join('');
const OLD = () => `tg_${invent(12)}_${invent(43)}`;
const TAGGED = () => `${OLD()}${invent(8)}`;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	// tenant_cache_ttl: each request looks its tenant up. Failures are not slowed here, so that
	// the flood keeps its strength.
	gate = await stack.tenantgate({ workers: 1, tenant_cache_ttl: '0s',
		rate_limit_requests_per_minute: 0, auth_failures_per_minute: 0 });
	await gate.service();
	assert.equal((await (await gate.tenant('acme')).search('x')).status, 200);
});
after(() => stack.stop());

// A key as the first releases made them.
async function oldKey(tenant) {
	const [id, secret] = [invent(12), invent(43)];
	const hash = createHash('sha256').update(secret).digest('hex');
	await stack.sql('insert into api_keys (key_id, secret_sha256, kind, tenant_id) ' +
		`values ('${id}', '${hash}', 'tenant', '${tenant}')`, 'catalog');
	return `tg_${id}_${secret}`;
}

// Requests with invented keys on that many connections, each as soon as the one before is answered,
// until stop(), which gives the count of each status.
class Flood {
	constructor(port, connections, key, path = '/search') {
		this.counts = {};
		this.began = performance.now();
		this.sockets = Array.from({ length: connections }, () => {
			const socket = net.connect({ port, host: '127.0.0.1' });
			const send = () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n`.replace('GET',
				'POST') + `Authorization: Bearer ${key()}\r\nContent-Length: 0\r\n\r\n`);
			socket.setNoDelay(true);
			socket.on('connect', send);
			socket.on('error', () => {});
			socket.on('data', (piece) => {
				const status = /^HTTP\/1\.1 (\d+)/.exec(piece.toString('latin1'))?.[1];
				if (!status)
					return;
				this.counts[status] = (this.counts[status] ?? 0) + 1;
				send();
			});
			return socket;
		});
	}

	get answered() {
		return Object.values(this.counts).reduce((a, b) => a + b, 0);
	}

	rate() {
		return Math.round(this.answered / (performance.now() - this.began) * 1000);
	}

	stop() {
		for (const socket of this.sockets)
			socket.destroy();
		return this.counts;
	}
}

async function answeredAtLeast(flood, n) {
	while (flood.answered < n)
		await sleep(10);
}

// All at once, from another address than the flood's. Their times, sorted, in ms.
async function times(keys) {
	const took = await Promise.all(keys.map(async (key) => {
		const client = new Client(gate.url, { authorization: `Bearer ${key}` });
		const began = performance.now();
		const answer = await client.ask('POST', '/search', { from: '127.0.0.2',
			headers: { 'content-type': 'application/json' }, body: '{"query":"x"}' });
		assert.equal(answer.status, 200, answer.body);
		return performance.now() - began;
	}));
	return took.sort((a, b) => a - b).map(Math.round);
}

const eight = (make) => Promise.all(Array.from({ length: 8 }, make));

for (const [what, key] of [['of the old form', OLD], ['with a tag', TAGGED]])
	test(`a flood of invented keys ${what} delays no honest one`, async (t) => {
		const calm = [await eight(() => gate.key('--tenant', 'acme')),
			await eight(() => oldKey('acme'))];
		const busy = [await eight(() => gate.key('--tenant', 'acme')),
			await eight(() => oldKey('acme'))];
		const tenant = await gate.tenant('acme');
		for (const keys of calm)
			t.diagnostic(`quiet: ${await times(keys)} ms`);
		const flood = new Flood(gate.port, 600, key);
		await answeredAtLeast(flood, 2000);
		for (const keys of busy)
			t.diagnostic(`beside the flood: ${await times(keys)} ms`);
		// Each looks its tenant up; an ingest notes its document twice.
		for (let i = 0; i < 4; i++) {
			const found = await tenant.search('x');
			assert.equal(found.status, 200, found.body);
			const stored = await tenant.ingestText('A text.', { documentId: invent(12) });
			assert.equal(stored.status, 201, stored.body);
		}
		const counts = flood.stop();
		t.diagnostic(`the flood: ${JSON.stringify(counts)}, ${flood.rate()}/s`);
		assert.ok(counts[401] > 0);
		assert.equal(counts[200], undefined);
		assert.deepEqual(Object.keys(counts).filter((s) => s !== '401' && s !== '503'), []);
	});

test('an invented key with a tag costs no lookup', async () => {
	await stack.sql("alter database catalog set log_statement = 'all'");
	const seen = await stack.tenantgate({ workers: 1, auth_failures_per_minute: 0 });
	const asked = () => stack.pg.program.text().split('FROM public.api_keys').length - 1;
	const before = asked();
	const flood = new Flood(seen.port, 16, TAGGED);
	await answeredAtLeast(flood, 1000);
	assert.deepEqual(Object.keys(flood.stop()), ['401']);
	const client = new Client(seen.url, { authorization: `Bearer ${await gate.key('--tenant',
		'acme')}` });
	assert.equal((await client.search('x')).status, 200);
	while (asked() === before)
		await sleep(10);
	assert.equal(asked(), before + 1);
	await stack.sql('alter database catalog reset log_statement');
	await seen.program.stop();
});

test('the secret of the tags is the catalog\'s own, and another seal key changes nothing', async () => {
	const key = await gate.key('--tenant', 'acme');
	assert.match(key, /^tg_[A-Za-z0-9]{12}_[A-Za-z0-9]{51}$/);
	const [[secret]] = await stack.sql('select secret from key_tag_secret', 'catalog');
	assert.match(secret, /^[0-9a-f]{64}$/);
	const rotated = await stack.tenantgate({ workers: 1,
		seal_keys: `${'7'.repeat(64)},${stack.sealKey}` });
	const client = (text) => new Client(rotated.url, { authorization: `Bearer ${text}` });
	assert.equal((await client(key).search('x')).status, 200);
	assert.equal((await client(key.slice(0, -8)).search('x')).status, 200);
	assert.equal((await client(`${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}`)
		.search('x')).status, 401);
	await rotated.program.stop();
});

test('failures are slowed beyond their rate; a good key from the same address is not', async () => {
	const slow = await stack.tenantgate({ workers: 2, auth_failures_per_minute: 10 });
	slow.serviceKey = await gate.service();
	const good = await slow.tenant('acme');
	assert.equal((await good.search('x')).status, 200);
	const flood = new Flood(slow.port, 40, TAGGED);
	// The first ten at once; then up to five seconds each.
	await answeredAtLeast(flood, 10);
	await sleep(200);
	const before = flood.answered;
	for (let i = 0; i < 10; i++)
		assert.equal((await good.search('x')).status, 200);
	assert.ok(before < 40, `${before} answers`);
	await answeredAtLeast(flood, 40);
	assert.deepEqual(Object.keys(flood.stop()), ['401']);
	await slow.program.says(/auth\.slowed/);
	const late = slow.lines().filter((l) => l.status === 401 && l.t_tenant >= 400);
	assert.ok(late.length >= 20, `${late.length} were held`);
	await slow.program.stop();
});

test('without the secret of the tags the gateway serves, and every key is looked up', async () => {
	const key = await gate.key('--tenant', 'acme');
	const [[secret]] = await stack.sql('delete from key_tag_secret returning secret', 'catalog');
	const bare = await stack.tenantgate({ workers: 1 });
	const client = new Client(bare.url, { authorization: `Bearer ${key}` });
	assert.equal((await client.search('x')).status, 200);
	await bare.program.says(/auth\.no_tag_secret/);
	await stack.sql(`insert into key_tag_secret (secret) values ('${secret}')`, 'catalog');
	await bare.program.stop();
});
