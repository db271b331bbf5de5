// SPDX-License-Identifier: MIT
// A document's chunks go with it, whoever deletes it, and whoever stores it at the same time: there is
// never a chunk without its document.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { endHolders, IndexTenant, settings } from './lib/index-tenant.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('documents-gone');
let gate, t;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ ...settings, default_pool_size: 2 });
	t = await IndexTenant.make(stack, gate, 'gone');
});
after(() => {
	endHolders();
	return stack.stop();
});

const count = async (where = 'true') => Number((await t.sql(
	`select count(*) from chunk where ${where}`))[0][0]);
const orphans = () => count('document_id not in (select id from document)');

test('one, several and all at once; by a tenant\'s own statement, too', async () => {
	for (const [id, rows] of [['a', 30], ['b', 20], ['c', 10]])
		await t.fill(rows, id);
	assert.equal((await t.client.ask('DELETE', '/documents/gone-needle-0')).status, 204);
	assert.equal(await count("document_id = 'gone-needle-0'"), 0);
	assert.equal(await count(), 62);
	await t.sql("delete from document where id in ('a', 'b')");
	assert.equal(await count(), 12);
	await t.sql('with old as (delete from document) select 1');
	assert.equal(await count(), 0);
});

test('deleted while it is stored: the deletion waits, and takes what was stored', async () => {
	await t.fill(5, 'race');
	const commit = await t.hold("update document set chunks = 7 where id = 'race'; insert into chunk " +
		"(document_id, chunk_index, content, embedding) select 'race', 5 + i, 'x', embedding from " +
		"chunk, generate_series(0, 1) i where document_id = 'race' and chunk_index = 1");
	const deletion = t.sql("delete from document where id = 'race'");
	await t.waits('delete from document');
	await commit('commit');
	await deletion;
	assert.equal(await count("document_id = 'race'"), 0);
	assert.equal(await orphans(), 0);
});

test('stored while it is deleted: it waits, and is whole', async () => {
	const long = Array.from({ length: 40 }, (_, i) => `Paragraph ${i}. ${'It rains. '.repeat(90)}`);
	const store = () => t.client.ask('POST', '/ingest?documentId=again',
		{ headers: { 'content-type': 'text/plain' }, body: long.join('\n\n') });
	assert.equal((await store()).status, 201);
	const before = await count("document_id = 'again'");
	const commit = await t.hold("delete from document where id = 'again'");
	long.push('One more.');
	const answer = store();
	await t.waits('INSERT INTO public.document');
	await commit('commit');
	assert.equal((await answer).status, 201);
	assert.ok(before >= 40);
	assert.equal(await count("document_id = 'again'"), (await answer).json.document.chunks);
	assert.equal(await orphans(), 0);
});

test('no look for the document with each chunk that is stored', async () => {
	assert.deepEqual(await t.sql("select conname from pg_constraint where contype = 'f' and " +
		"conrelid = 'chunk'::regclass"), []);
});
