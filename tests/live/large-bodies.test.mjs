// SPDX-License-Identifier: MIT
// Bodies of megabytes: no turn of a loop computes longer than is meant (worker.long_turn), and other
// clients are answered meanwhile. What a body is made of decides how much work it is, not its size
// alone.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { sleep } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const MIB = 1 << 20;
const sentence = 'A lantern hangs over the door of the harbour office, and it is lit at dusk.\n\n';
const prose = (bytes) => sentence.repeat(Math.ceil(bytes / sentence.length)).slice(0, bytes);
const stack = new Stack('large-bodies');
let gate, large;

before(async () => {
	await stack.surroundings({ neon: false });
	await start('large', { chunk_size: 8000, chunk_overlap: 200 });
});
after(() => stack.stop());

async function start(tenant, changes) {
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0,
		max_document_size: '24MiB', max_document_text: '24MiB', max_chat_body: '10MiB', ...changes });
	large = await gate.tenant(tenant);
	const first = await large.ingestText('The harbour is lit at dusk.', { documentId: 'first' });
	assert.equal(first.status, 201, first.body);
}

const post = (path, type, body) => large.ask('POST', path, {
	headers: { 'content-type': type }, body });
const json = (path, body) => post(path, 'application/json', body);

const longTurns = () => gate.lines().filter((line) => line.event === 'worker.long_turn');

// The response, when other clients were answered all the while by the one worker that there is. They
// pause a little, or they would take most of the processor themselves.
async function beside(request) {
	const before = longTurns().length;
	let done = false;
	const asking = (async () => {
		let asked = 0;
		for (; !done || asked === 0; asked++) {
			assert.equal((await gate.anonymous.get('/healthz')).status, 200);
			await sleep(5);
		}
	})();
	const answer = await request().finally(() => { done = true; });
	await asking;
	assert.deepEqual(longTurns().slice(before).map((line) => line.message), []);
	return answer;
}

function refused(answer, detail) {
	assert.equal(answer.status, 400, answer.body);
	assert.match(answer.json.detail, detail);
}

function members(count, from = 0) {
	return Array.from({ length: count }, (_, i) => `"k${from + i}":${i % 10}`).join(',');
}

test('10,000 keys: refused with the limit, as soon as they are counted', async () => {
	const body = `{"text":"x","metadata":{${members(10000)}}}`;
	refused(await beside(() => json('/ingest', body)), /more than 10000 values/);
});

test('800,000 keys: refused for what is not the text', async () => {
	const body = `{"text":"x","metadata":{${members(800000)}}}`;
	const answer = await beside(() => json('/ingest', body));
	assert.equal(answer.status, 413, answer.body);
	assert.match(answer.json.detail, /more than 524288 bytes beside its longest string/);
});

test('as many keys as are allowed are read, and then refused for what they are', async () => {
	const body = `{"text":"x","metadata":{${members(9990)}}}`;
	refused(await beside(() => json('/ingest', body)), /metadata must be at most/);
	const fields = `{"messages":[{"role":"user","content":"dusk?"}],${members(19990)}}`;
	const answer = await beside(() => json('/chat', fields));
	assert.equal(answer.status, 200, answer.body);
});

test('9 MB of numbers are refused by /chat and /search', async () => {
	const numbers = `[${'1234567,'.repeat(9 * MIB / 8)}1]`;
	for (const path of ['/chat', '/search'])
		refused(await beside(() => json(path, `{"query":${numbers}}`)), /more than 20000 values/);
});

test('a small body of too many values is refused as well', async () => {
	refused(await json('/search', `{"query":"x","x":[${'0,'.repeat(20000)}0]}`),
		/more than 20000 values/);
});

test('9 MB of text: as a question, as a query, as a document', async () => {
	const content = prose(9 * MIB);
	const chat = await beside(() => json('/chat',
		JSON.stringify({ messages: [{ role: 'user', content }] })));
	assert.equal(chat.status, 200, chat.body);
	refused(await beside(() => json('/search', JSON.stringify({ query: content }))),
		/"query" must be 1 to 8000 bytes/);
	const stored = await beside(() => json('/ingest', JSON.stringify({ text: content })));
	assert.equal(stored.status, 201, stored.body);
	assert.equal(stored.json.document.bytes, content.length);
});

// Its JSON is read piece by piece; what it stands for is what the same text is by itself.
test('6 MB of JSON whose text is escapes and characters of each length', async () => {
	const kinds = String.raw`quay \"A\"\\B\u0001\t\n\u00e9 \ud83d\ude00 ` + '\u00e9\u20ac\u{1f600} ';
	const escaped = kinds.repeat(6 * MIB / 64);
	const text = JSON.parse(`"${escaped}"`);
	const body = `{"documentId":"kinds","title":"Kinds","text":"${escaped}"}`;
	const stored = await beside(() => json('/ingest', body));
	assert.equal(stored.status, 201, stored.body);
	const { title, bytes, sha256 } = stored.json.document;
	assert.deepEqual([title, bytes], ['Kinds', Buffer.byteLength(text)]);
	assert.equal(sha256, createHash('sha256').update(text).digest('hex'));
	const again = await beside(() => post('/ingest?documentId=kinds', 'text/plain', text));
	assert.equal(again.status, 200, again.body);
});

