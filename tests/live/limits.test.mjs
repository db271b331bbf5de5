// SPDX-License-Identifier: MIT
// Requests a minute: exact over workers and replicas, with headers that are true.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('limits');
let gate, replica;
const LIMIT = 20;
// A busy machine's Redis may take longer than 100 ms, and would be counted without.
const patient = { redis_timeout: '10s' };
// RateLimit: "tenant";r=0;t=3
const left = (answer) => /^"(\w+)";r=(\d+);t=(\d+)$/.exec(answer.headers.ratelimit).slice(1);

before(async () => {
	await stack.surroundings({ neon: false });
	const settings = { ...patient, rate_limit_requests_per_minute: LIMIT, workers: 2 };
	gate = await stack.tenantgate(settings);
	replica = await stack.tenantgate(settings);
	replica.serviceKey = await gate.service();
});
after(() => stack.stop());

test('20 a minute are 20, over two replicas at once', async () => {
	const here = await gate.tenant('busy');
	const there = await replica.tenant('busy');
	const start = Date.now();
	assert.equal((await here.search('x')).status, 200);
	const answers = await Promise.all(Array.from({ length: 60 }, (_, i) =>
		(i % 2 ? here : there).search('x')));
	const back = 1 + Math.floor((Date.now() - start) / 3000);
	const fine = answers.filter((a) => a.status === 200).length + 1;
	const refused = answers.filter((a) => a.status === 429);
	assert.equal(fine + refused.length, 61);
	// One comes back every three seconds.
	assert.ok(fine >= LIMIT && fine <= LIMIT + back, `${fine} were let through`);
	for (const answer of refused) {
		assert.equal(answer.json.code, 'rate_limited');
		assert.equal(answer.json.type,
			'https://iana.org/assignments/http-problem-types#quota-exceeded');
		assert.deepEqual(answer.json['violated-policies'], ['tenant']);
		assert.equal(answer.headers['ratelimit-policy'], `"tenant";q=${LIMIT};w=60`);
		const [policy, remaining, more] = left(answer);
		assert.deepEqual([policy, remaining], ['tenant', '0']);
		assert.equal(answer.headers['retry-after'], more);
		assert.ok(Number(more) >= 1 && Number(more) <= 3, more);
		assert.equal(answer.headers['ratelimit-limit'], undefined);
	}
	const line = gate.lines().find((l) => l.event === 'access' && l.status === 429);
	assert.deepEqual([line.step, line.code, line.limit], ['limit', 'rate_limited', 'refused']);
});

// Another environment, which has a catalog of its own.
async function elsewhere(environment, changes) {
	const name = `catalog_${environment}`;
	await stack.sql(`create database ${name}`);
	return stack.tenantgate({ ...patient, environment, catalog_url: stack.pg.url(name),
		...changes });
}

test('ratelimit_headers: the old fields, both or none', async () => {
	const seen = {};
	for (const ratelimit_headers of ['legacy', 'both', 'off']) {
		const one = await elsewhere(ratelimit_headers, { ratelimit_headers,
			rate_limit_requests_per_minute: 1, rate_limit_key_requests_per_minute: 1000,
			workers: 1 });
		const tenant = await one.tenant('fields');
		assert.equal((await tenant.search('x')).status, 200);
		const { headers, status } = await tenant.search('x');
		assert.equal(status, 429);
		assert.ok(Number(headers['retry-after']) >= 1);
		seen[ratelimit_headers] = [headers['ratelimit-policy'], headers['ratelimit-limit']];
		await one.program.stop();
	}
	const policies = '"tenant";q=1;w=60, "key";q=1000;w=60';
	assert.deepEqual(seen, { legacy: [undefined, '1'], both: [policies, '1'],
		off: [undefined, undefined] });
});

test('Retry-After is true', async () => {
	const tenant = await gate.tenant('busy');
	let answer = await tenant.search('x');
	while (answer.status === 200)
		answer = await tenant.search('x');
	const wait = Number(answer.headers['retry-after']);
	await new Promise((resolve) => setTimeout(resolve, wait * 1000 + 50));
	assert.equal((await tenant.search('x')).status, 200);
});

