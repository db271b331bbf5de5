// SPDX-License-Identifier: MIT
// The scope own: a token of it has its user's own documents, and of all others there is nothing, on
// every route of the table. A route that nobody has judged here fails this test.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from './lib/client.mjs';
import { source, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('tokens-own');
let gate, app, mia, bob, db;

const ok = (answer, status = 200) => assert.equal(answer.status, status, answer.body);
const text = { m: 'A zebra of mia, whose word is marmalade.', b: 'A zebra of bob, whose word is xylophone.',
	n: 'A zebra of nobody, whose word is quicksilver.' };
const secrets = /xylophone|quicksilver/;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0, top_k: 20,
		documents_sweep_interval: '1h' });
	app = await gate.tenant('acme');
	ok(await app.ingestText(text.n, { documentId: 'n', title: 'N', metadata: { kind: 'animal' } }), 201);
	[mia, bob] = await Promise.all(['mia', 'bob'].map(token));
	[[db]] = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
	for (const [by, id] of [[mia, 'm'], [bob, 'b']])
		ok(await by.ingestText(text[id], { documentId: id, title: id.toUpperCase(),
			metadata: { kind: 'animal' } }), 201);
});
after(() => stack.stop());

async function token(user) {
	const made = await app.post('/tokens', { user, scopes: ['own', 'ingest', 'chat', 'search', 'documents',
		'v1', 'mcp'] });
	ok(made, 201);
	assert.ok(made.json.scopes.includes('own'));
	return new Client(gate.url, { authorization: `Bearer ${made.json.token}` });
}

