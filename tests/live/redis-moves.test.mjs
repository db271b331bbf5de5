// SPDX-License-Identifier: MIT
// A Redis that is found by name: after a fail-over the name leads to the new master; of a Redis
// Cluster it leads to several nodes, of which one has our keys.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Stack } from './lib/stack.mjs';
import { freePort, until } from './lib/process.mjs';

const stack = new Stack('redis-moves');
const LIMIT = 20;
let addresses = ['127.0.0.1'];
let port, dns;

const cli = (address, ...words) => execFileSync('redis-cli', ['-h', address, '-p', String(port),
	...words], { encoding: 'utf8' }).trim();

// A name server that has one answer for every name: the addresses, for one second. RFC 1035, 4.1.
function answerTo(query) {
	const end = query.indexOf(0, 12) + 5;
	const type = query.readUInt16BE(end - 4);
	const records = type !== 1 ? [] : addresses.map((address) => Buffer.from([0xc0, 12, 0, 1, 0, 1,
		0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)]));
	const head = Buffer.from(query.subarray(0, 12));
	head.writeUInt16BE(0x8180, 2);
	head.writeUInt16BE(records.length, 6);
	head.writeUInt32BE(0, 8);
	return Buffer.concat([head, query.subarray(12, end), ...records]);
}

async function server(address, ...args) {
	const program = stack.program('redis', 'redis-server', ['--port', String(port), '--bind', address,
		'--save', '', '--appendonly', 'no', '--dir', stack.dir, '--dbfilename',
		`${address}-${port}.rdb`, ...args]);
	await program.says(/Ready to accept connections/i);
	return program;
}

const settings = () => ({ redis_url: `redis://cache.example:${port}`, redis_timeout: '2s',
	dns_nameserver: `127.0.0.1:${dns.address().port}`,
	rate_limit_requests_per_minute: LIMIT, rate_limit_key_requests_per_minute: 100 });

before(async () => {
	await stack.surroundings({ redis: false, neon: false });
	dns = createSocket('udp4', (query, from) => dns.send(answerTo(query), from.port, from.address));
	await new Promise((resolve) => dns.bind(0, '127.0.0.1', resolve));
});
after(async () => {
	dns.close();
	await stack.stop();
});

// Either worker of it: so many that each is asked.
async function degraded(gate) {
	const answers = await Promise.all(Array.from({ length: 16 }, () => gate.anonymous.get('/readyz',
		{ headers: { connection: 'close' } })));
	return answers.some((answer) => answer.json.degraded.length > 0);
}

// As many as the limit lets through, over both replicas at once, which is so only in one Redis.
async function limitIsExact(gates, id) {
	const tenants = await Promise.all(gates.map((gate) => gate.tenant(id)));
	const start = Date.now();
	assert.equal((await tenants[0].search('x')).status, 200);
	const answers = await Promise.all(Array.from({ length: 2 * LIMIT }, (_, i) =>
		tenants[i % tenants.length].search('x')));
	const fine = answers.filter((answer) => answer.status === 200).length + 1;
	const back = 1 + Math.floor((Date.now() - start) / (60000 / LIMIT));
	assert.ok(fine >= LIMIT && fine <= LIMIT + back, `${fine} of ${LIMIT}`);
}

async function pair() {
	const one = await stack.tenantgate(settings());
	const other = await stack.tenantgate(settings());
	other.serviceKey = await one.service();
	return [one, other];
}

