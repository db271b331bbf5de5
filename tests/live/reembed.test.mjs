// SPDX-License-Identifier: MIT
// `tenantgate reembed TENANT`: a tenant's vectors made anew by another model, while the old ones are
// searched; and that it may be killed anywhere.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { embeddingsOf, json, ModelServer } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { programs, Stack } from './lib/stack.mjs';

const stack = new Stack('reembed');
const CHUNKS = 60;
const children = [];
let server, settings, gate;

// Of each model other vectors, and as many numbers as are asked for.
function answer(request, response) {
	const salt = createHash('sha256').update(request.body.model).digest('hex').slice(0, 4);
	const input = [request.body.input].flat().map((text) => text.replace(/\w+/g, `$&${salt}`));
	return json(response, 200, embeddingsOf({ ...request.body, input }));
}

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	settings = { model_url: server.url, workers: 1, embedding_model: 'first', chunk_size: 60,
		chunk_overlap: 0, embedding_batch_items: 10, rate_limit_requests_per_minute: 0 };
	gate = await stack.tenantgate(settings);
});
after(async () => {
	for (const child of children)
		child.kill('SIGKILL');
	await stack.stop();
	await server.stop();
});
beforeEach(() => {
	server.reset();
	server.embeddings = answer;
});

let bySecond;
const withSecond = async () => bySecond ??= await stack.tenantgate({ ...settings,
	embedding_model: 'second' });

const databaseOf = async (id) => (await stack.sql(
	`select db_name from tenants where tenant_id = '${id}'`, 'catalog'))[0][0];
const value = async (id, text) => (await stack.sql(text, await databaseOf(id)))[0]?.[0];
const noted = (id) => value(id, "select embedding_model || ' ' || embedding_dimensions || ' ' || " +
	'embedding_normalized from public.retrieval');
const waiting = (id) => value(id, "select count(*) from pg_class where relname like 'chunk_next_%' " +
	"and relkind = 'r'");
// Of what was the tail, as a search by them left it.
const putSketches = async (id) => stack.sql('insert into public.chunk_sketch select id, ' +
	'binary_quantize(embedding) from public.chunk', await databaseOf(id));
const sketches = (id) => value(id, 'select count(*) from public.chunk_sketch');
const textsOf = (model) => server.requests.filter(({ path, body }) =>
	path.endsWith('/embeddings') && body.model === model).flatMap(({ body }) => body.input);

const passages = (count, word = 'lamp') => Array.from({ length: count }, (_, i) =>
	`The ${word} number${i} is bright and burns all night long.`).join('\n\n');

async function tenantOf(id) {
	const tenant = await gate.tenant(id);
	const stored = await tenant.ingestText(passages(CHUNKS), { documentId: 'lamps' });
	assert.equal(stored.status, 201, stored.body);
	assert.equal(stored.json.document.chunks, CHUNKS);
	return tenant;
}

// { status, stdout, stderr } of the command with these settings.
const reembed = (changes, ...words) => new Promise((resolve) => execFile(programs.tenantgate(),
	['-c', stack.conf({ ...settings, ...changes }), 'reembed', ...words],
	(error, stdout, stderr) => resolve({ status: error?.code ?? 0, stdout, stderr })));

// The same, still running.
function begun(changes, id) {
	children.push(spawn(programs.tenantgate(), ['-c', stack.conf({ ...settings, ...changes }),
		'reembed', id], { stdio: 'ignore' }));
	return children.at(-1);
}

async function finds(tenant, number = 17) {
	const found = await tenant.search(`number${number}`, { topK: 1 });
	assert.equal(found.status, 200, found.body);
	assert.match(found.json.results[0].content, new RegExp(`number${number} `));
}