test('JSON on the disk: what is long and no text is refused as it is from memory', async () => {
	const long = 'x'.repeat(MIB);
	refused(await json('/ingest', `{"text":"x","metadata":{"a":"${long}"}}`),
		/metadata must be at most 16384 bytes/);
	refused(await json('/ingest', `{"text":"x","documentId":"${long}"}`), /documentId must be/);
	refused(await json('/ingest', `{"text":"x","title":"${long}"}`), /title must be/);
	refused(await json('/ingest', `{"text":"${long}\\x"}`), /byte 1048587: the syntax is wrong/);
	refused(await json('/ingest', `{"text":"${long}","a":tru}`), /byte 10485\d\d: the syntax/);
	refused(await json('/ingest', `{"text":"${long}","tenantId":"nobody"}`), /tenant/);
	const stored = await json('/ingest', `{"text":"Dusk at the quay.","other":"${long}"}`);
	assert.equal(stored.status, 201, stored.body);
	assert.equal(stored.json.document.bytes, 17);
});

test('a megabyte that has to be escaped for the model', async () => {
	const content = '\u2028'.repeat(MIB / 3);
	const answer = await beside(() => json('/chat',
		JSON.stringify({ messages: [{ role: 'user', content }] })));
	assert.equal(answer.status, 200, answer.body);
});

test('a document of 20 MB, and the same again', async () => {
	for (const status of [201, 200]) {
		const answer = await beside(() => post('/ingest?documentId=tall', 'text/plain',
			prose(20 * MIB)));
		assert.equal(answer.status, status, answer.body);
	}
});

test('a document of 20 MB in a form', async () => {
	const form = new FormData();
	form.append('file', new Blob([prose(20 * MIB)], { type: 'text/plain' }), 'tall.txt');
	const encoded = new Response(form);
	const body = Buffer.from(await encoded.arrayBuffer());
	const answer = await beside(() => post('/ingest', encoded.headers.get('content-type'), body));
	assert.equal(answer.status, 201, answer.body);
});

test('a document of 15 MB in a form, as base64 in lines', async () => {
	const text = prose(15 * MIB);
	const lines = Buffer.from(text).toString('base64').replace(/.{76}/g, '$&\r\n');
	const answer = await beside(() => post('/ingest', 'multipart/form-data; boundary=B',
		'--B\r\nContent-Disposition: form-data; name="file"; filename="tall.txt"\r\n' +
		`Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines}\r\n--B--`));
	assert.equal(answer.status, 201, answer.body);
	assert.equal(answer.json.document.bytes, text.length);
	assert.equal(answer.json.document.sha256, createHash('sha256').update(text).digest('hex'));
});

test('10 MB in another charset, guessed and decoded', async () => {
	const french = 'Le phare du vieux port éclaire la jetée où les pêcheurs réparent leurs filets.\n';
	const body = Buffer.from(french.repeat(10 * MIB / french.length), 'latin1');
	const answer = await beside(() => post('/ingest', 'text/plain', body));
	assert.equal(answer.status, 201, answer.body);
	const found = await large.search('phare', { documentId: answer.json.document.id, topK: 1 });
	assert.match(found.json.results[0].content, /éclaire la jetée où les pêcheurs/);
});

test('20 MB of UTF-16 that are too much text', async () => {
	const body = Buffer.from(`\ufeff${'港口的灯塔在夜里发光。\n'.repeat(20 * MIB / 24)}`, 'utf16le');
	const answer = await beside(() => post('/ingest', 'text/plain', body));
	assert.equal(answer.status, 422, answer.body);
	assert.equal(answer.json.code, 'document_limit');
});

test('a client that leaves in the middle of the work: the next one is served', async () => {
	const body = JSON.stringify({ text: prose(9 * MIB) });
	for (const ms of [20, 40, 60, 80, 100, 150]) {
		const aborted = large.ask('POST', '/ingest', { signal: AbortSignal.timeout(ms),
			headers: { 'content-type': 'application/json' }, body });
		await beside(() => aborted.catch(() => null));
	}
	assert.equal((await large.search('harbour')).status, 200);
});

test('2048 vectors in one response', async () => {
	await gate.program.stop();
	await start('chips', { chunk_size: 100, chunk_overlap: 0 });
	const answer = await beside(() => post('/ingest?documentId=vectors', 'text/plain',
		sentence.repeat(4000)));
	assert.equal(answer.status, 201, answer.body);
	assert.equal(answer.json.document.chunks, 4000);
});
