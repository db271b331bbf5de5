// SPDX-License-Identifier: MIT
// Whose a tenant's vectors are: noted in its database with the first document, and vectors of
// another model are neither stored nor searched, until they are made anew.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { embeddingsOf, json, ModelServer } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('embedding-model');
let server, settings, gate;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	settings = { model_url: server.url, workers: 1, embedding_model: 'first',
		rate_limit_requests_per_minute: 0 };
	gate = await stack.tenantgate(settings);
});
after(async () => {
	await stack.stop();
	await server.stop();
});
beforeEach(() => server.reset());

// A process of that model, one for all tests; [model near] is there when it is named.
const gates = {};
const withModel = async (name) => gates[name] ??= await stack.tenantgate({ ...settings,
	embedding_model: name, ...(name.startsWith('near/') && { 'model near': { url: server.url } }) });

const databaseOf = async (id) => (await stack.sql(
	`select db_name from tenants where tenant_id = '${id}'`, 'catalog'))[0][0];
const noted = async (id) => (await stack.sql('select embedding_model, embedding_dimensions, ' +
	'embedding_normalized from public.retrieval', await databaseOf(id)))[0];
const embeddings = () => server.requests.filter(({ path }) => path.endsWith('/embeddings'));

async function stored(tenant, id, text = 'The lamp burns all night.') {
	const answer = await tenant.ingestText(text, { documentId: id });
	assert.equal(answer.status, 201, answer.body);
}

function isRefused(answer) {
	assert.equal(answer.status, 409, answer.body);
	assert.equal(answer.json.code, 'embedding_model_changed');
	assert.match(answer.json.detail, /`tenantgate reembed TENANT`/);
	assert.doesNotMatch(answer.body, /first|second/, 'which models is the log\'s');
}

// The server has the former model no more.
const withoutFirst = (request, response) => request.body.model === 'first'
	? json(response, 404, { error: { message: 'no such model' } })
	: json(response, 200, embeddingsOf(request.body));

test('the first document notes the model, its numbers and that they are normalised', async () => {
	const tenant = await gate.tenant('noted');
	await stored(tenant, 'one');
	assert.deepEqual(await noted('noted'), ['first', '1536', 't']);
	await stored(tenant, 'two', 'Another lamp.');
	assert.deepEqual(await noted('noted'), ['first', '1536', 't']);
	const long = await gate.tenant('long');
	server.embeddings = (request, response) => {
		const answer = embeddingsOf(request.body, { floats: true });
		for (const item of answer.data)
			item.embedding = item.embedding.map((x) => 24 * x);
		return json(response, 200, answer);
	};
	await stored(long, 'one');
	assert.deepEqual(await noted('long'), ['first', '1536', 'f']);
});

test('many that are the first at once agree', async () => {
	const tenant = await gate.tenant('crowd');
	await Promise.all(Array.from({ length: 8 }, (_, i) => stored(tenant, `d${i}`, `Lamp ${i}.`)));
	assert.deepEqual(await noted('crowd'), ['first', '1536', 't']);
	assert.equal((await tenant.search('lamp', { topK: 10 })).json.results.length, 8);
});

test('another model: nothing is found, added or embedded in vain; its own tenants are served', async () => {
	const before = await gate.tenant('changed');
	await stored(before, 'one');
	const other = await withModel('second');
	const tenant = await other.tenant('changed');
	server.requests = [];
	server.embeddings = withoutFirst;
	isRefused(await tenant.ingestText('New text.', { documentId: 'two' }));
	assert.equal(embeddings().length, 0, 'no vectors are made for what is refused');
	isRefused(await tenant.search('lamp'));
	assert.equal((await tenant.search('lamp', { mode: 'text' })).json.results.length, 1);
	const chat = await tenant.openChat('Which lamp?', { form: 'text' });
	const body = await chat.text();
	isRefused({ status: chat.status, body, json: JSON.parse(body) });
	assert.equal(server.chats().length, 0);
	const same = await tenant.ingestText('The lamp burns all night.', { documentId: 'one' });
	assert.equal(same.status, 200, 'what is stored already needs no vectors');
	await until('the log names both', () => other.lines().some(({ cause }) =>
		/stored: first \(1536 numbers\); embedding_model: second \(1536\)/.test(cause)));
	server.reset();
	const fresh = await other.tenant('fresh');
	await stored(fresh, 'one');
	assert.equal((await fresh.search('lamp')).json.results.length, 1);
	assert.equal((await before.search('lamp')).json.results.length, 1, 'and the former still reads');
});

