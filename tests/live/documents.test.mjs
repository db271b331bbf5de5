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
		bytes: 18, pages: 0, chunks: 1, metadata: { n: 'a/1' }, status: 'ready', ownerId: null });
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

test('chunks: in order, a page at a time', async () => {
	const text = Array.from({ length: 60 }, (_, i) => `Passage ${i} ${'word '.repeat(150)}`)
		.join('\n\n');
	const stored = await ann.ingestText(text, { documentId: 'long' });
	const total = stored.json.document.chunks;
	assert.ok(total > 50, stored.body);
	const seen = [];
	let cursor = null;
	do {
		const page = await ann.get(path('long', `/chunks?limit=21${cursor ? `&cursor=${cursor}` : ''}`));
		assert.equal(page.status, 200, page.body);
		assert.equal(page.json.total, total);
		assert.equal(page.json.indexed, cursor === null ? 0 : undefined);
		seen.push(...page.json.chunks);
		cursor = page.json.nextCursor;
	} while (cursor !== null);
	assert.deepEqual(seen.map((c) => c.chunk), Array.from({ length: total }, (_, i) => i));
	assert.ok(seen[0].content.startsWith('Passage 0 '));
	assert.equal(seen[0].page, null);
	assert.deepEqual((await ann.get(path('long', '/chunks?cursor=99999'))).json,
		{ chunks: [], total, nextCursor: null });
	refused(await bob.get(path('long', '/chunks')), 404, 'document_not_found');
	for (const query of ['limit=0', 'cursor=x', 'cursor=', 'cursor=1234567890', 'cursor=-1'])
		refused(await ann.get(path('long', `/chunks?${query}`)), 400, 'invalid_field');
	for (const query of ['cursor=%00', 'limit=5%00', 'cursor=%zz'])
		refused(await ann.get(path('long', `/chunks?${query}`)), 400, 'bad_request');
});

test('chunks: a page has a mebibyte or so, however large each is', async () => {
	await stack.sql(`insert into document (id, title, file_name, mime_type, sha256, bytes, pages, chunks)
		values ('wide', '', '', 'text/plain', '', 1, 0, 5);
		insert into chunk (document_id, chunk_index, content, embedding)
			select 'wide', i, repeat(i::text, 400000), (select embedding from chunk limit 1)
			from generate_series(0, 4) i`, await database('ann'));
	const page = async (cursor) => {
		const { json } = await ann.get(path('wide', `/chunks?limit=100&cursor=${cursor}`));
		assert.ok(json.chunks.every((c) => c.content === String(c.chunk).repeat(400000)));
		assert.equal(json.total, 5);
		return [json.chunks.map((c) => c.chunk), json.nextCursor];
	};
	const all = await ann.get(path('wide', '/chunks'));
	assert.deepEqual([all.json.chunks.map((c) => c.chunk), all.json.nextCursor], [[0, 1, 2], '2']);
	assert.deepEqual(await page(2), [[3, 4], null]);
	assert.deepEqual(await page(0), [[1, 2, 3], '3']);
	await stack.sql(`insert into chunk (document_id, chunk_index, content, embedding)
		select 'wide', i, repeat('x', 400000), (select embedding from chunk limit 1)
		from generate_series(5, 14) i`, await database('ann'));
	refused(await ann.search('x', { documentId: 'wide', topK: 15 }), 400, 'invalid_field');
	assert.equal((await ann.search('x', { documentId: 'wide', topK: 3 })).json.results.length, 3);
	await stack.sql("delete from document where id = 'wide'", await database('ann'));
});

const status = async (id) => (await stack.sql(
	`select status from documents where user_id = 'ann' and document_id = '${id}'`, 'catalog'))[0]?.[0];
const rows = async (id) => {
	const db = await database('ann');
	return Number((await stack.sql(`select (select count(*) from document where id = '${id}') +
		(select count(*) from chunk where document_id = '${id}')`, db))[0][0]);
};
const put = (id) => ann.ingestText(`A zebra called ${id}.`, { documentId: id });
const found = async (id) => (await ann.search('zebra', { topK: 50 })).json.results
	.some((r) => r.documentId === id);

test('deleted: chunks, vectors and listing; again: not found', async () => {
	assert.equal((await put('gone')).status, 201);
	assert.ok(await found('gone'));
	refused(await bob.ask('DELETE', path('gone')), 404, 'document_not_found');
	const answer = await ann.ask('DELETE', path('gone'));
	assert.equal(answer.status, 204, answer.body);
	assert.equal(answer.body, '');
	assert.equal(await status('gone'), undefined);
	assert.equal(await rows('gone'), 0);
	assert.ok(!await found('gone'));
	refused(await ann.get(path('gone')), 404, 'document_not_found');
	refused(await ann.ask('DELETE', path('gone')), 404, 'document_not_found');
	assert.equal((await put('gone')).status, 201);
	assert.ok(await found('gone'));
});

