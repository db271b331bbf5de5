// SPDX-License-Identifier: MIT
// What a document is called, as which type it is stored, and what happens when it is sent again.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readDataStream } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { sample, Stack } from './lib/stack.mjs';

const stack = new Stack('documents-again');
let gate, tenant, database;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0 });
	tenant = await gate.tenant('reader');
	assert.equal((await tenant.ingestText('first', { documentId: 'first' })).status, 201);
	[[database]] = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
});
after(() => stack.stop());

const raw = (query, body, type = 'text/plain', headers = {}) => tenant.ask('POST',
	`/ingest?${query}`, { body, headers: { 'content-type': type, ...headers } });

async function form(files, fields = {}, headers = {}) {
	const data = new FormData();
	for (const [name, value] of Object.entries(fields))
		for (const one of [value].flat())
			data.append(name, one);
	for (const [name, body, type] of files)
		data.append('file', new Blob([body], { type }), name);
	const response = await fetch(`${gate.url}/ingest`, { method: 'POST', body: data,
		headers: { ...tenant.headers, ...headers } });
	const body = await response.text();
	return { status: response.status, body, json: response.headers.get('content-type')
		.includes('json') ? JSON.parse(body) : null };
}

const inDatabase = async (id) => (await stack.sql('select title, file_name, mime_type, metadata, ' +
	`chunks from document where id = '${id}'`, database))[0];
const listed = async (id) => (await stack.sql('select title, file_name, mime_type, metadata, ' +
	`chunks from documents where user_id = 'reader' and document_id = '${id}'`, 'catalog'))[0];

test('an id that is none, or there twice: 400, and nothing is stored', async () => {
	for (const query of ['documentId=%00', 'documentId=a%00b', 'documentId=a&documentId=b']) {
		const answer = await raw(query, 'text');
		assert.equal(answer.status, 400, answer.body);
		const json = await tenant.ask('POST', `/ingest?${query}`, { body: '{"text":"x"}',
			headers: { 'content-type': 'application/json' } });
		assert.equal(json.status, 400, json.body);
	}
	const twice = await form([['a.txt', 'text', 'text/plain']], { documentId: ['a', 'b'] });
	assert.equal(twice.status, 400, twice.body);
	assert.match(twice.json.detail, /documentId twice/);
	assert.deepEqual(await stack.sql("select id from document where id <> 'first'", database), []);
});

test('a long file name is shortened at a character', async () => {
	const answer = await form([[`${'港'.repeat(100)}.txt`, 'text', 'text/plain']]);
	assert.equal(answer.status, 201, answer.body);
	assert.equal(answer.json.document.fileName, '港'.repeat(85));
	assert.equal(answer.json.document.title, '港'.repeat(85));
});

test('a title: the given one, else the file name, else the first heading or line', async () => {
	const title = async (answer) => {
		assert.equal(answer.status, 201, answer.body);
		const { id } = answer.json.document;
		assert.equal((await inDatabase(id))[0], answer.json.document.title);
		assert.equal((await listed(id))[0], answer.json.document.title);
		return answer.json.document.title;
	};
	const pdf = readFileSync(sample);
	assert.equal(await title(await raw('title=Mine&fileName=a.pdf', pdf, 'application/pdf')), 'Mine');
	assert.equal(await title(await raw('fileName=a.pdf', pdf, 'application/pdf')), 'a.pdf');
	const readme = await tenant.ask('POST', '/ingest', { body: pdf, headers: { 'content-type':
		'application/pdf' } }); // as the README's own upload
	assert.notEqual(await title(readme), '');
	assert.match(readFileSync(sample.replace('.pdf', '.txt'), 'utf8'),
		new RegExp(`^#* *${readme.json.document.title}`));
	assert.equal(await title(await raw('', '\n## The tides\n\nThey turn.', 'text/markdown')),
		'The tides');
	assert.equal(await title(await tenant.ingestText('One line.\nAnother.')), 'One line.');
});

test('types of text: by what is declared, and by the suffix', async () => {
	for (const [name, declared, type] of [['a.csv', 'text/csv', 'text/csv'],
		['a.csv', '', 'text/csv'], ['a.log', '', 'text/plain'], ['a.log', 'text/x-log', 'text/plain'],
		['a.rst', '', 'text/x-rst'], ['a.mdx', '', 'text/mdx'],
		['a.json', 'application/json', 'application/json'], ['a.json', '', 'application/json']]) {
		const answer = await form([[name, `{"tide": "${name} ${declared}"}`, declared]]);
		assert.equal(answer.status, 201, `${name} ${declared}: ${answer.body}`);
		assert.equal(answer.json.document.mimeType, type, `${name} ${declared}`);
	}
	const named = await tenant.ingestText('# Tides\n\nThey turn.', { fileName: 'tides.md' });
	assert.equal(named.status, 201, named.body);
	assert.deepEqual([named.json.document.fileName, named.json.document.mimeType],
		['tides.md', 'text/markdown']);
	const none = await form([['a.exe', 'MZ', '']]);
	assert.equal(none.status, 415, none.body);
});

