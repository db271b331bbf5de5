// SPDX-License-Identifier: MIT
// First contacts by token: a crowd of tokens is no crowd of databases.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';
import { TokenIssuer } from './lib/token-issuer.mjs';

const stack = new Stack('jwt-newcomers');
let gates, one, two;

before(async () => {
	await stack.surroundings({ neon: false });
	[one, two] = await Promise.all([TokenIssuer.start('https://one.example'),
		TokenIssuer.start('https://two.example')]);
	const section = (issuer, changes) => ({ issuer: issuer.iss, jwks_url: issuer.url,
		audience: 'us', tenant_claim: 'sub', ...changes });
	const settings = { rate_limit_requests_per_minute: 0, provisions_per_minute: 2,
		'issuer one': section(one, { tenant_prefix: 'one.', provisions_per_minute: 1 }),
		'issuer two': section(two, { tenant_prefix: 'two.' }) };
	gates = [await stack.tenantgate(settings), await stack.tenantgate(settings)];
});
after(async () => {
	await stack.stop();
	await Promise.all([one.close(), two.close()]);
});

const store = (gate, issuer, sub, claims = {}) => new Client(gate.url, { authorization:
	`Bearer ${issuer.token({ aud: 'us', sub, ...claims })}` }).ingestText('A text.');
const databases = async () => (await stack.sql(`select tenant_id from tenants order by 1`, 'catalog'))
	.map(([id]) => id);

// A minute's count at once, then one in half a minute: the test takes a second.
test('each issuer has its rate, all have one together, and all replicas share both', async () => {
	assert.equal((await store(gates[0], one, 'a0')).status, 201);
	const refused = await store(gates[1], one, 'a1');
	assert.equal(refused.status, 503, refused.body);
	assert.equal(refused.json.code, 'provisioning');
	assert.deepEqual(refused.json['violated-policies'], ['provisions']);
	assert.ok(Number(refused.headers['retry-after']) >= 1);
	assert.equal((await store(gates[1], two, 'b0')).status, 201);
	assert.equal((await store(gates[0], two, 'b1')).status, 503);
	assert.deepEqual(await databases(), ['one.a0', 'two.b0']);
	const line = gates[1].lines().find((l) => /provisions_per_minute of/.test(l.cause));
	assert.ok(line, 'the log says which rate it was');
});

test('who has a database goes on, and a service key has no such rate', async () => {
	assert.equal((await store(gates[1], one, 'a0')).status, 201);
	assert.equal((await (await gates[0].tenant('by-a-key')).ingestText('A text.')).status, 201);
});

test('requests of one newcomer that come together count once', async () => {
	const alone = await stack.tenantgate({ rate_limit_requests_per_minute: 0, workers: 1,
		environment: 'test', provisions_per_minute: 1, redis_url: '', 'issuer three': {
			issuer: one.iss, jwks_url: one.url, audience: 'us', tenant_claim: 'sub',
			tenant_prefix: 'three.' } });
	const page = await Promise.all(Array.from({ length: 12 }, () => store(alone, one, 'page')));
	assert.deepEqual(page.map((a) => a.status), Array(12).fill(201));
	const next = await Promise.all(Array.from({ length: 3 }, () => store(alone, one, 'next')));
	assert.deepEqual(next.map((a) => a.status), [503, 503, 503]);
	assert.ok(!alone.lines().some((l) => l.event === 'worker.long_turn'));
	const line = alone.lines().find((l) => l.event === 'access' && l.tenant === 'three.page');
	assert.deepEqual([line.user, line.issuer, line.key], ['page', 'three', undefined]);
	await alone.program.stop();
});

test('who waits for another request of his own tenant is woken by it, and looks for nothing meanwhile', async () => {
	const slow = await stack.tenantgateWithAdmin({ rate_limit_requests_per_minute: 0, workers: 1,
		'issuer four': { issuer: one.iss, jwks_url: one.url, audience: 'us', tenant_claim: 'sub', tenant_prefix: 'four.' } });
	await store(slow, one, 'knows-the-keys');
	const lock = 'lock table users in exclusive mode';
	const holder = stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url('catalog'), '-c',
		`begin; ${lock}; select pg_sleep(100000)`]);
	await until('it is locked', async () => (await stack.sql(
		"select 1 from pg_locks where mode = 'ExclusiveLock' and relation = 'users'::regclass", 'catalog')).length);
	const crowd = Promise.all(Array.from({ length: 5 }, () => store(slow, one, 'crowd')));
	await until('four wait, as they have for a while', async () => {
		const { steps } = (await slow.admin.get('/admin/flows')).json;
		const at = steps.find((s) => s.kind === 'first_contact' && s.step === 'turn');
		return at?.count === 4 && at.longestStepSeconds > 0.2;
	});
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'begin; ${lock}%'`);
	await holder.exit;
	assert.deepEqual((await crowd).map((a) => a.status), Array(5).fill(201));
	await slow.program.stop();
});

test('a crowd of tokens at once begins no more than the rate', async () => {
	const began = Date.now();
	const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
		store(gates[i % 2], i % 4 < 2 ? one : two, `crowd${i}`)));
	assert.ok(answers.every((a) => [201, 503].includes(a.status)));
	const minutes = (Date.now() - began) / 60000;
	assert.ok(answers.filter((a) => a.status === 201).length <= 2 + 2 * minutes);
});