// Holds a row's lock, so that a statement on it waits, until what is returned is called.
async function hold(db, lock) {
	const name = `hold${Math.random()}`;
	const holding = stack.sql(`set application_name = '${name}'; begin; ${lock};
		select pg_sleep(60)`, db).catch(() => {});
	await until('the lock is held', async () => (await stack.sql(`select 1 from pg_stat_activity
		where application_name = '${name}' and wait_event = 'PgSleep'`)).length > 0);
	return async () => {
		await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
			where application_name = '${name}'`);
		await holding;
	};
}
const waits = (db) => until('a statement waits for the lock', async () => (await stack.sql(
	`select 1 from pg_stat_activity where datname = '${db}' and wait_event_type = 'Lock'`)).length > 0);

async function again() {
	const key = gate.serviceKey;
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0 });
	gate.serviceKey = key;
	[ann, bob] = [await gate.tenant('ann'), await gate.tenant('bob')];
}

async function killed(id, db, lock) {
	assert.equal((await put(id)).status, 201);
	const release = await hold(db, lock);
	const deleting = ann.ask('DELETE', path(id)).catch((error) => error);
	await waits(db);
	gate.program.child.kill('SIGKILL');
	await deleting;
	await until('its sessions are gone', async () => {
		await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
			where datname = '${db}' and wait_event_type = 'Lock'`);
		return (await stack.sql(`select 1 from pg_stat_activity where datname = '${db}'
			and wait_event_type = 'Lock'`)).length === 0;
	});
	await release();
	await again();
}

test('killed while it notes the deletion: nothing has happened', async () => {
	await killed('k1', 'catalog', `select 1 from documents where document_id = 'k1' for update`);
	assert.equal(await status('k1'), 'ready');
	assert.ok(await found('k1'));
	assert.equal((await ann.ask('DELETE', path('k1'))).status, 204);
});

test('killed in the tenant\'s transaction: the next contact goes on', async () => {
	const db = await database('ann');
	await killed('k2', db, `select 1 from document where id = 'k2' for update`);
	assert.equal(await status('k2'), 'deleting');
	assert.equal((await ann.get('/documents?status=deleting')).json.total, 1);
	await ann.search('zebra');
	await until('it is gone', async () => await status('k2') === undefined);
	assert.equal(await rows('k2'), 0);
	refused(await ann.ask('DELETE', path('k2')), 404, 'document_not_found');
});

test('killed before the listing goes: the next contact goes on', async () => {
	assert.equal((await put('k3')).status, 201);
	await stack.sql(`update documents set status = 'deleting' where document_id = 'k3'`, 'catalog');
	await stack.sql(`delete from document where id = 'k3'`, await database('ann'));
	assert.equal((await ann.ask('DELETE', path('k3'))).status, 204);
	assert.equal(await status('k3'), undefined);
});

// A statement waits for the tenant's chunks to be unlocked: the store's, in its transaction.
async function storing(id, text) {
	const db = await database('ann');
	const release = await hold(db, 'lock table chunk in exclusive mode');
	const answer = ann.ingestText(text, { documentId: id });
	await waits(db);
	return { release, answer };
}

test('deleted while it is stored for the first time: it goes, and whoever stores it is told', async () => {
	const { release, answer } = await storing('race', 'A zebra that is new.');
	assert.equal((await ann.ask('DELETE', path('race'))).status, 204);
	assert.equal(await status('race'), undefined);
	await release();
	refused(await answer, 409, 'conflict');
	await until('it is gone', async () => await status('race') === undefined);
	assert.equal(await rows('race'), 0);
	refused(await ann.get(path('race')), 404, 'document_not_found');
	assert.equal((await put('race')).status, 201);
});

test('deleted while it is replaced: what was there goes, and what came', async () => {
	assert.equal((await put('race2')).status, 201);
	const { release, answer } = await storing('race2', 'A zebra that replaces another.');
	const deleting = ann.ask('DELETE', path('race2'));
	await until('the deletion is noted', async () => await status('race2') === 'deleting');
	await release();
	refused(await answer, 409, 'conflict');
	assert.equal((await deleting).status, 204);
	await until('it is gone', async () => await status('race2') === undefined);
	assert.equal(await rows('race2'), 0);
});

const patch = (tenant, id, value) => tenant.ask('PATCH', path(id), {
	headers: { 'content-type': 'application/json' },
	body: typeof value === 'string' ? value : JSON.stringify(value) });

test('renamed: what is given is replaced, in the list and in the search', async () => {
	const before = (await ann.get(path('a4'))).json.document;
	const answer = await patch(ann, 'a4', { title: 'Größe "x"', metadata: { deep: [1, 'ä'] } });
	assert.equal(answer.status, 200, answer.body);
	const after = { ...before, title: 'Größe "x"', metadata: { deep: [1, 'ä'] } };
	assert.deepEqual(answer.json.document, after);
	assert.deepEqual((await ann.get(path('a4'))).json.document, after);
	const hit = (await ann.search('text called a4', { documentId: 'a4' })).json.results[0];
	assert.equal(hit.title, 'Größe "x"');
	const turned = await patch(ann, 'a4', { title: 'Größe \u202e"x"\u009b', fileName: '\u2066' });
	assert.deepEqual([turned.json.document.title, turned.json.document.fileName], ['Größe "x"', '']);
	for (let i = 0; i < 2; i++)
		assert.equal((await patch(ann, 'a4', { fileName: 'a.txt' })).json.document.fileName, 'a.txt');
});