test('the same bytes again: what is said anew is kept, and nothing is embedded', async () => {
	const text = 'The harbour light is lit at dusk. '.repeat(100);
	const first = await form([['one.txt', text, 'text/plain']], { documentId: 'again',
		title: 'One', metadata: '{"a": 1}' });
	assert.equal(first.status, 201, first.body);
	const chunks = () => stack.sql("select md5(string_agg(c::text, '' order by chunk_index)), " +
		"max(xmin::text) from chunk c where document_id = 'again'", database);
	const before = await chunks();
	const { embeddings } = await stack.modelStats();
	const [, , , metadata] = await inDatabase('again');
	for (const [file, fields, want] of [
		[['one.txt', text, 'text/plain'], { title: 'Two' }, ['Two', 'one.txt', 'text/plain', metadata]],
		[['two.txt', text, 'text/plain'], {}, ['Two', 'two.txt', 'text/plain', metadata]],
		[['two.txt', text, 'text/markdown'], {}, ['Two', 'two.txt', 'text/markdown', metadata]],
		[['two.txt', text, 'text/markdown'], { metadata: '{"b": 2}' },
			['Two', 'two.txt', 'text/markdown', '{"b": 2}']],
	]) {
		const answer = await form([file], { documentId: 'again', ...fields });
		assert.equal(answer.status, 200, answer.body);
		assert.deepEqual([answer.json.document.title, answer.json.document.fileName,
			answer.json.document.mimeType], want.slice(0, 3));
		assert.deepEqual((await inDatabase('again')).slice(0, 4), want);
		assert.deepEqual((await listed('again')).slice(0, 4), want);
		assert.equal(answer.json.document.createdAt, first.json.document.createdAt);
		assert.equal(answer.json.document.chunks, first.json.document.chunks);
	}
	assert.deepEqual(await chunks(), before);
	assert.equal((await stack.modelStats()).embeddings, embeddings);
	const found = await tenant.search('harbour light', { documentId: 'again' });
	assert.equal(found.json.results[0].title, 'Two');
});

test('progress within the stage store', async () => {
	const text = Array.from({ length: 3000 }, (_, i) => `Line ${i} of the harbour's log. `).join('\n');
	const answer = await raw('documentId=stages', text, 'text/plain', { accept: 'text/event-stream' });
	assert.equal(answer.status, 200, answer.body);
	const store = answer.body.split('\n').filter((l) => l.startsWith('data: '))
		.map((l) => JSON.parse(l.slice(6))).filter((e) => e.stage === 'store');
	const done = store.map((e) => e.done);
	assert.ok(done.length > 3 && done.length < 30, answer.body);
	assert.deepEqual(done, [...new Set(done)].sort((a, b) => a - b));
	assert.equal(done[0], 0);
	assert.equal(done.at(-1), store[0].total);
});

const errorsOf = (answer) => answer.json.errors.map((e) => [e.fileName, e.code]);
const three = [['good.txt', 'The tide turns at noon.', 'text/plain'],
	['empty.txt', '', 'text/plain'], ['blank.txt', ' \n ', 'text/plain'],
	['picture.png', 'x', 'image/png'], ['broken.pdf', 'no PDF', 'application/pdf'],
	['last.txt', 'The lantern is lit at dusk.', 'text/plain']];

test('several files: a result for each', async () => {
	const answer = await form(three);
	assert.equal(answer.status, 207, answer.body);
	assert.deepEqual(answer.json.documents.map((d) => d.fileName), ['good.txt', 'last.txt']);
	assert.deepEqual(errorsOf(answer), [['empty.txt', 'document_empty'],
		['blank.txt', 'document_empty'], ['picture.png', 'unsupported_media_type'],
		['broken.pdf', 'document_broken']]);
	for (const { detail } of answer.json.errors)
		assert.match(detail, /^[A-Z].*\.$/);
	for (const { id, title, fileName } of answer.json.documents) {
		assert.deepEqual((await inDatabase(id)).slice(0, 2), [title, fileName]);
		assert.deepEqual((await listed(id)).slice(0, 2), [title, fileName]);
	}
	const left = () => stack.sql("select file_name, status from documents where status <> 'ready' " +
		'order by 1', 'catalog');
	await until('what was read and refused is listed', async () => (await left()).length === 2);
	assert.deepEqual(await left(), [['blank.txt', 'failed'], ['broken.pdf', 'failed']]);
});

