// SPDX-License-Identifier: MIT
// The list of documents and the tenant's database agree again after either was restored from a
// backup; what is being written meanwhile is left alone, and a sleeping database sleeps on.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('documents-sweep');
let gate, ann, db;

const settings = { workers: 1, rate_limit_requests_per_minute: 0, documents_sweep_interval: '100ms' };

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate(settings);
	ann = await gate.tenant('ann');
	for (const id of ['a', 'b', 'c'])
		assert.equal((await put(id)).status, 201);
	[[db]] = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
});
after(() => stack.stop());

const put = (id, text = `A zebra called ${id}.`, fields = {}) =>
	ann.ingestText(text, { documentId: id, ...fields });
const catalog = (text) => stack.sql(text, 'catalog');
const contact = () => ann.search('zebra');
const list = async () => (await ann.get('/documents?limit=100')).json;
const comparable = async () => [
	await stack.sql(`select id, title, file_name, mime_type, metadata, sha256, bytes, pages, chunks,
		date_trunc('milliseconds', created_at) from document order by id collate "C"`, db),
	await catalog(`select document_id, title, file_name, mime_type, metadata, sha256, bytes, pages,
		chunks, created_at from documents where user_id = 'ann' and status = 'ready'
		order by document_id collate "C"`)];
const agree = async () => {
	const [stored, listed] = await comparable();
	assert.deepEqual(listed, stored);
};
const agreed = (what) => until(what, async () => {
	await contact();
	const [stored, listed] = await comparable();
	return JSON.stringify(stored) === JSON.stringify(listed);
}).catch(agree); // which shows the difference

async function restart(changes = {}) {
	const key = gate.serviceKey;
	await gate.program.stop();
	gate = await stack.tenantgate({ ...settings, ...changes });
	gate.serviceKey = key;
	ann = await gate.tenant('ann');
}

test('the catalog was set back: what is stored is listed, whole', async () => {
	const before = (await list()).documents;
	assert.equal((await put('d', undefined, { title: 'Größe "x"', metadata: { a: [1, 'ä'] } })).status,
		201);
	const later = (await ann.get('/documents/d')).json.document;
	await catalog("delete from documents where document_id in ('d', 'a')");
	await agreed('both are listed');
	assert.deepEqual((await ann.get('/documents/d')).json.document, later);
	assert.deepEqual((await list()).documents, [later, ...before]);
});

test('a tenant\'s database was set back: what it has not goes, what it had before is told', async () => {
	const old = await stack.sql("select sha256, created_at, title from document where id = 'b'", db);
	assert.equal((await put('b', 'A later text.', { title: 'Later' })).status, 201);
	assert.equal((await put('e')).status, 201);
	await stack.sql(`delete from document where id = 'e'; update document set sha256 = '${old[0][0]}',
		created_at = '${old[0][1]}', title = '${old[0][2]}' where id = 'b'`, db);
	assert.equal((await ann.get('/documents/e')).json.document.status, 'ready');
	await agreed('the list is right');
	assert.equal((await ann.get('/documents/e')).status, 404);
	assert.equal((await ann.get('/documents/b')).json.document.sha256, old[0][0]);
});

test('a row that says failed of a document that is stored', async () => {
	await catalog("update documents set status = 'failed', reason = 'x' where document_id = 'c'");
	await agreed('it is ready');
	assert.equal((await ann.get('/documents/c')).json.document.reason, undefined);
});

test('thousands of documents, both ways, and odd ids', async () => {
	await stack.sql(`insert into document (id, title, file_name, mime_type, sha256, bytes, pages, chunks)
		select 'x"{},\\é' || n, 'T' || n, '', 'text/plain', md5(n::text), n, 0, 1
		from generate_series(1, 2300) n`, db);
	await catalog(`insert into documents (user_id, document_id, title, file_name, sha256, status)
		select 'ann', 'gone ' || n, '', '', 'x', 'ready' from generate_series(1, 1100) n`);
	await agreed('all are listed');
	await agree();
	assert.equal((await list()).total, 2304);
	await stack.sql("delete from document where id ~ '^x'", db);
	await agreed('none is listed');
	assert.equal((await list()).total, 4);
});

test('what a list could not show does not stop it', async () => {
	await stack.sql(`insert into document (id, title, file_name, mime_type, metadata, sha256, bytes,
		pages, chunks, created_at) values
		('o1', repeat('t', 100000), '', '', '{}', 'x', -5, -1, 1, 'infinity'),
		('o2', '', '', '', jsonb_build_object('x', repeat('y', 100000)), 'x', 1, 1, 1, '4713-01-01 BC'),
		('${'z'.repeat(500)}', '', '', '', '{}', 'x', 1, 1, 1, now())`, db);
	await until('they are listed', async () => {
		await contact();
		const rows = (await list()).documents.filter((d) => d.status === 'ready');
		return ['o1', 'o2'].every((id) => rows.some((d) => d.id === id));
	});
	const { title, bytes, pages } = (await ann.get('/documents/o1')).json.document;
	assert.deepEqual([title, bytes, pages], ['t'.repeat(512), 0, 0]);
	assert.deepEqual((await ann.get('/documents/o2')).json.document.metadata, {});
	await stack.sql("delete from document where id ~ '^(o.|z+)$'", db);
	await agreed('they are gone');
});

