// SPDX-License-Identifier: MIT
// Tokens for browsers: who makes them, what they open, and what opens nothing: forged, changed,
// over, another installation's, another environment's, another tenant's, revoked.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Client } from './lib/client.mjs';
import { Proxy } from './lib/proxy.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const run = promisify(execFile);
const stack = new Stack('tokens');
const settings = { workers: 2, rate_limit_requests_per_minute: 0, auth_failures_per_minute: 0,
	tenant_cache_ttl: '1h' };
let gate, replica, app, proxy;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin(settings);
	replica = await stack.tenantgate(settings);
	replica.serviceKey = await gate.service();
	app = await gate.tenant('acme');
	for (const id of ['acme', 'other'])
		ok(await (await gate.tenant(id)).ingestText('A zebra.', { documentId: 'd' }), 201);
});
after(async () => {
	proxy?.close();
	await stack.stop();
});

const ok = (answer, status = 200) => assert.equal(answer.status, status, answer.body);
const as = (token, headers = {}, at = gate) => new Client(at.url, { authorization: `Bearer ${token}`,
	...headers });
const list = (token, headers, at) => as(token, headers, at).get('/documents');
async function make(body = {}, by = app) {
	const made = await by.post('/tokens', body);
	ok(made, 201);
	return made.json;
}
const refused = async (token, what, at = gate) => {
	const answer = await list(token, {}, at);
	assert.deepEqual([answer.status, answer.json?.code], [401, 'unauthenticated'], `${what}: ${answer.body}`);
};
let serial = 0;
async function refusedFor(token, cause) {
	const id = `refused-${++serial}`;
	const answer = await list(token, { 'x-request-id': id });
	assert.deepEqual([answer.status, answer.json.code], [401, 'unauthenticated'], answer.body);
	assert.ok(!answer.body.includes(cause));
	await until('its line is there', () => gate.lines().some((l) => l.request_id === id));
	const line = gate.lines().find((l) => l.request_id === id);
	assert.deepEqual([line.cause, line.token], [cause, claims(token).id]);
}
const claims = (token) => JSON.parse(Buffer.from(token.slice(4).split('.')[0], 'base64url'));

