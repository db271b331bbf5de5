// SPDX-License-Identifier: MIT
// Malformed and hostile requests: each refusal's status, code and detail, and that nothing is left
// behind.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { source, Stack } from './lib/stack.mjs';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('bad-input');
let gate, tenant;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ max_document_size: '1MiB', max_chat_body: '64KiB' });
	tenant = await gate.tenant('careful');
});
after(() => stack.stop());

function problem(answer, status, code, detail) {
	assert.equal(answer.status, status, answer.body);
	assert.match(answer.headers['content-type'], /^application\/problem\+json/);
	assert.equal(answer.json.status, status);
	assert.equal(answer.json.code, code);
	assert.equal(answer.json.request_id, answer.headers['x-request-id']);
	assert.ok(answer.json.title);
	if (detail)
		assert.match(answer.json.detail, detail);
}

// The one line of the access log with that request id.
async function logged(id) {
	const lines = () => gate.lines().filter((l) => l.event === 'access' && l.request_id === id);
	await until('logged', () => lines().length === 1);
	return lines()[0];
}

const search = (headers) => gate.anonymous.ask('POST', '/search', { headers: { 'content-type':
	'application/json', ...headers }, body: '{"query":"x"}' });

test('no credential, unknown key, wrong secret, rubbish: the same 401', async () => {
	const key = await gate.service();
	const [, id] = key.split('_');
	const bodies = new Set();
	for (const authorization of [undefined, 'Bearer tg_unknownkey00_aaaaaaaaaaaaaaaaaaaaaaaaaaaa',
		`Bearer tg_${id}_wrongwrongwrongwrongwrongwrong`, 'Bearer ', 'Bearer rubbish',
		'Basic dTpw', `Bearer ${key}x`, `Bearer tg_${id}_' or '1'='1`]) {
		const answer = await search(authorization === undefined ? {} : { authorization });
		problem(answer, 401, 'unauthenticated');
		assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/);
		delete answer.json.request_id;
		bodies.add(JSON.stringify(answer.json));
	}
	assert.equal(bodies.size, 1, [...bodies].join('\n'));
});

test('a tenant id that is not one: 400', async () => {
	const authorization = `Bearer ${await gate.service()}`;
	for (const id of ['', 'a b', 'a/b', 'x'.repeat(129), "a';drop table tenants--", 'ü'])
		problem(await search({ authorization, 'x-tenant-id': encodeURIComponent(id) === id
			? id : Buffer.from(id).toString('latin1') }), 400, 'invalid_tenant');
	problem(await search({ authorization }), 400, 'invalid_tenant');
	assert.equal((await search({ authorization, 'x-tenant-id': 'x'.repeat(128) })).status, 200);
});

test('two credentials, two tenants: neither is taken', async () => {
	const authorization = `Bearer ${await gate.service()}`;
	problem(await search({ authorization, 'x-tenant-id': ['lantern', 'kettle'] }), 400,
		'invalid_tenant');
	problem(await search({ authorization: [authorization, 'Bearer x'], 'x-tenant-id': 'lantern' }),
		400, 'bad_request');
});

test('a body that is too large: 413 before it is read', async () => {
	const answer = await new Promise((resolve, reject) => {
		const socket = net.connect(gate.port, '127.0.0.1');
		let text = '';
		socket.on('data', (piece) => {
			text += piece;
			if (text.includes('\r\n\r\n'))
				resolve(text);
		});
		socket.on('error', reject);
		gate.service().then((key) => socket.write('POST /ingest HTTP/1.1\r\nHost: x\r\n' +
			`Authorization: Bearer ${key}\r\nX-Tenant-Id: careful\r\n` +
			'Content-Type: application/pdf\r\nContent-Length: 3000000\r\n\r\n'));
	});
	assert.match(answer, /^HTTP\/1\.1 413 /);
	assert.match(answer, /connection: close/i);
	problem(await tenant.post('/chat', { messages: [{ role: 'user', content: 'x'.repeat(70000) }] }),
		413, 'too_large');
});

