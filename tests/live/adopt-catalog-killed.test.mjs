// SPDX-License-Identifier: MIT
// The adoption of an application's catalog, killed between any two of its writes: the same request
// again ends as if nothing had been, and counts nothing twice.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { PASSWORD, tools } from './lib/app-catalog.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('adopt-catalog-killed');
const SETTINGS = { allowed_networks: '127.0.0.1' };
let gate;

before(async () => {
	await stack.surroundings();
	await stack.sql(`create role app login password '${PASSWORD}'`);
	gate = await stack.tenantgateWithAdmin(SETTINGS);
});
after(() => stack.stop());

const { appCatalog, adopt, ours, project } = tools(stack, () => gate);

// What is under way is held by a lock where that is to be written, and killed there.
async function cutOff(db, where) {
	const victim = await stack.tenantgateWithAdmin(SETTINGS);
	const locks = (granted) => ours(`select 1 from pg_locks where locktype = 'advisory'
		and objid = 77 and granted = ${granted}`);
	await ours(`create or replace function halt() returns trigger language plpgsql as 'begin
			if ${where} then perform pg_advisory_lock(77); end if; return new; end';
		create or replace trigger halt before update on adoptions for each row
			execute function halt()`);
	const hold = ours('select pg_advisory_lock(77), pg_sleep(60)').catch(() => {});
	await until('the lock is held', async () => (await locks(true)).length === 1);
	const cut = adopt(db, { from: victim }).catch(() => 'cut');
	await until('it waits there', async () => (await locks(false)).length === 1);
	victim.program.kill('SIGKILL');
	await victim.program.exit;
	assert.equal(await cut, 'cut');
	// Who waits first: else it would have the lock, and might end well before it is ended.
	const end = (granted) => ours(`select pg_terminate_backend(pid) from pg_locks where
		locktype = 'advisory' and objid = 77 and granted = ${granted}`);
	await end(false);
	await until('it is undone', async () => (await locks(false)).length === 0);
	await end(true);
	await hold;
	await ours('drop trigger halt on adoptions');
}

test('killed after any page, by two at once: the same end', async () => {
	await appCatalog('large', `insert into users (user_id, email) select 'u' || i, i || '@example.com'
			from generate_series(1, 1500) i;
		insert into documents (document_id, user_id, title) select 'd' || i, 1 + i % 1500, 'T' || i
			from generate_series(1, 3000) i`);
	const source = async () => (await ours(`select users_to, documents_to, users, documents from
		adoptions order by began_at desc limit 1`))[0]?.map(Number);
	const stops = [['users', 400], ['documents', 2000]];
	for (const [table, at] of stops) {
		await cutOff('large', `new.${table}_to > ${at}`);
		const [usersTo, documentsTo, users, documents] = await source();
		assert.deepEqual([users, documents], [usersTo, documentsTo], 'counted as far as copied');
		assert.ok((table === 'users' ? users : documents) <= at);
	}
	const runs = await Promise.all([adopt('large'), adopt('large')]);
	for (const run of runs) {
		assert.equal(run.status, 200, run.body);
		assert.equal(run.last.done, true);
	}
	assert.deepEqual(await source(), [1500, 3000, 1500, 3000]);
	assert.deepEqual(await ours(`select (select count(*) from users where user_id ~ '^u[0-9]+$'),
		(select count(*) from documents where document_id ~ '^d[0-9]+$'),
		(select count(*) from adoption_skips s join adoptions using (source) where users = 1500)`),
	[['1500', '3000', '0']]);
});

test('killed when a project was adopted and not yet counted: it is counted once', async () => {
	const [one, two] = [await project(), await project()];
	await appCatalog('mall', `insert into users (user_id, email) values ('mall-1', 'a@x'), ('mall-2', 'b@x');
		insert into vector_databases (vector_db_id, user_id) values ('${one.id}', 1), ('${two.id}', 2)`);
	const rows = () => ours(`select tenant_id, project_id from tenants where tenant_id like 'mall-%'
		order by 1`);
	await cutOff('mall', 'new.projects_to > 0');
	assert.deepEqual(await rows(), [['mall-1', one.id]]);
	await cutOff('mall', 'new.projects_to > 1');
	assert.deepEqual(await rows(), [['mall-1', one.id], ['mall-2', two.id]]);
	const run = await adopt('mall');
	assert.deepEqual([run.last.copied, run.last.skipped], [{ users: 2, projects: 2, documents: 0 }, []]);
	assert.deepEqual(await rows(), [['mall-1', one.id], ['mall-2', two.id]]);
});
