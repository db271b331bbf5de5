// SPDX-License-Identifier: MIT
// The fields of POST /search and POST /chat that narrow a search, in the whole program: filter,
// ownerId, minScore, topK; what a result tells; each refusal names the field. What each filter means
// is in search-filter.test.mjs.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Client, readDataStream } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('search-fields');
let gate, acme;

const library = {
	tides: { text: 'The tide tables of the harbour are printed each autumn.', owner: 'ann',
		metadata: { author: 'Ann', year: 2020, tags: ['sea', 'print'], price: 0.1 } },
	ropes: { text: 'Ropes of the harbour are tested each autumn.', owner: 'bob',
		metadata: { author: 'Bob', year: 2022, tags: ['sea'], draft: true } },
	kettles: { text: 'A kettle of the harbour inn boils each autumn.', owner: 'ann',
		metadata: { author: 'Ann', year: '2022', "it's \"here\"": 'yes' } },
	plain: { text: 'Nothing is known of the harbour in autumn.', owner: null, metadata: {} },
};

before(async () => {
	await stack.surroundings({ postgres: ['log_statement=all', 'log_line_prefix=%p:'] });
	gate = await stack.tenantgate();
	acme = await gate.tenant('acme');
	for (const [documentId, { text, owner, metadata }] of Object.entries(library)) {
		const client = owner ? new Client(gate.url, { ...acme.headers, 'x-user-id': owner }) : acme;
		const stored = await client.ingestText(text, { documentId, title: `On ${documentId}`,
			fileName: `${documentId}.txt`, metadata });
		assert.equal(stored.status, 201, stored.body);
	}
});
after(() => stack.stop());

const question = 'What of the harbour each autumn?';

async function found(fields, client = acme) {
	const answer = await client.search(question, { topK: 100, ...fields });
	assert.equal(answer.status, 200, answer.body);
	return answer.json.results.map((r) => r.documentId).sort();
}

async function sources(fields) {
	const answer = await acme.chat(question, { form: 'data', fields: { topK: 100, ...fields } });
	assert.equal(answer.status, 200, answer.body);
	return readDataStream(answer.body).sources.map((s) => s.documentId ?? s.id).sort();
}

test('a filter leaves the documents that it matches', async () => {
	for (const [filter, expected] of [
		[{ author: 'Ann' }, ['kettles', 'tides']],
		[{ author: 'Ann', year: 2020 }, ['tides']],
		[{ year: { gte: 2020 } }, ['ropes', 'tides']],
		[{ tags: 'sea', draft: { ne: true } }, ['tides']],
		[{ not: { author: { exists: true } } }, ['plain']],
		[{ price: { lte: 0.1 } }, ['tides']],
		[{ "it's \"here\"": 'yes' }, ['kettles']],
		[{ author: "x' or 'a' = 'a" }, []],
		[{ type: 'or', filters: [{ type: 'eq', key: 'author', value: 'Bob' },
			{ type: 'in', key: 'year', value: ['2022', 1] }] }, ['kettles', 'ropes']],
		[{}, Object.keys(library).sort()],
		[null, Object.keys(library).sort()],
	])
		assert.deepEqual(await found({ filter }), expected, JSON.stringify(filter));
});

test('an ownerId leaves what this user has stored', async () => {
	assert.deepEqual(await found({ ownerId: 'ann' }), ['kettles', 'tides']);
	assert.deepEqual(await found({ ownerId: 'nobody' }), []);
	// Only what is asked for narrows, not who asks.
	const bob = new Client(gate.url, { ...acme.headers, 'x-user-id': 'bob' });
	assert.deepEqual(await found({}, bob), Object.keys(library).sort());
});

test('each condition narrows', async () => {
	assert.deepEqual(await found({ ownerId: 'ann', filter: { year: 2020 } }), ['tides']);
	assert.deepEqual(await found({ ownerId: 'ann', filter: { author: 'Bob' } }), []);
	assert.deepEqual(await found({ documentIds: ['tides', 'ropes'], filter: { author: 'Ann' } }),
		['tides']);
	assert.deepEqual(await found({ documentId: 'ropes', ownerId: 'ann' }), []);
	assert.deepEqual(await found({ documentIds: [], filter: { author: 'Ann' } }), []);
});

