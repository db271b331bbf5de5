// SPDX-License-Identifier: MIT
// The documents' API: the list, one document, its chunks, away with it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('documents');
let gate, ann, bob;

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0 });
	ann = await gate.tenant('ann');
	bob = await gate.tenant('bob');
	for (const [tenant, id] of [[ann, 'a/1'], [ann, 'a 2'], [ann, 'ä3'], [ann, 'a4'], [bob, 'b1']])
		assert.equal((await tenant.ingestText(`A text called ${id}.`, { documentId: id,
			title: `T ${id}`, metadata: { n: id } })).status, 201);
});
after(() => stack.stop());

const database = async (tenant) =>
	(await stack.sql(`select db_name from tenants where tenant_id = '${tenant}'`, 'catalog'))[0][0];
const ids = (answer) => answer.json.documents.map((d) => d.id);
const path = (id, more = '') => `/documents/${encodeURIComponent(id)}${more}`;

function refused(answer, status, code) {
	assert.equal(answer.status, status, answer.body);
	assert.equal(answer.json.code, code, answer.body);
}

test('the list: newest first, whole, of this tenant alone', async () => {
	const all = await ann.get('/documents');
	assert.equal(all.status, 200, all.body);
	assert.deepEqual(ids(all), ['a4', 'ä3', 'a 2', 'a/1']);
	assert.equal(all.json.total, 4);
	assert.equal(all.json.nextCursor, null);
	const { createdAt, sha256, ...rest } = all.json.documents[3];
	assert.deepEqual(rest, { id: 'a/1', title: 'T a/1', fileName: '', mimeType: 'text/plain',
		bytes: 18, pages: 0, chunks: 1, metadata: { n: 'a/1' }, status: 'ready' });
	assert.match(sha256, /^[0-9a-f]{64}$/);
	assert.ok(Date.parse(createdAt) > Date.now() - 60000, createdAt);
	assert.deepEqual(ids(await bob.get('/documents')), ['b1']);
});

test('pages: each document once, though all are equally old', async () => {
	await stack.sql(`insert into documents (user_id, document_id, title, file_name, status)
		select 'bob', 'same' || n, '', '', 'ready' from generate_series(1, 30) n`, 'catalog');
	const seen = [];
	let cursor = '';
	do {
		const page = await bob.get(`/documents?limit=7${cursor && `&cursor=${cursor}`}`);
		assert.equal(page.status, 200, page.body);
		assert.equal(page.json.total, 31);
		assert.ok(page.json.documents.length <= 7);
		seen.push(...ids(page));
		cursor = page.json.nextCursor;
	} while (cursor !== null);
	assert.equal(seen.length, 31);
	assert.equal(new Set(seen).size, 31);
	assert.equal(seen[30], 'b1');
	assert.equal(ids(await bob.get('/documents')).length, 20);
	await stack.sql(`delete from documents where document_id like 'same%'`, 'catalog');
});

test('by status', async () => {
	assert.equal((await ann.get('/documents?status=ready')).json.total, 4);
	const none = await ann.get('/documents?status=failed');
	assert.deepEqual(none.json, { documents: [], total: 0, nextCursor: null });
});

test('what is wrong in the query is told', async () => {
	for (const query of ['limit=0', 'limit=101', 'limit=', 'limit=1x', 'limit=-1', 'status=gone',
		'limit=99999999999999999999', 'cursor=', 'cursor=x', 'cursor=MTIzIA', 'cursor=%2e%2e',
		`cursor=${Buffer.from('99999999999999999 a').toString('base64url')}`,
		`cursor=${Buffer.from("1' or 1=1 a").toString('base64url')}`])
		refused(await ann.get(`/documents?${query}`), 400, 'invalid_field');
	refused(await ann.get('/documents?cursor=%zz'), 400, 'bad_request');
});

test('one document, by its id as the URL writes it', async () => {
	for (const id of ['a/1', 'a 2', 'ä3', 'a4']) {
		const one = await ann.get(path(id));
		assert.equal(one.status, 200, one.body);
		assert.equal(one.json.document.title, `T ${id}`);
	}
});

test('no document, and another tenant\'s, are not found alike', async () => {
	for (const id of ['b1', 'none', 'x'.repeat(200), '\u0000', "'"])
		refused(await ann.get(path(id)), 404, 'document_not_found');
	refused(await ann.get('/documents/%ff'), 404, 'document_not_found');
});

test('no sleeping database is woken', async () => {
	const db = await database('ann');
	const contacts = () => stack.pg.program.text().split('\n').filter((line) =>
		line.includes(`"${db}" is not currently accepting connections`)).length;
	await stack.sql(`insert into documents (user_id, document_id, title, file_name, status, updated_at)
		values ('ann', 'left', '', '', 'ingesting', now() - interval '1 hour')`, 'catalog');
	await stack.sql(`alter database "${db}" with allow_connections false`);
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${db}'`);
	assert.equal((await ann.get('/documents')).status, 200);
	assert.equal((await ann.get(path('a4'))).status, 200);
	assert.equal(contacts(), 0);
	assert.notEqual((await ann.search('text')).status, 200);
	assert.ok(contacts() > 0);
	await stack.sql(`alter database "${db}" with allow_connections true`);
	await stack.sql(`delete from documents where document_id = 'left'`, 'catalog');
	await until('ann is served again', async () => (await ann.search('text')).status === 200);
});
