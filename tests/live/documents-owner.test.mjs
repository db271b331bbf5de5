// SPDX-License-Identifier: MIT
// Whose a document is, and when it goes: the tenant's database has both beside the list, so that
// neither is forgotten when the main database is set back in time.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Client } from './lib/client.mjs';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('documents-owner');
const settings = { workers: 1, rate_limit_requests_per_minute: 0, documents_sweep_interval: '100ms' };
let gate, app, mia, bob, db;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate(settings);
	await clients();
	assert.equal((await app.ingestText('The first.', { documentId: 'first' })).status, 201);
	[[db]] = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
});
after(() => stack.stop());

async function clients() {
	app = await gate.tenant('acme');
	[mia, bob] = ['mia', 'bob'].map((user) => new Client(gate.url, { ...app.headers,
		'x-user-id': user }));
}

async function restart(changes = {}) {
	const key = gate.serviceKey;
	await gate.program.stop();
	gate = await stack.tenantgate({ ...settings, ...changes });
	gate.serviceKey = key;
	await clients();
}

const catalog = (text) => stack.sql(text, 'catalog');
const put = (who, id, fields = {}, text = `A zebra called ${id}.`) =>
	who.ingestText(text, { documentId: id, ...fields });
const patch = (id, fields) => app.ask('PATCH', `/documents/${id}`, {
	headers: { 'content-type': 'application/json' }, body: JSON.stringify(fields) });
const one = async (id) => (await app.get(`/documents/${id}`)).json.document;
const stored = async (id) => (await stack.sql(`select owner_id, expires_at at time zone 'UTC'
	from document where id = '${id}'`, db))[0];
const ok = (answer, status) => assert.equal(answer.status, status, answer.body);
const over = (id) => Promise.all([
	catalog(`update documents set expires_at = now() - interval '1 second' where document_id = '${id}'`),
	stack.sql(`update document set expires_at = now() - interval '1 second' where id = '${id}'`, db)]);

const given = '2040-01-31T12:00:00+02:00', time = '2040-01-31 10:00:00';

test('the tenant\'s database has what was said: stored, replaced, described, changed', async () => {
	ok(await put(mia, 'a', { expiresAt: given }), 201);
	assert.deepEqual(await stored('a'), ['mia', time]);
	ok(await put(app, 'nobody'), 201);
	assert.deepEqual(await stored('nobody'), ['', 'infinity']);
	const replaced = await put(bob, 'a', {}, 'Other bytes.');
	ok(replaced, 201);
	assert.equal(replaced.json.document.ownerId, 'mia');
	assert.deepEqual(await stored('a'), ['mia', 'infinity']);
	ok(await put(bob, 'nobody', {}, 'Other bytes.'), 201);
	assert.deepEqual(await stored('nobody'), ['', 'infinity']);
	ok(await put(bob, 'a', { expiresAt: given }, 'Other bytes.'), 200);
	assert.deepEqual(await stored('a'), ['mia', time]);
	ok(await put(bob, 'a', { title: 'T' }, 'Other bytes.'), 200);
	assert.deepEqual(await stored('a'), ['mia', time]);
	const equal = await put(mia, 'b', { ifNew: true }, 'Other bytes.');
	assert.deepEqual([equal.json.document.id, equal.json.document.expiresAt],
		['a', '2040-01-31T10:00:00.000Z']);
	ok(await patch('a', { title: 'U' }), 200);
	assert.deepEqual(await stored('a'), ['mia', time]);
	ok(await patch('a', { expiresAt: '2041-01-01T00:00:00Z' }), 200);
	assert.deepEqual(await stored('a'), ['mia', '2041-01-01 00:00:00']);
	ok(await patch('a', { expiresAt: null }), 200);
	assert.deepEqual(await stored('a'), ['mia', 'infinity']);
});

test('the same bytes after their time: they are stored anew, and stay, in both', async () => {
	ok(await put(mia, 'again', { expiresAt: given }), 201);
	await over('again');
	ok(await put(bob, 'again'), 201);
	assert.deepEqual(await stored('again'), ['mia', 'infinity']);
	assert.equal((await one('again')).expiresAt, undefined);
	assert.equal((await one('again')).ownerId, 'mia');
});

