// SPDX-License-Identifier: MIT
// The admin door: who gets in, what it says to who does not, and that the public door has none of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from './lib/client.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('admin-door');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin({ admin_hosts: 'ops.example, gate-1.internal' });
});
after(() => stack.stop());

const ask = (headers, path = '/admin') => gate.admin.get(path, { headers });

test('an admin key is told which build and environment answer, and which key it is', async () => {
	const answer = await gate.admin.get('/admin');
	assert.equal(answer.status, 200);
	assert.deepEqual(Object.keys(answer.json), ['version', 'environment', 'phase', 'key']);
	assert.equal(answer.json.environment, 'test');
	assert.equal(answer.json.phase, 'serving');
	assert.ok(gate.adminKey.startsWith(`tg_${answer.json.key}_`));
	assert.equal(answer.headers['cache-control'], 'no-store');
	assert.match(answer.headers['x-request-id'], /^[\w.:-]+$/);
});

test('no key, an invented one, and keys of tenants and apps get nothing, on loopback too', async () => {
	const keys = { none: null, invented: `tg_${'a'.repeat(16)}_${'b'.repeat(43)}`,
		service: await gate.key('--service'), tenant: await gate.key('--tenant', 'alice') };
	for (const [kind, key] of Object.entries(keys)) {
		const client = new Client(gate.adminUrl, key ? { authorization: `Bearer ${key}` } : {});
		const answer = await client.get('/admin');
		const expected = key === null || kind === 'invented' ? [401, 'unauthenticated'] :
			[403, 'forbidden'];
		assert.deepEqual([answer.status, answer.json.code], expected, kind);
		assert.match(answer.json.detail, /key create --admin/, kind);
	}
});

test('two Authorization headers are refused', async () => {
	const answer = await gate.admin.get('/admin', { headers:
		{ authorization: [`Bearer ${gate.adminKey}`, `Bearer ${gate.adminKey}`] } });
	assert.equal(answer.status, 400);
});

test('a page of a browser gets nothing: by its Origin, or by a name that was made ours', async () => {
	for (const origin of ['http://evil.example', 'null', gate.adminUrl]) {
		const answer = await ask({ origin });
		assert.deepEqual([answer.status, answer.json.code], [403, 'forbidden'], origin);
		assert.match(answer.json.detail, /Origin/);
	}
	for (const host of ['evil.example', 'evil.example:1234', 'ops.example.evil.example',
		'localhost.evil.example', '127.0.0.1.evil.example']) {
		const answer = await ask({ host });
		assert.deepEqual([answer.status, answer.json.code], [403, 'forbidden'], host);
		assert.match(answer.json.detail, /admin_hosts/);
	}
	for (const host of ['127.0.0.1', 'localhost:1', '[::1]:80', 'OPS.example', 'gate-1.internal:99'])
		assert.equal((await ask({ host })).status, 200, host);
});

test('the public door knows no /admin, and a public path is not here', async () => {
	assert.equal((await new Client(gate.url, { authorization: `Bearer ${gate.adminKey}` })
		.get('/admin')).status, 404);
	const answer = await gate.admin.get('/documents');
	assert.equal(answer.status, 404);
	assert.match(answer.json.detail, /admin door/);
	const other = await gate.admin.post('/admin', {});
	assert.deepEqual([other.status, other.headers.allow], [405, 'GET']);
});

test('health is on this door too, without a key', async () => {
	const client = new Client(gate.adminUrl);
	assert.equal((await client.get('/healthz')).status, 200);
	assert.equal((await client.get('/readyz')).status, 200);
});

test('each request is a line of the access log, with its key and its route', async () => {
	await gate.admin.get('/admin', { headers: { 'x-request-id': 'audit-1' } });
	const line = gate.lines().find((l) => l.request_id === 'audit-1');
	assert.equal(line.route, 'admin_about');
	assert.equal(line.status, 200);
	assert.ok(gate.adminKey.startsWith(`tg_${line.key}_`));
	assert.ok(!gate.program.text().includes(gate.adminKey));
});