// As src/auth/token.c signs, under a key of this test's choice.
function signed(values, sealKey, purpose = 'signatures of tokens, 1') {
	const key = createHmac('sha256', Buffer.from(sealKey, 'hex')).update(purpose).digest();
	const text = `tgt_${Buffer.from(JSON.stringify(values)).toString('base64url')}`;
	return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

test('an application makes a token, which opens its tenant and what is said to come is so', async () => {
	const began = Math.floor(Date.now() / 1000);
	const made = await make({ user: 'mia', scopes: ['documents', 'search'], ttl: 60 });
	assert.deepEqual(Object.keys(made).sort(), ['expiresAt', 'expiresIn', 'id', 'scopes', 'tenant', 'token',
		'user']);
	assert.deepEqual([made.tenant, made.user, made.scopes, made.expiresIn],
		['acme', 'mia', ['search', 'documents'], 60]);
	const expires = Date.parse(made.expiresAt) / 1000;
	assert.ok(expires >= began + 60 && expires <= Date.now() / 1000 + 60, made.expiresAt);
	assert.match(made.token, /^tgt_[\w-]+\.[\w-]{43}$/);
	assert.ok(made.token.length < 1280);
	ok(await list(made.token));
	ok(await list(made.token, { 'x-tenant-id': 'acme', 'x-user-id': 'mia' }));
	ok(await as(made.token).search('zebra'));
});

test('what a body leaves out: no user, what pages need, token_ttl', async () => {
	const made = await make();
	assert.deepEqual([made.user, made.scopes, made.expiresIn],
		[null, ['ingest', 'chat', 'search', 'documents'], 900]);
	ok(await app.ask('POST', '/tokens'), 201);
	assert.equal((await make({}, new Client(gate.url, { ...app.headers, 'x-user-id': 'bob' }))).user, 'bob');
});

test('a token is no key: the log names it by its id, and has its text nowhere', async () => {
	const made = await make({ user: 'mia' });
	ok(await list(made.token, { 'x-request-id': 'by-token' }));
	await until('the line is there', () => gate.lines().some((l) => l.request_id === 'by-token'));
	const line = gate.lines().find((l) => l.request_id === 'by-token');
	assert.deepEqual([line.token, line.key, line.tenant, line.user], [made.id, undefined, 'acme', 'mia']);
	for (const part of [made.token, ...made.token.split('.')])
		assert.ok(!gate.program.text().includes(part));
});

test('never more than the key that asks has, and never without end', async () => {
	const limited = new Client(gate.url, { authorization: `Bearer ${await gate.key('--service', '--scopes',
		'chat,documents')}`, 'x-tenant-id': 'acme' });
	assert.deepEqual((await make({}, limited)).scopes, ['chat', 'documents']);
	for (const [by, body, status, code] of [
		[limited, { scopes: ['search'] }, 403, 'insufficient_scope'],
		[limited, { scopes: ['chat', 'sql'] }, 403, 'insufficient_scope'],
		[app, { scopes: ['own'] }, 400, 'invalid_field'],
		[app, { scopes: ['own', 'chat'], user: null }, 400, 'invalid_field'],
		[app, { scopes: ['own', 'sql'], user: 'mia' }, 400, 'invalid_field'],
		[app, { scopes: [] }, 400, 'invalid_field'],
		[app, { scopes: ['everything'] }, 400, 'invalid_field'],
		[app, { scopes: 'chat' }, 400, 'invalid_field'],
		[app, { scopes: [['chat']] }, 400, 'invalid_field'],
		[app, { user: '' }, 400, 'invalid_field'],
		[app, { user: 'a b' }, 400, 'invalid_field'],
		[app, { user: 'x'.repeat(129) }, 400, 'invalid_field'],
		[app, { ttl: 901 }, 400, 'invalid_field'],
		[app, { ttl: 0 }, 400, 'invalid_field'],
		[app, { ttl: -5 }, 400, 'invalid_field'],
		[app, { ttl: 1.5 }, 400, 'invalid_field'],
		[app, { tenant: 'other' }, 400, 'invalid_tenant'],
		[app, [], 400, 'invalid_json']]) {
		const answer = await by.post('/tokens', body);
		assert.deepEqual([answer.status, answer.json.code], [status, code],
			`${JSON.stringify(body)}: ${answer.body}`);
	}
	const both = await new Client(gate.url, { ...app.headers, 'x-user-id': 'bob' })
		.post('/tokens', { user: 'mia' });
	assert.deepEqual([both.status, both.json.code], [400, 'invalid_field']);
	const ofTenant = new Client(gate.url, { authorization: `Bearer ${await gate.key('--tenant', 'acme')}` });
	assert.equal((await ofTenant.post('/tokens', {})).json.code, 'forbidden');
	assert.equal((await as((await make()).token).post('/tokens', {})).json.code, 'forbidden');
});

test('its scopes open their routes and no others', async () => {
	const chat = as((await make({ scopes: ['chat'] })).token);
	assert.equal((await chat.chat('zebra')).status, 200);
	for (const answer of [await chat.get('/documents'), await chat.search('zebra'),
		await chat.ingestText('x'), await chat.get('/usage')])
		assert.deepEqual([answer.status, answer.json.code], [403, 'insufficient_scope'], answer.body);
	for (const method of ['GET', 'PUT'])
		assert.equal((await chat.ask(method, '/tenant')).json.code, 'forbidden');
});

test('it is of one tenant and of one user, whatever is said beside it', async () => {
	const mia = (await make({ user: 'mia' })).token, nobody = (await make()).token;
	for (const [token, headers] of [[mia, { 'x-tenant-id': 'other' }], [mia, { 'x-user-id': 'bob' }],
		[nobody, { 'x-user-id': 'mia' }], [nobody, { 'x-tenant-id': 'other' }]]) {
		const answer = await list(token, headers);
		assert.deepEqual([answer.status, answer.json.code], [403, 'forbidden'], answer.body);
	}
	ok(await as(mia).ingestText('Of mia.', { documentId: 'm' }), 201);
	assert.equal((await app.get('/documents/m')).json.document.ownerId, 'mia');
	assert.equal((await (await gate.tenant('other')).get('/documents/m')).status, 404);
});

test('a changed character anywhere makes it nobody\'s', async () => {
	const { token } = await make({ user: 'mia' });
	const step = 7;	// of 300 characters or so; each place is tried by the unit test
	for (let at = 0; at < token.length; at += step) {
		const other = token[at] === 'A' ? 'B' : 'A';
		await refused(token.slice(0, at) + other + token.slice(at + 1), `at ${at}`);
	}
	for (const text of [token.slice(0, -1), `${token}A`, `${token}.`, token.replace('.', '..'),
		token.split('.')[0], `${token.split('.')[0]}.`, 'tgt_', 'tgt_.', `tgt_${'A'.repeat(2000)}`,
		`tgt_.${'A'.repeat(43)}`, token.toUpperCase()])
		await refused(text, text);
	ok(await list(token));
});

test('what another key, or for another purpose, has signed is nobody\'s', async () => {
	const values = claims((await make({ user: 'mia' })).token);
	ok(await list(signed(values, stack.sealKey)));	// so the forgeries below are of the right form
	await refused(signed(values, randomBytes(32).toString('hex')), 'another installation');
	await refused(signed(values, stack.sealKey, 'users of models'), 'another purpose');
	const row = (await stack.sql('select db_password_sealed from tenants', 'catalog'))[0][0];
	assert.match(row, /^tgs1\./);
	await refused(row, 'a sealed password');
	await refused(row.replace('tgs1.', 'tgt_'), 'a sealed password that says it is a token');
});

test('its last second is over to the second; another environment\'s is nobody\'s', async () => {
	const values = claims((await make()).token), now = Math.floor(Date.now() / 1000);
	await refusedFor(signed({ ...values, exp: now }, stack.sealKey), 'the token has expired');
	ok(await list(signed({ ...values, exp: now + 3600 }, stack.sealKey)));
	await refusedFor(signed({ ...values, env: 'prod' }, stack.sealKey), 'the token is of another environment');
	for (const wrong of [{ v: 2 }, { exp: undefined }, { tenant: '' }, { tenant: 'a b' }, { gen: 0 },
		{ own: true, user: '' }, { own: true, user: 'mia', scopes: 'sql,documents' }])
		await refused(signed({ ...values, ...wrong }, stack.sealKey), JSON.stringify(wrong));
});

test('a tenant\'s tokens are revoked, here at once and on a replica that hears of it', async () => {
	const [mine, theirs] = [(await make({ user: 'mia' })).token,
		(await make({}, await gate.tenant('other'))).token];
	for (const at of [gate, replica])
		ok(await list(mine, {}, at));
	const done = await gate.admin.ask('DELETE', '/admin/tenants/acme/tokens');
	ok(done);
	assert.deepEqual(done.json, { tenant: 'acme', tokens: 'revoked', effective: 'now', dryRun: false });
	await refusedFor(mine, 'the token was revoked');
	await until('the replica has heard', async () => (await list(mine, {}, replica)).status === 401);
	for (const at of [gate, replica]) {
		ok(await list(theirs, {}, at));
		ok(await (await at.tenant('acme')).get('/documents'));
		ok(await list((await make()).token, {}, at));
	}
});

test('a token that is newer than a record is no reason to refuse it', async () => {
	ok(await list((await make()).token, {}, replica));	// the replica has a record, for an hour
	await stack.sql("update tenants set token_generation = token_generation + 5 where tenant_id = 'acme'",
		'catalog');	// as if the replica had not heard
	const values = claims((await make()).token);
	const next = signed({ ...values, gen: values.gen + 5 }, stack.sealKey);
	ok(await list(next, {}, replica));
	ok(await list(next));
	await refused(signed({ ...values, gen: values.gen + 6 }, stack.sealKey), 'of no generation');
});

test('a suspended, deleted or recreated tenant\'s tokens open nothing', async () => {
	const { token } = await make({}, await gate.tenant('brief'));
	ok(await list(token));
	ok(await gate.admin.post('/admin/tenants/brief/suspend', {}));
	assert.equal((await list(token)).json.code, 'tenant_suspended');
	ok(await gate.admin.post('/admin/tenants/brief/resume', {}));
	ok(await list(token));
	assert.ok((await gate.admin.ask('DELETE', '/admin/tenants/brief')).status < 300);
	await until('it is deleted', async () => (await gate.admin.get('/admin/tenants/brief/receipt'))
		.json.state === 'deleted');
	assert.equal((await list(token)).json.code, 'tenant_deleted');
	assert.equal((await gate.admin.ask('DELETE', '/admin/tenants/brief/tokens')).json.code, 'tenant_deleted');
	ok(await gate.admin.post('/admin/tenants/brief/recreate', {}), 202);
	await until('it is made anew', async () => (await (await gate.tenant('brief')).search('x')).status === 200);
	await refused(token, 'of the tenant before');
	ok(await list((await make({}, await gate.tenant('brief'))).token));
});

test('an operator makes and revokes them, and the audit says so without the text', async () => {
	const made = await gate.admin.post('/admin/tenants/acme/tokens', { user: 'mia', scopes: ['sql', 'documents'],
		ttl: 5 });
	ok(made, 201);
	ok(await list(made.json.token));
	await gate.admin.ask('DELETE', '/admin/tenants/acme/tokens');
	await refused(made.json.token, 'revoked');
	assert.equal((await gate.admin.post('/admin/tenants/nobody/tokens', {})).status, 404);
	assert.equal((await gate.admin.ask('DELETE', '/admin/tenants/nobody/tokens')).status, 404);
	assert.equal((await gate.admin.post('/admin/tenants/acme/tokens', { ttl: 901 })).status, 400);
	const lines = gate.lines().filter((l) => l.event === 'admin.audit' && /^token/.test(l.action)).slice(-2);
	assert.deepEqual(lines.map((l) => [l.action, l.tenant, l.outcome]),
		[['token.create', 'acme', 'done'], ['token.revoke', 'acme', 'done']]);
	assert.deepEqual([lines[0].after.id, lines[0].after.user, lines[0].after.scopes],
		[made.json.id, 'mia', ['documents', 'sql']]);
	assert.ok(!gate.program.text().includes(made.json.token.slice(4, 40)));
	// A token opens nothing of the admin door.
	const door = new Client(gate.adminUrl, { authorization: `Bearer ${(await make()).token}` });
	assert.equal((await door.get('/admin/tenants')).status, 403);
});

test('tenantgatectl makes and revokes them', async () => {
	const ctl = async (...words) => (await run(programs.ctl(), words, { env: { ...process.env,
		TENANTGATE_ADMIN_URL: gate.adminUrl, TENANTGATE_ADMIN_KEY: gate.adminKey } })).stdout;
	const shown = await ctl('token', 'create', 'acme', '--user', 'mia', '--scopes', 'own,documents', '--ttl', '60');
	const [token] = /tgt_[\w.-]+/.exec(shown);
	assert.deepEqual((await list(token)).json.documents.map((d) => d.ownerId), ['mia']);
	await ctl('--dry-run', 'token', 'revoke', 'acme', '--yes');
	ok(await list(token));
	await ctl('token', 'revoke', 'acme', '--yes');
	await refused(token, 'revoked');
});

test('token_ttl is taken from the file by a reload', async () => {
	writeFileSync(gate.path, `${readFileSync(gate.path, 'utf8')}token_ttl = 30s\n`);
	ok(await gate.admin.post('/admin/reload'));
	assert.equal((await make()).expiresIn, 30);
	assert.equal((await app.post('/tokens', { ttl: 31 })).status, 400);
});

test('without Redis a revocation is heard of as soon as records are read anew', async () => {
	const alone = { ...settings, redis_url: '', tenant_cache_ttl: '1s' };
	const [here, there] = [await stack.tenantgateWithAdmin(alone), await stack.tenantgate(alone)];
	there.serviceKey = here.serviceKey = await gate.service();
	const { token } = await make({}, await here.tenant('other'));
	for (const at of [here, there])
		ok(await list(token, {}, at));
	const done = await here.admin.ask('DELETE', '/admin/tenants/other/tokens');
	assert.equal(done.json.effective, 'within 1s');
	await refused(token, 'revoked', here);
	await until('its time is over', async () => (await list(token, {}, there)).status === 401);
	ok(await list((await make({}, await here.tenant('other'))).token, {}, there));
	await here.program.stop();
	await there.program.stop();
});

test('a replica that has lost Redis takes back what the others have from there once it is back', async () => {
	proxy = await new Proxy(Number(new URL(stack.cache.url).port)).listen();
	const quick = { ...settings, tenant_cache_ttl: '1s', tenant_redis_ttl: '10m' };
	const here = await stack.tenantgateWithAdmin({ ...quick, redis_url: `redis://127.0.0.1:${proxy.port}`,
		redis_timeout: '300ms' });
	here.serviceKey = await gate.service();
	await here.admin.ask('DELETE', '/admin/tenants/other/tokens');
	const { token } = await make({}, await here.tenant('other'));
	const redis = async (...words) => (await run('redis-cli', ['-p', new URL(stack.cache.url).port, ...words]))
		.stdout.trim();
	const [key] = (await redis('keys', 'tg:tenant:*:other')).split('\n');
	await redis('del', key);	// the mark of a change, over which nothing is put
	const first = await stack.tenantgate(quick);
	ok(await list(token, {}, first));
	await until('the record is in Redis', async () => /^tgs1/.test(await redis('get', key)));
	await first.program.stop();
	proxy.hold();
	proxy.cut();
	await until('Redis is away', async () => (await here.anonymous.get('/readyz')).json.degraded.includes('redis'));
	const done = await here.admin.ask('DELETE', '/admin/tenants/other/tokens');
	assert.deepEqual([done.status, done.json.effective], [200, 'within 601s']);
	await refused(token, 'revoked', here);
	const there = await stack.tenantgate(quick);	// knows what Redis has
	there.serviceKey = here.serviceKey;
	ok(await list(token, {}, there));
	proxy.pass();
	await until('it is told', async () => (await list(token, {}, there)).status === 401);
	for (const at of [here, there])
		ok(await list((await make({}, await here.tenant('other'))).token, {}, at));
	await here.program.stop();
	await there.program.stop();
});

test('a token made under a key of before is good as long as that key is listed', async () => {
	const [was, next] = [stack.sealKey, randomBytes(32).toString('hex')];
	const values = claims((await make()).token);
	const token = signed({ ...values, exp: values.exp + 3600 }, was);
	for (const keys of [`${was},${next}`, `${next},${was}`]) {
		await gate.program.stop();
		gate = await stack.tenantgateWithAdmin({ ...settings, seal_keys: keys });
		ok(await list(token), 200);
	}
	await gate.program.stop();
	gate = await stack.tenantgateWithAdmin({ ...settings, seal_keys: next });
	await refused(token, 'its key is gone');
	ok(await list(signed(values, next)));
});