test('what cannot be changed so is told, and nothing is', async () => {
	for (const body of [{}, { title: null }, { title: '' }, { title: '\u202e' }, { title: 1 }, { title: 'a\nb' },
		{ title: 'x'.repeat(513) }, { fileName: 'x'.repeat(256) }, { metadata: [] },
		{ metadata: null }, { metadata: { x: 'x'.repeat(17000) } }, { title: 'ok', status: 'ready' }])
		refused(await patch(ann, 'a4', body), 400, 'invalid_field');
	refused(await patch(ann, 'a4', '{'), 400, 'invalid_json');
	refused(await patch(ann, 'none', { title: 'x' }), 404, 'document_not_found');
	refused(await patch(bob, 'a4', { title: 'x' }), 404, 'document_not_found');
	assert.equal((await ann.get(path('a4'))).json.document.title, 'Größe "x"');
});

test('a document that is being stored is not changed meanwhile', async () => {
	const { release, answer } = await storing('busy', 'A zebra that is busy.');
	refused(await patch(ann, 'busy', { title: 'x' }), 409, 'conflict');
	await release();
	assert.equal((await answer).status, 201);
	assert.equal(await status('busy'), 'ready');
});

test('failed: listed with its reason; a retry goes on; after a day it is gone', async () => {
	refused(await ann.ingestText('  \n ', { documentId: 'bad', title: 'Bad' }), 422, 'document_empty');
	await until('it is listed', async () => await status('bad') === 'failed');
	const { title, reason, sha256, status: state } = (await ann.get(path('bad'))).json.document;
	assert.deepEqual([title, sha256, state], ['Bad', null, 'failed']);
	assert.match(reason, /^The document .*\.$/);
	assert.deepEqual(ids(await ann.get('/documents?status=failed')), ['bad']);
	assert.equal((await put('bad')).status, 201);
	const well = (await ann.get(path('bad'))).json.document;
	assert.equal(well.status, 'ready');
	assert.equal(well.reason, undefined);
	refused(await ann.ingestText('   ', { documentId: 'worse' }), 422, 'document_empty');
	await until('it is listed', async () => await status('worse') === 'failed');
	await stack.sql(`update documents set updated_at = now() - interval '25 hours'
		where document_id = 'worse'`, 'catalog');
	refused(await ann.get(path('worse')), 404, 'document_not_found');
	refused(await ann.ingestText('   ', { documentId: 'worst' }), 422, 'document_empty');
	await until('the old row goes', async () => await status('worse') === undefined);
	assert.equal((await ann.ask('DELETE', path('worst'))).status, 204);
});

test('failed: of several files, too; and not more of them than a hundred', async () => {
	const form = new FormData();
	for (const [name, text] of [['1.txt', 'A text.'], ['2.txt', ' \n'], ['3.txt', ' \t']])
		form.append('file', new Blob([text], { type: 'text/plain' }), name);
	const mixed = await fetch(`${gate.url}/ingest`, { method: 'POST', body: form,
		headers: bob.headers });
	assert.equal(mixed.status, 207, await mixed.text());
	const failed = async () => (await bob.get('/documents?status=failed&limit=100')).json;
	await until('both are listed', async () => (await failed()).total === 2);
	assert.deepEqual((await failed()).documents.map((d) => d.fileName).sort(), ['2.txt', '3.txt']);
	await stack.sql(`insert into documents (user_id, document_id, title, file_name, status, updated_at)
		select 'bob', 'many ' || n, '', '', 'failed', now() - interval '1 hour'
		from generate_series(1, 500) n`, 'catalog');
	refused(await bob.ingestText(' ', { documentId: 'last' }), 422, 'document_empty');
	await until('the oldest are gone', async () => (await failed()).total === 100);
	const left = (await failed()).documents.map((d) => d.fileName);
	assert.deepEqual(left.filter((name) => name !== '').sort(), ['2.txt', '3.txt']);
	assert.equal((await bob.get('/documents/last')).json.document.status, 'failed');
});

test('a document that is ready stays so when what should replace it is refused', async () => {
	refused(await ann.ingestText('   ', { documentId: 'a4' }), 422, 'document_empty');
	refused(await ann.ingestText('   ', { documentId: 'sign' }), 422, 'document_empty');
	await until('the later one is listed', async () => await status('sign') === 'failed');
	assert.equal(await status('a4'), 'ready');
});

test('a row of a document that the database has not is told to be so', async () => {
	await stack.sql(`update documents set status = 'ingesting', attempt = 'x', updated_at = now() -
		interval '1 hour' where document_id = 'ä3'`, 'catalog');
	await stack.sql(`delete from document where id = 'ä3'`, await database('ann'));
	await gate.program.stop();
	await again();
	await ann.search('zebra');
	await until('it is told', async () => await status('ä3') === 'failed');
	const { reason, sha256 } = (await ann.get(path('ä3'))).json.document;
	assert.match(reason, /not in the tenant's database/);
	assert.equal(sha256, null);
});
