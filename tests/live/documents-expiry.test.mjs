// SPDX-License-Identifier: MIT
// A document that has a time goes by itself, and is not shown after it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('documents-expiry');
let gate, ann, db;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0 });
	ann = await gate.tenant('ann');
	assert.equal((await put('stays')).status, 201);
	[[db]] = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
});
after(() => stack.stop());

const later = '2040-01-31T12:00:00+02:00', laterStored = '2040-01-31T10:00:00.000Z';
const put = (id, fields = {}) => ann.ingestText(`A zebra called ${id}.`, { documentId: id, ...fields });
const one = async (id) => (await ann.get(`/documents/${id}`)).json.document;
const patch = (id, fields) => ann.ask('PATCH', `/documents/${id}`, {
	headers: { 'content-type': 'application/json' }, body: JSON.stringify(fields) });
const rows = async (id) => Number((await stack.sql(`select (select count(*) from document
	where id = '${id}') + (select count(*) from chunk where document_id = '${id}')`, db))[0][0]) +
	(await stack.sql(`select 1 from documents where document_id = '${id}'`, 'catalog')).length;
const over = (ids) => stack.sql(`update documents set expires_at = now() - interval '1 second' where
	document_id ~ '${ids}'`, 'catalog');

async function restart() { // whoever has looked a moment ago looks again
	const key = gate.serviceKey;
	await gate.program.stop();
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0 });
	gate.serviceKey = key;
	ann = await gate.tenant('ann');
}

test('given in a form, the URL or JSON; shown in the response, the list and the document',
	async () => {
		const data = new FormData();
		data.append('expiresAt', later);
		data.append('documentId', 'form');
		data.append('file', new Blob(['A zebra.'], { type: 'text/plain' }), 'a.txt');
		const form = await fetch(`${gate.url}/ingest`, { method: 'POST', headers: ann.headers,
			body: data });
		const url = await ann.ask('POST', `/ingest?documentId=url&expiresAt=${encodeURIComponent(later)}`,
			{ headers: { 'content-type': 'text/plain' }, body: 'A zebra.' });
		const json = await put('json', { expiresAt: later });
		for (const [id, answer] of [['form', await form.json()], ['url', url.json], ['json', json.json]]) {
			assert.equal(answer.document?.expiresAt, laterStored, JSON.stringify(answer));
			assert.equal((await one(id)).expiresAt, laterStored);
		}
		const listed = (await ann.get('/documents')).json.documents;
		assert.deepEqual(listed.map((d) => d.expiresAt), [laterStored, laterStored, laterStored, undefined]);
		assert.equal((await ann.search('zebra', { topK: 10 })).json.results.length, 4);
	});

test('what is no time to come is refused, and nothing is stored', async () => {
	for (const expiresAt of ['2020-01-01T00:00:00Z', '2040-01-31T12:00:00', '2040-01-31', 'soon', ' ',
		'2040-02-30T00:00:00Z', '2040-01-01T24:00:00Z', '2040-01-01T00:60:00Z', '2040-01-01T00:00:00+24:00',
		'2040-01-01T00:00:00Zx', '2040-13-01T00:00:00Z', '2040-01-01T00:00:00.Z', 2040]) {
		const answer = await put('never', { expiresAt });
		assert.equal(answer.status, 400, `${expiresAt}: ${answer.body}`);
		assert.equal(answer.json.code, 'invalid_field');
		assert.match(answer.json.detail, /expiresAt/);
		assert.equal((await patch('stays', { expiresAt })).status, 400, String(expiresAt));
	}
	assert.equal((await ann.ask('POST', '/ingest?expiresAt=x&expiresAt=y', { body: 'x',
		headers: { 'content-type': 'text/plain' } })).status, 400);
	assert.equal(await rows('never'), 0);
	assert.equal((await one('stays')).expiresAt, undefined);
});

test('changed: set, left alone, taken away', async () => {
	const set = await patch('stays', { expiresAt: '2041-01-01T00:00:00.5Z' });
	assert.equal(set.status, 200, set.body);
	assert.equal(set.json.document.expiresAt, '2041-01-01T00:00:00.500Z');
	assert.equal((await patch('stays', { title: 'T' })).json.document.expiresAt,
		'2041-01-01T00:00:00.500Z');
	assert.equal((await patch('stays', { expiresAt: null })).json.document.expiresAt, undefined);
	assert.equal((await one('stays')).title, 'T');
});

test('stored again: the same bytes keep it unless it is said anew, others have none', async () => {
	const again = async (fields, status = 200) => {
		const answer = await put('json', fields);
		assert.equal(answer.status, status, answer.body);
		assert.equal(answer.json.document.expiresAt, (await one('json')).expiresAt);
		return answer.json.document.expiresAt;
	};
	assert.equal(await again({}), laterStored);
	assert.equal(await again({ expiresAt: '2041-01-01T00:00:00Z' }), '2041-01-01T00:00:00.000Z');
	assert.equal((await ann.ingestText('Another zebra.', { documentId: 'json' })).json.document
		.expiresAt, undefined);
	assert.equal((await one('json')).expiresAt, undefined);
});