test('a fail-over: the demoted master is left for the one that the name leads to', async () => {
	port = await freePort();
	addresses = ['127.0.0.1'];
	await server('127.0.0.1');
	await server('127.0.0.2');
	const gates = await pair();
	for (const gate of gates)
		await until('ready', async () => !await degraded(gate));
	await limitIsExact(gates, 'before');
	addresses = ['127.0.0.2'];
	assert.equal(cli('127.0.0.1', 'replicaof', '127.0.0.2', String(port)), 'OK');
	const clients = () => Number(/connected_clients:(\d+)/.exec(cli('127.0.0.2', 'info'))[1]);
	// Of each worker the commands and the messages, beside this question.
	await until('all links are at the new master', () => clients() >= 2 * 2 * 2 + 1);
	for (const gate of gates)
		await until('nothing is degraded', async () => !await degraded(gate));
	await limitIsExact(gates, 'after');
	for (const gate of gates) {
		const said = gate.lines().filter((line) => line.event === 'redis.refused' &&
			line.level === 'warning');
		assert.equal(said.length, 1, JSON.stringify(said));
		assert.match(said[0].message, /READONLY/);
		await gate.program.stop();
	}
});

test('a cluster of two nodes: the keys of a script are in one slot, and its node is found', async () => {
	port = await freePort();
	addresses = ['127.0.0.3', '127.0.0.4'];
	for (const address of addresses)
		await server(address, '--cluster-enabled', 'yes', '--cluster-config-file',
			`nodes-${address}.conf`, '--cluster-announce-ip', address, '--cluster-port',
			String(await freePort()));
	const slot = Number(cli(addresses[0], 'cluster', 'keyslot', 'tg:limit:{test}:probe'));
	const rest = [[0, slot - 1], [slot + 1, 16383]].filter(([from, to]) => from <= to);
	assert.equal(cli(addresses[0], 'cluster', 'addslotsrange', ...rest.flat().map(String)), 'OK');
	assert.equal(cli(addresses[1], 'cluster', 'addslots', String(slot)), 'OK');
	const [, busPort] = /@(\d+)/.exec(cli(addresses[1], 'cluster', 'nodes'));
	assert.equal(cli(addresses[0], 'cluster', 'meet', addresses[1], String(port), busPort), 'OK');
	for (const address of addresses)
		await until('the cluster is whole', () => /cluster_state:ok/.test(cli(address, 'cluster',
			'info')) && /cluster_slots_assigned:16384/.test(cli(address, 'cluster', 'info')));
	const gates = await pair();
	for (const gate of gates)
		await until('nothing is degraded', async () => !await degraded(gate));
	await limitIsExact(gates, 'clustered');
	await until('connections are divided', () => cli(addresses[1], 'keys', 'tg:division:{test}:*'));
	const keys = cli(addresses[1], 'keys', 'tg:*').split('\n');
	for (const name of [/^tg:limit:{test}:tenant:clustered$/, /^tg:limit:{test}:key:/,
		/^tg:replicas:{test}$/, /^tg:tenant:{test}:clustered$/])
		assert.ok(keys.some((key) => name.test(key)), `${name} in ${keys}`);
	assert.doesNotMatch(cli(addresses[0], 'keys', 'tg:*'), /tg:(limit|replicas|division)/);
	await until('each counts both', () => gates.every((gate) => gate.lines().some((l) =>
		l.event === 'replica.live' && /: 2\./.test(l.message))));
	for (const gate of gates)
		await gate.program.stop();
});

test('a cluster of one node runs all scripts, Neon\'s bucket and queue among them', async () => {
	port = await freePort();
	addresses = ['127.0.0.5'];
	await server('127.0.0.5', '--cluster-enabled', 'yes', '--cluster-config-file', 'one.conf',
		'--cluster-port', String(await freePort()));
	assert.equal(cli('127.0.0.5', 'cluster', 'addslotsrange', '0', '16383'), 'OK');
	await stack.neonApi();
	const gates = await pair();
	for (const gate of gates)
		await until('nothing is degraded', async () => !await degraded(gate));
	await limitIsExact(gates, 'made-by-neon');
	assert.match(cli('127.0.0.5', 'keys', 'tg:neon:*'), /tg:neon:{[0-9a-f]{16}}:tickets/);
	for (const gate of gates) {
		assert.deepEqual(gate.lines().filter((line) => /^(neon|replica|limit)\.script$/
			.test(line.event)), []);
		await gate.program.stop();
	}
});