test('a chunked body past the ceiling: 413', async () => {
	const answer = await tenant.ask('POST', '/search', { headers: { 'content-type':
		'application/json', 'transfer-encoding': 'chunked' }, body: `{"query":"${'x'.repeat(90000)}"}` })
		.catch((error) => error);
	if (!(answer instanceof Error))
		problem(answer, 413, 'too_large');
	else
		assert.match(answer.code ?? '', /EPIPE|ECONNRESET/);
});

test('the body is asked for only after the caller is known', async () => {
	const text = await new Promise((resolve, reject) => {
		const socket = net.connect(gate.port, '127.0.0.1');
		let all = '';
		socket.on('data', (piece) => {
			all += piece;
		});
		socket.on('close', () => resolve(all));
		socket.on('error', reject);
		socket.write('POST /ingest HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n' +
			'Content-Type: application/pdf\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n');
	});
	assert.match(text, /^HTTP\/1\.1 401 /);
	assert.doesNotMatch(text, /100 Continue/);
});

test('not JSON, wrong types, missing fields: 400 naming the field', async () => {
	const user = (content) => [{ role: 'user', content }];
	for (const [path, body, code, detail] of [
		['/chat', '{', 'invalid_json'],
		['/chat', '[]', 'invalid_json'],
		['/chat', '{"messages":"hello"}', 'invalid_field', /messages/],
		['/chat', {}, 'invalid_field', /messages/],
		['/chat', { messages: [] }, 'invalid_field', /messages/],
		['/chat', { messages: [{ role: 'robot', content: 'x' }] }, 'invalid_field', /role/],
		['/chat', { messages: [{ role: 'user', content: 7 }] }, 'invalid_field', /messages\[0\]/],
		['/chat', { messages: [{ role: 'assistant', content: 'x' }] }, 'invalid_field',
			/user message/],
		['/chat', { messages: user('x'), topK: 0 }, 'invalid_field', /topK/],
		['/chat', { messages: user('x'), topK: 'many' }, 'invalid_field', /topK/],
		['/chat', { messages: user('x'), temperature: 9 }, 'invalid_field', /temperature/],
		['/chat', { messages: user('x'), documentId: 7 }, 'invalid_field', /documentId/],
		['/chat', { messages: user('x'), documentIds: 'a' }, 'invalid_field', /documentIds/],
		['/chat', '{"messages":[{"role":"user","content":"a\\u0000b"}]}', 'invalid_json'],
		['/search', {}, 'invalid_field', /query/],
		['/search', { query: 7 }, 'invalid_field', /query/],
		['/search', { query: '' }, 'invalid_field', /query/],
		['/ingest', '{', 'invalid_json'],
		['/ingest', {}, 'invalid_field', /text/],
		['/ingest', { text: 7 }, 'invalid_field', /text/],
		['/ingest', { text: 'x', documentId: 7 }, 'invalid_field', /documentId/],
		['/ingest', { text: 'x', documentId: 'y'.repeat(129) }, 'invalid_field', /documentId/],
		['/ingest', { text: 'x', metadata: 'y' }, 'invalid_field', /metadata/],
	]) {
		const answer = await tenant.post(path, body);
		const what = `${path} ${JSON.stringify(body)}: ${answer.body}`;
		assert.equal(answer.status, 400, what);
		assert.equal(answer.json.code, code, what);
		if (detail)
			assert.match(answer.json.detail, detail, what);
	}
});

test('a query that cannot be decoded: 400', async () => {
	for (const query of ['documentId=%zz', 'title=100%', 'documentId=a%2'])
		problem(await tenant.ask('POST', `/ingest?${query}`, {
			headers: { 'content-type': 'text/plain' }, body: 'A text.' }), 400, 'bad_request');
});

