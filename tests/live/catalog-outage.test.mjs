// SPDX-License-Identifier: MIT
// The catalog's server stopped, killed and back, with two workers: what is known goes on, what is
// not known fails at once and says when to come back, and what was seen revoked stays refused. The
// tenants' databases are on another server, and well.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { source, Stack } from './lib/stack.mjs';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('catalog-outage'), main = new Stack('catalog-outage-main');
const ASKERS = 16; // connections of their own: each worker gets some
const WAIT = 60000;
// Far below what a statement of the catalog may take here (HANG), far above what nothing takes.
const HANG = '12s', AT_ONCE = 6000;
let gate, known, revoked, suspended;

before(async () => {
	await stack.surroundings({ neon: false });
	await main.postgres(['log_statement=all']);
	await main.sql('create database catalog');
	gate = await stack.tenantgate({ catalog_url: main.pg.url('catalog'), key_cache_ttl: '1s',
		key_cache_negative_ttl: '1s', tenant_cache_ttl: '1s', tenant_redis_ttl: '1s',
		catalog_query_timeout: HANG, auth_failures_per_minute: 0,
		rate_limit_requests_per_minute: 0 });
	known = await gate.key('--tenant', 'acme');
	revoked = await gate.key('--tenant', 'acme');
	suspended = await gate.key('--tenant', 'sold');
	for (const key of [known, revoked, suspended])
		assert.equal((await search(key)).status, 200);
});
after(async () => {
	signalAll('SIGCONT');
	await stack.stop();
	await main.stop();
});

function backends() {
	const { pid } = main.pg.program;
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
	} catch {
		return []; // it has ended
	}
}

// The postmaster and its backends, which would go on without it. Stopped first, it makes no more.
function signalAll(signal) {
	if (signal === 'SIGSTOP')
		main.pg.program.kill(signal);
	const children = backends();
	main.pg.program.kill(signal);
	for (const pid of children.filter((word) => word.trim() !== ''))
		try {
			process.kill(Number(pid), signal);
		} catch {
			// it has just ended
		}
}

// The same cluster on the same port. What a kill left of the old one may be there for a moment.
async function startAgain() {
	const { port, password } = main.pg;
	main.pg.program = await until('the catalog starts again', async () => {
		const program = main.program('postgres', join(source,
			'contrib/devstack/postgres.sh'), [join(main.dir, 'pg'), String(port),
			'fsync=off', 'log_statement=all'], { env: { TG_PG_PASSWORD: password } });
		return program.says(/ready to accept connections/, WAIT).then(() => program, () => null);
	}, WAIT);
}

async function search(key) {
	const began = performance.now();
	const client = new Client(gate.url, { authorization: `Bearer ${key}` });
	const answer = await client.search('x');
	return { ...answer, ms: performance.now() - began };
}

const searches = (key, n = ASKERS) => Promise.all(Array.from({ length: n }, () => search(key)));
const slowest = (answers) => Math.round(Math.max(...answers.map((a) => a.ms)));
const lookupsOf = (key) => main.pg.program.text().split('\n')
	.filter((line) => line.includes(`$1 = '${key.slice(3, 15)}'`)).length;
// Well formed, without a tag: as an old key that nobody knows.
const unknown = () => `tg_${'23456789abcdefgh'.slice(0, 8)}${Math.random().toString(36)
	.replace(/[^a-z2-9]/g, '').replace(/[ilo]/g, 'x').padEnd(4, 'x').slice(0, 4)}_${'a'.repeat(43)}`;

async function refused(keyOrKeys, status) {
	for (const key of [keyOrKeys].flat())
		for (const answer of await searches(key))
			assert.equal(answer.status, status, answer.body);
}

async function goesOn(t, what) {
	for (let round = 0; round < 4; round++) {
		const answers = await searches(known);
		t.diagnostic(`${what}: a known key, slowest of ${ASKERS}: ${slowest(answers)} ms`);
		for (const answer of answers)
			assert.equal(answer.status, 200, answer.body);
		assert.ok(slowest(answers) < AT_ONCE);
	}
}

// Once it is known that the server is gone. Before that, askers may wait.
async function failsAtOnce(t, what) {
	await gate.program.says(new RegExp(`(catalog\\.gone[^]*){${what.times}}`), WAIT);
	for (let round = 0; round < 4; round++) {
		const answer = await search(unknown());
		t.diagnostic(`${what.name}: an unknown key, ${answer.status} after ` +
			`${Math.round(answer.ms)} ms, Retry-After ${answer.headers['retry-after']}`);
		assert.equal(answer.status, 503, answer.body);
		assert.equal(answer.json.code, 'catalog_unavailable');
		assert.ok(Number(answer.headers['retry-after']) >= 1);
		assert.ok(answer.ms < AT_ONCE);
	}
}

async function isBack(times) {
	await gate.program.says(new RegExp(`(catalog\\.returned[^]*){${times}}`), WAIT);
	assert.equal((await search(unknown())).status, 401);
	const fresh = await gate.key('--tenant', 'acme');
	assert.equal((await search(fresh)).status, 200);
	await refused(revoked, 401);
	await refused(suspended, 403);
}