test('the row is lost: who replaces the document does not take it', async () => {
	ok(await put(mia, 'lost'), 201);
	await catalog("delete from documents where document_id = 'lost'");
	const answer = await put(bob, 'lost', {}, 'Other bytes.');
	ok(answer, 201);
	assert.equal(answer.json.document.ownerId, 'mia');
	assert.deepEqual(await stored('lost'), ['mia', 'infinity']);
});

const listed = async (id) => (await catalog(`select owner_id, expires_at at time zone 'UTC',
	stored_expires_at at time zone 'UTC', status from documents where document_id = '${id}'`))[0];
// Once a sweep that began after this call has ended.
const swept = async (what, isSo) => until(what, async () => {
	const answer = await app.search('zebra');
	assert.equal(answer.status, 200, answer.body);
	return isSo();
});
const isListed = (id, ...expected) => async () =>
	JSON.stringify((await listed(id))?.slice(0, expected.length)) === JSON.stringify(expected);
const isStored = (id, ...expected) => async () =>
	JSON.stringify(await stored(id)) === JSON.stringify(expected);
const sweptAt = async () => Number((await catalog(
	"select extract(epoch from documents_swept_at) from tenants where tenant_id = 'acme'"))[0][0]);
const other = '2042-01-01 00:00:00';

test('a listing that is lost, or set back, has owner and time again', async () => {
	for (const id of ['back', 'gone', 'never'])
		ok(await put(mia, id, id === 'never' ? {} : { expiresAt: given }), 201);
	ok(await put(app, 'free'), 201);
	await catalog(`delete from documents where document_id = 'gone';
		update documents set owner_id = 'eve', expires_at = '${other}Z', stored_expires_at = '${other}Z'
			where document_id in ('back', 'never', 'free')`);
	await swept('a lost one', isListed('gone', 'mia', time, time, 'ready'));
	await swept('one that was set back', isListed('back', 'mia', time, time, 'ready'));
	await swept('one that never goes', isListed('never', 'mia', '', 'infinity', 'ready'));
	await swept('nobody\'s', isListed('free', '', '', 'infinity', 'ready'));
	assert.deepEqual([(await one('gone')).ownerId, (await one('gone')).expiresAt],
		['mia', '2040-01-31T10:00:00.000Z']);
	assert.deepEqual((await app.get('/documents?ownerId=mia')).json.documents.map((d) => d.id)
		.filter((id) => ['back', 'gone', 'never', 'free'].includes(id)).sort(), ['back', 'gone', 'never']);
	assert.deepEqual(await stored('back'), ['mia', time]);
});

test('a listing in doubt is reconciled with both', async () => {
	await restart({ documents_sweep_interval: '1h', ingest_timeout: '1s' });
	ok(await put(mia, 'doubt', { expiresAt: given }), 201);
	await catalog(`update documents set status = 'ingesting', attempt = null, sha256 = null,
		owner_id = null, expires_at = null, stored_expires_at = null where document_id = 'doubt'`);
	await until('it is ready', async () => {
		assert.equal((await app.search('zebra')).status, 200);
		return await isListed('doubt', 'mia', time, time, 'ready')();
	});
	await restart();
});

test('what an earlier build has stored and listed: the database is told', async () => {
	for (const id of ['old', 'plain'])
		ok(await put(mia, id, { expiresAt: given }), 201);
	await stack.sql("update document set owner_id = null, expires_at = null where id in ('old', 'plain')",
		db);
	await catalog(`update documents set stored_expires_at = null where document_id in ('old', 'plain');
		update documents set owner_id = null, expires_at = null where document_id = 'plain'`);
	await swept('it is told', isStored('old', 'mia', time));
	await swept('the list knows it', isListed('old', 'mia', time, time));
	assert.deepEqual(await stored('plain'), ['', ''], 'that nothing is known is told nobody');
	assert.match(gate.program.text(), /of 1 documents the database had no owner or time/);
});

