// SPDX-License-Identifier: MIT
// The catalog behind a pooler of transactions, refusing, read-only: who starts, who ends, and why.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { programs, Stack } from './lib/stack.mjs';
import { freePort, until } from './lib/process.mjs';

const stack = new Stack('catalog');
let bouncer;
let patient;	// a `key create` whose catalog is away: it tries for 20 s

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	bouncer = await stack.pgbouncer();
	patient = keyCreate(`postgresql://postgres:x@127.0.0.1:${await freePort()}/catalog`);
	await stack.sql("create role weak login password 'weak'");
	await stack.sql("create role asleep nologin password 'x'");
	await stack.sql('create database closed');
	await stack.sql('revoke connect on database closed from public');
});
after(() => stack.stop());

// `key create` with a catalog at that URL: how it ended, and what it wrote.
function keyCreate(catalog_url, changes = {}) {
	const args = ['-c', stack.conf({ catalog_url, ...changes }), 'key', 'create', '--service'];
	return new Promise((resolve) => execFile(programs.tenantgate(), args,
		(error, stdout, stderr) => resolve({ code: error ? error.code : 0,
			signal: error?.signal ?? null, stdout, stderr, text: stdout + stderr,
			lines: stderr.split('\n').filter((line) => line !== '') })));
}

async function advisoryLocks(db) {
	return Number((await stack.sql("select count(*) from pg_locks where locktype = 'advisory' " +
		`and database = (select oid from pg_database where datname = '${db}')`))[0][0]);
}

async function versions(db) {
	return (await stack.sql('select version from tenantgate_schema order by 1', db)).flat().map(Number);
}

test('behind PgBouncer three replicas at once make one schema, and no lock is left', async () => {
	for (let round = 0; round < 3; round++) {
		const db = `pooled_${round}`;
		await stack.sql(`create database ${db}`);
		const gates = await Promise.all([1, 2, 3].map(() =>
			stack.tenantgate({ catalog_url: bouncer.url(db) })));
		const got = await versions(db);
		assert.deepEqual(got, got.map((_, i) => i + 1));
		assert.ok(got.length >= 3);
		assert.equal(await advisoryLocks(db), 0);
		const made = gates.map((gate) => gate.lines().filter((l) => l.event === 'catalog.migrated'));
		assert.equal(made.flat().length, got.length, 'each script ran once');
		const key = await keyCreate(bouncer.url(db));
		assert.equal(key.code, 0, key.text);
		await Promise.all(gates.map((gate) => gate.program.stop()));
	}
});

test('behind a PgBouncer with one server connection all of it works', async () => {
	const narrow = await stack.pgbouncer({ default_pool_size: 1 });
	await stack.sql('create database narrow');
	const [gate, ...others] = await Promise.all([1, 2, 3].map(() =>
		stack.tenantgate({ catalog_url: narrow.url('narrow') })));
	const acme = await gate.tenant('acme');
	const stored = await acme.ingestText('The lantern burns three litres a week.', { title: 'lantern' });
	assert.equal(stored.status, 201, stored.body);
	for (const other of others) {
		other.serviceKey = gate.serviceKey;
		const found = await (await other.tenant('acme')).search('lantern');
		assert.equal(found.status, 200, found.body);
		assert.match(found.body, /three litres/);
	}
	assert.equal(await advisoryLocks('narrow'), 0);
	await Promise.all([gate, ...others].map((one) => one.program.stop()));
	await narrow.program.stop();
});

// What a login is refused for, at the server itself and through PgBouncer, which for a while lets
// nobody log in again to a database that it was refused: so each has a name of its own.
let invented = 0;
const refusals = () => {
	const direct = (db, user = 'postgres', password = stack.pg.password) =>
		`postgresql://${user}:${password}@127.0.0.1:${stack.pg.port}/${db}`;
	const both = (what, said, ...to) => [
		{ what, said, url: direct(...to) },
		{ what: `${what}, PgBouncer`, said, url: bouncer.url(...to) },
	];

	return [
		...both('a wrong password', /password/, 'catalog', 'postgres', 'wrong'),
		...both('a role that is not there', /Correct the user/, 'catalog', 'nobody', 'x'),
		...both('a database that is not there', /does not exist\. Create/,
			`no_such_${++invented}`),
		{ what: 'a role that may not log in', said: /not permitted to log in\. See whether/,
			url: direct('catalog', 'asleep', 'x') },
		{ what: 'no permission to connect', said: /permission denied.*Grant/,
			url: direct('closed', 'weak', 'weak') },
		{ what: 'no permission to make tables', said: /permission denied for schema/,
			url: direct('catalog', 'weak', 'weak') },
	];
};

