// SPDX-License-Identifier: MIT
// The example application's catalog is adopted: its users, their projects and documents; what is
// killed in the middle goes on; the documents answer here, by the app's own vectors.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { embeddings, PASSWORD, tools } from './lib/app-catalog.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('adopt-catalog');
const DIMENSIONS = 16;
const SETTINGS = { embedding_dimensions: DIMENSIONS, embedding_send_dimensions: 'on',
	allowed_networks: '127.0.0.1' };
let gate;

before(async () => {
	await stack.surroundings();
	await stack.sql(`create role app login password '${PASSWORD}'`);
	gate = await stack.tenantgateWithAdmin(SETTINGS);
});
after(() => stack.stop());

const { appCatalog, adopt, ours, project, url } = tools(stack, () => gate);

test('users, projects and documents; what is not copied is counted, with its reason', async () => {
	const [one, two] = [await project(), await project()];
	await stack.sql(`create extension if not exists vector`, one.db);
	await stack.sql(`set role ${one.role}; ${embeddings({ doc_a: 3, doc_b: 700, doc_unlisted: 2 },
		DIMENSIONS)}`, one.db);
	await ours("insert into users (user_id, name) values ('usr_here', 'As it was')");
	await appCatalog('shop', `
		insert into users (user_id, name, email, avatar_url, created_at) values
			('usr_one', 'Ada', 'ada@example.com', 'https://example.com/a.png', '2024-09-19T10:00:00Z'),
			('usr_two', null, 'bob@example.com', null, null),
			('usr_here', 'Another', 'eve@example.com', null, now()),
			('usr no tenant', 'X', 'x@example.com', null, now()),
			('usr_three', 'Cy', 'cy@example.com', null, now());
		insert into vector_databases (vector_db_id, user_id) values ('${one.id}', 1), ('${two.id}', 2),
			('gone-project', 5);
		insert into documents (document_id, user_id, title, file_name, created_at) values
			('doc_a', 1, 'Alpha', 'alpha-1234.pdf', '2024-10-01T08:00:00.123Z'),
			('doc_b', 1, 'Beta', null, '2024-10-02T08:00:00Z'),
			('doc_c', 2, null, 'c.pdf', now()),
			(E'doc\\nd', 2, 'D', 'd.pdf', now()),
			('doc_e', 4, 'E', 'e.pdf', now())`);
	const before = await stack.sql('select md5(string_agg(d::text, 1::text)) from documents d', 'shop');

	const dry = await adopt('shop', { query: '?dryRun=true' });
	assert.deepEqual([dry.status, dry.last.found], [200, { users: 5, projects: 3, documents: 5 }]);
	assert.deepEqual(await ours('select count(*) from users'), [['1']]);
	assert.deepEqual(await ours('select count(*) from adoptions'), [['0']]);

	const run = await adopt('shop');
	assert.equal(run.status, 200, run.body);
	assert.equal(run.last.done, true);
	assert.deepEqual(run.last.copied, { users: 3, projects: 2, documents: 3 });
	assert.equal(run.last.copiedNow, 8);
	assert.deepEqual(run.last.skipped.map(({ kind, id }) => [kind, id]), [
		['document', 'doc\nd'], ['document', 'doc_e'], ['project', 'gone-project'],
		['user', 'usr no tenant'], ['user', 'usr_here']]);
	assert.match(run.last.skipped[2].reason, /Neon has no project gone-project/);
	assert.match(run.last.skipped[4].reason, /here already/);
	assert.deepEqual(run.last.reasons.map((r) => Number(r.count)), [1, 1, 1, 1, 1]);
	assert.equal(run.lines.filter((line) => line.skipped?.kind).length, 5, 'each is a line');
	assert.deepEqual(run.lines.filter((line) => line.part === 'users').at(-1),
		{ part: 'users', copied: 3, skipped: 2 });

	assert.deepEqual(await ours(`select user_id, coalesce(name, '-'), email, coalesce(avatar_url, '-')
		from users where email is not null order by 1`), [
		['usr_one', 'Ada', 'ada@example.com', 'https://example.com/a.png'],
		['usr_three', 'Cy', 'cy@example.com', '-'], ['usr_two', '-', 'bob@example.com', '-']]);
	assert.deepEqual(await ours("select name from users where user_id = 'usr_here'"), [['As it was']]);
	assert.deepEqual(await ours(`select tenant_id, state, project_id, provider from tenants
		order by 1`), [['usr_one', 'failed', one.id, 'neon'], ['usr_two', 'failed', two.id, 'neon']]);
	assert.deepEqual(await stack.sql('select md5(string_agg(d::text, 1::text)) from documents d', 'shop'),
		before, 'theirs is as it was');
	const [audit] = gate.lines().filter((l) => l.event === 'admin.audit' && l.action === 'catalog.adopt');
	assert.deepEqual([audit.after.copiedNow, audit.after.host], [8, '127.0.0.1']);
	assert.ok(!gate.program.text().includes(PASSWORD));
});