test('while the former model can be asked, what is stored is found by it, and nothing is added', async () => {
	const before = await gate.tenant('former');
	await stored(before, 'one');
	const other = await withModel('second');
	const tenant = await other.tenant('former');
	server.requests = [];
	const found = await tenant.search('lamp');
	assert.equal(found.status, 200, found.body);
	assert.equal(found.json.results.length, 1);
	assert.deepEqual(embeddings().map(({ body }) => body.model), ['second', 'first']);
	assert.equal((await tenant.chat('Which lamp?')).status, 200);
	isRefused(await tenant.ingestText('New text.', { documentId: 'two' }));
	assert.ok(other.lines().some(({ event }) => event === 'search.former'));
	// A section that was removed is not sought elsewhere.
	const near = await withModel('near/first');
	await stored(await near.tenant('section'), 'one');
	isRefused(await (await other.tenant('section')).search('lamp'));
	const both = await stack.tenantgate({ ...settings, embedding_model: 'second',
		'model near': { url: server.url } });
	assert.equal((await (await both.tenant('section')).search('lamp')).json.results.length, 1);
});

// Its database is its own to write in.
test('a tenant that names one model after another takes none from the others', async () => {
	await stored(await gate.tenant('inventor'), 'one');
	await stored(await gate.tenant('faithful'), 'one');
	const other = await stack.tenantgate({ ...settings, embedding_model: 'second' });
	const inventor = await other.tenant('inventor');
	const database = await databaseOf('inventor');
	for (let i = 0; i < 40; i++) {
		await stack.sql(`update public.retrieval set embedding_model = 'invented-${i}'`, database);
		await inventor.search('lamp');
	}
	const invented = new Set(embeddings().map(({ body }) => body.model)
		.filter((name) => name.startsWith('invented-')));
	assert.ok(invented.size > 16, `${invented.size} of them were asked`);
	const found = await (await other.tenant('faithful')).search('lamp');
	assert.equal(found.status, 200, found.body);
	assert.equal(found.json.results.length, 1);
});

test('the same model at another server is the same', async () => {
	const tenant = await gate.tenant('moved');
	await stored(tenant, 'one');
	const moved = await withModel('near/first');
	const again = await moved.tenant('moved');
	assert.equal((await again.search('lamp')).json.results.length, 1);
	await stored(again, 'two', 'A second lamp.');
	assert.equal((await noted('moved'))[0], 'first');
});

test('other numbers of the same model are another', async () => {
	const tenant = await gate.tenant('shorter');
	await stored(tenant, 'one');
	const short = await stack.tenantgate({ ...settings, embedding_dimensions: 512,
		embedding_send_dimensions: 'on' });
	const again = await short.tenant('shorter');
	isRefused(await again.ingestText('New text.', { documentId: 'two' }));
	server.requests = [];
	assert.equal((await again.search('lamp')).json.results.length, 1);
	assert.deepEqual(embeddings().map(({ body }) => body.dimensions), [512, 1536]);
});

test('a database that has no such note takes the model of the next document', async () => {
	const tenant = await gate.tenant('before');
	await stored(tenant, 'one');
	await stack.sql('update public.retrieval set embedding_model = null, ' +
		'embedding_dimensions = null', await databaseOf('before'));
	assert.equal((await tenant.search('lamp')).json.results.length, 1);
	await stored(tenant, 'two', 'A second lamp.');
	assert.equal((await noted('before'))[0], 'first');
	assert.equal((await tenant.search('lamp')).json.results.length, 2);
});

test('what changes under a connection is seen by the next search and the next document', async () => {
	const tenant = await (await stack.tenantgate({ ...settings, default_pool_size: 1 })).tenant('under');
	await stored(tenant, 'one');
	for (let i = 0; i < 2; i++) // the connection knows whose they are from then on
		assert.equal((await tenant.search('lamp')).json.results.length, 1);
	const database = await databaseOf('under');
	await stack.sql("update public.retrieval set embedding_model = 'gone/third'", database);
	isRefused(await tenant.search('lamp'));
	isRefused(await tenant.ingestText('New text.', { documentId: 'two' }));
	await stack.sql("update public.retrieval set embedding_model = 'first'", database);
	await until('it is found again', async () => (await tenant.search('lamp')).status === 200);
});

test('a document whose vectors were made before the change is not stored', async () => {
	const tenant = await gate.tenant('between');
	await stored(tenant, 'one');
	const database = await databaseOf('between');
	server.embeddings = async (request, response) => {
		await stack.sql("update public.retrieval set embedding_model = 'gone/third'", database);
		return json(response, 200, embeddingsOf(request.body));
	};
	isRefused(await tenant.ingestText('New text.', { documentId: 'two' }));
	assert.deepEqual(await stack.sql('select document_id from public.chunk', database), [['one']]);
});