test('key create ends with its reason in one line when the login is refused', async () => {
	for (const { what, said, url } of refusals()) {
		const got = await keyCreate(url);
		assert.equal(got.code, 1, `${what}: ${got.text}`);
		assert.equal(got.lines.length, 1, `${what}: ${got.text}`);
		assert.match(got.lines[0], /^tenantgate: No key was made: The catalog.*\.$/);
		assert.match(got.lines[0], said);
		assert.doesNotMatch(got.text, new RegExp(stack.pg.password));
	}
});

test('a replica whose login is refused ends with that reason, and does not serve', async () => {
	for (const { what, said, url } of refusals()) {
		const program = stack.program('tenantgate', programs.tenantgate(),
			['-c', stack.conf({ catalog_url: url })]);
		assert.equal((await program.exit).code, 1, what);
		assert.match(program.text(), said, what);
		assert.doesNotMatch(program.text(), /catalog\.unreachable/, what);
	}
});

test('a schema of a newer build: key create ends with that reason, ten times of ten', async () => {
	await stack.sql('create database newer');
	await stack.sql('create table tenantgate_schema (version int primary key, applied_at ' +
		'timestamptz not null default now()); insert into tenantgate_schema values (999)', 'newer');
	for (const url of [stack.pg.url('newer'), bouncer.url('newer')])
		for (let i = 0; i < 5; i++) {
			const got = await keyCreate(url);
			assert.deepEqual([got.code, got.signal], [1, null], got.text);
			assert.equal(got.lines.length, 1, got.text);
			assert.match(got.lines[0], /version 999.* Run a newer tenantgate/);
		}
});

// What a newer build's script would do, for one that knows all scripts but that.
test('a newer build\'s schema: who may serve beside it does, whole, and others are refused', async () => {
	await stack.sql('create database rolling');
	const url = stack.pg.url('rolling');
	const first = await stack.tenantgate({ catalog_url: url });
	const tenant = await first.tenant('rolling');
	const [[known]] = await stack.sql('select max(version) from tenantgate_schema', 'rolling');
	await stack.sql(`alter table documents add column later text;
		alter table tenants add column later int not null default 0;
		insert into tenantgate_schema (version, oldest_build) values (${Number(known) + 1}, ${known})`,
	'rolling');
	assert.equal((await tenant.ingestText('Beside the newer.', { documentId: 'a' })).status, 201);
	const second = await stack.tenantgate({ catalog_url: url });
	second.serviceKey = first.serviceKey;
	assert.match(second.program.text(), new RegExp(`catalog.newer.*version ${Number(known) + 1}`));
	assert.equal((await (await second.tenant('rolling')).search('newer')).json.results.length, 1);
	assert.equal((await (await second.tenant('rolled')).ingestText('New.')).status, 201);
	assert.equal((await keyCreate(url)).code, 0);
	await stack.sql(`insert into tenantgate_schema (version, oldest_build)
		values (${Number(known) + 2}, ${Number(known) + 1})`, 'rolling');
	const third = stack.program('tenantgate', programs.tenantgate(),
		['-c', stack.conf({ catalog_url: url })]);
	assert.equal((await third.exit).code, 1);
	assert.match(third.text(), /Run a newer tenantgate/);
	assert.equal((await tenant.search('newer')).status, 200, 'who runs goes on');
	for (const gate of [first, second])
		await gate.program.stop();
});

test('a schema that was half made by hand: the statement is named, once', async () => {
	await stack.sql('create database half');
	await stack.sql('create table documents (x int)', 'half');
	for (let i = 0; i < 3; i++) {
		const got = await keyCreate(stack.pg.url('half'));
		assert.deepEqual([got.code, got.signal], [1, null], got.text);
		assert.equal(got.lines.length, 1, got.text);
		assert.match(got.lines[0], /SQLSTATE 42P07.*"documents" already exists/);
	}
	assert.equal(await advisoryLocks('half'), 0);
	assert.deepEqual(await stack.sql("select to_regclass('public.users')", 'half'), [['']],
		'nothing of the script stays');
});

test('a catalog that is away: key create says so once, and what it was in the end', async () => {
	const got = await patient;
	assert.equal(got.code, 1, got.text);
	assert.equal(got.lines.length, 2, got.text);
	assert.match(got.lines[0], /catalog\.unreachable.*Connection refused/i);
	assert.match(got.lines[1], /No key was made: The catalog cannot be reached: Connection refused/);
});