test('their documents answer here, by the app\'s own vectors, and are called as they were', async () => {
	const client = await gate.tenant('usr_one');
	const listed = await client.get('/documents');
	assert.deepEqual(listed.json.documents.map((d) => [d.id, d.title, d.fileName, d.mimeType, d.status]),
		[['doc_b', 'Beta', '', 'application/pdf', 'ready'],
			['doc_a', 'Alpha', 'alpha-1234.pdf', 'application/pdf', 'ready']]);
	const first = await client.search('Row');
	assert.equal(first.status, 200, first.body);
	const [[db]] = await ours("select db_name from tenants where tenant_id = 'usr_one'");
	await until('all is copied and listed', async () => (await ours(`select sum(chunks) from documents
		where user_id = 'usr_one' and status = 'ready'`))[0][0] === '705', 30000);
	await until('their names are told', async () => (await stack.sql(
		"select title from document where id in ('doc_a', 'doc_b') order by 1", db)).join() ===
		'Alpha,Beta', 30000);
	const found = await client.post('/search', { query: 'Row', documentId: 'doc_a', topK: 5 });
	assert.equal(found.json.results.length, 3);
	assert.match(found.json.results[0].content, /^Row \d of doc_a\.$/);
	const again = await client.get('/documents');
	assert.deepEqual(again.json.documents.map((d) => [d.id, d.title, d.fileName, d.chunks]), [
		['doc_unlisted', 'doc_unlisted', '', 2], ['doc_b', 'Beta', '', 700],
		['doc_a', 'Alpha', 'alpha-1234.pdf', 3]]);
	assert.equal(again.json.documents[2].createdAt, '2024-10-01T08:00:00.123Z');
	assert.deepEqual(await stack.sql('select count(*) from embeddings', db), [['705']]);
	const chat = await client.chat('What is in row 2?', { fields: { documentId: 'doc_a' } });
	assert.equal(chat.status, 200, chat.body);
});

test('a document whose chunks are not there yet stays listed, however often it is looked for', async () => {
	const often = await stack.tenantgate({ ...SETTINGS, documents_sweep_interval: '100ms' });
	often.serviceKey = gate.serviceKey;
	const client = await often.tenant('usr_two');
	const sweptAt = async () => (await ours(
		"select documents_swept_at from tenants where tenant_id = 'usr_two'"))[0][0];
	for (let i = 0, before = ''; i < 3; i++) {
		await until('it is swept once more', async () => {
			assert.equal((await client.search('anything')).status, 200);
			return await sweptAt() !== before;
		});
		before = await sweptAt();
	}
	const one = await client.get('/documents/doc_c');
	assert.equal(one.status, 200, one.body);
	assert.equal((await client.ask('DELETE', '/documents/doc_c')).status, 204);
	assert.equal((await client.get('/documents/doc_c')).status, 404);
	await often.program.stop();
});

test('a second run copies nothing twice; what has come since, it does', async () => {
	const counts = () => ours(`select (select count(*) from users), (select count(*) from documents),
		(select count(*) from tenants)`);
	const were = await counts();
	const none = await adopt('shop');
	assert.deepEqual([none.last.copiedNow, none.last.copied], [0,
		{ users: 3, projects: 2, documents: 3 }]);
	assert.deepEqual(await counts(), were);
	const gone = await (await gate.tenant('usr_one')).ask('DELETE', '/documents/doc_a');
	assert.equal(gone.status, 204, gone.body);
	await stack.sql(`insert into users (user_id, email) values ('usr_late', 'late@example.com');
		insert into documents (document_id, user_id, title) values ('doc_late', 1, 'Late')`, 'shop');
	const late = await adopt('shop');
	assert.equal(late.last.copiedNow, 2, late.body);
	assert.equal((await (await gate.tenant('usr_one')).get('/documents/doc_a')).status, 404,
		'what was deleted here does not come back');
});

test('what is no such catalog, and one that may not be reached', async () => {
	const other = await gate.admin.post('/admin/adopt', { catalogUrl: stack.pg.url('catalog') });
	assert.deepEqual([other.status, other.json.code], [400, 'invalid_field'], other.body);
	assert.match(other.json.detail, /no catalog of the example application/);
	const inner = await gate.admin.post('/admin/adopt', { catalogUrl: 'postgresql://a:b@10.0.0.1/c' });
	assert.deepEqual([inner.status, inner.json.code], [403, 'forbidden'], inner.body);
	assert.equal((await gate.admin.post('/admin/adopt', {})).status, 400);
	const json = await gate.admin.post('/admin/adopt', { catalogUrl: url('shop') });
	assert.deepEqual([json.status, json.headers['content-type'], json.json.done],
		[200, 'application/json', true]);
});