test('a row that changes while it looks is left alone', async () => {
	await restart({ documents_sweep_interval: '1h' });
	await catalog('update tenants set documents_swept_at = null');
	await catalog(`insert into documents (user_id, document_id, title, file_name, sha256, status)
		values ('ann', 'w1', '', '', 'x', 'ready'), ('ann', 'w2', '', '', 'x', 'ready')`);
	// The sweep has seen both rows when it asks for what is stored of them.
	await stack.sql(`create function slow() returns text language plpgsql volatile as $$ begin
		if current_query() ~ 'json_agg' then perform pg_advisory_xact_lock_shared(9); end if;
		return ''; end $$;
		alter table document rename to document_kept;
		create view document as select id, title || slow() as title, file_name, mime_type, metadata,
		sha256, bytes, pages, chunks, created_at, owner_id, expires_at from document_kept;
		grant select on document to public`, db);
	const name = `hold${Math.random()}`;
	const holding = stack.sql(`set application_name = '${name}'; select pg_advisory_lock(9);
		select pg_sleep(60)`, db).catch(() => {});
	await until('the lock is held', async () => (await stack.sql(`select 1 from pg_stat_activity
		where application_name = '${name}' and wait_event = 'PgSleep'`)).length > 0);
	await ann.get('/documents/a/chunks');
	await until('the sweep waits', async () => (await stack.sql(`select 1 from pg_stat_activity where
		datname = '${db}' and wait_event = 'advisory' and query ~ 'json_agg'`)).length > 0);
	await catalog(`update documents set status = 'ingesting', attempt = 'mine', updated_at = now()
		where document_id = 'w1'`);
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
		where application_name = '${name}'`);
	await holding;
	await until('the other is gone', async () =>
		(await catalog("select 1 from documents where document_id = 'w2'")).length === 0);
	assert.deepEqual(await catalog("select status, attempt from documents where document_id = 'w1'"),
		[['ingesting', 'mine']]);
	await stack.sql(`drop view document; alter table document_kept rename to document;
		drop function slow()`, db);
	await catalog("delete from documents where document_id = 'w1'");
});

const sweptAt = async () => (await catalog(
	"select documents_swept_at from tenants where tenant_id = 'ann'"))[0][0];

test('once an interval, whichever replica the tenant comes to; a list alone begins none', async () => {
	await restart({ documents_sweep_interval: '1h' });
	const other = await stack.tenantgate({ ...settings, documents_sweep_interval: '1h' });
	other.serviceKey = gate.serviceKey;
	const there = await other.tenant('ann');
	const at = await sweptAt();
	await catalog("update documents set title = 'wrong' where document_id = 'a'");
	for (let i = 0; i < 3; i++)
		for (const replica of [ann, there])
			assert.equal((await replica.search('zebra')).status, 200);
	const claims = async () => Number((await stack.sql(`select count(*) from pg_stat_activity where
		datname = 'catalog' and state = 'active' and query ~ 'documents_swept_at' and
		pid <> pg_backend_pid()`))[0][0]);
	await until('no claim is under way', async () => await claims() === 0);
	assert.equal(await sweptAt(), at);
	assert.equal((await ann.get('/documents/a')).json.document.title, 'wrong');
	await other.program.stop();
	await catalog("update tenants set documents_swept_at = now() - interval '2 hours'");
	await restart({ documents_sweep_interval: '1h' });
	const before = await sweptAt();
	for (let i = 0; i < 5; i++)
		await ann.get('/documents');
	assert.equal(await sweptAt(), before);
	await contact();
	await until('it is swept', async () => await sweptAt() !== before);
	await until('it is right', async () =>
		(await ann.get('/documents/a')).json.document.title !== 'wrong');
});

test('a question about a document that is not stored mends the list at once', async () => {
	await restart({ documents_sweep_interval: '1h' });
	for (const ask of [() => ann.search('zebra', { documentId: 'lost' }),
		() => ann.search('zebra', { documentIds: ['a', 'lost'], topK: 20 }),
		() => ann.chat('zebra', { fields: { documentId: 'lost' } })]) {
		await catalog("update tenants set documents_swept_at = now() - interval '40 seconds'");
		await catalog(`insert into documents (user_id, document_id, title, file_name, sha256, status)
			values ('ann', 'lost', '', '', 'x', 'ready')`);
		assert.equal((await contact()).status, 200);
		assert.equal((await ask()).status, 200);
		await until('it is not listed', async () => (await ann.get('/documents/lost')).status === 404);
		await restart({ documents_sweep_interval: '1h' });
	}
});

test('a database that is asleep is not woken', async () => {
	await restart();
	await stack.sql(`alter database "${db}" with allow_connections false`);
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${db}'`);
	for (let i = 0; i < 5; i++)
		assert.equal((await ann.get('/documents')).status, 200);
	assert.ok(!stack.pg.program.text().includes(`"${db}" is not currently accepting connections`));
	await stack.sql(`alter database "${db}" with allow_connections true`);
});
