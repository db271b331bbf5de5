// SPDX-License-Identifier: MIT
// Tenants' databases of an earlier version: served at once by its statements, and brought up to date
// behind the requests, once over all replicas, whatever is killed or locked meanwhile.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('schema-grows');
const NEWEST = 6;
let first;

// What the first release made in a tenant's database, statement by statement.
const FIRST = `
	create extension if not exists vector;
	create table public.document (id text primary key, title text not null, file_name text not null,
		mime_type text not null, metadata jsonb not null default '{}', sha256 text not null,
		bytes bigint not null, pages int not null, chunks int not null,
		created_at timestamptz not null default now());
	create table public.chunk (id bigserial primary key,
		document_id text not null references public.document on delete cascade,
		chunk_index int not null, page int, content text not null,
		metadata jsonb not null default '{}', embedding vector(1536) not null);
	create index chunk_document on public.chunk (document_id, chunk_index);
	create index chunk_embedding on public.chunk using hnsw (embedding vector_cosine_ops)`;

// All tables of ours go, of whatever version, but what the test has kept.
const EMPTY = `do $$ declare name text; begin
	for name in select tablename from pg_tables where schemaname = 'public' and
		tablename !~ '^kept_' loop
		execute format('drop table public.%I cascade', name);
	end loop; end $$`;

before(async () => {
	await stack.surroundings();
	first = await stack.tenantgate();
});
after(() => stack.stop());

const catalog = (sql) => stack.sql(sql, 'catalog');

async function databaseOf(name) {
	return (await catalog(`select db_name from tenants where tenant_id = '${name}'`))[0][0];
}

const versionOf = async (name) => Number((await catalog(
	`select schema_version from tenants where tenant_id = '${name}'`))[0][0]);

const columnsOf = async (database) => (await stack.sql(`select attname from pg_attribute where
	attrelid = 'public.document'::regclass and attnum > 0 and not attisdropped and
	attname in ('owner_id', 'expires_at') order by 1`, database)).flat();

const indexIsValid = async (database) => (await stack.sql(`select indisvalid from pg_index
	where indexrelid = to_regclass('public.document_expiry')`, database)).flat()[0] === 't';

const isWhole = async (database) => (await columnsOf(database)).length === 2 &&
	await indexIsValid(database) && (await stack.sql("select to_regclass('public.chunk_staged') " +
	"is not null and to_regclass('public.chunk_hash') is not null and " +
	"to_regclass('public.text_staged') is not null", database)).flat()[0] === 't' &&
	await chunksGo(database);

// With their document: by a trigger, which serves before the foreign key goes.
const chunksGo = async (database) => (await stack.sql(`select exists (select from pg_trigger where
	tgname = 'document_gone' and tgrelid = 'document'::regclass) and not exists (select from
	pg_constraint where contype = 'f' and conrelid = 'chunk'::regclass)`, database)).flat()[0] === 't';

// A tenant with a document, in a database that the first release has made. No process knows more of
// it than the catalog.
async function old(name) {
	const client = await first.tenant(name);
	assert.equal((await client.ingestText(`The boat of ${name}.`, { documentId: 'a' })).status, 201);
	const database = await databaseOf(name);
	const [[owner]] = await catalog(`select db_user from tenants where tenant_id = '${name}'`);
	await stack.sql(`create table kept_document as select * from document;
		create table kept_chunk as select * from chunk;
		${EMPTY}; set role ${owner}; ${FIRST}; reset role;
		insert into document select id, title, file_name, mime_type, metadata, sha256, bytes, pages,
			chunks, created_at from kept_document;
		insert into chunk (document_id, chunk_index, page, content, metadata, embedding)
			select document_id, chunk_index, page, content, metadata, embedding from kept_chunk;
		drop table kept_document, kept_chunk`, database);
	await catalog(`update tenants set schema_version = 1 where tenant_id = '${name}'`);
	execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
	return database;
}

// Whoever has failed a moment ago rests; the process's own rest, some seconds, is waited for.
const mayTryAgain = (name) =>
	catalog(`update tenants set lease_until = now() where tenant_id = '${name}'`);

async function finds(gate, name) {
	const answer = await (await gate.tenant(name)).search(`The boat of ${name}`);
	assert.equal(answer.status, 200, answer.body);
	assert.equal(answer.json.results.length, 1);
}

async function another(changes = {}) {
	const gate = await stack.tenantgate(changes);
	gate.serviceKey = await first.service();
	return gate;
}

test('a new database has the newest schema', async () => {
	await (await first.tenant('new')).search('x');
	assert.equal(await versionOf('new'), NEWEST);
	assert.ok(await isWhole(await databaseOf('new')));
});

test('one of the first release: served at once, and up to date behind', async () => {
	const database = await old('served');
	const gate = await another();
	await finds(gate, 'served');
	await until('it is up to date', async () => await versionOf('served') === NEWEST);
	assert.ok(await isWhole(database));
	await finds(gate, 'served');
	const tenant = await gate.tenant('served');
	await until('what was there is found by its words', async () =>
		(await tenant.search('boats', { mode: 'text' })).json.results?.length === 1);
	assert.equal((await (await gate.tenant('served')).ingestText('New.', { documentId: 'b' })).status,
		201);
	assert.match(gate.program.text(), /tenant\.upgraded.*served.*version 6 now; it was at 1/);
	assert.deepEqual(await catalog("select lease_until, last_error from tenants where " +
		"tenant_id = 'served'"), [['', '']]);
});