test('a new key that one worker was asked for costs the other nothing', async (t) => {
	const other = await stack.tenantgate({ catalog_url: main.pg.url('catalog') });
	const key = await other.key('--tenant', 'acme');
	const mine = gate;
	gate = other;
	assert.equal((await search(key)).status, 200);
	const before = lookupsOf(key);
	const answers = await searches(key, 2 * ASKERS);
	for (const answer of answers)
		assert.equal(answer.status, 200, answer.body);
	t.diagnostic(`statements for it: ${before} at first, then ${lookupsOf(key) - before}`);
	assert.ok(before > 0);
	assert.equal(lookupsOf(key), before);
	gate = mine;
	await other.program.stop();
});

test('what is revoked and suspended is refused within its time', async () => {
	await main.sql(`update api_keys set revoked_at = now() where key_id = '${
		revoked.slice(3, 15)}'`, 'catalog');
	await main.sql("update tenants set state = 'suspended' where tenant_id = 'sold'", 'catalog');
	await until('the key is refused', async () => (await search(revoked)).status === 401, WAIT);
	await until('the tenant is refused', async () => (await search(suspended)).status === 403,
		WAIT);
	await refused(revoked, 401);
	await refused(suspended, 403);
});

test('a catalog that hangs: the known go on, the unknown fail at once', async (t) => {
	signalAll('SIGSTOP');
	// Nobody has to wait for a statement's end: the first unknown ones do, and are not looked at.
	const first = Promise.all(Array.from({ length: 3 }, () => search(unknown())));
	await goesOn(t, 'hung');
	for (const answer of await first)
		assert.equal(answer.status, 503, answer.body);
	await failsAtOnce(t, { name: 'hung', times: 1 });
	await goesOn(t, 'known to hang');
	await refused(revoked, 401);
	await refused(suspended, 403);
});

test('it goes on: so does everything', async () => {
	signalAll('SIGCONT');
	await isBack(1);
});

test('a catalog that was killed: the same', async (t) => {
	signalAll('SIGKILL');
	await main.pg.program.exit;
	await goesOn(t, 'killed');
	assert.equal((await search(unknown())).status, 503);
	await failsAtOnce(t, { name: 'killed', times: 2 });
	await refused(revoked, 401);
	await refused(suspended, 403);
});

// Both may be in one rack. That the database did not answer says nothing against its record, and
// nobody can name a better one now.
test('a tenant whose database falters meanwhile is served again once that is back', async () => {
	const rows = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
	const databases = rows.flat();
	assert.equal(databases.length, 2);
	for (const database of databases) {
		await stack.sql(`alter database ${database} allow_connections false`);
		await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
			where datname = '${database}'`);
	}
	const answer = await search(known);
	assert.ok([502, 503].includes(answer.status), answer.body);
	assert.notEqual(answer.json.code, 'catalog_unavailable');
	for (const database of databases)
		await stack.sql(`alter database ${database} allow_connections true`);
	await until('it is served again', async () => (await search(known)).status === 200, WAIT);
	await refused(suspended, 403);
});

test('it is started again: everything is back, and the revoked stays revoked', async () => {
	await startAgain();
	await isBack(2);
});

// By its role's limit, which is the same SQLSTATE as the server's own (53300).
test('a catalog that has no connection free is away, and its words are the reason', async () => {
	const [mine, password] = [gate, 'clerks'];
	await main.sql(`create role clerk login password '${password}'`);
	await main.sql('create database small owner clerk');
	const url = new URL(main.pg.url('small'));
	[url.username, url.password] = ['clerk', password];
	gate = await stack.tenantgate({ catalog_url: url.href, key_cache_ttl: '1s',
		server_login_retry: '1s', catalog_query_timeout: HANG, auth_failures_per_minute: 0 });
	const key = await gate.key('--tenant', 'small');
	assert.equal((await search(key)).status, 200);
	await main.sql('alter role clerk connection limit 0');
	await main.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'clerk'");
	await until('/readyz says it', async () =>
		(await gate.anonymous.get('/readyz')).json.degraded.includes('catalog'), WAIT);
	const answer = await search(unknown());
	assert.equal(answer.status, 503, answer.body);
	assert.equal(answer.json.code, 'catalog_unavailable');
	assert.doesNotMatch(answer.body, /catalog_pool_size|too many connections/);
	assert.match(gate.program.text(), /too many connections for role/);
	assert.equal((await search(key)).status, 200);
	await main.sql('alter role clerk connection limit -1');
	await until('it is back', async () => (await search(unknown())).status === 401, WAIT);
	await gate.program.stop();
	gate = mine;
});

test('without stale use the known end with their time, and are told when to come back', async () => {
	const strict = await stack.tenantgate({ catalog_url: main.pg.url('catalog'),
		key_cache_ttl: '1s', cache_stale_ttl: 0 });
	gate = strict;
	assert.equal((await search(known)).status, 200);
	signalAll('SIGKILL');
	await main.pg.program.exit;
	const answer = await until('it is refused', async () => {
		const one = await search(known);
		return one.status !== 200 && one;
	}, WAIT);
	assert.equal(answer.status, 503, answer.body);
	assert.ok(Number(answer.headers['retry-after']) >= 1);
});