test('its time comes: not found by a search that begins later, and gone', async () => {
	const at = Date.now() + 3000;
	assert.equal((await put('brief', { expiresAt: new Date(at).toISOString() })).status, 201);
	await until('it is not found', async () => {
		const begun = Date.now();
		const results = (await ann.search('zebra called brief', { topK: 10 })).json.results;
		const found = results.some((r) => r.documentId === 'brief');
		assert.ok(!found || begun <= at, 'found after its time');
		return begun > at;
	});
	await until('nothing of it is left', async () => await rows('brief') === 0);
	assert.equal((await ann.get('/documents/brief')).status, 404);
	assert.equal(await rows('stays'), 3);
});

test('over and not yet removed: in no list, not to be changed or deleted; then found by nobody',
	async () => {
		await over('^(form|url)$');
		assert.equal(await rows('form'), 3);
		for (const id of ['form', 'url']) {
			assert.equal((await ann.get(`/documents/${id}`)).status, 404);
			assert.equal((await patch(id, { title: 'x' })).status, 404);
			assert.equal((await ann.ask('DELETE', `/documents/${id}`)).status, 404);
		}
		const list = (await ann.get('/documents')).json;
		assert.equal(list.total, 2);
		assert.ok(!list.documents.some((d) => ['form', 'url'].includes(d.id)));
		assert.equal(await rows('url'), 3); // nobody has woken the database for it
		await restart();
		const results = (await ann.search('zebra', { topK: 10 })).json.results;
		assert.deepEqual(results.map((r) => r.documentId).sort(), ['json', 'stays']);
		assert.equal(await rows('form') + await rows('url'), 0);
	});

test('many at once, also for /chat and for chunks', async () => {
	await stack.sql(`insert into document (id, title, file_name, mime_type, sha256, bytes, pages, chunks)
		select 'm"{},' || n, '', '', 'text/plain', md5(n::text), 1, 0, 0 from generate_series(1, 130) n`,
	db);
	const created = await stack.sql("select to_char(created_at at time zone 'UTC', " +
		"'YYYY-MM-DD HH24:MI:SS.MS') from document where id ~ '^m' limit 1", db);
	await stack.sql(`insert into documents (user_id, document_id, title, file_name, sha256, status,
		created_at, expires_at) select 'ann', 'm"{},' || n, '', '', md5(n::text), 'ready',
		'${created[0][0]}Z', now() from generate_series(1, 130) n`, 'catalog');
	await put('c1', { expiresAt: later });
	await put('c2', { expiresAt: later });
	await over('^c1$');
	await restart();
	assert.equal((await ann.chat('zebra')).status, 200);
	assert.equal(await rows('c1'), 0);
	assert.deepEqual(await stack.sql("select count(*) from document where id ~ '^m'", db), [['0']]);
	assert.deepEqual(await stack.sql("select count(*) from documents where document_id ~ '^m'",
		'catalog'), [['0']]);
	await over('^c2$');
	await restart();
	assert.equal((await ann.get('/documents/c2/chunks')).status, 404);
	assert.equal(await rows('c2'), 0);
});

test('stored once more after its time: it stays', async () => {
	await put('back', { expiresAt: later });
	await over('^back$');
	const answer = await put('back');
	assert.ok([200, 201].includes(answer.status), answer.body);
	await restart();
	assert.ok((await ann.search('zebra', { topK: 10 })).json.results.some((r) => r.documentId === 'back'));
	assert.equal((await one('back')).expiresAt, undefined);
});

test('of those whose time is over one is stored anew meanwhile: that stays', async () => {
	await put('newer', { expiresAt: later });
	await stack.sql("update document set sha256 = repeat('b', 64), created_at = now() where id = 'newer'",
		db);
	await over('^newer$');
	await restart();
	assert.equal((await ann.search('zebra')).status, 200);
	assert.ok(await rows('newer') >= 2);
});

test('nobody searches: it goes behind a request that has asked the database, and wakes none', async () => {
	await put('quiet', { expiresAt: later });
	await restart();
	await over('^quiet$');
	for (let i = 0; i < 3; i++)
		assert.equal((await ann.get('/documents')).status, 200);
	assert.equal(await rows('quiet'), 3, 'a list has not asked the database');
	assert.equal((await put('busy')).status, 201);
	await until('nothing of it is left', async () => await rows('quiet') === 0);
	assert.equal(await rows('busy'), 3);
	const at = Date.now() + 3000;
	assert.equal((await put('alone', { expiresAt: new Date(at).toISOString() })).status, 201);
	await until('and at its time, though nobody asks at all', async () => await rows('alone') === 0);
	assert.ok(Date.now() >= at);
});