test('another model with as many numbers: found before, and found after', async () => {
	const tenant = await tenantOf('same');
	const second = { embedding_model: 'second' };
	const other = await (await withSecond()).tenant('same');
	await finds(other);
	assert.equal((await other.ingestText('A buoy.')).status, 409);
	server.requests = [];
	await stack.sql('create index chunk_hnsw_vector_1 on public.chunk using hnsw ' +
		'(embedding vector_cosine_ops)', await databaseOf('same'));
	await putSketches('same');
	const { status, stdout, stderr } = await reembed(second, 'same');
	assert.equal(status, 0, stderr);
	assert.equal(await sketches('same'), '0');
	assert.match(stdout, /^The vectors of tenant same are of second now\.\n$/);
	assert.match(stderr, /60 of 60 chunks have new vectors \(100 %\)/);
	assert.equal(await noted('same'), 'second 1536 true');
	assert.equal(await waiting('same'), '0');
	assert.equal(textsOf('second').length, CHUNKS, 'each once');
	await finds(other);
	assert.equal((await tenant.ingestText('A buoy.')).status, 409, 'the former adds nothing now');
	assert.equal((await other.ingestText('A buoy.', { documentId: 'buoy' })).status, 201);
	assert.equal((await other.search('buoy', { topK: 1 })).json.results[0].content, 'A buoy.');
	server.requests = [];
	const again = await reembed(second, 'same');
	assert.equal(again.status, 0);
	assert.match(again.stdout, /as they were\.\n$/);
	assert.equal(server.requests.length, 0);
});

test('other numbers: the column changes, and what is stored afterwards fits', async () => {
	await tenantOf('numbers');
	const former = await (await stack.tenantgate({ ...settings, default_pool_size: 1 }))
		.tenant('numbers');
	await finds(former);
	const shorter = { embedding_model: 'second', embedding_dimensions: 256,
		embedding_send_dimensions: 'on', document_embedding_memory: '64KiB' };
	await putSketches('numbers');
	const { status, stderr } = await reembed(shorter, 'numbers');
	assert.equal(status, 0, stderr);
	assert.equal(await sketches('numbers'), '0');
	assert.equal(await noted('numbers'), 'second 256 true');
	const other = await (await stack.tenantgate({ ...settings, ...shorter })).tenant('numbers');
	await finds(other);
	assert.equal((await former.search('number17')).status, 409, 'whose connection knew the former');
	const more = await other.ingestText(passages(400, 'buoy'), { documentId: 'buoys' });
	assert.equal(more.status, 201, more.body);
	assert.equal((await other.search('buoy number399', { topK: 1 })).json.results[0].documentId,
		'buoys');
});

test('killed in the middle: the old vectors answer, and the next run makes the rest', async () => {
	const tenant = await tenantOf('killed');
	const second = { embedding_model: 'second' };
	let held = 0;
	server.embeddings = (request, response) => {
		if (request.body.model === 'second' && textsOf('second').length > 30)
			return void ++held;
		return answer(request, response);
	};
	const child = begun(second, 'killed');
	await until('it waits for the model', () => held > 0);
	await finds(tenant);
	assert.equal((await tenant.ingestText(passages(1, 'buoy'), { documentId: 'new' })).status, 201);
	child.kill('SIGKILL');
	await new Promise((resolve) => child.once('exit', resolve));
	await finds(tenant);
	assert.equal(await noted('killed'), 'first 1536 true');
	server.reset();
	server.embeddings = answer;
	const { status, stderr } = await reembed(second, 'killed');
	assert.equal(status, 0, stderr);
	assert.equal(textsOf('second').length, CHUNKS + 1 - 30, 'the rest, and the new one');
	const other = await (await withSecond()).tenant('killed');
	await finds(other);
	assert.equal((await other.search('buoy', { topK: 1 })).json.results[0].documentId, 'new');
	assert.equal(await value('killed', 'select count(*) from public.chunk'), String(CHUNKS + 1));
});

