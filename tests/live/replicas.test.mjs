// SPDX-License-Identifier: MIT
// Several replicas on one Redis: each knows how many there are.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { backToVersion } from './lib/catalog-history.mjs';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('replicas');
const gates = [];
const redis = (...words) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...words],
	{ encoding: 'utf8' }).trim();

before(async () => {
	await stack.surroundings();
	for (let i = 0; i < 3; i++)
		gates.push(await stack.tenantgate());
});
after(() => stack.stop());

// As the log last said; nothing is said of one alone.
function alive(gate) {
	const said = gate.lines().filter((l) => l.event === 'replica.live').at(-1);
	return said ? Number(/: (\d+)\./.exec(said.message)[1]) : 1;
}

const all = (n, ...of) => until(`${of.length} replicas count ${n}`,
	() => of.every((gate) => alive(gate) === n), 60000);

test('three replicas count three', () => all(3, ...gates));

test('a replica of another environment is not counted', async () => {
	await stack.sql('create database catalog_other');
	const other = await stack.tenantgate({ environment: 'other',
		catalog_url: stack.pg.url('catalog_other') });
	await until('it has told Redis', () => redis('exists', 'tg:replicas:other') === '1');
	await all(3, ...gates);
	assert.equal(alive(other), 1);
	await other.program.stop();
});

test('one that ends is no longer in Redis when it is gone', async () => {
	await gates[2].program.stop();
	// Two, and "table". Sooner than it could be missed.
	await until('it has left', () => redis('hlen', 'tg:replicas:test') === '3', 5000);
	await all(2, gates[0], gates[1]);
});

test('one that is killed is missed', async () => {
	gates[1].program.kill('SIGKILL');
	await all(1, gates[0]);
});

test('while Redis is away the number stays, and an empty one does not lower it', async () => {
	const second = await stack.tenantgate();
	await all(2, gates[0], second);
	await stack.cache.program.stop();
	await stack.redis();
	await until('both are in the new Redis', () => redis('hlen', 'tg:replicas:test') === '3',
		60000);
	assert.deepEqual([alive(gates[0]), alive(second)], [2, 2]);
});

// A newer build's columns come with its first replica, while older ones serve.
test('a migration that has to wait for a table lets the others go on reading it', async () => {
	await stack.sql(backToVersion(2), 'catalog');
	const backup = stack.program('backup', 'psql', ['-X', '-q', '-d', stack.pg.url('catalog'), '-c',
		'begin; lock table tenants in access share mode; select pg_sleep(100000)']);
	await until('the lock is held', async () => Number((await stack.sql(
		"select count(*) from pg_locks where relation = 'tenants'::regclass", 'catalog'))[0][0]) > 0);
	const newer = await stack.tenantgate({}, { wait: false });
	await until('the migration waits for the lock', async () => Number((await stack.sql(
		"select count(*) from pg_locks where not granted", 'catalog'))[0][0]) > 0);
	await stack.sql('select count(*) from tenants', 'catalog');
	assert.ok(!backup.ended, 'it has waited for the end of the backup');
	await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like " +
		"'begin; lock table%'");
	await backup.exit;
	await until('it is ready', async () =>
		(await newer.anonymous.get('/readyz')).status === 200);
});
