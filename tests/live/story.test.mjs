// SPDX-License-Identifier: MIT
// From a tenant's first contact to the answer of the model, and what must hold on the way.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { sample, Stack } from './lib/stack.mjs';
import { readDataStream, readUiStream } from './lib/client.mjs';

const stack = new Stack(process.env.TG_PROVIDER ?? 'story');
let gate, lantern, kettle;

before(async () => {
	await stack.surroundings({ neon: process.env.TG_PROVIDER !== 'postgres' });
	gate = await stack.tenantgate();
	lantern = await gate.tenant('lantern');
	kettle = await gate.tenant('kettle');
});
after(() => stack.stop());

const question = 'How many litres of fuel an hour does the Marigold burn?';

test('a never-seen tenant ingests a PDF', async () => {
	assert.deepEqual(await stack.sql("select 1 from tenants where tenant_id = 'lantern'",
		'catalog').catch(() => []), []);
	const answer = await lantern.ingestFile(sample, { id: 'guide' });
	assert.equal(answer.status, 201, answer.body);
	const { document } = answer.json;
	assert.equal(document.id, 'guide');
	assert.equal(document.status, 'ready');
	assert.equal(document.mimeType, 'application/pdf');
	assert.equal(document.bytes, readFileSync(sample).length);
	assert.ok(document.pages > 1);
	assert.ok(document.chunks >= document.pages);
	assert.match(document.sha256, /^[0-9a-f]{64}$/);
	assert.match(document.createdAt, /^\d{4}-\d\d-\d\dT/);
});

test('chat answers from the document, with the pages, as data stream v1', async () => {
	const answer = await lantern.chat(question, { form: 'data' });
	assert.equal(answer.status, 200, answer.body);
	assert.equal(answer.headers['x-vercel-ai-data-stream'], 'v1');
	const { text, sources, finish, error } = readDataStream(answer.body);
	assert.equal(error, null);
	assert.match(text, /19 litres/);
	assert.equal(finish.finishReason, 'stop');
	assert.ok(sources.length >= 1);
	assert.equal(sources[0].documentId, 'guide');
	assert.equal(sources[0].page, 2);
	assert.ok(answer.body.indexOf('2:') < answer.body.indexOf('0:'), 'sources come first');
});

test('chat as UI message stream v1', async () => {
	const answer = await lantern.chat(question, { form: 'ui' });
	assert.match(answer.headers['content-type'], /^text\/event-stream/);
	assert.equal(answer.headers['x-vercel-ai-ui-message-stream'], 'v1');
	const { done, parts } = readUiStream(answer.body);
	assert.ok(done);
	const text = parts.filter((p) => p.type === 'text-delta').map((p) => p.delta).join('');
	assert.match(text, /19 litres/);
	assert.ok(parts.some((p) => p.type === 'source-document' && /page 2/.test(p.title)));
});

test('chat as plain text, of all the documents and of one', async () => {
	assert.match((await lantern.chat(question)).body, /19 litres/);
	assert.match((await lantern.chat(question, { fields: { documentId: 'guide' } })).body,
		/19 litres/);
	const none = await lantern.chat(question, { fields: { documentIds: ['no-such'] } });
	assert.equal(none.status, 200);
	assert.doesNotMatch(none.body, /19 litres/);
});

test('words arrive one by one, not at the end', async () => {
	await stack.knobs({ tokens: 40, token_delay_ms: 50 });
	const answer = await lantern.openChat(question);
	let pieces = 0;
	const first = new Promise((resolve) => answer.stream.on('data', () => {
		pieces++;
		resolve();
	}));
	const rest = answer.text();
	await first;
	assert.equal((await stack.modelStats()).active_streams, 1, 'the model has not ended yet');
	assert.ok((await rest).length > 0);
	await stack.knobs();
	assert.ok(pieces >= 3, `${pieces} pieces`);
});

test('search finds the page', async () => {
	const answer = await lantern.search(question, { topK: 3 });
	assert.equal(answer.status, 200, answer.body);
	assert.equal(answer.json.results.length, 3);
	const [first, second] = answer.json.results;
	assert.match(first.content, /19 litres/);
	assert.equal(first.documentId, 'guide');
	assert.equal(first.page, 2);
	assert.ok(first.score >= second.score);
});

test('a second tenant sees nothing of the first', async () => {
	const found = await kettle.search(question);
	assert.equal(found.status, 200, found.body);
	assert.deepEqual(found.json.results, []);
	const answer = await kettle.chat(question, { form: 'data' });
	assert.equal(answer.status, 200);
	const { text, sources } = readDataStream(answer.body);
	assert.deepEqual(sources, []);
	assert.doesNotMatch(text, /19 litres/);
	const named = await kettle.search(question, { documentId: 'guide' });
	assert.deepEqual(named.json.results, []);
});

test('the same id for two tenants is two documents', async () => {
	const mine = await kettle.ingestText('Kettles whistle at ninety-nine degrees.',
		{ documentId: 'guide' });
	assert.equal(mine.status, 201, mine.body);
	const found = await kettle.search('When do kettles whistle?');
	assert.equal(found.json.results.length, 1);
	assert.match((await lantern.search(question)).json.results[0].content, /19 litres/);
});

test('the same bytes under the same id: 200, nothing embedded again', async () => {
	const before = await stack.modelStats();
	const answer = await lantern.ingestFile(sample, { id: 'guide' });
	assert.equal(answer.status, 200, answer.body);
	assert.equal(answer.json.document.id, 'guide');
	assert.equal((await stack.modelStats()).embeddings, before.embeddings);
});