test('what is left counts down, and another tenant is not touched', async () => {
	const tenant = await gate.tenant('calm');
	const start = Date.now();
	for (let i = 1; i <= 4; i++) {
		const now = Number(left(await tenant.search('x'))[1]);
		const back = Math.floor((Date.now() - start) / 3000);
		assert.ok(now >= LIMIT - i && now <= LIMIT - i + back, `${now} after ${i}`);
	}
});

test('a tenant past its limit makes nothing: no database before the limit is checked', async () => {
	const key = await gate.service();
	const closed = await stack.tenantgate({ ...patient, rate_limit_key_requests_per_minute: 1 });
	closed.serviceKey = key;
	assert.equal((await (await closed.tenant('one')).search('x')).status, 200);
	assert.equal((await (await closed.tenant('two')).search('x')).status, 429);
	assert.deepEqual(await stack.sql("select 1 from tenants where tenant_id = 'two'", 'catalog'),
		[]);
	await closed.program.stop();
});

test("a tenant's documents under way are counted: one too many is a 503 with Retry-After", async () => {
	const key = await gate.service();
	const small = await stack.tenantgate({ max_ingests: 1 });
	small.serviceKey = key;
	const tenant = await small.tenant('writer');
	assert.equal((await tenant.search('x')).status, 200);
	const socket = net.connect(small.port, '127.0.0.1');
	socket.write('POST /ingest HTTP/1.1\r\nHost: x\r\nX-Tenant-Id: writer\r\n' +
		`Authorization: Bearer ${key}\r\nContent-Type: text/plain\r\n` +
		'Expect: 100-continue\r\nContent-Length: 5\r\n\r\n');
	await new Promise((resolve) => socket.once('data', resolve));
	const full = await tenant.ingestText('A text.');
	assert.equal(full.status, 503, full.body);
	assert.equal(full.json.code, 'overloaded');
	assert.match(full.json.type, /#temporary-reduced-capacity$/);
	assert.ok(Number(full.headers['retry-after']) >= 1, full.headers['retry-after']);
	assert.match(full.json.detail, /max_ingests/);
	const other = await small.tenant('other');
	assert.equal((await other.ingestText('A text.')).status, 201);
	socket.destroy();
	let after = await tenant.ingestText('A text.');
	for (let i = 0; i < 50 && after.status === 503; i++)
		after = await tenant.ingestText('A text.');
	assert.equal(after.status, 201, after.body);
	await small.program.stop();
});

test('two environments on one Redis do not share limits', async () => {
	const status = {};
	for (const environment of ['blue', 'green']) {
		const one = await elsewhere(environment, { rate_limit_requests_per_minute: 2 });
		const tenant = await one.tenant('both');
		status[environment] = [];
		for (let i = 0; i < 3; i++)
			status[environment].push((await tenant.search('x')).status);
		await one.program.stop();
	}
	assert.deepEqual(status, { blue: [200, 200, 429], green: [200, 200, 429] });
});

test('a record that is not true any more is read anew', async () => {
	const key = await gate.service();
	assert.equal((await (await gate.tenant('moved')).search('x')).status, 200);
	const [[port]] = await stack.sql("select db_port from tenants where tenant_id = 'moved'",
		'catalog');
	await stack.sql("update tenants set db_port = 1 where tenant_id = 'moved'", 'catalog');
	const other = await stack.tenantgate({ redis_url: '', tenant_cache_ttl: '1h', workers: 1 });
	other.serviceKey = key;
	const tenant = await other.tenant('moved');
	const lost = await tenant.search('x');
	assert.equal(lost.status, 503, lost.body);
	await stack.sql(`update tenants set db_port = ${port} where tenant_id = 'moved'`, 'catalog');
	assert.equal((await tenant.search('x')).status, 200);
	await other.program.stop();
});