test('key create refuses a catalog of another environment, and takes one that is nobody\'s', async () => {
	await stack.sql('create database claimed');
	const url = stack.pg.url('claimed');
	const owners = () => stack.sql('select environment from installation', 'claimed');
	assert.equal((await keyCreate(url, { environment: 'other' })).code, 0);
	assert.deepEqual(await owners(), [], 'a key claims nothing');
	await (await stack.tenantgate({ catalog_url: url })).program.stop();
	assert.deepEqual(await owners(), [['test']]);
	assert.equal((await keyCreate(url)).code, 0);
	const got = await keyCreate(url, { environment: 'other' });
	assert.equal(got.code, 1, got.text);
	assert.match(got.text, /No key was made: The catalog is of environment test, and this is other/);
});

test('key create while others hold the table of keys ends with a reason, each time', async () => {
	const url = stack.pg.url('catalog');
	assert.equal((await keyCreate(url)).code, 0);
	const lock = stack.program('lock', 'psql', ['-X', '-q', '-d', url, '-c',
		'begin; lock table public.api_keys in access exclusive mode; select pg_sleep(100000)']);
	await until('it is locked', async () => (await stack.sql('select 1 from pg_locks where relation ' +
		"= 'public.api_keys'::regclass and granted", 'catalog')).length > 0);
	for (const pool of [url, bouncer.url('catalog')])
		for (let i = 0; i < 3; i++) {
			const got = await keyCreate(pool, { catalog_query_timeout: '200ms' });
			assert.deepEqual([got.code, got.signal], [1, null], got.text);
			assert.match(got.lines.at(-1), /^tenantgate: No key was made: .*key creation/);
		}
	await stack.sql('select pg_terminate_backend(pid) from pg_stat_activity where query like ' +
		"'begin; lock table%'");
	await lock.exit;
});

// A tenant with a document, whose replica has then ended. The key works at any replica.
async function prepared(db) {
	await stack.sql(`create database ${db}`);
	const gate = await stack.tenantgate({ catalog_url: stack.pg.url(db) });
	const tenant = await gate.tenant(`of-${db}`);
	const stored = await tenant.ingestText('The lantern burns three litres a week.', { title: 'lantern' });
	assert.equal(stored.status, 201, stored.body);
	await gate.program.stop();
	return gate.serviceKey;
}

async function servesReadOnly(catalog_url, id, key, refusal = /read-only/, said = /./) {
	const gate = await stack.tenantgate({ catalog_url });
	gate.serviceKey = key;
	const tenant = await gate.tenant(id);
	const found = await tenant.search('lantern');
	assert.equal(found.status, 200, found.body);
	assert.match(found.body, /three litres/);
	const made = await keyCreate(catalog_url);
	assert.equal(made.code, 1, made.text);
	assert.match(made.text, refusal);
	await gate.program.says(said);
	await gate.program.stop();
}

test('a read-only catalog of this schema is served from; with an older one it is said', async () => {
	const key = await prepared('frozen');
	await stack.sql('alter database frozen set default_transaction_read_only = on');
	await servesReadOnly(stack.pg.url('frozen'), 'of-frozen', key);
	await stack.sql('begin read write; delete from tenantgate_schema where version > 2; commit',
		'frozen');
	const got = await keyCreate(stack.pg.url('frozen'));
	assert.equal(got.code, 1, got.text);
	assert.equal(got.lines.length, 1, got.text);
	assert.match(got.lines[0], /older than this build's.*takes no writes/);
});

test('a catalog that is of no environment yet and cannot be noted as ours is served from, too',
	async () => {
		const noted = /"serve.environment".*could not be noted as environment test's/;
		const key = await prepared('unclaimed');
		await stack.sql('delete from installation; create role reader login password \'reader\'; ' +
			'grant select on all tables in schema public to reader', 'unclaimed');
		const reader = `postgresql://reader:reader@127.0.0.1:${stack.pg.port}/unclaimed`;
		await servesReadOnly(reader, 'of-unclaimed', key, /42501/, noted);
		await stack.sql('alter database unclaimed set default_transaction_read_only = on');
		await servesReadOnly(stack.pg.url('unclaimed'), 'of-unclaimed', key, /read-only/, noted);
		assert.deepEqual(await stack.sql('select 1 from installation', 'unclaimed'), []);
	});

test('a hot standby of this schema is served from', async () => {
	const key = await prepared('primary_of');
	const standby = await stack.standby();
	await servesReadOnly(standby.url('primary_of'), 'of-primary_of', key);
	await standby.program.stop('SIGINT');
});
