// SPDX-License-Identifier: MIT
// A search path that leads first to a schema of traps: whatever a statement of ours on the catalog
// names without a schema (an operator, a function, a type) fails. Through a PgBouncer, where a
// login cannot say what its search path is, and without.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('search-path');
const [older, newer] = [randomBytes(32), randomBytes(32)].map((key) => key.toString('hex'));
let bouncer, gate;

// Every operator and function that Postgres brings and plpgsql can have the like of.
const TRAPS = `create schema trap;
set check_function_bodies = off;
do $do$
declare
	one record;
	name text;
	trap text = $$ language plpgsql as 'begin raise exception ''a trap''; end'$$;
begin
	for one in select oprname, oprleft::regtype as l, oprright::regtype as r, oprresult::regtype as got,
			row_number() over () as n from pg_operator
			where oprnamespace = 'pg_catalog'::regnamespace and oprkind = 'b' loop
		begin
			execute format('create function trap.operator_%s(%s, %s) returns %s %s', one.n,
				one.l, one.r, one.got, trap);
			execute format('create operator trap.%s (leftarg = %s, rightarg = %s, ' ||
				'function = trap.operator_%s)', one.oprname, one.l, one.r, one.n);
		exception when others then null;
		end;
	end loop;
	for one in select proname, pg_get_function_identity_arguments(oid) as args,
			pg_get_function_result(oid) as got from pg_proc
			where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'a') loop
		begin
			execute format('create function trap.%I(%s) returns %s %s', one.proname, one.args,
				one.got, trap);
		exception when others then null;
		end;
	end loop;
	foreach name in array array['text', 'json', 'jsonb', 'bytea', 'bool', 'uuid', 'timestamptz'] loop
		execute format('create domain trap.%I as pg_catalog.int2 check (false)', name);
	end loop;
end $do$`;

// In the catalog, as if nothing was altered.
const inCatalog = (text) => stack.sql(`set search_path = public; ${text}`, 'catalog');

before(async () => {
	await stack.surroundings();
	bouncer = await stack.pgbouncer();
	await stack.sql(TRAPS, 'catalog');
	await stack.sql('alter database catalog set search_path = trap, pg_catalog, public');
});
after(() => stack.stop());

async function replica(changes) {
	const key = gate?.serviceKey;
	await gate?.program.stop();
	gate = await stack.tenantgate({ catalog_url: bouncer.url('catalog'), tenant_cache_ttl: '0s',
		key_cache_ttl: '1s', seal_keys: older, ...changes });
	gate.serviceKey = key;
	return gate;
}

async function serves(id, text = 'The lantern burns three litres a week.') {
	const tenant = await gate.tenant(id);
	const stored = await tenant.ingestText(text, { documentId: 'lantern' });
	assert.ok([200, 201].includes(stored.status), stored.body);
	const found = await tenant.search('lantern');
	assert.equal(found.status, 200, found.body);
	assert.ok(found.body.includes(text), found.body);
}

// Nothing failed at the catalog, for whatever reason.
function sprangNone() {
	assert.doesNotMatch(gate.program.text(), /a trap/);
	assert.deepEqual(gate.lines().filter((l) => l.event === 'catalog.failed'), []);
}

test('the traps are there, and first in the way', async () => {
	const [[operators, functions]] = await inCatalog("select (select count(*) from pg_operator where " +
		"oprnamespace = 'trap'::regnamespace), (select count(distinct proname) from pg_proc where " +
		"pronamespace = 'trap'::regnamespace and proname not like 'operator%')");
	assert.ok(operators > 500 && functions > 800, `${operators} operators, ${functions} functions`);
	for (const text of ["'a'::pg_catalog.text = 'a'", 'now()', "'1'::text"])
		await assert.rejects(stack.sql(`select ${text}`, 'catalog'), /a trap|smallint|violates/);
});

test('a catalog is made, keys are made, and documents are stored and found', async () => {
	await replica();
	await serves('acme');
	await serves('acme', 'The lantern burns four.');
	sprangNone();
});

test('a creation that fails, one that takes longer than a third of its lease', async () => {
	await replica({ provision_lease: '5s' });
	await stack.neonKnobs({ fail_next: [{ route: 'POST /projects', status: 400, times: 1 }] });
	const failed = await (await gate.tenant('slow')).search('x');
	assert.ok(failed.status >= 500, failed.body);
	await until('the failure is written', async () => (await inCatalog('select 1 from tenants where ' +
		"tenant_id = 'slow' and state = 'failed' and last_error is not null")).length > 0);
	await stack.neonKnobs({ operation_ms: 4000 });
	await inCatalog("update tenants set not_before = null where tenant_id = 'slow'");
	const renewed = until('the lease is renewed', async () => (await inCatalog('select 1 from ' +
		"tenants where tenant_id = 'slow' and lease_until > updated_at + interval '5.5 s'"))
		.length > 0);
	await Promise.all([serves('slow'), renewed]);
	await stack.neonKnobs();
	sprangNone();
});