test('killed in the switch: all of it, or nothing', async () => {
	const tenant = await tenantOf('cut');
	const database = await databaseOf('cut');
	const second = { embedding_model: 'second' };
	// Another transaction that stores keeps the switch waiting, when the index is gone already.
	const holder = spawn('psql', ['-X', '-q', stack.pg.url(database)],
		{ stdio: ['pipe', 'pipe', 'ignore'] });
	children.push(holder);
	holder.stdin.write('begin; select from public.retrieval for key share; select 1;\n');
	await new Promise((resolve) => holder.stdout.once('data', resolve));
	const child = begun(second, 'cut');
	await until('the switch waits', async () => (await stack.sql('select count(*) from ' +
		"pg_stat_activity where wait_event_type = 'Lock' and query like '%FOR UPDATE%'"))[0][0] > 0);
	await finds(tenant);
	child.kill('SIGKILL');
	await new Promise((resolve) => child.once('exit', resolve));
	holder.stdin.end('rollback;\n');
	await new Promise((resolve) => holder.once('exit', resolve));
	await finds(tenant);
	server.requests = [];
	const { status, stderr } = await reembed(second, 'cut');
	assert.equal(status, 0, stderr);
	assert.equal(textsOf('second').length, 0, 'all were there');
	assert.match(await value('cut', 'select embedding_model from public.retrieval'), /second/);
	await finds(await (await withSecond()).tenant('cut'));
});

test('a chunk that is there only when the switch looks has a vector, too', async () => {
	await tenantOf('late');
	const database = await databaseOf('late');
	await stack.sql('create table kept as select * from public.chunk where chunk_index = 0; ' +
		'delete from public.chunk where chunk_index = 0', database);
	server.embeddings = async (request, response) => {
		if (request.body.model === 'second' && textsOf('second').length >= CHUNKS - 1)
			await stack.sql('insert into public.chunk select * from kept; delete from kept', database);
		return answer(request, response);
	};
	const { status, stderr } = await reembed({ embedding_model: 'second' }, 'late');
	assert.equal(status, 0, stderr);
	assert.equal(await noted('late'), 'second 1536 true');
	assert.equal(textsOf('second').length, CHUNKS);
	await finds(await (await withSecond()).tenant('late'), 0);
});

test('a model that is busy is waited for', async () => {
	await tenantOf('busy');
	let refused = 0;
	server.embeddings = (request, response) => refused++ < 3
		? json(response, 429, { error: { message: 'slow down' } }, { 'retry-after': '1' })
		: answer(request, response);
	const { status, stderr } = await reembed({ embedding_model: 'second' }, 'busy');
	assert.equal(status, 0, stderr);
	assert.equal(await noted('busy'), 'second 1536 true');
	assert.match(stderr, /The model is busy; this goes on in 1 s\./);
});

test('a text that is too long for the new model has the vector of its beginning', async () => {
	await tenantOf('long');
	server.embeddings = (request, response) =>
		[request.body.input].flat().some((text) => text.includes('number7 ') && text.length > 30)
			? json(response, 400, { error: { code: 'context_length_exceeded', message: 'too long' } })
			: answer(request, response);
	const { status, stderr } = await reembed({ embedding_model: 'second' }, 'long');
	assert.equal(status, 0, stderr);
	assert.match(stderr, /Chunk \d+ is too long for the model; its vector is of its first \d+ bytes/);
	assert.equal(await noted('long'), 'second 1536 true');
	assert.equal(textsOf('second').filter((text) => text.includes('number8 ')).length, 2,
		'those beside it alone go twice');
	assert.equal(textsOf('second').filter((text) => text.includes('number18 ')).length, 1);
});

test('a wrong command line, no such tenant, a model that fails', async () => {
	for (const words of [[], ['a', 'b'], ['--all'], ['no such id']]) {
		const { status, stderr } = await reembed({}, ...words);
		assert.equal(status, 2, words.join());
		assert.match(stderr, /reembed TENANT/);
	}
	const none = await reembed({}, 'nobody');
	assert.equal(none.status, 1);
	assert.match(none.stderr, /There is no such tenant/);
	const tenant = await tenantOf('failing');
	server.embeddings = (request, response) => json(response, 401, { error: { message: 'no' } });
	const failed = await reembed({ embedding_model: 'second' }, 'failing');
	assert.equal(failed.status, 1);
	assert.match(failed.stderr, /are as they were: The embedding model refused/);
	server.embeddings = answer;
	await finds(tenant);
});
