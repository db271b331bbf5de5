// SPDX-License-Identifier: MIT
// Tenants' databases of an earlier version where bringing them up to date has to wait: behind a pooler
// of transactions, and for a transaction that somebody has left open.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('schema-waits');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
});
after(() => stack.stop());

const catalog = (sql) => stack.sql(sql, 'catalog');

// A replica that knows no more of the tenant than the catalog has.
async function replica(changes) {
	const key = gate?.serviceKey;
	await gate?.program.stop();
	execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
	gate = await stack.tenantgate(changes);
	gate.serviceKey = key;
	return gate;
}

async function finds(name) {
	const answer = await (await gate.tenant(name)).search('boat');
	assert.equal(answer.status, 200, answer.body);
	assert.equal(answer.json.results.length, 1);
}

// A tenant with a document, whose database is back at the first version; the database's name.
async function old(name, changes) {
	await replica(changes);
	const answer = await (await gate.tenant(name)).ingestText('The boat.', { documentId: 'a' });
	assert.equal(answer.status, 201, answer.body);
	const [[database]] = await catalog(`select db_name from tenants where tenant_id = '${name}'`);
	await stack.sql(`alter table document drop column owner_id, drop column expires_at;
		drop index chunk_tail; alter table chunk drop column tail cascade`, database);
	await catalog(`update tenants set schema_version = 1 where tenant_id = '${name}'`);
	return database;
}

// A transaction that is left open in that database, once it has run the statement.
async function holds(database, statement) {
	const holder = stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url(database), '-c',
		`begin isolation level repeatable read; ${statement}; select pg_sleep(100000)`]);
	const pids = `select pid from pg_stat_activity where datname = '${database}' and ` +
		"wait_event = 'PgSleep'";
	await until('it holds', async () => (await stack.sql(pids)).length > 0);
	return async () => {
		await stack.sql(`select pg_terminate_backend(pid) from (${pids}) held`);
		await holder.exit;
	};
}

const newest = async () => Number((await catalog('select max(schema_version) from tenants'))[0][0]);
const versionOf = async (name) => Number((await catalog(
	`select schema_version from tenants where tenant_id = '${name}'`))[0][0]);

const isUpToDate = (name, version) => until('it is up to date', async () => {
	await catalog(`update tenants set lease_until = now() where tenant_id = '${name}' and ` +
		'last_error is not null');
	await finds(name);
	return await versionOf(name) === version;
}, 30000);

// Each transaction gets a server connection of its own there: what one has set, the next has not.
test('behind a pooler of transactions: a wait for a table is short, and leaves no setting',
	async () => {
		const pooler = await stack.pgbouncer({ auth_type: 'any', server_lifetime: 0 },
			`user=postgres password=${stack.pg.password}`);
		const changes = { postgres_admin_url: pooler.url('postgres') };
		const database = await old('pooled', changes);
		const release = await holds(database, 'lock table document in access share mode');
		await replica(changes);
		await finds('pooled');
		const why = async () => (await catalog("select last_error from tenants")).flat().join('\n');
		await until('it has given up for now', async () => /SQLSTATE/.test(await why()));
		assert.match(await why(), /lock timeout, SQLSTATE 55P03/);
		await finds('pooled');
		assert.equal(await versionOf('pooled'), 1);
		await release();
		await replica(changes);
		await (await gate.tenant('new')).search('x');
		await isUpToDate('pooled', await newest());
	});

test('an index that waits for a forgotten transaction: a tenant with one connection is served',
	async () => {
		const changes = { default_pool_size: 1, query_wait_timeout: '2s' };
		const database = await old('single', changes);
		const release = await holds(database, 'select count(*) from pg_catalog.pg_class');
		await replica(changes);
		const waits = () => stack.sql("select pid from pg_stat_activity where query like 'CREATE INDEX " +
			`CONCURRENTLY%' and wait_event_type = 'Lock' and datname = '${database}'`);
		await until('the index waits', async () => {
			await finds('single');
			return (await waits()).length > 0;
		});
		await finds('single');
		assert.equal((await waits()).length, 1, 'and was waiting meanwhile');
		await release();
		await isUpToDate('single', await newest());
		await until('the connection of its own is closed', async () => {
			await finds('single');	// by the pool's, which may have been closed, too
			return (await stack.sql('select pid from pg_stat_activity where ' +
				`datname = '${database}' and application_name = 'tenantgate'`)).length === 1;
		});
	});

test('a transaction that was forgotten: no index waits for it, and the reason is left', async () => {
	const database = await old('forgotten', {});
	const holder = spawn('psql', ['-X', '-q', '-d', stack.pg.url(database)],
		{ stdio: ['pipe', 'ignore', 'ignore'] });
	const ended = once(holder, 'exit');
	holder.stdin.write('begin isolation level repeatable read; select count(*) from pg_class;\n');
	// As if the session was of the tenant's own role, which sees those.
	const [[owner]] = await catalog("select db_user from tenants where tenant_id = 'forgotten'");
	await stack.sql(`grant pg_read_all_stats to ${owner}`);
	const idle = `select pid from pg_stat_activity where datname = '${database}' and ` +
		"state = 'idle in transaction' and state_change < now() - interval '5 seconds'";
	await until('it is idle', async () => (await stack.sql(idle)).length > 0);
	await replica({});
	const why = async () => (await catalog("select coalesce(last_error, '') from tenants where " +
		"tenant_id = 'forgotten'")).flat().join('\n');
	await until('it is told', async () => {
		await finds('forgotten');
		return /idle in a transaction.* End it/.test(await why());
	});
	assert.deepEqual(await stack.sql("select query from pg_stat_activity where query like 'CREATE INDEX " +
		`CONCURRENTLY%' and datname = '${database}'`), []);
	holder.stdin.end();
	await ended;
	await isUpToDate('forgotten', await newest());
});
