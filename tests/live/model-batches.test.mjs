// SPDX-License-Identifier: MIT
// What servers do with several texts at once: batches that are too large for them, and vectors whose
// place is not told. Each tenantgate begins without knowing its server.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { ModelServer, embeddingsOf, json } from './lib/model-server.mjs';

const stack = new Stack('model-batches');
let server, gate, acme, other;

async function restart() {
	await gate?.program.stop();
	server.reset();
	gate = await stack.tenantgate({ model_url: server.url, workers: 1,
		rate_limit_requests_per_minute: 0, embedding_dimensions: 128,
		embedding_send_dimensions: 'on' });
	acme = await gate.tenant('acme');
	other = await gate.tenant('other');
}

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
});
after(async () => {
	await stack.stop();
	await server.stop();
});

const habits = () => gate.lines().filter((line) => line.event === 'model.habit');
const openai = (message) => ({ error: { message, type: 'invalid_request_error', param: null } });

const paragraphs = (n, what) => Array.from({ length: n }, (_, i) =>
	`${what} ${i}: ` + `The kettle number ${i} whistles at noon. `.repeat(22)).join('\n\n');

const embeddings = () => server.requests.filter((request) => request.path.endsWith('/embeddings'));
const sizes = (begin = 0) => embeddings().slice(begin).map((request) => [request.body.input].flat().length);
// Batches of one document are under way together, and come in any order.
const ordered = (numbers) => [...numbers].sort((a, b) => b - a);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

// Stores a document of so many chunks; the texts of each request that this took.
async function ingested(tenant, id, n = 250) {
	const begin = embeddings().length;
	const stored = await tenant.ingestText(paragraphs(n, id), { documentId: id });
	return { status: stored.status, chunks: stored.json?.document?.chunks, sizes: sizes(begin) };
}

test('the position stands for an index that is absent, and no guess is made', async () => {
	await restart();
	const sending = (change) => (request, response) => {
		const answer = embeddingsOf(request.body);
		answer.data = change(answer.data);
		json(response, 200, answer);
	};
	const without = ({ index, ...item }) => item;
	for (const [name, change] of [
		['omitempty', (data) => data.map((item) => item.index === 0 ? without(item) : item)],
		['none', (data) => data.map(without)],
		['null', (data) => data.map((item) => ({ ...item, index: null }))],
	]) {
		server.embeddings = sending(change);
		const stored = await acme.ingestText(paragraphs(5, name), { documentId: name });
		assert.equal(stored.status, 201, stored.body);
		const found = await acme.search(`${name} 3: The kettle number 3 whistles at noon.`,
			{ topK: 1, documentIds: [name] });
		assert.match(found.body, new RegExp(`${name} 3: The kettle`));
	}
	// 4 and 3 have changed places: where does the one without an index belong?
	server.embeddings = sending((data) => data.length === 1 ? data.map(without)
		: [without(data[0]), ...data.slice(1, -2), data.at(-1), data.at(-2)]);
	assert.equal((await ingested(acme, 'disordered', 5)).status, 502);
	assert.equal((await ingested(acme, 'alone', 1)).status, 201);
});

const batches = [
	['dashscope', 10, 400, (n) => openai('<400> InternalError.Algo.InvalidParameter: Value error, ' +
		`batch size is invalid, it should not be larger than ${n}.: input.contents`)],
	['gemini', 100, 400, (n) => [{ error: { code: 400, message:
		`* BatchEmbedContentsRequest.requests: at most ${n} requests can be in one batch\n` } }]],
	['tei', 32, 413, (n, k) => ({ message: `batch size ${k} > maximum allowed batch size ${n}`,
		code: 413, type: 'Validation' })],
	['fastapi', 50, 422, (n, k) => ({ detail: [{ type: 'too_long', loc: ['body', 'input'],
		msg: `List should have at most ${n} items after validation, not ${k}` }] })],
];

