// SPDX-License-Identifier: MIT
// Users within a tenant: whose a document is, and how much each may ask, over two replicas.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('users');
const LIMIT = 5;
let gate, replica;
const redis = (...words) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...words],
	{ encoding: 'utf8' }).trim();

before(async () => {
	await stack.surroundings({ neon: false });
	const settings = { workers: 2, redis_timeout: '10s', rate_limit_requests_per_minute: 1000,
		user_requests_per_minute: LIMIT, rate_limit_burst: 0 };
	gate = await stack.tenantgate(settings);
	replica = await stack.tenantgate(settings);
	replica.serviceKey = await gate.service();
});
after(() => stack.stop());

async function as(user, tenant, at = gate) {
	const client = await at.tenant(tenant);
	return new Client(at.url, { ...client.headers, 'x-user-id': user });
}

const ids = (answer) => answer.json.documents.map((d) => d.id);

test('a document is its first user\'s, whoever replaces it', async () => {
	const [ann, bob, app] = [await as('ann', 'acme'), await as('bob@x.org', 'acme'),
		await gate.tenant('acme')];
	for (const [client, id, owner] of [[ann, 'one', 'ann'], [bob, 'two', 'bob@x.org'],
		[app, 'three', null]]) {
		const answer = await client.ingestText(`The text of ${id}.`, { documentId: id });
		assert.equal(answer.status, 201, answer.body);
		assert.equal(answer.json.document.ownerId, owner);
		assert.equal((await app.get(`/documents/${id}`)).json.document.ownerId, owner);
	}
	for (const id of ['one', 'three']) {
		const answer = await bob.ingestText(`Another text of ${id}.`, { documentId: id });
		assert.equal(answer.status, 201, answer.body);
		assert.equal(answer.json.document.ownerId, id === 'one' ? 'ann' : null);
	}
	// The same bytes again: nothing is stored, and whose it is is told all the same.
	const same = await app.ingestText('Another text of one.', { documentId: 'one' });
	assert.deepEqual([same.status, same.json.document.ownerId], [200, 'ann']);
});

test('one that went, or was never stored, is of who stores it next', async () => {
	const [dan, eve, app] = [await as('dan', 'acme'), await as('eve', 'acme'),
		await gate.tenant('acme')];
	assert.equal((await dan.ingestText('To go.', { documentId: 'gone' })).status, 201);
	assert.equal((await app.ask('DELETE', '/documents/gone')).status, 204);
	const again = await eve.ingestText('To stay.', { documentId: 'gone' });
	assert.deepEqual([again.status, again.json.document.ownerId], [201, 'eve']);
	assert.equal((await dan.ask('POST', '/ingest?documentId=bad', { headers: {
		'content-type': 'application/pdf' }, body: '%PDF-1.4 no more' })).status, 422);
	const listed = async () => (await app.get('/documents/bad')).json.document;
	await until('the failed one is listed', async () => (await listed())?.status === 'failed');
	assert.equal((await listed()).ownerId, 'dan');
	const mended = await eve.ingestText('Text.', { documentId: 'bad' });
	assert.deepEqual([mended.status, mended.json.document.ownerId], [201, 'eve']);
});

test('the list by ownerId, with its total and its pages', async () => {
	const app = await gate.tenant('listed');
	for (let i = 0; i < 3; i++)
		assert.equal((await (await as('ann', 'listed')).ingestText(`Text ${i}.`,
			{ documentId: `a${i}` })).status, 201);
	assert.equal((await (await as('bob', 'listed')).ingestText('B.', { documentId: 'b' })).status,
		201);
	const all = await app.get('/documents');
	assert.deepEqual([all.json.total, ids(all)], [4, ['b', 'a2', 'a1', 'a0']]);
	const first = await app.get('/documents?ownerId=ann&limit=2');
	assert.deepEqual([first.json.total, ids(first)], [3, ['a2', 'a1']]);
	const rest = await app.get(`/documents?ownerId=ann&limit=2&cursor=${first.json.nextCursor}`);
	assert.deepEqual([rest.json.total, ids(rest), rest.json.nextCursor], [3, ['a0'], null]);
	const none = await app.get('/documents?ownerId=nobody');
	assert.deepEqual([none.json.total, ids(none)], [0, []]);
	// The other tenant's ann has another list.
	assert.ok(!ids(await (await gate.tenant('acme')).get('/documents?ownerId=ann')).includes('a0'));
	for (const bad of ['', 'a%20b', 'a%2Fb', 'x'.repeat(129)])
		assert.equal((await app.get(`/documents?ownerId=${bad}`)).json.code, 'invalid_field', bad);
});

