// SPDX-License-Identifier: MIT
// A real Redis that answers with errors, in each of its states: requests go by redis_failure_mode,
// /readyz says so, the log has a line and not one a request, and all is well again by itself.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Stack } from './lib/stack.mjs';
import { freePort, sleep, until } from './lib/process.mjs';

const stack = new Stack('redis-ill');
let gate, closed;
const REQUESTS = 20;

const redis = (...words) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...words],
	{ encoding: 'utf8' }).trim();
const set = (name, value) => assert.equal(redis('config', 'set', name, value), 'OK');

before(async () => {
	await stack.surroundings({ neon: false });
	// One worker: each has a link of its own, and /readyz is of the one that is asked.
	const settings = { redis_timeout: '2s', tenant_cache_ttl: '1h', workers: 1 };
	gate = await stack.tenantgate(settings);
	closed = await stack.tenantgate({ ...settings, redis_failure_mode: 'closed' });
	closed.serviceKey = await gate.service();
	assert.equal((await (await gate.tenant('otter')).search('x')).status, 200);
});
after(() => stack.stop());

// A few, for some gates have two workers, each with a link of its own.
async function readiness(of = gate) {
	const answers = await Promise.all([1, 2, 3, 4].map(() => of.anonymous.get('/readyz',
		{ headers: { connection: 'close' } })));
	for (const answer of answers)
		assert.equal(answer.status, 200, answer.body);
	return answers.map((answer) => answer.json.degraded.join());
}
// Whoever is degraded may also name what follows from it.
const ill = (of) => until('degraded', async () => (await readiness(of)).every((names) =>
	names.split(',').includes('redis')));
const well = (of) => until('nothing is degraded', async () => (await readiness(of)).every((names) =>
	names === ''));

const lines = (of, event) => of.lines().filter((line) => line.event === event &&
	(line.level === 'warning' || line.level === 'err' || line.level === 'error'));

// What holds while a state lasts: `code` is the word that Redis answers with, `since` counts the
// lines that were there before. One line a minute: a slow machine may need two for all requests.
async function stateHolds(code, since) {
	const tenant = await gate.tenant('otter');
	await Promise.all([ill(gate), ill(closed)]);
	for (let i = 0; i < REQUESTS; i++) {
		const answer = await tenant.search('x');
		assert.equal(answer.status, 200, answer.body);
		assert.match(answer.headers['ratelimit-policy'], /"tenant";q=600;w=60/);
	}
	const refused = await (await closed.tenant('otter')).search('x');
	assert.equal(refused.status, 503, refused.body);
	assert.equal(refused.json.code, 'limiter_unavailable', refused.body);
	const said = await until('it is said', () => {
		const told = lines(gate, 'redis.refused').slice(since.told);
		return told.length > 0 && told;
	});
	const limits = lines(gate, 'limit.script').slice(since.limits);
	assert.ok(said.length <= 2, JSON.stringify(said));
	assert.ok(said.every((line) => code.test(line.message)), JSON.stringify(said));
	assert.ok(limits.length <= 2, JSON.stringify(limits));
}

async function stateIs(code, begin, end) {
	const since = { told: lines(gate, 'redis.refused').length,
		limits: lines(gate, 'limit.script').length };
	try {
		begin();
		await stateHolds(code, since);
	} finally {
		end();
	}
	await Promise.all([well(gate), well(closed)]);
	const again = await (await closed.tenant('otter')).search('x');
	assert.equal(again.status, 200, again.body);
}

// Replicas of both count together while one is rolled out after the other.
test('outside of a cluster keys have the names of earlier releases', async () => {
	const tenant = await gate.tenant('otter');
	await until('they are there', async () => {
		// A limit's key lasts for a tenth of a second a request.
		const answers = await Promise.all(Array.from({ length: 50 }, () => tenant.search('x')));
		assert.ok(answers.every((answer) => answer.status === 200));
		return redis('exists', 'tg:limit:test:tenant:otter', 'tg:replicas:test',
			'tg:tenant:test:otter', `tg:division:test:127.0.0.1:${stack.pg.port}`) === '4';
	}, 60000);
	assert.equal(redis('keys', 'tg:*{test}*'), '');
});

