// SPDX-License-Identifier: MIT
// PUT /tenant: what an application calls at sign-up. Two replicas, one Redis.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('tenant-put');
const settings = { workers: 2, redis_timeout: '10s', tenant_cache_ttl: '1h',
	rate_limit_requests_per_minute: 60000, neon_region: 'aws-us-east-2' };
let gate, replica;

before(async () => {
	await stack.surroundings();
	await stack.neonKnobs({ operation_ms: 0 });
	gate = await stack.tenantgate(settings);
	replica = await stack.tenantgate(settings);
	replica.serviceKey = await gate.service();
});
after(() => stack.stop());

const put = (client, value) => client.ask('PUT', '/tenant', { headers: {
	'content-type': 'application/json' },
	body: typeof value === 'string' ? value : JSON.stringify(value) });
const projects = (id) => stack.projects(`tg-test-${id}`);
const get = async (client) => (await client.get('/tenant')).json.tenant;
const ready = (client) => until('its database is ready', async () =>
	(await get(client))?.state === 'ready');
const person = async (id) => (await stack.sql('select name, email, avatar_url from users ' +
	`where user_id = '${id}'`, 'catalog'))[0];

test('202 while Neon has made nothing yet, then ready by itself', async () => {
	const ann = await gate.tenant('ann');
	assert.equal((await ann.get('/tenant')).status, 404);
	await stack.neonKnobs({ operation_ms: 0, delay_ms: 60000, delay_route: 'POST /projects' });
	const answer = await put(ann, { name: 'Ann Élan', email: 'ann@example.org',
		avatarUrl: 'https://example.org/a.png', plan: 'free' });
	assert.deepEqual(await projects('ann'), []);
	await stack.neonKnobs({ operation_ms: 0 });
	assert.equal(answer.status, 202, answer.body);
	const { createdAt, ...rest } = answer.json.tenant;
	assert.deepEqual(rest, { id: 'ann', name: 'Ann Élan', email: 'ann@example.org',
		avatarUrl: 'https://example.org/a.png', plan: 'free', region: 'aws-us-east-2',
		state: 'provisioning' });
	assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60000, createdAt);
	await ready(ann);
	assert.equal((await projects('ann')).length, 1);
	assert.deepEqual(await get(await replica.tenant('ann')), { ...rest, createdAt, state: 'ready' });
	assert.equal((await ann.ingestText('A text.')).status, 201);
});

test('again: 200, what is absent stays, null clears', async () => {
	const ann = await replica.tenant('ann');
	const same = await put(ann, {});
	assert.deepEqual([same.status, same.json.tenant.name, same.json.tenant.plan],
		[200, 'Ann Élan', 'free']);
	const named = await put(ann, { name: 'Ann', avatarUrl: null });
	assert.deepEqual([named.status, named.json.tenant.name, named.json.tenant.email,
		named.json.tenant.avatarUrl], [200, 'Ann', 'ann@example.org', null]);
	const planless = await put(ann, { plan: null });
	assert.deepEqual([planless.status, planless.json.tenant.plan], [200, null]);
	assert.deepEqual(await person('ann'), ['Ann', 'ann@example.org', '']);
});

test('one person may be of two tenants', async () => {
	const other = await gate.tenant('ann-at-work');
	const answer = await put(other, { email: 'ann@example.org' });
	assert.equal(answer.status, 202, answer.body);
	assert.deepEqual([(await person('ann'))[1], (await person('ann-at-work'))[1]],
		['ann@example.org', 'ann@example.org']);
});

test('many at once, with first contacts among them, over both replicas: one database', async () => {
	const clients = [await gate.tenant('crowd'), await replica.tenant('crowd')];
	await stack.neonKnobs({ operation_ms: 100 });
	const answers = await Promise.all(Array.from({ length: 24 }, (_, i) => i % 3 === 2 ?
		clients[i % 2].ingestText(`Text ${i}.`) : put(clients[i % 2], { name: `N${i}` })));
	assert.deepEqual([...new Set(answers.map((a) => a.status))].filter((s) => s >= 300), []);
	await ready(clients[0]);
	await stack.neonKnobs({ operation_ms: 0 });
	assert.equal((await projects('crowd')).length, 1);
	assert.equal((await clients[1].get('/documents')).json.total, 8);
});

