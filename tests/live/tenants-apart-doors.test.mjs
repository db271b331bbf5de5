// SPDX-License-Identifier: MIT
// Two tenants who come in by tokens, and whom an operator looks at and changes, acme always first: each
// token opens its own tenant, and what is done to the one is not done to the other. tests/mutation/run
// makes each of the keys by which that is so forget its tenant, and this file has to notice.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';
import { now, signToken } from './lib/token-issuer.mjs';

const stack = new Stack('tenants-apart-doors');
const TENANTS = ['acme', 'bolt'];
const word = { acme: 'kelpforest', bolt: 'saltmarsh' };
const other = { acme: 'bolt', bolt: 'acme' };
const SECRET = 'what the issuer of this test signs with';
const WAIT = 10000;	// ms; what a mutation hinders is not waited for longer
const ours = {};
let gate;

const settings = { workers: 1, rate_limit_requests_per_minute: 0, auth_failures_per_minute: 0,
	'issuer app': { issuer: 'https://app.example.com', audience: 'tests', secret: SECRET } };
const by = (token) => new Client(gate.url, { authorization: `Bearer ${token}` });
const issued = (t) => signToken({ alg: 'HS256', secret: SECRET }, { iss: 'https://app.example.com',
	aud: 'tests', sub: 'mia', org_id: t, exp: now() + 600 });

async function opensOwn(t, token) {
	for (const answer of [await by(token).get('/documents'),
		await by(token).search('A text of the kelpforest, the saltmarsh', { topK: 50 })]) {
		assert.equal(answer.status, 200, answer.body);
		assert.match(answer.body, new RegExp(word[t]));
		assert.doesNotMatch(answer.body, new RegExp(word[other[t]]));
	}
}

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin(settings);
	for (const t of TENANTS) {
		const stored = await (await gate.tenant(t)).ingestText(`A text of the ${word[t]}.`,
			{ documentId: 'same', title: `Title ${word[t]}` });
		assert.equal(stored.status, 201, stored.body);
		ours[t] = (await gate.admin.post(`/admin/tenants/${t}/tokens`, {})).json.token;
	}
});
after(() => stack.stop());

test('a token of ours opens its own tenant', async () => {
	for (const t of [...TENANTS, ...TENANTS])
		await opensOwn(t, ours[t]);
});

test("an issuer's token opens its own tenant", async () => {
	for (const t of [...TENANTS, ...TENANTS])
		await opensOwn(t, issued(t));
});

test('an operator sees the keys of one', async () => {
	for (const t of TENANTS)
		await gate.key('--tenant', t, '--note', `of ${t}`);
	for (const t of TENANTS) {
		const { json } = await gate.admin.get(`/admin/tenants/${t}/keys`);
		assert.ok(json.keys.some((key) => key.note === `of ${t}`), JSON.stringify(json));
		assert.deepEqual(json.keys.filter((key) => key.tenant !== t), []);
	}
});

test('the schema of each is brought up to date', async () => {
	const versions = async () => (await stack.sql('select schema_version from tenants order by tenant_id',
		'catalog')).map(([version]) => version);
	const today = await versions();
	await gate.program.stop();
	await stack.sql('update tenants set schema_version = 1', 'catalog');
	const key = gate.serviceKey;
	gate = await stack.tenantgateWithAdmin({ ...settings, redis_url: '' });
	gate.serviceKey = key;
	for (const t of TENANTS)
		assert.equal((await (await gate.tenant(t)).search('A text')).status, 200);
	await until('both are', async () => (await versions()).join() === today.join(), WAIT);
});

test("the tokens of one are revoked, and the other's are good", async () => {
	const is = async (t, status) => until(`${t}: ${status}`, async () =>
		(await by(ours[t]).get('/documents')).status === status, WAIT);
	assert.ok((await gate.admin.ask('DELETE', '/admin/tenants/acme/tokens')).status < 300);
	await is('acme', 401);
	await is('bolt', 200);
	assert.ok((await gate.admin.ask('DELETE', '/admin/tenants/bolt/tokens')).status < 300);
	await is('bolt', 401);
});