test('full (OOM)', () => stateIs(/\(OOM\)/, () => set('maxmemory', '1'),
	() => set('maxmemory', '0')));

test('a demoted master (READONLY)', () => stateIs(/\(READONLY\)/,
	() => redis('replicaof', '127.0.0.1', '1'), () => redis('replicaof', 'no', 'one')));

test('a replica without its master (MASTERDOWN)', () => stateIs(/\(MASTERDOWN\)/, () => {
	set('replica-serve-stale-data', 'no');
	redis('replicaof', '127.0.0.1', '1');
}, () => {
	redis('replicaof', 'no', 'one');
	set('replica-serve-stale-data', 'yes');
}));

test('an ACL that allows no scripts (NOPERM)', () => stateIs(/\(NOPERM\)/,
	() => redis('acl', 'setuser', 'default', '-eval', '-evalsha'),
	() => redis('acl', 'setuser', 'default', '+eval', '+evalsha')));

test('an ACL that allows scripts but no writing', () => {
	const before = lines(gate, 'redis.refused').length;
	redis('acl', 'setuser', 'default', '-set');
	return ill(gate).then(async () => {
		assert.ok(lines(gate, 'redis.refused').length - before <= 1);
		redis('acl', 'setuser', 'default', '+set');
		await well(gate);
	});
});

test('too few replicas to write (NOREPLICAS)', () => stateIs(/\(NOREPLICAS\)/,
	() => set('min-replicas-to-write', '3'), () => set('min-replicas-to-write', '0')));

// A key takes so long to load that the server answers, with LOADING, for seconds.
test('loading its data after a restart (LOADING)', async () => {
	redis('eval', "for i = 1, 3000 do redis.call('SET', 'filler:' .. i, '') end", '0');
	redis('save');
	stack.cache.program.kill('SIGKILL');
	await stack.cache.program.exit;
	await ill(gate);
	const slow = stack.program('redis', 'redis-server', ['--port', String(stack.cache.port), '--bind',
		'127.0.0.1', '--save', '', '--dir', stack.dir,
		'--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024']);
	stack.cache.program = slow;
	await slow.says(/Server initialized/);
	const said = () => lines(gate, 'redis.refused').filter((line) => /\(LOADING\)/.test(line.message));
	await until('the log says LOADING', () => said().length > 0);
	const answer = await (await gate.tenant('otter')).search('x');
	assert.equal(answer.status, 200, answer.body);
	await slow.says(/Ready to accept connections/i, 60000);
	await well(gate);
	assert.equal(said().length, 1);
});

test('a Redis without EVALSHA', async () => {
	const port = await freePort();
	await stack.program('redis', 'redis-server', ['--port', String(port), '--bind', '127.0.0.1',
		'--save', '', '--dbfilename', 'none.rdb', '--rename-command', 'EVALSHA',
		'']).says(/Ready to accept/i);
	const key = await gate.service();
	const other = await stack.tenantgate({ redis_url: `redis://127.0.0.1:${port}` });
	other.serviceKey = key;
	await ill(other);
	for (let i = 0; i < REQUESTS; i++)
		assert.equal((await (await other.tenant('otter')).search('x')).status, 200);
	assert.equal(lines(other, 'redis.refused').length, 1);
	assert.match(lines(other, 'redis.refused')[0].message, /allow EVAL, EVALSHA/);
	assert.equal(lines(other, 'limit.script').length, 0, 'the link is down, so nothing is asked');
	await other.program.stop();
});