test('minScore leaves what is as near as that', async () => {
	const { results } = (await acme.search(question, { topK: 100 })).json;
	assert.ok(results[0].score > results.at(-1).score);
	const bound = (results[0].score + results.at(-1).score) / 2;
	const near = results.filter((r) => r.score >= bound).map((r) => r.documentId).sort();
	assert.ok(near.length > 0 && near.length < results.length);
	assert.deepEqual(await found({ minScore: bound }), near);
	assert.deepEqual(await found({ minScore: 1 }), []);
	assert.deepEqual(await found({ minScore: -1 }), Object.keys(library).sort());
	assert.deepEqual(await found({ minScore: bound, ownerId: 'nobody' }), []);
});

test('a score that is sent back as minScore finds its chunk again', async () => {
	for (const words of [question, 'harbour', 'autumn ropes', 'the kettle', 'an inn', 'tide tables'])
		for (const mode of ['vector', 'text', 'hybrid']) {
			const { results } = (await acme.search(words, { topK: 100, mode })).json;
			for (const { score, documentId } of results) {
				const again = (await acme.search(words, { topK: 100, mode, minScore: score })).json.results;
				assert.ok(again.some((r) => r.documentId === documentId), `${words}, ${mode}: ${score}`);
			}
		}
});

test('a result tells of its document', async () => {
	const { results: [hit] } = (await acme.search(question, { documentId: 'tides' })).json;
	assert.deepEqual({ ...hit, score: 0 }, { documentId: 'tides', title: 'On tides',
		fileName: 'tides.txt', mimeType: 'text/plain', chunk: 0, page: null,
		content: library.tides.text, metadata: library.tides.metadata, score: 0 });
});

test('a chat is narrowed the same way', async () => {
	const all = await sources({});
	assert.equal(all.length, 4);
	assert.equal((await sources({ filter: { author: 'Ann' } })).length, 2);
	assert.equal((await sources({ ownerId: 'bob' })).length, 1);
	assert.equal((await sources({ filter: { author: 'Bob' }, ownerId: 'ann' })).length, 0);
	assert.equal((await sources({ minScore: 1 })).length, 1, 'the first by words and by vectors');
	assert.equal((await sources({ minScore: 1, mode: 'vector' })).length, 0);
});

// Characters of three bytes each: as long as passages of this size get.
test('a hundred chunks, in a search and in a prompt', async () => {
	const book = await gate.tenant('book');
	const stored = await book.ingestText('潮汐 '.repeat(40000), { documentId: 'tides', title: '潮'.repeat(170) });
	assert.equal(stored.status, 201, stored.body);
	assert.ok(stored.json.document.chunks > 120);
	const { results } = (await book.search('潮汐', { topK: 100 })).json;
	assert.equal(new Set(results.map((r) => r.chunk)).size, 100);
	const chat = await book.chat('潮汐', { form: 'data', fields: { topK: 100 } });
	assert.equal(chat.status, 200, chat.body);
	assert.equal(readDataStream(chat.body).sources.length, 100);
	assert.equal(readDataStream(chat.body).error, null);
});

