// SPDX-License-Identifier: MIT
// POST /search and POST /chat by words, and by words and vectors, through the whole program.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('search-modes');
let gate, reader, database;

const texts = {
	ferry: 'The ferry to Ystad leaves at nine. Cars wait in lane four.',
	cranes: 'Harbour cranes are inspected every spring by the crew of the crane yard.',
	tariff: 'Mooring costs twelve crowns a metre. Boats over ten metres pay a surcharge.',
};

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0 });
	reader = await gate.tenant('reader');
	for (const [documentId, text] of Object.entries(texts))
		assert.equal((await reader.ingestText(text, { documentId,
			metadata: { topic: documentId } })).status, 201);
	[[database]] = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
});
after(() => stack.stop());

async function found(tenant, query, fields = {}) {
	const answer = await tenant.post('/search', { query, ...fields });
	assert.equal(answer.status, 200, answer.body);
	return answer.json.results.map((hit) => hit.documentId);
}

const byWords = (query, fields) => found(reader, query, { mode: 'text', ...fields });
const byBoth = (query, fields) => found(reader, query, { mode: 'hybrid', ...fields });

test('by words: whatever their endings, best first, and no model is asked for a vector', async () => {
	const before = (await stack.modelStats()).texts;
	assert.deepEqual(await byWords('When is an inspection of the crane?'), ['cranes']);
	assert.deepEqual(await byWords('metres boat leaving'), ['tariff', 'ferry']);
	assert.deepEqual(await byWords('zeppelin'), []);
	assert.deepEqual(await byWords('metres boat leaving', { topK: 1 }), ['tariff']);
	const answer = await reader.post('/search', { query: 'cranes', mode: 'text' });
	assert.ok(answer.json.results[0].score > 0 && answer.json.results[0].score < 1, answer.body);
	assert.equal(answer.json.results[0].content, texts.cranes);
	assert.equal((await stack.modelStats()).texts, before);
});

test('among some documents, and by their metadata', async () => {
	assert.deepEqual(await byWords('metres boat leaving', { documentId: 'ferry' }), ['ferry']);
	assert.deepEqual(await byWords('metres boat leaving', { filter: { topic: 'tariff' } }), ['tariff']);
	assert.deepEqual(await byBoth('metres boat leaving', { filter: { topic: 'ferry' } }), ['ferry']);
	assert.deepEqual(await byBoth('metres', { documentIds: ['ferry', 'none'] }), ['ferry']);
});

test('by both: as many as are there, the words first', async () => {
	const ids = await byBoth('the surcharge for boats', { topK: 3 });
	assert.equal(ids[0], 'tariff');
	assert.deepEqual([...ids].sort(), Object.keys(texts).sort());
	const answer = await reader.post('/chat', { mode: 'hybrid', topK: 1, messages:
		[{ role: 'user', content: 'the surcharge for boats' }] });
	assert.equal(answer.status, 200);
	assert.match(answer.body, /tariff/);
	const before = (await stack.modelStats()).texts;
	const worded = await reader.post('/chat', { mode: 'text', messages:
		[{ role: 'user', content: 'the surcharge for boats' }] });
	assert.match(worded.body, /tariff/);
	assert.equal((await stack.modelStats()).texts, before);
});

test('a tenant finds its own words alone', async () => {
	const other = await gate.tenant('other');
	assert.equal((await other.ingestText('Cranes of another yard.', { documentId: 'theirs' })).status,
		201);
	assert.deepEqual(await found(other, 'cranes ferry', { mode: 'text' }), ['theirs']);
	assert.deepEqual(await found(other, 'cranes ferry', { mode: 'hybrid' }), ['theirs']);
	assert.deepEqual(await byWords('another yard', {}), ['cranes']);
});

test('a question of anything', async () => {
	for (const mode of ['text', 'hybrid'])
		for (const query of ["' & | ! <-> :* \\ (", 'ferry '.repeat(1300),
			Array.from({ length: 1300 }, (_, i) => `w${i}`).join(' '), '\u{1f6a2}', '   '])
			await found(reader, query, { mode });
	for (const fields of [{ query: 'ferry\0lane', mode: 'text' }, { query: 'x', mode: 'words' }])
		assert.equal((await reader.post('/search', fields)).status, 400);
});

test('a document of another language, in its own words and no others', async () => {
	const german = await reader.ingestText('Die Häuser am Hafen.', { documentId: 'de',
		language: 'german' });
	assert.equal(german.status, 201, german.body);
	assert.deepEqual(await byWords('ein Haus'), ['de']);
	assert.equal((await reader.ask('DELETE', '/documents/de')).status, 204);
	const none = await reader.ingestText('x', { language: 'klingon' });
	assert.equal(none.status, 400);
	assert.match(none.json.detail, /^The language may be: simple arabic .* yiddish\.$/);
});

test('a configuration of another language', async () => {
	const other = await stack.tenantgate({ rate_limit_requests_per_minute: 0,
		text_language: 'german', search_mode: 'vector', 'plan few': { text_language: 'simple' } });
	other.serviceKey = await gate.service();
	const leser = await other.tenant('leser');
	assert.equal((await leser.ingestText('Die Brücken und die Häuser.', { documentId: 'de' })).status,
		201);
	assert.deepEqual(await found(leser, 'eine Brücke', { mode: 'text' }), ['de']);
	assert.deepEqual(await found(leser, 'die und', { mode: 'text' }), []);
	await other.program.stop();
});

test('what is replaced or deleted is not found any more', async () => {
	assert.equal((await reader.ingestText('A gull.', { documentId: 'bird' })).status, 201);
	assert.deepEqual(await byWords('gulls'), ['bird']);
	assert.equal((await reader.ingestText('A heron.', { documentId: 'bird' })).status, 201);
	assert.deepEqual(await byWords('gulls'), []);
	assert.deepEqual(await byWords('herons'), ['bird']);
	assert.equal((await reader.ask('DELETE', '/documents/bird')).status, 204);
	assert.deepEqual(await byWords('herons'), []);
	assert.deepEqual(await stack.sql("select count(*) from text_posting where lexeme = 'heron'",
		database), [['0']]);
});

test('documents from before are found by both at once, and by words when theirs are kept', async () => {
	await stack.sql('truncate text_posting, text_segment; update document set text_at = null',
		database);
	assert.deepEqual(await byWords('surcharge'), []);
	assert.ok((await byBoth('the surcharge for boats')).includes('tariff'));
	assert.equal((await reader.ingestText('A buoy.', { documentId: 'buoy' })).status, 201);
	await until('the words are kept', async () => (await byWords('surcharge'))[0] === 'tariff');
	await until('all of them', async () => (await byWords('ferry'))[0] === 'ferry');
	assert.deepEqual((await stack.sql(`select count(*), count(distinct document_id)
		from text_segment`, database))[0], ['4', '4']);
});
