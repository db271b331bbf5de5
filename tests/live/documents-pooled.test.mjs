// SPDX-License-Identifier: MIT
// Documents where the catalog and the tenants' databases are behind poolers of transactions that give
// each one a new server connection: nothing that was set, prepared or locked in a session is there
// afterwards.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { sample, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('documents-pooled');
let gate, tenant;

before(async () => {
	await stack.surroundings({ neon: false });
	const forgetful = { server_lifetime: 0 };
	const [catalog, cluster] = [await stack.pgbouncer(forgetful), await stack.pgbouncer({ ...forgetful,
		auth_type: 'any' }, `user=postgres password=${stack.pg.password}`)];
	gate = await stack.tenantgate({ catalog_url: catalog.url('catalog'),
		postgres_admin_url: cluster.url('postgres'), rate_limit_requests_per_minute: 0,
		documents_sweep_interval: '100ms', max_documents: 4 });
	tenant = await gate.tenant('pooled');
});
after(() => stack.stop());

const expect = (answer, status) => {
	assert.equal(answer.status, status, answer.body);
	return answer.json;
};
const found = async (fields) => expect(await tenant.search('boat', { topK: 20, ...fields }), 200).results
	.map((r) => r.documentId);
const listed = async () => expect(await tenant.get('/documents?status=ready'), 200).documents
	.map((d) => d.id).sort();

test('stored, in one call of the model and in many; found; replaced', async () => {
	expect(await tenant.ingestFile(sample, { id: 'pdf' }), 201);
	const passages = Array.from({ length: 2000 }, (_, i) => `Passage ${i}. ${'word '.repeat(40)}`);
	const { document } = expect(await tenant.ingestText(passages.join('\n\n'), { documentId: 'long' }), 201);
	assert.ok(document.chunks > 300);
	expect(await tenant.ingestText('A boat.', { documentId: 'a' }), 201);
	expect(await tenant.ingestText('Another boat.', { documentId: 'a' }), 201);
	assert.deepEqual(await found({ documentId: 'a' }), ['a']);
	assert.ok((await found()).includes('a'));
});

test('a large one is found by its words at once', async () => {
	for (const bird of ['heron', 'stork']) {
		const passages = Array.from({ length: 1100 }, (_, i) => `${bird}${i} ${'word '.repeat(150)}`);
		const { document } = expect(await tenant.ingestText(passages.join('\n\n'), { documentId: 'a' }),
			201);
		assert.equal(document.chunks, 1100);
		for (const i of [0, 550, 1099])
			assert.deepEqual(expect(await tenant.search(`${bird}${i}`, { mode: 'text' }), 200).results
				.map((r) => r.chunk), [i]);
	}
	assert.deepEqual(expect(await tenant.search('heron7', { mode: 'text' }), 200).results, []);
	expect(await tenant.ingestText('Another boat.', { documentId: 'a' }), 201);
});

test('read a page at a time, changed, known again', async () => {
	const page = expect(await tenant.get('/documents/long/chunks?limit=3'), 200);
	assert.deepEqual([page.chunks.map((c) => c.chunk), page.nextCursor], [[0, 1, 2], '2']);
	expect(await tenant.ask('PATCH', '/documents/a', { body: '{"title":"Boats","metadata":{"a":1}}',
		headers: { 'content-type': 'application/json' } }), 200);
	assert.equal(expect(await tenant.ingestText('Another boat.', { ifNew: true }), 200).document.title,
		'Boats');
});

test('a quota among uploads at once; deleted; gone by itself', async () => {
	const answers = await Promise.all([0, 1, 2, 3, 4, 5].map((n) =>
		tenant.ingestText(`Boat ${n}.`, { documentId: `${n}` })));
	assert.deepEqual(answers.map((a) => a.status).sort(), [201, 403, 403, 403, 403, 403]);
	const [won] = (await listed()).filter((id) => /^\d$/.test(id));
	assert.equal((await tenant.ask('DELETE', `/documents/${won}`)).status, 204);
	expect(await tenant.ingestText('A boat for a moment.', { documentId: 'brief',
		expiresAt: new Date(Date.now() + 300).toISOString() }), 201);
	await until('it has gone', async () => !(await found()).includes('brief'));
	assert.deepEqual(await listed(), ['a', 'long', 'pdf']);
});

test('the list is whole again after it was lost', async () => {
	await stack.sql('delete from documents', 'catalog');
	await until('it is whole', async () => {
		await found();
		return (await listed()).join(' ') === 'a long pdf';
	});
	assert.doesNotMatch(gate.program.text(), /"level":"(warning|error)"|AddressSanitizer|runtime error/);
});