test('a document that was left unfinished, and one whose tenant has none of it', async () => {
	await inCatalog("update documents set status = 'ingesting', updated_at = now() - interval '1 day' " +
		"where user_id = 'acme'; insert into documents (user_id, document_id, title, file_name, " +
		"status, updated_at) values ('acme', 'never', 't', 'f', 'ingesting', now() - interval '1 day')");
	await replica();
	assert.equal((await (await gate.tenant('acme')).search('lantern')).status, 200);
	await until('they are as the tenant\'s database has them', async () => (await inCatalog(
		"select document_id, status from documents where user_id = 'acme'")).join() === 'lantern,ready');
	sprangNone();
});

test('a password that was reset is read anew', async () => {
	const [[id]] = await inCatalog("select project_id from tenants where tenant_id = 'acme'");
	const [[role]] = await stack.sql(`select role from neon_standin.projects where id = '${id}'`);
	await replica({ neon_address_retry: '1s', server_login_retry: '200ms' });
	await stack.sql(`alter role ${role} password 'another'; update neon_standin.projects ` +
		`set password = 'another' where id = '${id}'`);
	const tenant = await gate.tenant('acme');
	await until('healed', async () => (await tenant.search('lantern')).status === 200);
	const [[checks]] = await inCatalog("select rechecked_at is not null from tenants where " +
		"tenant_id = 'acme'");
	assert.equal(checks, 't');
	sprangNone();
});

test('a project that was deleted is noted', async () => {
	const [[id]] = await inCatalog("select project_id from tenants where tenant_id = 'slow'");
	await replica({ neon_address_retry: '1s', server_login_retry: '200ms' });
	await stack.neon.client.ask('DELETE', `/api/v2/projects/${id}`,
		{ headers: { authorization: `Bearer ${stack.neonKey}` } });
	const tenant = await gate.tenant('slow');
	await until('it is noted', async () => {
		await tenant.search('x');
		return (await inCatalog("select 1 from tenants where tenant_id = 'slow' and last_error " +
			"like '%was deleted%'")).length > 0;
	});
	sprangNone();
});

test('a key of seal_keys is replaced', async () => {
	await replica({ seal_keys: `${older},${newer}` });
	await serves('acme');
	sprangNone();
	await replica({ seal_keys: `${newer},${older}` });
	await gate.program.says(/tenant\.resealed/);
	sprangNone();
	await replica({ seal_keys: newer });
	await serves('acme');
	sprangNone();
});

test('a login that may say what its search path is', async () => {
	await replica({ seal_keys: newer, catalog_url: stack.pg.url('catalog') });
	await serves('acme');
	await serves('direct');
	sprangNone();
});

// Whoever logs in, the pooler's own sessions are the administrator's.
test('a tenant\'s database behind such a pooler', async () => {
	const forced = await stack.pgbouncer({ auth_type: 'any' },
		`user=postgres password=${stack.pg.password}`);
	await stack.sql('create database other');
	const pooled = await stack.tenantgate({ provider: 'postgres', environment: 'other',
		catalog_url: stack.pg.url('other'), postgres_admin_url: forced.url('postgres') });
	gate = pooled;
	await serves('pooled');
	const [[name]] = await stack.sql('select db_name from tenants', 'other');
	await stack.sql(TRAPS, name);
	await stack.sql(`alter database ${name} set search_path = trap, pg_catalog, public`);
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
	await assert.rejects(stack.sql('select now()', name), /a trap/);
	await serves('pooled', 'The lantern burns five.');
	const found = await (await pooled.tenant('pooled')).search('lantern',
		{ documentIds: ['lantern', 'another'] });
	assert.equal(found.json.results.length, 1, found.body);
	for (const fields of [{ mode: 'text' }, { mode: 'hybrid' }, { mode: 'text', documentId: 'lantern' },
		{ mode: 'hybrid', documentId: 'lantern' }]) {
		const worded = await (await pooled.tenant('pooled')).search('lanterns burning', fields);
		assert.equal(worded.json.results?.length, 1, worded.body);
	}
	const filtered = await (await pooled.tenant('pooled')).search('lantern', { ownerId: 'ann', filter: {
		'it\'s': { in: ['a', 1], gte: 0, exists: true }, or: [{ a: 'b' }, { not: { a: 'b' } }] } });
	assert.deepEqual([filtered.status, filtered.json.results], [200, []], filtered.body);
	assert.doesNotMatch(pooled.program.text(), /a trap/);
	assert.match(forced.program.text(), /unsupported startup parameter: options/);
});