const json = (method) => (by, path, body) => by.ask(method, path, {
	headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const [patch, remove] = [json('PATCH'), (by, id) => by.ask('DELETE', `/documents/${id}`)];
const found = (answer) => {
	ok(answer);
	assert.doesNotMatch(answer.body, secrets);
	return answer.json.results.map((r) => r.documentId);
};
const listed = (answer) => {
	ok(answer);
	return answer.json.documents.map((d) => d.id);
};

// All that there is of the others, in the list and in the tenant's database.
const others = async () => [
	await stack.sql(`select to_jsonb(d) from documents d where owner_id is distinct from 'mia'
		and document_id in ('b', 'n') order by document_id`, 'catalog'),
	await stack.sql("select to_jsonb(d), (select string_agg(content, '|' order by chunk_index) from chunk c " +
		"where c.document_id = d.id) from document d where id in ('b', 'n') order by id", db)];

// As if it were absent: what is said of it is what is said of an id that nobody has.
async function absent(what) {
	const at = (id) => what(id).then((a) => [a.status, { ...a.json, request_id: null }]);
	const never = await at('never');
	assert.equal(never[0], 404);
	for (const id of ['b', 'n'])
		assert.deepEqual(await at(id), never, id);
}

// ---- a judgement for each route ----

const refused = (method, path) => async () => {
	const answer = await mia.ask(method, path, method === 'GET' ? {} :
		{ headers: { 'content-type': 'application/json' }, body: '{}' });
	assert.equal(answer.status, 403, answer.body);
	assert.match(answer.json.code, /^(insufficient_scope|forbidden)$/);
};

const judged = {
	'POST /ingest': async () => {
		for (const id of ['b', 'n'])
			for (const fields of [{ text: 'Other bytes.' }, { text: text[id] },
				{ text: text[id], title: 'Mine now', ifNew: true }]) {
				const answer = await mia.post('/ingest', { documentId: id, ...fields });
				assert.deepEqual([answer.status, answer.json.code], [409, 'conflict'], answer.body);
				assert.doesNotMatch(answer.body, /bob/);
			}
		// The same bytes as another's are not another's document.
		const same = await mia.post('/ingest', { text: text.b, ifNew: true });
		ok(same, 201);
		assert.equal(same.json.document.ownerId, 'mia');
		ok(await remove(mia, same.json.document.id), 204);
		const again = await mia.ingestText(`${text.m} Still.`, { documentId: 'm', title: 'M' });
		ok(again, 201);
		assert.equal(again.json.document.ownerId, 'mia');
		ok(await mia.ingestText(`${text.m} Still.`, { documentId: 'm', title: 'M again' }));
	},
	'POST /chat': async () => {
		for (const fields of [{}, { documentId: 'b' }, { documentIds: ['b', 'n'] }, { ownerId: 'bob' }]) {
			const answer = await mia.chat('zebra word', { form: 'data', fields });
			ok(answer);
			assert.doesNotMatch(answer.body, secrets, JSON.stringify(fields));
		}
		assert.match((await mia.chat('zebra word', { form: 'data' })).body, /marmalade/);
		assert.match((await bob.chat('zebra word', { form: 'data' })).body, /xylophone/);
	},
	'GET /chat/{id}/stream': async () => ok(await mia.get('/chat/some/stream'), 204),
	'POST /search': async () => {
		for (const mode of ['vector', 'text', 'hybrid']) {
			assert.deepEqual(found(await mia.search('zebra', { mode })), ['m'], mode);
			for (const none of [{ documentId: 'b' }, { documentIds: ['b', 'n'] }, { ownerId: 'bob' },
				{ ownerId: 'bob', documentId: 'b' },
				{ filter: { type: 'eq', key: 'kind', value: 'animal' }, documentId: 'n' }])
				assert.deepEqual(found(await mia.search('zebra', { mode, ...none })), [],
					`${mode} ${JSON.stringify(none)}`);
		}
		assert.deepEqual(found(await mia.search('zebra', { documentIds: ['b', 'm'], ownerId: 'mia' })), ['m']);
		assert.deepEqual((await bob.search('zebra')).json.results.map((r) => r.documentId), ['b']);
		assert.equal((await app.search('zebra')).json.results.length, 3);
	},
	'GET /documents': async () => {
		for (const query of ['', '?ownerId=mia', '?status=ready', '?limit=1']) {
			const answer = await mia.get(`/documents${query}`);
			assert.deepEqual(listed(answer), ['m'], query);
			assert.deepEqual([answer.json.total, answer.json.nextCursor], [1, null]);
		}
		for (const query of ['?ownerId=bob', '?ownerId=bob&status=ready']) {
			const answer = await mia.get(`/documents${query}`);
			assert.deepEqual([listed(answer), answer.json.total], [[], 0], query);
		}
		const first = await app.get('/documents?limit=1');
		assert.deepEqual(listed(await mia.get(`/documents?cursor=${first.json.nextCursor}`))
			.filter((id) => id !== 'm'), []);
	},
	'GET /documents/{id}': async () => {
		await absent((id) => mia.get(`/documents/${id}`));
		assert.equal((await mia.get('/documents/m')).json.document.ownerId, 'mia');
	},
	'PATCH /documents/{id}': async () => {
		await absent((id) => patch(mia, `/documents/${id}`, { title: 'Mine now' }));
		const answer = await patch(mia, '/documents/m', { title: 'Of mia' });
		ok(answer);
		assert.deepEqual([answer.json.document.title, answer.json.document.ownerId], ['Of mia', 'mia']);
	},
	'DELETE /documents/{id}': async () => {
		await absent((id) => remove(mia, id));
		ok(await mia.ingestText('A short life.', { documentId: 'short' }), 201);
		ok(await remove(mia, 'short'), 204);
		assert.equal((await app.get('/documents/short')).status, 404);
	},
	'GET /documents/{id}/chunks': async () => {
		await absent((id) => mia.get(`/documents/${id}/chunks`));
		await absent((id) => mia.get(`/documents/${id}/chunks?cursor=0`));
		assert.match((await mia.get('/documents/m/chunks')).body, /marmalade/);
	},
	'PUT /tenant': refused('PUT', '/tenant'),
	'GET /tenant': refused('GET', '/tenant'),
	'POST /tokens': refused('POST', '/tokens'),
	'GET /usage': refused('GET', '/usage'),
};

// As the program's own table has them.
const table = [...readFileSync(join(source, 'src/api/route.c'), 'utf8')
	.matchAll(/\{ "([A-Z]+)", "(\/[^"]*)", \w+,[^}]*\b((?:NO_)?OWN) \}/g)]
	.filter(([row]) => !row.includes('ANYBODY'));

test('each route of the table is judged here', () => {
	const routes = table.map(([, method, path]) => `${method} ${path}`);
	assert.ok(routes.length > 10);
	assert.deepEqual(routes.sort(), Object.keys(judged).sort());
});

for (const [, method, path, own] of table)
	test(`${method} ${path}: ${own === 'OWN' ? 'the user\'s own alone' : 'refused'}`, async () => {
		const route = `${method} ${path}`;
		if (own === 'NO_OWN')
			await refused(method, path.replace('{id}', 'm'))();
		const [had, judgement] = [await others(), judged[route]];
		assert.ok(judgement, route);
		await judgement();
		assert.deepEqual(await others(), had, 'the others\' documents are as they were');
	});

test('an id on its way to be another\'s document is not free, nor one that was refused to another', async () => {
	await stack.sql(`insert into documents (user_id, document_id, title, file_name, status, attempt, owner_id)
		values ('acme', 'coming', 'Of bob', '', 'ingesting', 'another', 'bob'),
		('acme', 'nobodys', 'x', '', 'ingesting', 'another', null)`, 'catalog');
	const refusedText = await bob.ask('POST', '/ingest?documentId=broken', {
		headers: { 'content-type': 'application/pdf' }, body: 'no PDF' });
	assert.equal(refusedText.status, 422, refusedText.body);
	const row = () => stack.sql("select to_jsonb(d) from documents d where document_id = 'broken'", 'catalog');
	await until('it is listed', async () => (await row()).length === 1);
	const had = await row();
	for (const id of ['coming', 'nobodys', 'broken'])
		for (const ifNew of [false, true]) {
			const answer = await mia.ingestText('Of mia.', { documentId: id, ifNew });
			assert.deepEqual([answer.status, answer.json.code], [409, 'conflict'], answer.body);
		}
	for (const id of ['coming', 'nobodys', 'broken'])
		for (const answer of [await remove(mia, id), await mia.get(`/documents/${id}`),
			await patch(mia, `/documents/${id}`, { title: 'x' }), await mia.get(`/documents/${id}/chunks`)])
			assert.deepEqual([answer.status, answer.json.code], [404, 'document_not_found'], id);
	const mine = await mia.ask('POST', '/ingest?documentId=broken', {
		headers: { 'content-type': 'application/pdf' }, body: 'no PDF' });
	assert.equal(mine.status, 422);
	ok(await mia.ask('POST', '/ingest?documentId=broken2', { headers: { 'content-type': 'application/pdf' },
		body: 'no PDF' }), 422);
	await until('the later refusal is listed, so the one before was judged', async () =>
		(await mia.get('/documents/broken2')).status === 200);
	assert.deepEqual(await row(), had);
	assert.equal((await bob.get('/documents/broken')).json.document.ownerId, 'bob');
	assert.equal((await mia.get('/documents/broken')).status, 404);
});

test('where list and database differ, the tenant\'s database says whose a document is', async () => {
	ok(await bob.ingestText('A yak of bob.', { documentId: 'yak' }), 201);
	const mislisted = () => stack.sql("update documents set owner_id = 'mia' where document_id = 'yak'", 'catalog');
	for (const what of [() => mia.get('/documents/yak/chunks'), () => remove(mia, 'yak'),
		() => patch(mia, '/documents/yak', { title: 'Mine now' })]) {
		await mislisted();
		ok(await what(), 404);
	}
	assert.deepEqual(found(await mia.search('yak', { mode: 'text' })), []);
	await mislisted();
	assert.equal((await mia.ingestText('Of mia.', { documentId: 'yak' })).status, 409);
	const [[owner, title]] = await stack.sql("select owner_id, title from document where id = 'yak'", db);
	assert.equal(owner, 'bob');
	assert.notEqual(title, 'Mine now');
	// And where the database says nothing, the list: what is changed or deleted by it is the user's.
	ok(await mia.ingestText('An old one.', { documentId: 'old' }), 201);
	await stack.sql("update document set owner_id = null where id = 'old'", db);
	ok(await patch(mia, '/documents/old', { title: 'Still mine' }));
	await stack.sql("update document set owner_id = null where id = 'old'", db);
	ok(await remove(mia, 'old'), 204);
});

test('several files are all the user\'s', async () => {
	const form = new FormData();
	form.append('file', new Blob(['One.'], { type: 'text/plain' }), 'one.txt');
	form.append('file', new Blob(['Two.'], { type: 'text/plain' }), 'two.txt');
	const answer = await fetch(`${gate.url}/ingest`, { method: 'POST', headers: mia.headers, body: form });
	const { documents } = await answer.json();
	assert.deepEqual([answer.status, documents.map((d) => d.ownerId)], [201, ['mia', 'mia']]);
});