test('a time that an earlier build has changed is not set back', async () => {
	for (const id of ['later', 'none'])
		ok(await put(mia, id, { expiresAt: given }), 201);
	await catalog(`update documents set expires_at = '${other}Z' where document_id = 'later';
		update documents set expires_at = null where document_id = 'none'`);
	await swept('it is told', isStored('later', 'mia', other));
	await swept('that there is none is told', isStored('none', 'mia', 'infinity'));
	await swept('the list knows it', isListed('later', 'mia', other, other));
	await swept('the list knows that', isListed('none', 'mia', '', 'infinity'));
});

test('what others have written into the columns is cut, and listed', async () => {
	ok(await put(mia, 'odd'), 201);
	await stack.sql(`update document set owner_id = repeat('ö"{', 99), expires_at = '-infinity'
		where id = 'odd'`, db);
	await swept('it is listed', async () => (await one('odd')).ownerId === 'ö"{'.repeat(43).slice(0, 128));
	assert.equal((await one('odd')).expiresAt, undefined);
	await stack.sql("update document set expires_at = '294000-01-01Z' where id = 'odd'", db);
	const at = await sweptAt();
	await swept('it is swept once more', async () => await sweptAt() > at);
	assert.equal((await one('odd')).expiresAt, undefined);
});

test('a database of the version before: served by the list alone, and told when it has grown', async () => {
	const version = async () => Number((await catalog('select schema_version from tenants'))[0][0]);
	const current = await version();
	ok(await put(mia, 'before', { expiresAt: given }), 201);
	await gate.program.stop();
	await stack.sql('alter table document drop column owner_id, drop column expires_at', db);
	await catalog(`update tenants set schema_version = 1, lease_until = null;
		update documents set stored_expires_at = null`);
	execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
	// Whoever reads the table keeps its form as it is.
	const holder = stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url(db), '-c',
		'begin; lock table document in access share mode; select pg_sleep(100000)']);
	await until('the lock is held', async () => Number((await stack.sql(`select count(*) from pg_locks
		where relation = 'document'::regclass`, db))[0][0]) > 0);
	gate = await stack.tenantgate(settings);
	await clients();
	ok(await put(mia, 'v1', { expiresAt: given }), 201);
	ok(await put(bob, 'v1', { title: 'Same bytes' }), 200);
	assert.deepEqual(await listed('v1'), ['mia', time, '', 'ready']);
	ok(await put(bob, 'v1', {}, 'Other bytes.'), 201);
	ok(await patch('v1', { expiresAt: `${other.replace(' ', 'T')}Z`, title: 'T' }), 200);
	assert.deepEqual(await listed('v1'), ['mia', other, '', 'ready']);
	ok(await put(mia, 'v1-gone'), 201);
	ok(await app.ask('DELETE', '/documents/v1-gone'), 204);
	await catalog("update documents set title = 'wrong' where document_id = 'v1'");
	await swept('it is swept', async () => (await one('v1')).title === 'T');
	assert.deepEqual(await listed('v1'), ['mia', other, '', 'ready']);
	assert.equal(await version(), 1);
	await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like " +
		"'begin; lock table document%'");
	await holder.exit;
	await catalog('update tenants set lease_until = null');
	await restart({ documents_sweep_interval: '1h' });
	await swept('it has grown', async () => await version() === current);
	await swept('it is told', isStored('v1', 'mia', other));
	await swept('of what was there before, too', isStored('before', 'mia', time));
	await restart();
	await swept('the list knows it', isListed('before', 'mia', time, time));
});

test('a database set back to before a column: swept all the same, then whole, and told', async () => {
	ok(await put(mia, 'set-back', { expiresAt: given }), 201);
	await stack.sql('alter table document drop column owner_id', db);
	await catalog("update documents set title = 'wrong' where document_id = 'set-back'");
	await swept('the list is right', async () => (await one('set-back')).title !== 'wrong');
	assert.deepEqual(await listed('set-back'), ['mia', time, time, 'ready']);
	ok(await put(bob, 'finds-out'), 503);
	await until('it is stored', async () => (await put(bob, 'finds-out')).status === 201, 30000);
	await swept('it is told', async () => (await stack.sql(`select 1 from pg_attribute where attname =
		'owner_id' and attrelid = 'document'::regclass`, db)).length > 0 &&
		await isStored('set-back', 'mia', time)());
});
