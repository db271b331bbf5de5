// SPDX-License-Identifier: MIT
// A database with an app's own table of vectors: it is copied into ours once, behind the requests,
// whatever is killed, and stays as it was.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { embeddingsOf, json, ModelServer } from './lib/model-server.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('embeddings-copy');
const DIMENSIONS = 16;
const SETTINGS = { embedding_dimensions: DIMENSIONS, embedding_send_dimensions: 'on' };
let gate, database;

const here = (text) => stack.sql(text, database);

// As the app makes it. Rows of documents take turns; some have no vector, or no document.
const APPS = `create table embeddings (id serial primary key, content text not null,
		metadata jsonb not null, embedding vector(${DIMENSIONS}), created_at timestamptz default now());
	insert into embeddings (content, metadata, embedding) select 'Row ' || i || ' of the app.',
		case when i % 100 = 7 then '{}' else jsonb_build_object('documentId',
			'doc_' || case when i > 2500 and i % 10 = 1 then 9 else i % 3 end,
			'loc', '{"lines":{"from":1,"to":2}}'::jsonb) end,
		case when i % 100 <> 8 then (select array_agg(random() - 0.5 + 0 * i * j)
			from generate_series(1, ${DIMENSIONS}) j)::vector end
		from generate_series(0, 2999) i`;

// Another process: none that has looked already.
async function another() {
	const next = await stack.tenantgate(SETTINGS);
	next.serviceKey = gate.serviceKey;
	return next;
}

const copied = async () => Number((await here('select count(*) from embeddings_copied'))[0][0]);
const isCopied = async (db = database) =>
	(await stack.sql('select embeddings_phase from retrieval', db))[0][0] === '2';
const wake = async (from) => assert.equal((await (await from.tenant('acme')).search('lantern')).status,
	200);

const reembed = (tenant) => new Promise((resolve) => {
	execFile(programs.tenantgate(), ['-c', stack.conf({ ...SETTINGS, embedding_model: 'another' }),
		'reembed', tenant], (error, stdout, stderr) => resolve({ status: error?.code ?? 0, stderr }));
});

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgate(SETTINGS);
	const client = await gate.tenant('acme');
	assert.equal((await client.ingestText('The lantern of ours.', { documentId: 'doc_2' })).status, 201);
	[[database]] = await stack.sql("select db_name from tenants where tenant_id = 'acme'", 'catalog');
	await gate.program.stop();
	const owner = (await stack.sql("select db_user from tenants where tenant_id = 'acme'", 'catalog'))
		[0][0];
	await here(`set role ${owner}; ${APPS}`);
});
after(() => stack.stop());

test('a table of another model, or other dimensions, is left alone', async () => {
	await here("update retrieval set embedding_model = 'gone/another', embedding_dimensions = 16");
	const one = await another();
	assert.equal((await (await one.tenant('acme')).search('lantern')).status, 409);
	await one.program.stop();
	assert.equal(await copied(), 0);
	// The same one, of any server: as where the first document came before the copy.
	await here("update retrieval set embedding_model = 'somewhere/text-embedding-3-small'");
});

test('vectors that are still to be copied are not left behind by another model', async () => {
	const ended = await reembed('acme');
	assert.equal(ended.status, 1, ended.stderr);
	assert.match(ended.stderr, /public\.embeddings is not copied yet\./);
	assert.deepEqual(await here('select embedding_model, embeddings_phase from retrieval'),
		[['somewhere/text-embedding-3-small', '0']]);
});

test('killed in the middle, by two processes: each row once, in its order', async () => {
	await here(`create function slowly() returns trigger language plpgsql as
			'begin perform pg_sleep(0.3); return null; end';
		create trigger slowly after insert on chunk for each statement execute function slowly()`);
	const killed = await another();
	await wake(killed);
	await until('some of it is copied', async () => await copied() > 0);
	killed.program.kill('SIGKILL');
	await killed.program.exit;
	assert.ok(await copied() < 3000, 'it was killed in the middle');
	await here("update retrieval set merger_until = now() - interval '1 s'");
	await here("delete from document where id = 'doc_1'");	// by its owner, in the middle
	const two = [await another(), await another()];
	await Promise.all(two.map(wake));
	await until('all is copied', isCopied, 60000);
	await here('drop trigger slowly on chunk');

	const rows = `select id, content, metadata->>'documentId' as doc, embedding from embeddings
		where embedding is not null and metadata->>'documentId' = any ('{doc_0,doc_9}')`;
	assert.deepEqual(await here(`select count(*) from (select document_id, chunk_index, content,
			embedding::text from chunk where document_id <> 'doc_2' except all select doc,
			row_number() over (partition by doc order by id) - 1, content, embedding::text
			from (${rows}) r) x`), [['0']]);
	assert.deepEqual(await here(`select (select count(*) from chunk where document_id <> 'doc_2') =
		(select count(*) from (${rows}) r)`), [['t']]);
	assert.deepEqual(await here(`select bool_and(d.chunks = (select count(*) from chunk c where
		c.document_id = d.id)) from document d`), [['t']]);
	assert.deepEqual(await here("select id, title, mime_type, chunks > 40 from document where id <> " +
		"'doc_2' order by 1"), [['doc_0', 'doc_0', 'application/pdf', 't'],
		['doc_9', 'doc_9', 'application/pdf', 't']], 'what was deleted does not come back');
	assert.deepEqual(await here('select count(*) from embeddings'), [['3000']]);
	assert.deepEqual(await here('select not_copied > 1000 from retrieval'), [['t']],
		'without vector, without document, or of one that was stored with us');
	assert.equal(two.filter((one) => /embeddings\.copied/.test(one.program.text())).length, 1);
	await Promise.all(two.map((one) => one.program.stop()));
});