for (const [name, limit, status, body] of batches)
	test(`${name}: batches of at most ${limit}, after one that was refused`, async () => {
		await restart();
		server.embeddings = (request, response) => request.body.input.length > limit
			? json(response, status, body(limit, request.body.input.length))
			: json(response, 200, embeddingsOf(request.body));
		const one = await ingested(acme, `${name} one`);
		assert.deepEqual([one.status, one.chunks, one.sizes[0]], [201, 250, 250]);
		assert.deepEqual(one.sizes.slice(1), Array.from({ length: Math.ceil(250 / limit) },
			(_, i) => Math.min(limit, 250 - i * limit)));
		const two = await ingested(other, `${name} two`);
		assert.equal(two.status, 201);
		assert.deepEqual(ordered(two.sizes), one.sizes.slice(1), 'none was refused');
		assert.equal(habits().length, 1);
		assert.match(habits()[0].message,
			new RegExp(`at most ${limit} texts .* set embedding_batch_items`));
		// All tokens of all requests, in one line.
		const line = gate.lines().find((l) => l.path === '/ingest' && l.tenant === 'other');
		assert.equal(line?.tokens_in, 250);
		const found = await other.search(`${name} two 249: The kettle number 249 whistles at noon.`,
			{ topK: 1 });
		assert.match(found.body, new RegExp(`${name} two 249: The kettle`));
	});

test('a batch that is refused without a number is halved until it is taken', async () => {
	await restart();
	server.embeddings = (request, response) => request.body.input.length > 70
		? json(response, 400, { object: 'error', message: 'Too many inputs in request, split into ' +
			'more batches.' })
		: json(response, 200, embeddingsOf(request.body));
	const one = await ingested(acme, 'halved one');
	assert.equal(one.status, 201);
	assert.deepEqual(one.sizes, [250, 125, 62, 62, 62, 62, 2]);
	assert.deepEqual(ordered((await ingested(other, 'halved two')).sizes), [62, 62, 62, 62, 2]);
});

test('a batch with too many bytes is cut by bytes', async () => {
	await restart();
	const bytes = (request) => sum(request.body.input.map((text) => text.length));
	server.embeddings = (request, response) => bytes(request) > 60000
		? json(response, 413, '<html>Request Entity Too Large</html>')
		: json(response, 200, embeddingsOf(request.body));
	const one = await ingested(acme, 'bytes one');
	assert.equal(one.status, 201);
	assert.ok(one.sizes.length > 4 && sum(one.sizes.slice(2)) >= 250, String(one.sizes));
	const begin = embeddings().length;
	const two = await ingested(other, 'bytes two');
	assert.equal(two.status, 201);
	assert.ok(embeddings().slice(begin).every((request) => bytes(request) <= 60000), 'none refused');
	assert.match(habits()[0].message, /bytes at once .* set embedding_batch_size/);
});

test('one text that is refused by itself makes no batch smaller', async () => {
	await restart();
	server.embeddings = (request, response) => request.body.input.some((t) => t.includes('poison'))
		? json(response, 400, {}) : json(response, 200, embeddingsOf(request.body));
	const bad = await acme.ingestText(`${paragraphs(100, 'a')}\n\n${'poison '.repeat(120)}\n\n` +
		paragraphs(100, 'b'), { documentId: 'bad' });
	assert.equal(bad.status, 502);
	assert.ok(embeddings().length < 40, `${embeddings().length} requests`);
	assert.equal(habits().length, 0);
	assert.deepEqual((await ingested(other, 'good')).sizes, [250]);
});

// Beside others it is refused, alone it is taken: the rest goes as one again.
test('one text that is refused only beside others makes no batch smaller either', async () => {
	await restart();
	server.embeddings = (request, response) => request.body.input.length > 1 &&
		request.body.input.some((text) => text.includes('heavy'))
		? json(response, 400, {}) : json(response, 200, embeddingsOf(request.body));
	const heavy = await acme.ingestText(`${'heavy '.repeat(150)}\n\n${paragraphs(40, 'h')}`,
		{ documentId: 'heavy' });
	assert.equal(heavy.status, 201, heavy.body);
	assert.deepEqual(sizes(), [41, 41, 20, 10, 5, 2, 1, 1, 39]);
	assert.equal(habits().length, 0);
	assert.deepEqual((await ingested(other, 'light')).sizes, [250]);
});

test('a limit that no word tells of is found, and remembered when both halves were taken', async () => {
	await restart();
	server.embeddings = (request, response) => request.body.input.length > 70
		? json(response, 422, '') : json(response, 200, embeddingsOf(request.body));
	const one = await ingested(acme, 'silent one');
	assert.equal(one.status, 201);
	assert.deepEqual(one.sizes, [250, 250, 125, 62, 62, 62, 62, 2]);
	assert.deepEqual(ordered((await ingested(other, 'silent two')).sizes), [62, 62, 62, 62, 2]);
	assert.match(habits()[0].message, /at most 62 texts/);
});