test('the region is where the database is made, and does not change afterwards', async () => {
	const far = await gate.tenant('far');
	// Kept for a database that is not made yet: here Neon refuses the first attempt.
	await stack.neonKnobs({ operation_ms: 0, fail_next: [{ route: 'POST /projects', status: 400,
		times: 1 }] });
	assert.equal((await put(far, { region: 'aws-eu-west-9', name: 'Far' })).status, 202);
	const failed = await until('the attempt has failed', async () => {
		const now = await get(far);
		return now.state === 'failed' && now;
	});
	assert.match(failed.reason, /^[A-Z].*\.$/);
	assert.ok(!/aws|http/.test(failed.reason), failed.reason);
	// Neon's refusal would hold for ten seconds.
	await stack.sql("update tenants set not_before = null where tenant_id = 'far'", 'catalog');
	const moved = await put(far, { region: 'aws-eu-central-1' });
	assert.deepEqual([moved.status, moved.json.tenant.region, moved.json.tenant.state],
		[202, 'aws-eu-central-1', 'provisioning']);
	await ready(far);
	const [project, ...more] = await projects('far');
	assert.deepEqual([project.region_id, more], ['aws-eu-central-1', []]);
	for (const region of ['aws-us-east-2', null]) {
		const refused = await put(far, { region, name: 'Elsewhere' });
		assert.deepEqual([refused.status, refused.json.code], [409, 'conflict'], refused.body);
		assert.match(refused.json.detail, /region/);
	}
	assert.equal((await person('far'))[0], 'Far');
	assert.equal((await put(far, { region: 'aws-eu-central-1', name: 'Same' })).status, 200);
	// Of whom nothing was said, too.
	const ann = await gate.tenant('ann');
	assert.equal((await put(ann, { region: 'aws-eu-central-1' })).status, 409);
});

test('a plan that changes is heard of by the other replica at once', async () => {
	const there = await replica.tenant('ann');
	const policy = async () => (await there.get('/documents')).headers['ratelimit-policy'];
	assert.equal(await policy(), '"tenant";q=60000;w=60');
	// What else is in the row shows that it was read anew; records are kept for an hour here.
	await stack.sql("update tenants set requests_per_minute = 77 where tenant_id = 'ann'", 'catalog');
	assert.equal(await policy(), '"tenant";q=60000;w=60');
	const here = await gate.tenant('ann');
	assert.equal((await put(here, { name: 'No plan' })).status, 200);
	assert.equal(await policy(), '"tenant";q=60000;w=60');
	assert.equal((await put(here, { plan: 'pro' })).status, 200);
	await until('it has heard', async () => await policy() === '"tenant";q=77;w=60');
});

test('a plan that comes while the database is made is not lost', async () => {
	const late = await gate.tenant('late');
	await stack.neonKnobs({ operation_ms: 0, delay_ms: 60000, delay_route: 'POST /projects' });
	assert.equal((await put(late, { plan: 'free' })).status, 202);
	await until('the attempt is at work', async () => (await stack.sql('select 1 from tenants ' +
		"where tenant_id = 'late' and posted_at is not null", 'catalog')).length === 1);
	await stack.sql("update tenants set requests_per_minute = 55 where tenant_id = 'late'", 'catalog');
	assert.equal((await put(late, { plan: 'pro' })).status, 202);
	await stack.neonKnobs({ operation_ms: 0 });
	await ready(late);
	const answer = await late.get('/documents');
	assert.equal(answer.headers['ratelimit-policy'], '"tenant";q=55;w=60');
});

test('killed right after the 202: asking for the state goes on with it, once', async () => {
	const doomed = await stack.tenantgate(settings);
	doomed.serviceKey = await gate.service();
	await stack.neonKnobs({ operation_ms: 0, delay_ms: 60000, delay_route: 'GET /projects' });
	assert.equal((await put(await doomed.tenant('orphan'), { name: 'O' })).status, 202);
	doomed.program.kill('SIGKILL');
	await doomed.program.exit;
	await stack.neonKnobs({ operation_ms: 0 });
	// What it held runs out after half a minute: its slot at Neon, and its lease of the row.
	execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);
	await stack.sql("update tenants set lease_until = now() where tenant_id = 'orphan' " +
		'and lease_until is not null', 'catalog');
	await until('another replica has made it', async () =>
		(await get(await replica.tenant('orphan'))).state === 'ready');
	assert.equal((await projects('orphan')).length, 1);
});

