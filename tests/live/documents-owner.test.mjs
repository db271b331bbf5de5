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
	ok(await patch('a', { title: 'U' }), 200);
	assert.deepEqual(await stored('a'), ['mia', time]);
	ok(await patch('a', { expiresAt: '2041-01-01T00:00:00Z' }), 200);
	assert.deepEqual(await stored('a'), ['mia', '2041-01-01 00:00:00']);
	ok(await patch('a', { expiresAt: null }), 200);
	assert.deepEqual(await stored('a'), ['mia', 'infinity']);
});

test('the same bytes after their time: they stay, in both', async () => {
	ok(await put(mia, 'again', { expiresAt: given }), 201);
	await over('again');
	ok(await put(bob, 'again'), 200);
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