test('what cannot be heeded is refused, on both routes', async () => {
	const deep = (n) => (n === 0 ? { a: 1 } : { not: deep(n - 1) });
	for (const [fields, detail] of [
		[{ filter: 'author = 1' }, /"filter" must be an object/],
		[{ filter: { year: { $gte: 1 } } }, /"filter\.year\.\$gte" must be one of/],
		[{ filter: { or: [{ a: 1 }, { b: { in: [] } }] } }, /"filter\.or\[1\]\.b\.in" must be an array/],
		[{ filter: deep(8) }, /nested deeper than 8/],
		[{ filter: { or: Array(5000).fill({ a: 1 }) } }, /more than 100 conditions/],
		[{ filter: { or: Array(30000).fill({ a: 1 }) } }, /more than 20000 values/],
		[{ filter: { a: 'x'.repeat(17000) } }, /more than 16384 bytes/],
		[{ minScore: 'high' }, /"minScore" must be a number/],
		[{ minScore: 2 }, /"minScore" must be from -1 to 1/],
		[{ ownerId: ['ann'] }, /"ownerId" must be a string/],
		[{ ownerId: 'a b' }, /ownerId must be/],
		[{ rerank: 'yes' }, /"rerank" must be true or false/],
		[{ mode: 'bm25' }, /"mode" must be vector, text or hybrid/],
		[{ topK: 101 }, /"topK" must be from 1 to 100/],
	]) {
		const searched = await acme.search(question, fields);
		assert.equal(searched.status, 400, searched.body);
		assert.match(searched.json.detail, detail);
		const chatted = await acme.chat(question, { fields });
		assert.equal(chatted.status, 400, chatted.body);
		assert.match(JSON.parse(chatted.body).detail, detail);
	}
	const misspelt = await acme.search(question, { filters: { author: 'Ann' } });
	assert.equal(misspelt.status, 400);
	assert.match(misspelt.json.detail, /"filters" is none of a search/);
	const nul = await acme.post('/search', `{"query":"x","filter":{"a":"\\u0000"}}`);
	assert.equal(nul.status, 400);
});

// What a shape of filter is, is decided by its text; so its values must still be the request's.
test('a shape of filter that comes again is prepared, and few are', async () => {
	const executed = (words) => [...stack.pg.program.text().matchAll(
		/^(\d+):LOG: +execute ((?:search|hybrid)_some_\d\d_\d+_[0-9a-f]{24}):/gm)].map(([, pid, name]) => words(pid, name));
	const before = executed(() => 1).length;
	for (const [author, expected] of [['Ann', ['kettles', 'tides']], ['Bob', ['ropes']], ['Eve', []],
		['Ann', ['kettles', 'tides']], ['Bob', ['ropes']]])
		assert.deepEqual(await found({ filter: { author: { in: [author] }, plain: { exists: false } } }),
			expected);
	assert.ok(executed(() => 1).length >= before + 2);
	for (let shape = 2; shape < 20; shape++)
		for (let again = 0; again < 4; again++)
			assert.deepEqual(await found({ filter: { or: Array(shape).fill({ author: 'Bob' }) } }),
				['ropes']);
	const names = new Map();
	for (const [pid, name] of executed((...both) => both))
		names.set(pid, (names.get(pid) ?? new Set()).add(name));
	assert.ok([...names.values()].every((set) => set.size <= 6));
	assert.ok([...names.values()].some((set) => set.size === 6));
});

// Another replica holds the upgrade's lease; then it has gone.
test('a database that is too old for it says so, until it is brought up to date', async () => {
	const inCatalog = (sql) => stack.sql(sql, 'catalog');
	await inCatalog("update tenants set schema_version = 2, attempt_id = 'another', " +
		"lease_until = now() + interval '1 hour' where tenant_id = 'acme'");
	execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
	const fresh = await stack.tenantgate();
	fresh.serviceKey = await gate.service();
	const client = await fresh.tenant('acme');
	for (const fields of [{ filter: { author: 'Ann' } }, { ownerId: 'ann' }]) {
		const answer = await client.search(question, fields);
		assert.equal(answer.status, 503, answer.body);
		assert.equal(answer.json.code, 'database_outdated');
		assert.ok(Number(answer.headers['retry-after']) >= 1);
	}
	assert.deepEqual(await found({}, client), Object.keys(library).sort());
	await inCatalog("update tenants set lease_until = now() where tenant_id = 'acme'");
	await until('it is up to date', async () => (await client.search(question,
		{ filter: { author: 'Ann' } })).status === 200, 30000);
	assert.deepEqual(await found({ filter: { author: 'Ann' } }, client), ['kettles', 'tides']);
});
