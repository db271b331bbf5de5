// SPDX-License-Identifier: MIT
// The scope own: nothing of another's documents is learned beside what is found: not by a score, not
// by what the model is not asked for; and what becomes another's between a look and a deed stays so.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { paragraphs } from './lib/embedder.mjs';
import { CHUNKS, StagingStack } from './lib/staging-stack.mjs';
import { until } from './lib/process.mjs';

let s, mia, bob;
before(async () => {
	s = await StagingStack.start('tokens-own-sides');
	[mia, bob] = await Promise.all(['mia', 'bob'].map(async (user) => {
		const made = await s.acme.post('/tokens', { user, scopes: ['own', 'ingest', 'search', 'documents'] });
		assert.equal(made.status, 201, made.body);
		return new Client(s.gate.url, { authorization: `Bearer ${made.json.token}` });
	}));
});
after(() => s?.stop());

const ok = (answer, status = 201) => assert.equal(answer.status, status, answer.body);
const refused = (answer) => assert.deepEqual([answer.status, answer.json.code], [409, 'conflict'], answer.body);
const ingest = (by, id, texts) => by.ask('POST', `/ingest?documentId=${id}`, {
	headers: { 'content-type': 'text/plain' }, body: texts.join('\n\n') });

// Some chunks, and more than are looked up one by one (FEW_CHUNKS and FEW_SEGMENTS).
for (const [size, count] of [['few', 3], ['many', 2200]])
	test(`${size} chunks of one's own: a score says nothing of the words of others`, async () => {
		ok(await ingest(mia, `mine-${size}`, [...paragraphs(count - 1, size), `A zebra, a bankruptcy, ${size}.`]));
		const asked = () => Promise.all(['text', 'hybrid'].flatMap((mode) =>
			['zebra bankruptcy', 'zebra tulip kettle', 'faillite'].map(async (query) => {
				const answer = await mia.search(query, { mode, topK: 5 });
				ok(answer, 200);
				return answer.json.results.map((r) => [r.documentId, r.chunk, r.score]);
			})));
		const had = await asked();
		assert.ok(had[0].length > 0 && had[3].length > 0);
		for (const [at, word] of ['bankruptcy', 'zebra', 'tulip', 'short'].entries())
			ok(await ingest(bob, `theirs-${size}-${at}`, paragraphs(30, size).map((p) => `${word} ${p}`)));
		ok(await bob.ingestText('Une faillite et des faillites.', { documentId: `theirs-${size}`,
			language: 'french' }));
		assert.deepEqual(await asked(), had);
		for (const id of ['0', '1', '2', '3'])
			ok(await bob.ask('DELETE', `/documents/theirs-${size}-${id}`), 204);
		ok(await bob.ask('DELETE', `/documents/theirs-${size}`), 204);
	});

for (const [size, count] of [['a few', 30], ['many', CHUNKS]])
	test(`${size} chunks: a text that another has is embedded for whom it is not`, async () => {
		const texts = paragraphs(count, `known ${size}`), asked = async (by, id) => {
			s.embedder.reset('known');
			ok(await ingest(by, encodeURIComponent(id), texts));
			return s.embedder.texts.length;
		};
		assert.equal(await asked(bob, `${size} of bob`), count);
		assert.equal(await asked(mia, `${size} of mia`), count);
		assert.equal(await asked(mia, `${size} again`), 0, 'her own are known');
		assert.equal(await asked(s.acme, `${size} of all`), 0, 'who sees all knows all');
	});

const stored = (id) => s.sql(`select owner_id || ' ' || title from document where id = '${id}'`);
const put = (id, sha256 = 'x') => s.sql(`insert into document (id, title, file_name, mime_type, metadata, sha256,
	bytes, pages, chunks, owner_id) values ('${id}', 'Of bob', '', 'text/plain', '{}', '${sha256}', 1, 0, 0, 'bob')`);

for (const [size, count] of [['one', 1], ['many', CHUNKS]])
	test(`${size} chunks: an id that becomes another's while a document is on its way stays his`, async () => {
		const id = `taken-${size}`;
		s.embedder.reset(id);
		s.embedder.hold();
		const storing = ingest(mia, id, paragraphs(count, id));
		await s.embedder.holds(1);
		await put(id);
		s.embedder.release();
		refused(await storing);
		assert.deepEqual(await stored(id), ['bob Of bob']);
		assert.deepEqual(await s.sql(`select 1 from chunk where document_id = '${id}'`), []);
		await until('the list says whose it is', async () => (await s.stack.sql('select status, owner_id from ' +
			`documents where document_id = '${id}'`, 'catalog')).join() === 'ready,bob');
		assert.equal((await mia.get(`/documents/${id}`)).status, 404);
		await until('nothing is staged', async () => await s.staged() === 0);
	});