// Each of the processes before may have kept those of what was there at the time.
test('the words of all that was copied are kept', async () => {
	const one = await another();
	await wake(one);
	await until('each chunk is counted', async () => (await here(`select bool_and(d.chunks = (
		select sum(s.chunks) from text_segment s where s.document_id = d.id)) from document d`))[0][0] === 't');
	await one.program.stop();
});

test('what was copied is found, listed and deleted like any other; what was ours is as it was',
	async () => {
		const one = await stack.tenantgate({ ...SETTINGS, documents_sweep_interval: '100ms' });
		one.serviceKey = gate.serviceKey;
		const client = await one.tenant('acme');
		await wake(one);
		await until('it is listed', async () => {
			await wake(one);
			return (await client.get('/documents/doc_0')).status === 200;
		});
		const found = await client.post('/search', { query: 'Row', documentId: 'doc_0', topK: 5 });
		assert.equal(found.json.results.length, 5);
		assert.match(found.json.results[0].content, /^Row \d+ of the app\.$/);
		const gone = await client.ask('DELETE', '/documents/doc_0');
		assert.equal(gone.status, 204, gone.body);
		assert.deepEqual(await here("select count(*) from chunk where document_id = 'doc_0'"), [['0']]);
		assert.equal((await client.get('/documents/doc_0')).status, 404);
		assert.deepEqual(await here("select content from chunk where document_id = 'doc_2'"),
			[['The lantern of ours.']]);
		const again = await client.ingestText('New words for it.', { documentId: 'doc_9' });
		assert.equal(again.status, 201, again.body);
		assert.deepEqual(await here("select content from chunk where document_id = 'doc_9'"),
			[['New words for it.']]);
	});

const foreign = {
	'of other types': [`id uuid primary key default gen_random_uuid(), content text not null,
		metadata jsonb not null, embedding vector(${DIMENSIONS})`, (owner) => `set role ${owner}`],
	'that it may not read': [`id serial primary key, content text not null, metadata jsonb not null,
		embedding vector(${DIMENSIONS})`, () => ''],
};

for (const [what, [columns, asOwner]] of Object.entries(foreign))
	test(`a table ${what} is left alone, and holds up nothing`, async () => {
		const name = `other-${columns.length}`;
		const one = await another();
		const client = await one.tenant(name);
		assert.equal((await client.ingestText('The lamp.', { documentId: 'lamp' })).status, 201);
		await one.program.stop();
		const [[at, owner]] = await stack.sql(
			`select db_name, db_user from tenants where tenant_id = '${name}'`, 'catalog');
		await stack.sql(`${asOwner(owner)}; create table embeddings (${columns}); reset role;
			update retrieval set embedding_model = 'text-embedding-3-small';
			insert into chunk (document_id, chunk_index, content, embedding) select 'lamp', i, 'The lamp.',
				embedding from chunk, generate_series(1, 2600) i;
			update document set chunks = 2601`, at);
		const next = await another();
		assert.equal((await (await next.tenant(name)).search('lamp')).status, 200);
		await until('the index is made', async () =>
			(await stack.sql("select index_name <> '' from retrieval", at))[0][0] === 't');
		assert.doesNotMatch(next.program.text(), /index\.failed/);
		await next.program.stop();
	});

test('it is copied though each search is refused, and then comes the other model', async () => {
	const one = await another();
	const client = await one.tenant('late');
	assert.equal((await client.ingestText('The lamp.', { documentId: 'lamp' })).status, 201);
	await one.program.stop();
	const [[at, owner]] = await stack.sql(
		"select db_name, db_user from tenants where tenant_id = 'late'", 'catalog');
	await stack.sql(`set role ${owner}; ${APPS}`, at);
	// Its server does not have the former one, which could answer.
	const server = await ModelServer.start();
	server.embeddings = (request, response) => request.body.model === 'another'
		? json(response, 200, embeddingsOf(request.body))
		: json(response, 404, { error: { message: 'no such model' } });
	const next = await stack.tenantgate({ ...SETTINGS, embedding_model: 'another',
		model_url: server.url });
	next.serviceKey = gate.serviceKey;
	assert.equal((await (await next.tenant('late')).search('lamp')).status, 409);
	await until('all is copied, and nobody has the lease', async () =>
		(await stack.sql("select 1 from retrieval where embeddings_phase = 2 and merger is null", at))
			.length > 0);
	await next.program.stop();
	await server.stop();
	const ended = await reembed('late');
	assert.equal(ended.status, 0, ended.stderr);
	assert.deepEqual(await stack.sql(`select embedding_model, (select count(*) > 2900 from chunk)
		from retrieval`, at), [['another', 't']]);
});