test('a media type we do not read: 415', async () => {
	problem(await tenant.ask('POST', '/ingest', { headers: { 'content-type': 'image/png' },
		body: Buffer.from('89504e470d0a1a0a', 'hex') }), 415, 'unsupported_media_type');
});

test('a body with a coding: 415, and none of it is read', async () => {
	for (const [path, type] of [['/ingest', 'text/plain'], ['/search', 'application/json'],
		['/chat', 'application/json']]) {
		const answer = await tenant.ask('POST', path, { headers: { 'content-type': type,
			'content-encoding': 'gzip' }, body: '{"query":"x"}' });
		problem(answer, 415, 'unsupported_media_type', /Content-Encoding/);
		assert.equal(answer.headers['accept-encoding'], 'identity');
	}
});

test('a PDF that is encrypted, broken, empty or only pictures: 422, a code for each', async () => {
	for (const [file, code] of [['encrypted', 'document_encrypted'], ['broken', 'document_broken'],
		['empty', 'document_empty'], ['image-only', 'document_no_text'],
		['no-pages', 'document_(empty|broken|no_text)']]) {
		const answer = await tenant.ask('POST', `/ingest?documentId=${file}`, { headers: {
			'content-type': 'application/pdf' },
			body: readFileSync(join(source, 'tests/live/pdf', `${file}.pdf`)) });
		assert.equal(answer.status, 422, `${file}: ${answer.body}`);
		assert.match(answer.json.code, new RegExp(`^${code}$`), `${file}: ${answer.body}`);
	}
	problem(await tenant.ask('POST', '/ingest', { headers: { 'content-type': 'application/pdf' },
		body: 'this is no PDF' }), 422, 'document_broken');
	problem(await tenant.ask('POST', '/ingest', { headers: { 'content-type': 'text/plain' },
		body: ' \n ' }), 422, 'document_empty');
	assert.deepEqual((await tenant.search('anything')).json.results, []);
	const listed = async (fields) => (await stack.sql(`select ${fields} from documents
		where user_id = 'careful' order by 1`, 'catalog')).map((row) => row.join());
	await until('what had bytes is listed as failed', async () =>
		(await listed('document_id')).filter((id) => /^(broken|encrypted|image-only|no-pages)$/
			.test(id)).length === 4);
	assert.deepEqual(new Set(await listed('status, sha256')), new Set(['failed,']));
});

test('a path we do not have: 404; a method: 405 with Allow', async () => {
	problem(await tenant.get('/nothing'), 404, 'not_found');
	const answer = await tenant.get('/chat');
	problem(answer, 405, 'method_not_allowed');
	assert.match(answer.headers.allow, /POST/);
	const line = await logged(answer.headers['x-request-id']);
	assert.deepEqual([line.status, line.code, line.method, line.path],
		[405, 'method_not_allowed', 'GET', '/chat']);
});

test('an admin key has no tenant', async () => {
	const admin = new Client(gate.url, { authorization: `Bearer ${await gate.key('--admin')}` });
	problem(await admin.search('x'), 403, 'forbidden');
});

test('malformed HTTP is refused and closed, and the log stays JSON', async () => {
	for (const bytes of ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 'GET /\x00 HTTP/1.1\r\n\r\n',
		'POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
		'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03']) {
		const text = await new Promise((resolve) => {
			const socket = net.connect(gate.port, '127.0.0.1');
			let all = '';
			socket.on('data', (piece) => {
				all += piece;
			});
			socket.on('close', () => resolve(all));
			socket.on('error', () => {});
			socket.write(Buffer.from(bytes, 'latin1'));
		});
		assert.match(text, /^HTTP\/1\.1 400 /, JSON.stringify(bytes));
		const line = await logged(/^X-Request-Id: (.*)\r$/m.exec(text)[1]);
		assert.deepEqual([line.status, line.code, line.remote], [400, 'bad_request', '127.0.0.1']);
	}
});