test('statements of the first release go on in a database of the newest version', async () => {
	const database = await databaseOf('served');
	await stack.sql(`insert into document (id, title, file_name, mime_type, metadata, sha256, bytes,
		pages, chunks) values ('old', 't', 'f', 'text/plain', '{}', 'x', 1, 0, 0)
		on conflict (id) do update set title = excluded.title`, database);
	const answer = await (await first.tenant('served')).get('/documents/a');
	assert.equal(answer.status, 200, answer.body);
});

test('a table that others use: requests go on, a reason is left, and it is done afterwards',
	async () => {
		const database = await old('locked');
		const holder = stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url(database),
			'-c', 'begin; lock table document in access share mode; select pg_sleep(100000)']);
		await until('the lock is held', async () => Number((await stack.sql("select count(*) from " +
			"pg_locks where relation = 'document'::regclass", database))[0][0]) > 0);
		const gate = await another();
		await finds(gate, 'locked');
		const why = async () => (await catalog("select coalesce(last_error, 'none') from tenants " +
			"where tenant_id = 'locked'")).flat().join('\n');
		await until('it has given up for now', async () => /55P03/.test(await why()));
		await finds(gate, 'locked');
		assert.equal(await versionOf('locked'), 1);
		await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like " +
			"'begin; lock table document%'");
		await holder.exit;
		await mayTryAgain('locked');
		await until('it is up to date', async () => {
			await finds(gate, 'locked');
			return await versionOf('locked') === NEWEST;
		});
		assert.ok(await isWhole(database));
		assert.equal(await why(), 'none');
	});

// Each waits in the middle for a transaction that is open: the columns for the table's lock, the index
// for whatever might still see the table as it was.
for (const [step, held, statement] of [
	['columns', 'lock table document in access share mode', 'ALTER TABLE public.document'],
	['index', 'select count(*) from pg_catalog.pg_class', 'CREATE INDEX CONCURRENTLY'],
])
	test(`killed while it makes the ${step}: another goes on`, async () => {
		const name = `killed-${step}`;
		const database = await old(name);
		const holder = stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url(database),
			'-c', `begin isolation level repeatable read; ${held}; select pg_sleep(100000)`]);
		const sleeps = `datname = '${database}' and wait_event = 'PgSleep' and query like 'begin%'`;
		await until('the transaction is open', async () => Number((await stack.sql("select count(*) " +
			`from pg_stat_activity where ${sleeps}`))[0][0]) > 0);
		const gate = await another();
		// The columns' wait is short, and some seconds later there is another: so the server looks.
		let waits = false;
		const look = stack.sql(`do $$ begin loop
			perform pg_stat_clear_snapshot();
			exit when exists (select from pg_stat_activity where wait_event_type = 'Lock' and
				datname = '${database}' and strpos(query, '${statement}') > 0);
			perform pg_sleep(0.01);
		end loop; end $$`).then(() => { waits = true; });
		await until('it waits', async () => waits || (await finds(gate, name), waits), 60000);
		await look;
		gate.program.kill('SIGKILL');
		await gate.program.exit;
		await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where ${sleeps} or ` +
			`application_name = 'tenantgate' and datname = '${database}'`);
		await holder.exit;
		const next = await another();
		await finds(next, name);
		assert.equal(await versionOf(name), 1, 'the lease is the dead one\'s');
		await mayTryAgain(name);
		await until('it is up to date', async () => {
			await finds(next, name);
			return await versionOf(name) === NEWEST;
		});
		assert.ok(await isWhole(database));
		await next.program.stop();
	});

test('an index that a kill has left invalid is made anew', async () => {
	const database = await old('invalid');
	await stack.sql(`alter table document add column owner_id text, add column expires_at timestamptz;
		create index document_expiry on document (expires_at) where expires_at is not null;
		update pg_index set indisvalid = false where indexrelid = 'document_expiry'::regclass`,
	database);
	const gate = await another();
	await finds(gate, 'invalid');
	await until('it is up to date', async () => await versionOf('invalid') === NEWEST);
	assert.ok(await indexIsValid(database));
	await gate.program.stop();
});

test('replicas that meet it together do it once', async () => {
	await old('together');
	const gates = await Promise.all([another(), another(), another()]);
	await Promise.all(gates.map((gate) => finds(gate, 'together')));
	await until('it is up to date', async () => await versionOf('together') === NEWEST);
	const lines = gates.flatMap((gate) => gate.program.text().split('\n'))
		.filter((line) => /tenant\.upgraded.*together/.test(line));
	assert.equal(lines.length, 1, lines.join('\n'));
	await Promise.all(gates.map((gate) => gate.program.stop()));
});

for (const version of [5, 4, 3, 2, 1])
	test(`a database set back in time, its row at ${version}, is found out and made whole`, async () => {
		const name = `back-${version}`;
		const client = await first.tenant(name);
		assert.equal((await client.ingestText('The boat of back.', { documentId: 'a' })).status, 201);
		const database = await databaseOf(name);
		await stack.sql(EMPTY, database);
		await catalog(`update tenants set schema_version = ${version} where tenant_id = '${name}'`);
		execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
		const gate = await another();
		const answer = await (await gate.tenant(name)).search('boat');
		assert.equal(answer.status, 503, answer.body);
		assert.equal(answer.json.code, 'database_outdated');
		assert.ok(Number(answer.headers['retry-after']) >= 1);
		await until('it answers again', async () => {
			await mayTryAgain(name);
			return (await (await gate.tenant(name)).search('boat')).status === 200;
		}, 60000);
		await until('it is up to date', async () => await versionOf(name) === NEWEST);
		assert.ok(await isWhole(database));
		await gate.program.stop();
	});