test('where none is made unasked, this asks', async () => {
	const strict = await stack.tenantgate({ ...settings, provisioning: 'explicit' });
	strict.serviceKey = await gate.service();
	const nina = await strict.tenant('nina');
	assert.equal((await nina.ingestText('A text.')).status, 404);
	assert.equal((await put(nina, {})).status, 202);
	assert.equal((await nina.ingestText('A text.')).status, 201);
	await strict.program.stop();
});

test('whoever may not, and whoever names no tenant', async () => {
	const own = new Client(gate.url, { authorization: `Bearer ${await gate.key('--tenant', 'ann')}` });
	for (const answer of [await put(own, { plan: 'pro' }), await own.get('/tenant')])
		assert.deepEqual([answer.status, answer.json.code], [403, 'forbidden']);
	const nobody = new Client(gate.url, { authorization: `Bearer ${await gate.service()}` });
	assert.equal((await put(nobody, {})).json.code, 'invalid_tenant');
	assert.equal((await put(new Client(gate.url), {})).status, 401);
	await stack.sql("update tenants set state = 'suspended' where tenant_id = 'ann-at-work'",
		'catalog');
	const held = await put(await replica.tenant('ann-at-work'), {});
	assert.deepEqual([held.status, held.json.code], [403, 'tenant_suspended'], held.body);
});

test('what a body may not say: 400, and nothing is made', async () => {
	const client = await gate.tenant('nothing');
	for (const [body, what] of [['[]', 'JSON'], ['{', 'JSON'], ['', 'JSON'], [{ nam: 'x' }, 'nam'],
		[{ id: 'x' }, 'id'], [{ state: 'ready' }, 'state'], [{ name: 5 }, 'name'], [{ name: '' }, 'name'],
		[{ name: 'a\nb' }, 'name'], [{ name: 'a\u0085b' }, 'name'], [{ email: 'a\u202e@b.c' }, 'email'],
		[{ name: '\u2066a' }, 'name'], [{ name: 'ä'.repeat(101) }, 'name'],
		[{ email: 'ann' }, 'email'], [{ email: '@x' }, 'email'], [{ email: 'a@' }, 'email'],
		[{ email: 'a@b@c' }, 'email'], [{ email: 'a b@c' }, 'email'],
		[{ email: `${'x'.repeat(250)}@y.org` }, 'email'], [{ avatarUrl: 'javascript:alert(1)' }, 'avatarUrl'],
		[{ avatarUrl: '/a.png' }, 'avatarUrl'], [{ avatarUrl: 'https://x/" onload="' }, 'avatarUrl'],
		[{ avatarUrl: `https://x/${'y'.repeat(2048)}` }, 'avatarUrl'], [{ plan: 'a b' }, 'plan'],
		[{ plan: 'x'.repeat(33) }, 'plan'], [{ plan: {} }, 'plan'], [{ region: 'AWS' }, 'region'],
		[{ region: 'a/../b' }, 'region'], [{ region: 'x'.repeat(65) }, 'region'],
		[{ name: 'good', plan: 7 }, 'plan']]) {
		const answer = await put(client, body);
		assert.equal(answer.status, 400, `${JSON.stringify(body)}: ${answer.body}`);
		assert.match(answer.json.detail, new RegExp(what === 'JSON' ? '.' : `"${what}"`));
	}
	assert.equal(await person('nothing'), undefined);
	assert.deepEqual(await projects('nothing'), []);
});

test('a plan is one that there is, and holds at once on every replica', async () => {
	const plans = { ...settings, 'plan few': { requests_per_minute: 300,
		user_requests_per_minute: 3 }, 'plan many': {} };
	const replicas = [await stack.tenantgate(plans), await stack.tenantgate(plans)];
	for (const one of replicas)
		one.serviceKey = await gate.service();
	const [here, there] = await Promise.all(replicas.map((one) => one.tenant('planned')));
	const unknown = await put(here, { plan: 'gold' });
	assert.deepEqual([unknown.status, unknown.json.code], [400, 'invalid_field'], unknown.body);
	assert.equal(await person('planned'), undefined);
	assert.equal((await put(here, { plan: 'many' })).status, 202);
	await ready(there);
	const policy = async () => (await there.get('/documents', { headers: { 'x-user-id': 'u' } }))
		.headers['ratelimit-policy'];
	assert.equal(await policy(), '"tenant";q=60000;w=60');
	assert.equal((await put(here, { plan: 'few' })).status, 200);
	await until('it has heard', async () =>
		await policy() === '"tenant";q=300;w=60, "user";q=3;w=60');
	await Promise.all(replicas.map((one) => one.program.stop()));
});