test('X-User-Id is believed from both kinds of keys, and is no access control', async () => {
	const own = await gate.key('--tenant', 'acme');
	const answer = await new Client(gate.url, { authorization: `Bearer ${own}`,
		'x-user-id': 'zoe' }).ingestText('Of Zoe.', { documentId: 'zoe-1' });
	assert.deepEqual([answer.status, answer.json.document.ownerId], [201, 'zoe']);
	const seen = await (await as('ann', 'acme')).get('/documents/zoe-1');
	assert.equal(seen.json.document.ownerId, 'zoe');
	await until('both users are in the access log', () => ['zoe', 'ann'].every((user) =>
		gate.lines().some((l) => l.event === 'access' && l.tenant === 'acme' && l.user === user)));
});

test('what is no id is refused, as is one that is given twice', async () => {
	const app = await gate.tenant('acme');
	for (const user of ['', 'a b', 'a/b', '\xe4', 'x'.repeat(129)]) {
		const answer = await app.get('/documents', { headers: { 'x-user-id': user } });
		assert.deepEqual([answer.status, answer.json.code], [400, 'invalid_field'], user);
		assert.match(answer.json.detail, /X-User-Id/);
	}
	const twice = await app.get('/documents', { headers: { 'x-user-id': ['ann', 'bob'] } });
	assert.deepEqual([twice.status, twice.json.code], [400, 'invalid_field']);
	const longest = await app.get('/documents', { headers: { 'x-user-id': 'x'.repeat(128) } });
	assert.equal(longest.status, 200, longest.body);
});

test("a user's limit is exact over two replicas, and names its policy", async () => {
	const clients = [await as('busy', 'crowd'), await as('busy', 'crowd', replica)];
	const start = Date.now();
	const answers = await Promise.all(Array.from({ length: 24 }, (_, i) =>
		clients[i % 2].get('/documents')));
	const back = 1 + Math.floor((Date.now() - start) / (60000 / LIMIT));
	const fine = answers.filter((a) => a.status === 200);
	const refused = answers.filter((a) => a.status === 429);
	assert.equal(fine.length + refused.length, 24);
	assert.ok(fine.length >= LIMIT && fine.length <= LIMIT + back, `${fine.length} went through`);
	for (const answer of answers)
		assert.equal(answer.headers['ratelimit-policy'],
			`"tenant";q=1000;w=60, "user";q=${LIMIT};w=60`);
	for (const answer of refused) {
		assert.deepEqual([answer.json.code, answer.json['violated-policies']],
			['rate_limited', ['user']]);
		assert.match(answer.headers.ratelimit, /^"user";r=0;t=\d+$/);
		assert.ok(Number(answer.headers['retry-after']) >= 1);
	}
	// A request of the tenant's that names nobody has no such policy.
	const app = await (await gate.tenant('crowd')).get('/documents');
	assert.deepEqual([app.status, app.headers['ratelimit-policy']], [200, '"tenant";q=1000;w=60']);
});

test('what a user is refused is not charged to the tenant', async () => {
	const user = await as('eager', 'crowd');
	const charged = () => redis('get', 'tg:limit:test:tenant:crowd');
	let before = charged(), answer = await user.get('/documents');
	for (; answer.status === 200; answer = await user.get('/documents'))
		before = charged();
	assert.equal(answer.status, 429);
	assert.ok(Number(before) > 0);
	assert.equal(charged(), before);
});

test('users of one id in two tenants share nothing, however the ids are put together', async () => {
	for (const [one, other] of [[['u', 'left'], ['u', 'right']], [['b:c', 'a'], ['c', 'a:b']]]) {
		const full = await as(...one);
		let answer = await full.get('/documents');
		while (answer.status === 200)
			answer = await full.get('/documents');
		assert.deepEqual(answer.json['violated-policies'], ['user']);
		const fresh = await (await as(...other)).get('/documents');
		assert.equal(fresh.status, 200, fresh.body);
		assert.match(fresh.headers.ratelimit, new RegExp(`^"user";r=${LIMIT - 1};`));
	}
});