test('the same id with other bytes replaces the old chunks', async () => {
	const first = await lantern.ingestText('The password of the pantry is marmalade.',
		{ documentId: 'note' });
	assert.equal(first.status, 201, first.body);
	const second = await lantern.ingestText('The password of the pantry is gooseberry.',
		{ documentId: 'note' });
	assert.equal(second.status, 201, second.body);
	const found = await lantern.search('password of the pantry', { documentId: 'note' });
	assert.equal(found.json.results.length, 1);
	assert.match(found.json.results[0].content, /gooseberry/);
});

test('text and Markdown by Content-Type, several files by multipart', async () => {
	const markdown = await lantern.ask('POST', '/ingest?documentId=md&title=Notes', { headers: {
		'content-type': 'text/markdown' }, body: '# Title\n\nOtters hold hands.\n' });
	assert.equal(markdown.status, 201, markdown.body);
	assert.equal(markdown.json.document.mimeType, 'text/markdown');
	const form = new FormData();
	form.append('file', new Blob(['Herons stand.'], { type: 'text/plain' }), 'heron.txt');
	form.append('file', new Blob(['Gulls shout.'], { type: 'text/plain' }), 'gull.txt');
	const encoded = new Response(form);
	const many = await lantern.ask('POST', '/ingest', { headers: { 'content-type':
		encoded.headers.get('content-type') }, body: Buffer.from(await encoded.arrayBuffer()) });
	assert.equal(many.status, 201, many.body);
	assert.deepEqual(many.json.documents.map((d) => d.fileName).sort(), ['gull.txt', 'heron.txt']);
});

test('progress of an ingest as events', async () => {
	const answer = await lantern.ask('POST', '/ingest?documentId=events', { headers: {
		'content-type': 'text/plain', accept: 'text/event-stream' },
		body: 'Puffins dig. '.repeat(400) });
	assert.equal(answer.status, 200);
	assert.match(answer.headers['content-type'], /^text\/event-stream/);
	const names = [...answer.body.matchAll(/^event: (\w+)$/gm)].map((m) => m[1]);
	assert.equal(names.at(-1), 'document', answer.body);
	const stages = [...answer.body.matchAll(/"stage":"(\w+)"/g)].map((m) => m[1]);
	for (const stage of ['extract', 'chunk', 'embed', 'store'])
		assert.ok(stages.includes(stage), `${stage} in ${stages}`);
});

test('every response has its request id, and limits that are true', async () => {
	const first = await lantern.search('x', {});
	const second = await lantern.search('x', {});
	assert.match(first.headers['x-request-id'], /^[A-Za-z0-9._:-]{1,64}$/);
	assert.notEqual(first.headers['x-request-id'], second.headers['x-request-id']);
	assert.equal(first.headers['ratelimit-policy'], '"tenant";q=600;w=60');
	assert.ok(Number(/^"tenant";r=(\d+);t=1$/.exec(second.headers.ratelimit)[1]) < 600);
	assert.equal(second.headers['x-content-type-options'], 'nosniff');
	const mine = await lantern.ask('POST', '/search', { headers: { 'content-type':
		'application/json', 'x-request-id': 'my-own.1' }, body: '{"query":"x"}' });
	assert.equal(mine.headers['x-request-id'], 'my-own.1');
});

test("a tenant's own key: its tenant, and no other", async () => {
	const key = await gate.key('--tenant', 'lantern');
	assert.match(key, /^tg_[A-Za-z0-9]+_[A-Za-z0-9]+$/);
	const headers = { authorization: `Bearer ${key}` };
	const own = await gate.anonymous.ask('POST', '/search', { headers: { ...headers,
		'content-type': 'application/json' }, body: JSON.stringify({ query: question }) });
	assert.equal(own.status, 200, own.body);
	assert.match(own.json.results[0].content, /19 litres/);
	const other = await gate.anonymous.ask('POST', '/search', { headers: { ...headers,
		'content-type': 'application/json', 'x-tenant-id': 'kettle' },
		body: JSON.stringify({ query: question }) });
	assert.equal(other.status, 403, other.body);
});

test('the access log has a line for each request, and nothing secret', async () => {
	const text = gate.program.text();
	const line = gate.lines().findLast((l) => l.request_id === 'my-own.1');
	assert.ok(line, 'a line with the request id');
	assert.equal(line.tenant, 'lantern');
	assert.equal(line.status, 200);
	assert.doesNotMatch(text, /litres/, 'no prompt or document text');
	assert.ok(!text.includes(gate.serviceKey.split('_')[2]), 'no key');
	assert.ok(!text.includes(stack.pg.password), 'no password');
	assert.ok(!text.includes(stack.sealKey), 'no seal key');
});

test('secrets are sealed in the catalog and in Redis', async () => {
	const dump = JSON.stringify(await stack.sql('select t::text from tenants t', 'catalog'));
	assert.match(dump, /tgs1\./);
	const keys = JSON.stringify(await stack.sql('select k::text from api_keys k', 'catalog'));
	assert.ok(!keys.includes(gate.serviceKey.split('_')[2]));
});

test('a restart keeps everything: the catalog is the authority', async () => {
	await gate.program.stop();
	await stack.cache.program.stop();
	await stack.redis();
	const key = gate.serviceKey;
	gate = await stack.tenantgate();
	gate.serviceKey = key;
	lantern = await gate.tenant('lantern');
	const answer = await lantern.search(question);
	assert.equal(answer.status, 200, answer.body);
	assert.match(answer.json.results[0].content, /19 litres/);
});