test('several good files: 201; none of them good: the first one\'s status, and all reasons', async () => {
	const good = await form([three[0], three[5]]);
	assert.equal(good.status, 201, good.body);
	assert.ok(!('errors' in good.json));
	const none = await form([three[3], three[2]]);
	assert.equal(none.status, 415, none.body);
	assert.equal(none.json.code, 'unsupported_media_type');
	assert.ok(none.json.request_id);
	assert.deepEqual(errorsOf(none), [['picture.png', 'unsupported_media_type'],
		['blank.txt', 'document_empty']]);
	const one = await form([three[2]]);
	assert.equal(one.status, 422, one.body);
	assert.ok(!('errors' in one.json));
});

test('a database that fails at the second file: the first is stored, and it is said', async () => {
	const before = (await stack.sql('select count(*) from document', database))[0][0];
	await stack.sql("create function refuse() returns trigger language plpgsql as $$ begin if " +
		"new.file_name = 'two.txt' then raise exception 'no' using errcode = '53100'; end if; " +
		'return new; end $$; create trigger refuse before insert on document for each row ' +
		'execute function refuse()', database);
	const cut = await form([['one.txt', 'first of three', 'text/plain'],
		['two.txt', 'second of three', 'text/plain'], ['three.txt', 'third', 'text/plain']]);
	await stack.sql('drop trigger refuse on document', database);
	assert.equal(cut.status, 207, cut.body);
	assert.deepEqual(cut.json.documents.map((d) => d.fileName), ['one.txt']);
	assert.deepEqual(errorsOf(cut), [['two.txt', 'database_unavailable'],
		['three.txt', 'database_unavailable']]);
	const after = (await stack.sql('select count(*) from document', database))[0][0];
	assert.equal(Number(after), Number(before) + 1);
});

test('several files as events: each with its index and name', async () => {
	const answer = await form(three, {}, { accept: 'text/event-stream' });
	assert.equal(answer.status, 200);
	const events = answer.body.trim().split('\n\n').map((e) => /^event: (.*)\ndata: (.*)$/.exec(e))
		.map(([, name, data]) => [name, JSON.parse(data)]);
	assert.deepEqual(events.filter(([name]) => name === 'file').map(([, e]) => [e.index, e.fileName]),
		three.map(([name], i) => [i, name]));
	const ends = events.filter(([name]) => name === 'document' || name === 'error');
	assert.deepEqual(ends.map(([name, e]) => [name, e.fileName ?? e.code]), [
		['document', 'good.txt'], ['error', 'document_empty'], ['error', 'document_empty'],
		['error', 'unsupported_media_type'], ['error', 'document_broken'], ['document', 'last.txt']]);
	assert.equal(events.at(-1)[0], 'document');
});

test('no documents are searched where none is named; what would narrow a search is refused', async () => {
	const words = 'When does the tide turn?';
	assert.ok((await tenant.search(words)).json.results.length > 0);
	const none = await tenant.search(words, { documentIds: [] });
	assert.equal(none.status, 200, none.body);
	assert.deepEqual(none.json.results, []);
	const { id } = (await tenant.ingestText('The tide turns at noon.')).json.document;
	const one = await tenant.search(words, { documentIds: [], documentId: id });
	assert.deepEqual(one.json.results.map((r) => r.documentId), [id]);
	const chat = async (fields) => readDataStream((await tenant.chat(words,
		{ form: 'data', fields })).body);
	assert.ok((await chat({})).sources.length > 0);
	const answer = await chat({ documentIds: [] });
	assert.deepEqual(answer.sources, []);
	assert.equal(answer.error, null);
	assert.ok(answer.finish);
	for (const field of [{ filter: [1] }, { mode: 'any' }, { minScore: 'x' }, { rerank: 'x' }]) {
		const refused = await tenant.search(words, field);
		assert.equal(refused.status, 400, JSON.stringify(field));
		assert.match(refused.json.detail, new RegExp(Object.keys(field)[0]));
		assert.equal((await tenant.chat(words, { fields: field })).status, 400, JSON.stringify(field));
	}
	assert.equal((await tenant.search(words, { documentID: id })).status, 400);
	assert.equal((await tenant.chat(words, { fields: { trigger: 'submit-message' } })).status, 200);
});

test('hostile names: a plain label, or that file\'s own refusal', async () => {
	const names = ['../../etc/passwd', '<script>alert(1)</script>', 'a\x1b[0m.txt', 'C:\\x\\y.txt'];
	const body = names.map((name, i) => '--B\r\nContent-Disposition: form-data; name="file"; ' +
		`filename="${name.replace(/\\/g, '\\\\')}"\r\nContent-Type: text/plain\r\n\r\ntext ${i}\r\n`)
		.join('');
	const answer = await tenant.ask('POST', '/ingest', { body: `${body}--B--`, headers: {
		'content-type': 'multipart/form-data; boundary=B' } });
	assert.equal(answer.status, 207, answer.body);
	assert.deepEqual(answer.json.documents.map((d) => d.fileName), ['passwd', 'script>', 'y.txt']);
	assert.deepEqual(errorsOf(answer), [['', 'invalid_field']]);
});
