// SPDX-License-Identifier: MIT
// Keys by the admin door: made, listed, revoked; and that a revoked one is refused by all replicas.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { Client } from './lib/client.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { freePort, until } from './lib/process.mjs';

const stack = new Stack('admin-keys');
const settings = { workers: 2, rate_limit_requests_per_minute: 0, auth_failures_per_minute: 0,
	key_last_used_interval: '200ms' };
let one, two;	// replicas; their records of keys live for half a minute

before(async () => {
	await stack.surroundings({ neon: false });
	one = await stack.tenantgateWithAdmin(settings);
	two = await stack.tenantgate(settings);
	assert.equal((await (await one.tenant('acme')).search('x')).status, 200);
});
after(() => stack.stop());

const secretOf = (text) => text.slice(16, 59);
const idOf = (text) => text.slice(3, 15);
const on = (gate, key) => new Client(gate.url, { authorization: `Bearer ${key}` });
const works = async (gate, key) => (await on(gate, key).search('x')).status;
const admin = (method, path, body, gate = one) => gate.admin.ask(method, path, body === undefined ? {} :
	{ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

async function make(body = { kind: 'tenant', tenant: 'acme' }) {
	const answer = await admin('POST', '/admin/keys', body);
	assert.equal(answer.status, 201, answer.body);
	return answer.json;
}

// So long ago that only what replicas tell each other can have done it, by any clock.
async function refusedOn(gate, key, ms = 15000) {
	await until('the other replica refuses it', async () => await works(gate, key) === 401, ms);
}

const audits = (action) => one.lines().filter((l) => l.event === 'admin.audit' && l.action === action);

test('a key is made, works, and its text is nowhere but in the answer', async () => {
	const made = await make({ kind: 'tenant', tenant: 'acme', scopes: ['search'], expiresIn: 3600,
		note: 'for the tests' });
	assert.equal(idOf(made.text), made.key.id);
	assert.deepEqual(Object.keys(made.key), ['id', 'kind', 'tenant', 'scopes', 'note', 'state',
		'createdAt', 'expiresAt', 'lastUsedAt', 'revokedAt']);
	assert.deepEqual([made.key.tenant, made.key.scopes, made.key.note, made.key.state],
		['acme', ['search'], 'for the tests', 'active']);
	const life = new Date(made.key.expiresAt) - new Date(made.key.createdAt);
	assert.ok(Math.abs(life - 3600000) < 60000, `${life}`);
	assert.equal(await works(one, made.text), 200);
	assert.equal(await works(two, made.text), 200);
	const line = audits('key.create').find((l) => l.after.id === made.key.id);
	assert.deepEqual([line.key, line.tenant, line.before], [idOf(one.adminKey), 'acme', null]);
	const list = await admin('GET', '/admin/keys');
	for (const text of [one.program.text(), two.program.text(), list.body])
		assert.ok(!text.includes(secretOf(made.text)) && !/[0-9a-f]{64}/.test(text));
});

test('keys of a tenant, of an app and of an operator; what cannot be is refused by its field', async () => {
	const own = await admin('POST', '/admin/tenants/acme/keys', {});
	assert.deepEqual([own.status, own.json.key.kind, own.json.key.tenant], [201, 'tenant', 'acme']);
	assert.equal(await works(two, own.json.text), 200);
	const app = await make({ kind: 'service', expiresAt: '2999-01-01T00:00:00+01:00' });
	assert.deepEqual([app.key.kind, app.key.tenant, app.key.scopes, app.key.expiresAt],
		['service', null, null, '2998-12-31T23:00:00.000Z']);
	const operator = await make({ kind: 'admin' });
	const door = new Client(one.adminUrl, { authorization: `Bearer ${operator.text}` });
	assert.equal((await door.get('/admin')).status, 200);
	for (const [path, body, code, detail] of [
		['/admin/keys', {}, 'invalid_field', /"kind"/],
		['/admin/keys', { kind: 'king' }, 'invalid_field', /"kind"/],
		['/admin/keys', { kind: 'tenant' }, 'invalid_tenant', /needs a tenant/],
		['/admin/keys', { kind: 'service', tenant: 'acme' }, 'invalid_tenant', /no other key/],
		['/admin/keys', { kind: 'tenant', tenant: 'a b' }, 'invalid_tenant', /tenant id/],
		['/admin/keys', { kind: 'service', scopes: [] }, 'invalid_field', /at least one/],
		['/admin/keys', { kind: 'service', scopes: ['all'] }, 'invalid_field', /no scope "all"/],
		['/admin/keys', { kind: 'service', scopes: 'chat' }, 'invalid_field', /scopes/],
		['/admin/keys', { kind: 'service', scopes: [1] }, 'invalid_field', /scopes/],
		['/admin/keys', { kind: 'service', scopes: Array(99).fill('chat') }, 'invalid_field', /once/],
		['/admin/keys', { kind: 'admin', scopes: ['chat'] }, 'invalid_field', /admin/],
		['/admin/keys', { kind: 'service', expiresAt: '2020-01-01T00:00:00Z' }, 'invalid_field',
			/expiresAt/],
		['/admin/keys', { kind: 'service', expiresAt: 'tomorrow' }, 'invalid_field', /expiresAt/],
		['/admin/keys', { kind: 'service', expiresIn: 0 }, 'invalid_field', /expiresIn/],
		['/admin/keys', { kind: 'service', expiresIn: 9, expiresAt: '2999-01-01T00:00:00Z' },
			'invalid_field', /not both/],
		['/admin/keys', { kind: 'service', note: 'x'.repeat(257) }, 'invalid_field', /note/],
		['/admin/keys', { kind: 'service', scope: ['chat'] }, 'invalid_field', /"scope"/],
		['/admin/tenants/acme/keys', { kind: 'service' }, 'invalid_field', /"kind"/],
		['/admin/tenants/acme/keys', { tenant: 'globex' }, 'invalid_tenant', /path/],
	]) {
		const answer = await admin('POST', path, body);
		assert.deepEqual([answer.status, answer.json.code], [400, code], JSON.stringify(body));
		assert.match(answer.json.detail, detail, JSON.stringify(body));
	}
});

test('a dry run makes and revokes nothing, and is in no audit', async () => {
	const count = async () => Number((await stack.sql('select count(*) from api_keys', 'catalog'))[0][0]);
	const [before, said] = [await count(), audits('key.create').length];
	const dry = await admin('POST', '/admin/keys?dryRun=true', { kind: 'service', note: 'dry' });
	assert.deepEqual([dry.status, dry.json.text, dry.json.key.id], [200, null, null]);
	assert.equal(await count(), before);
	const { key, text } = await make();
	const answer = await admin('DELETE', `/admin/keys/${key.id}?dryRun=true`);
	assert.deepEqual([answer.status, answer.json.key.state], [200, 'active']);
	assert.equal(await works(one, text), 200);
	assert.equal(audits('key.create').length, said + 1);
	assert.equal(audits('key.revoke').filter((l) => l.before.id === key.id).length, 0);
});

test('a revoked key is refused by the other replica soon, long before its record\'s time', async (t) => {
	const { key, text } = await make();
	for (let i = 0; i < 4; i++)	// each worker may have it
		assert.deepEqual([await works(one, text), await works(two, text)], [200, 200]);
	const answer = await admin('DELETE', `/admin/keys/${key.id}`);
	assert.deepEqual([answer.status, answer.json.effective, answer.json.key.state],
		[200, 'now', 'revoked']);
	assert.equal(await works(one, text), 401);
	const began = performance.now();
	await refusedOn(two, text);
	const took = performance.now() - began;
	t.diagnostic(`refused there after ${took.toFixed(1)} ms`);
	for (let i = 0; i < 8; i++)
		assert.deepEqual([await works(one, text), await works(two, text)], [401, 401]);
	const again = await admin('DELETE', `/admin/keys/${key.id}`);
	// What was noted of uses before it is written behind.
	again.json.key.lastUsedAt = answer.json.key.lastUsedAt;
	assert.deepEqual([again.status, again.json], [200, answer.json]);
	const lines = audits('key.revoke').filter((l) => l.before.id === key.id);
	assert.deepEqual(lines.map((l) => [l.tenant, l.before.state, l.after.state]),
		[['acme', 'active', 'revoked']]);
});

test('what is under way with a key goes on to its end, and its next request is refused', async () => {
	const { key, text } = await make();
	await stack.knobs({ tokens: 40, token_delay_ms: 30 });
	assert.equal((await on(two, text).ingestText('Otters eat fish.', { documentId: 'o' })).status, 201);
	const stream = await on(two, text).openChat('What do otters eat?', { form: 'ui' });
	assert.equal(stream.status, 200);
	await admin('DELETE', `/admin/keys/${key.id}`);
	assert.match(await stream.text(), /\[DONE\]/);
	await refusedOn(two, text);
	await stack.knobs();
});

test('no such key; no key\'s id', async () => {
	const none = await admin('DELETE', '/admin/keys/aaaaaaaaaaaa');
	assert.deepEqual([none.status, none.json.code], [404, 'not_found']);
	for (const id of ['a', 'aaaaaaaaaaaaa', "a'%20or%20'1'='1", 'tg_aaaaaaaaa', '%00aaaaaaaaaaa'])
		assert.equal((await admin('DELETE', `/admin/keys/${id}`)).status, 400, id);
});

test('lists are by tenant, kind and the note\'s beginning, newest first, page by page', async () => {
	await stack.sql(`insert into api_keys (key_id, secret_sha256, kind, tenant_id, note, created_at)
		select 'page' || lpad(i::text, 8, '0'), repeat('0', 64), 'tenant', 'pager',
		case when i % 2 = 0 then 'even ' else 'odd 50%_ ' end || i,
		'2026-01-01Z'::timestamptz + (i / 3) * interval '1 microsecond'
		from generate_series(1, 25) i`, 'catalog');
	const all = (await admin('GET', '/admin/keys?tenant=pager')).json;
	assert.deepEqual([all.keys.length, all.next], [25, null]);
	const byHand = await stack.sql(`select key_id from api_keys where tenant_id = 'pager'
		order by created_at desc, key_id`, 'catalog');
	assert.deepEqual(all.keys.map((k) => k.id), byHand.flat());
	const paged = [];
	for (let next = ''; next !== null;) {
		const page = (await admin('GET', `/admin/tenants/pager/keys?limit=7${next &&
			`&cursor=${next}`}`)).json;
		paged.push(...page.keys.map((k) => k.id));
		next = page.next;
	}
	assert.deepEqual(paged, byHand.flat());
	const of = async (query) => (await admin('GET', `/admin/keys?${query}`)).json.keys;
	assert.equal((await of('tenant=pager&note=even')).length, 12);
	assert.equal((await of('tenant=pager&note=odd%2050%25_')).length, 13);
	assert.equal((await of('note=o%25')).length, 0);
	assert.ok((await of('kind=admin')).every((k) => k.kind === 'admin' && k.tenant === null));
	for (const query of ['limit=0', 'limit=1001', 'limit=x', 'kind=king', 'cursor=x', 'tenant=a%20b',
		`cursor=${Buffer.from("2026-01-01T00:00:00.000000Z' or 1=1 --").toString('base64url')}`,
		`note=${'x'.repeat(257)}`])
		assert.equal((await admin('GET', `/admin/keys?${query}`)).status, 400, query);
});

test('only admin keys of the admin door list, make or revoke', async () => {
	const { key, text } = await make({ kind: 'service' });
	for (const [method, path, body] of [['GET', '/admin/keys'], ['POST', '/admin/keys',
		{ kind: 'admin' }], ['DELETE', `/admin/keys/${key.id}`], ['GET', '/admin/tenants/acme/keys'],
	['POST', '/admin/tenants/acme/keys', {}]]) {
		const by = new Client(one.adminUrl, { authorization: `Bearer ${text}` });
		const answer = await by.ask(method, path, body && { headers: { 'content-type':
			'application/json' }, body: JSON.stringify(body) });
		assert.equal(answer.status, 403, `${method} ${path}`);
		assert.equal((await admin(method, path, body, { admin: new Client(one.adminUrl) })).status, 401);
		assert.equal((await admin(method, path, body, { admin: on(one, one.adminKey) })).status, 404);
	}
});

test('key revoke of the command line tells the replicas too', async () => {
	const { key, text } = await make();
	assert.deepEqual([await works(one, text), await works(two, text)], [200, 200]);
	const out = execFileSync(programs.tenantgate(), ['-c', one.path, 'key', 'revoke', key.id],
		{ encoding: 'utf8' });
	assert.match(out, /refused everywhere from now on/);
	await refusedOn(one, text);
	await refusedOn(two, text);
});

// A transaction that holds the row; the server goes on with what a killed client had asked of it.
async function hold(id) {
	const child = spawn('psql', ['-X', '-q', '-d', stack.pg.url('catalog')],
		{ stdio: ['pipe', 'ignore', 'inherit'] });
	const exit = new Promise((resolve) => child.once('exit', resolve));
	child.stdin.write(`set application_name = 'holder'; begin;
		select 1 from api_keys where key_id = '${id}' for update;\n`);
	await until('it is held', async () => (await stack.sql(`select 1 from pg_stat_activity where
		application_name = 'holder' and state = 'idle in transaction'`)).length > 0);
	return async () => {
		child.stdin.end('rollback;\n');
		await exit;
	};
}

test('killed between the row and the telling: others go by their record\'s time, or the same again',
	async () => {
		const victim = await stack.tenantgateWithAdmin(settings);
		const quick = await stack.tenantgate({ ...settings, key_cache_ttl: '500ms' });
		const { key, text } = await make();
		assert.deepEqual([await works(two, text), await works(quick, text)], [200, 200]);
		const release = await hold(key.id);
		const lost = admin('DELETE', `/admin/keys/${key.id}`, undefined, victim).catch(() => null);
		await until('the row is waited for', async () => (await stack.sql(`select 1 from
			pg_stat_activity where wait_event_type = 'Lock' and query ~ '^UPDATE public.api_keys'`))
			.length > 0);
		victim.program.kill('SIGKILL');
		await victim.program.exit;
		assert.equal(await lost, null);
		await release();
		const revoked = async () => (await stack.sql(`select revoked_at from api_keys where
			key_id = '${key.id}' and revoked_at is not null`, 'catalog')).length === 1;
		await until('the row is revoked', revoked);
		await refusedOn(quick, text);	// its record's time
		const again = await admin('DELETE', `/admin/keys/${key.id}`);
		assert.deepEqual([again.status, again.json.key.state, again.json.effective],
			[200, 'revoked', 'now']);
		await refusedOn(two, text);
		await quick.program.stop();
	});

test('killed: what was written of last uses stays, and another goes on', async () => {
	const victim = await stack.tenantgate(settings);
	const { key, text } = await make();
	const lastUsed = async () => (await admin('GET', '/admin/keys?tenant=acme&limit=1000')).json.keys
		.find((k) => k.id === key.id).lastUsedAt;
	assert.equal(await lastUsed(), null);
	assert.equal(await works(victim, text), 200);
	const first = await until('a use is written', lastUsed);
	victim.program.kill('SIGKILL');
	await victim.program.exit;
	assert.equal(await lastUsed(), first);
	assert.equal(await works(two, text), 200);
	await until('the next use is written', async () => await lastUsed() > first);
});

test('without Redis the answer says so, and another replica refuses it when its record\'s time is over',
	async () => {
		const alone = { ...settings, redis_url: '', key_cache_ttl: '2s' };
		const [first, second] = [await stack.tenantgateWithAdmin(alone), await stack.tenantgate(alone)];
		const { key, text } = await make();
		assert.deepEqual([await works(first, text), await works(second, text)], [200, 200]);
		const answer = await admin('DELETE', `/admin/keys/${key.id}`, undefined, first);
		assert.deepEqual([answer.status, answer.json.effective], [200, 'within 2s']);
		assert.equal(await works(first, text), 401);
		await refusedOn(second, text);
		await Promise.all([first.program.stop(), second.program.stop()]);
	});

test('an ACL without channels: revoked keys are read from the stream', async () => {
	const redis = (...words) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...words]);
	redis('acl', 'setuser', 'mute', 'on', '>pw', '~tg:*', '+@all', '-@dangerous', 'resetchannels');
	const mute = await stack.tenantgate({ ...settings,
		redis_url: stack.cache.url.replace('//', '//mute:pw@') });
	await mute.program.says(/redis\.polled/);
	const { key, text } = await make();
	assert.equal(await works(mute, text), 200);
	assert.equal((await admin('DELETE', `/admin/keys/${key.id}`)).json.effective, 'now');
	await refusedOn(mute, text);
	await mute.program.stop();
});

test('a catalog that takes no writes: keys work, last uses are let be, and nothing is revoked', async () => {
	const { key, text } = await make();
	const port = await freePort();
	await stack.sql('alter database catalog set default_transaction_read_only = on');
	const reader = await stack.tenantgate({ ...settings, admin_listen_port: port });
	assert.equal(await works(reader, text), 200);
	await until('the use was refused', () => /cannot execute UPDATE in a read-only transaction/
		.test(stack.pg.program.text()));
	const door = { admin: new Client(`http://127.0.0.1:${port}`,
		{ authorization: `Bearer ${one.adminKey}` }) };
	const answer = await admin('DELETE', `/admin/keys/${key.id}`, undefined, door);
	assert.deepEqual([answer.status, answer.json.code], [503, 'catalog_unavailable']);
	assert.equal(await works(reader, text), 200);
	assert.doesNotMatch(reader.program.text(), /auth\.uses/);
	await reader.program.stop();
	await stack.sql('alter database catalog reset default_transaction_read_only');
});