// Redis 7 gives a new user no channel.
test('an ACL without channels: polled, said once, and no storm of connections', async () => {
	redis('acl', 'setuser', 'mute', 'on', '>pw', '~tg:*', '+@all', '-@dangerous', 'resetchannels');
	const key = await gate.service();
	const url = `redis://mute:pw@127.0.0.1:${stack.cache.port}`;
	const settings = { redis_url: url, tenant_cache_ttl: '1h', workers: 2 };
	const pair = [await stack.tenantgate(settings), await stack.tenantgate(settings)];
	for (const one of pair) {
		one.serviceKey = key;
		await until('it is said', () => lines(one, 'redis.polled').length === 1);
		await well(one);
	}
	const connections = () => Number(/total_connections_received:(\d+)/.exec(redis('info'))[1]);
	const before = connections();
	await sleep(3000);
	assert.ok(connections() - before <= 8, `${connections() - before} connections in 3 s`);

	// One process finds the record wrong, and tells; the other, whose record is right, forgets it.
	const [here, there] = await Promise.all(pair.map((one) => one.tenant('newt')));
	assert.equal((await here.search('x')).status, 200);
	for (let i = 0; i < 8; i++)
		assert.equal((await there.search('x')).status, 200);
	await stack.sql("update tenants set state = 'suspended' where tenant_id = 'newt'", 'catalog');
	redis('del', 'tg:tenant:test:newt');
	assert.equal((await there.search('x')).status, 200, 'it is cached');
	redis('xadd', 'tg:tenant:drop:log', '*', 'm', 'someones:newt');
	await until('the message was seen', async () => (await there.search('x')).status === 403 &&
		(await here.search('x')).status === 403);
	for (const one of pair)
		assert.equal(lines(one, 'redis.polled').length, 1);

	redis('acl', 'setuser', 'mute', 'allchannels');
	for (const one of pair) {
		await until('messages come again', () => one.lines().some((line) =>
			line.event === 'redis.subscribed'));
		await one.program.stop();
	}
});

// A key of ours that holds something else: Redis is well, and each look of the queue is refused.
test('a script that Redis refuses a hundred times is a line in the log', async () => {
	await stack.neonApi();
	const neon = await stack.tenantgate({ redis_timeout: '2s' });
	neon.serviceKey = await gate.service();
	assert.equal((await (await neon.tenant('first')).search('x')).status, 200);
	const tickets = redis('keys', 'tg:neon:*:tickets');
	assert.match(tickets, /^tg:neon:{[0-9a-f]{16}}:tickets$/);
	redis('del', tickets);
	redis('lpush', tickets, 'x');
	redis('lpush', 'tg:replicas:other', 'x');
	await stack.neonKnobs({ operation_ms: 1500 });
	const crowd = await Promise.all(['a', 'b', 'c'].map((id) => neon.tenant(id)));
	const answers = await Promise.all(crowd.map((tenant) => tenant.search('x')));
	assert.deepEqual(answers.map((answer) => answer.status), [200, 200, 200]);
	assert.equal(lines(neon, 'neon.script').length, 1);
	await well(neon);
	await neon.program.stop();

	// The same of what divides connections, which is told every two seconds.
	await stack.sql('create database catalog_other');
	const other = await stack.tenantgate({ redis_timeout: '2s', environment: 'other',
		catalog_url: stack.pg.url('catalog_other') });
	await until('it is said', () => lines(other, 'replica.script').length > 0);
	await sleep(3000);
	assert.equal(lines(other, 'replica.script').length, 1);
	await other.program.stop();
});

test('what is forgotten is told to those who poll', async () => {
	const entries = () => Number(redis('xlen', 'tg:tenant:drop:log'));
	const before = entries();
	assert.equal((await (await gate.tenant('moved')).search('x')).status, 200);
	const [[port]] = await stack.sql("select db_port from tenants where tenant_id = 'moved'",
		'catalog');
	await stack.sql("update tenants set db_port = 1 where tenant_id = 'moved'", 'catalog');
	redis('del', 'tg:tenant:test:moved');
	const other = await stack.tenantgate({ workers: 1, provider: 'postgres',
		postgres_admin_url: stack.pg.url('postgres') });
	other.serviceKey = await gate.service();
	const lost = await (await other.tenant('moved')).search('x');
	assert.equal(lost.status, 503, lost.body);
	await until('it is in the log', () => entries() > before);
	await stack.sql(`update tenants set db_port = ${port} where tenant_id = 'moved'`, 'catalog');
	await other.program.stop();
});
