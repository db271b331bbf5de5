// SPDX-License-Identifier: MIT
// What a tenant may spend of models: tokens a minute and a month, answers at the same time. Over two
// replicas; what is not used comes back, whatever ends a request, and a kill too.
import { test, before, after, afterEach } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { chunk, CUT, DONE, event, json, ModelServer, STALL, words } from './lib/model-server.mjs';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('token-quota');
const plans = {
	'plan minute': { tokens_per_minute: 3000 },
	'plan month': { tokens_per_month: 10000 },
	'plan streams': { max_concurrent_streams: 3 },
	'plan one': { max_concurrent_streams: 1 },
	'plan all': { tokens_per_minute: 1000000000, tokens_per_month: 100000000000,
		max_concurrent_streams: 1000 },
	'plan rate': { tokens_per_minute: 1000000, requests_per_minute: 1, burst: 4 },
};
// A busy machine's Redis may take longer than 100 ms, and would be counted without.
const settings = { redis_timeout: '10s', rate_limit_requests_per_minute: 0, workers: 2,
	usage_write_interval: '100ms', model_connect_timeout: '30s', ...plans };
let gates, server;
let leave = new AbortController();
const redis = (...args) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...args],
	{ encoding: 'utf8' }).trim();

// The counters of a tenant, and its leases.
function counters(tenant) {
	const lines = redis('hgetall', `tg:limit:test:quota:${tenant}`).split('\n');
	const pairs = lines.filter((_, i) => i % 2 === 0).map((name, i) => [name, Number(lines[2 * i + 1])]);
	return { ...Object.fromEntries(pairs),
		leases: Number(redis('zcard', `tg:limit:test:leases:${tenant}`)) };
}

const isFree = (tenant) => until(`nothing is held of ${tenant}`, () => {
	const { held, streams, leases } = counters(tenant);
	return held === 0 && streams === 0 && leases === 0;
});

// An answer that took so many tokens.
const took = (prompt, completion) => [chunk({ content: 'Beech.' }), chunk({}, 'stop'),
	event({ choices: [], usage: { prompt_tokens: prompt, completion_tokens: completion } }), DONE];

before(async () => {
	await stack.surroundings({ neon: false });
	server = await ModelServer.start();
	gates = [];
	for (let i = 0; i < 2; i++)
		gates.push(await stack.tenantgate({ ...settings, model_url: server.url }));
	gates[1].serviceKey = await gates[0].service();
});
after(async () => {
	leave.abort();
	await stack.stop();
	await server.stop();
});
afterEach(() => {
	leave.abort();
	leave = new AbortController();
	setMaxListeners(0, leave.signal);
	server.reset();
});

// Clients of both replicas, of a tenant with that plan.
async function tenant(id, plan, by = gates) {
	const clients = await Promise.all(by.map((gate) => gate.tenant(id)));
	const put = await clients[0].ask('PUT', '/tenant', { headers: {
		'content-type': 'application/json' }, body: JSON.stringify({ plan }) });
	assert.ok(put.status === 200 || put.status === 202, put.body);
	await until('its database is made', async () => (await stack.sql(
		`select state from tenants where tenant_id = '${id}'`, 'catalog'))[0][0] === 'ready');
	return clients;
}

// Without documents, so that the model alone is asked.
const bare = { documentIds: [] };
const chat = (client, fields = {}) => client.chat('What is smoked?', { fields: { ...bare, ...fields } });

test('tokens a minute: reserved, made true, and one count for two replicas', async () => {
	const [here, there] = await tenant('minute', 'minute');
	server.chat = took(500, 2400);
	const first = await chat(here);
	assert.equal(first.status, 200, first.body);
	assert.match(first.headers['ratelimit-policy'], /^"tokens-minute";q=3000;w=60$/);
	await isFree('minute');
	assert.equal(counters('minute').used, 2900);
	for (const client of [there, here]) {
		const refused = await chat(client);
		const problem = JSON.parse(refused.body);
		assert.deepEqual([refused.status, problem.code, problem['violated-policies']],
			[429, 'token_quota_exceeded', ['tokens-minute']]);
		const wait = Number(refused.headers['retry-after']);
		assert.ok(wait > 0 && wait <= 60, String(wait));
		assert.equal(problem.type,
			'https://iana.org/assignments/http-problem-types#quota-exceeded');
		assert.match(refused.headers.ratelimit, /^"tokens-minute";r=\d+;t=\d+$/);
	}
	assert.equal((await here.get('/documents')).status, 200);
	const line = gates[0].lines().find((l) => l.code === 'token_quota_exceeded');
	assert.deepEqual([line.step, line.limit, line.cause],
		['limit', 'refused', 'tokens_per_minute of [plan minute]']);
	assert.equal(counters('minute').used, 2900);
});

test('tokens a month: of answers, documents and searches', async () => {
	const [here, there] = await tenant('month', 'month');
	assert.equal((await here.ingestText('Herring is smoked.', { documentId: 'd' })).status, 201);
	assert.equal((await there.search('herring')).status, 200);
	await isFree('month');
	assert.equal(counters('month').used, 2);	// a token a text, as the stand-in counts
	server.chat = took(9000, 3000);
	const answer = await chat(there);
	assert.equal(answer.status, 200);
	assert.match(answer.headers.ratelimit, /"tokens-month";r=\d+;t=\d+$/);
	await isFree('month');
	assert.equal(counters('month').used, 12002);
	for (const ask of [() => chat(here), () => there.search('herring'),
		() => here.ingestText('More of it.')]) {
		const { status, headers, body } = await ask();
		const problem = JSON.parse(body);
		assert.deepEqual([status, problem.code, problem['violated-policies']],
			[429, 'token_quota_exceeded', ['tokens-month']]);
		const now = new Date();
		const end = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1) / 1000;
		const left = end - now.getTime() / 1000;
		assert.ok(Math.abs(Number(headers['retry-after']) - left) < 60 || left < 60);
	}
});

test('a Redis that has lost everything learns of the month from the catalog', async () => {
	const [here, there] = await tenant('month', 'month');
	await until('the usage is written', async () => Number((await stack.sql("select sum(input_tokens + " +
		"output_tokens + embedding_tokens) from tenant_usage where tenant_id = 'month'",
	'catalog'))[0][0]) === 12002);
	redis('flushall');
	await until('it is refused again', async () => (await there.search('herring')).status === 429);
	assert.equal(counters('month').seeded, 12002);
	assert.equal((await chat(here)).status, 429);
});

test('max_tokens is what is reserved, where it is said', async () => {
	const [here] = await tenant('exact', 'all');
	server.chat = [chunk({ content: 'Beech.' }), STALL];
	const answer = await here.openChat('What is smoked?', { fields: { ...bare, maxTokens: 77000 },
		signal: leave.signal });
	assert.equal(answer.status, 200);
	await until('it is reserved', () => counters('exact').held > 77000);
	assert.ok(counters('exact').held < 78000);
	leave.abort();
	await isFree('exact');
});

test('answers at the same time, over two replicas', async () => {
	const clients = await tenant('streams', 'streams');
	server.chat = [chunk({ content: 'Beech.' }), STALL];
	const open = (i, signal) => clients[i % 2].openChat('What?', { fields: bare, signal });
	const first = new AbortController();
	const answers = [await open(0, first.signal), await open(1, leave.signal),
		await open(0, leave.signal)];
	assert.deepEqual(answers.map((a) => a.status), [200, 200, 200]);
	for (const client of clients) {
		const refused = await chat(client);
		assert.deepEqual([refused.status, JSON.parse(refused.body).code],
			[429, 'too_many_streams']);
		assert.equal(refused.headers['ratelimit-policy'],
			'"streams";q=3;qu="concurrent-requests"');
	}
	assert.equal((await clients[0].search('herring')).status, 200);
	first.abort();
	await until('one has come free', async () => {
		const again = await open(1, leave.signal);
		if (again.status !== 200)
			await again.text();
		return again.status === 200;
	});
	assert.equal(counters('streams').streams, 3);
	leave.abort();
	await isFree('streams');
});

// n requests, so many at a time.
async function crowd(n, width, ask) {
	let next = 0;
	await Promise.all(Array.from({ length: width }, async () => {
		for (let i = next++; i < n; i = next++)
			await ask(i);
	}));
}

test('a thousand aborts, cuts and failures: all comes back, and no token is lost', async () => {
	const clients = await tenant('returns', 'all');
	const one = chunk({ content: 'Beech ' });
	server.chat = [one, STALL];
	await crowd(1000, 40, async (i) => {
		const gone = new AbortController();
		const answer = await clients[i % 2].openChat('What?', { fields: bare, signal: gone.signal });
		assert.equal(answer.status, 200);
		answer.stream.on('error', () => {});
		gone.abort();
	});
	server.chat = [one, 5, CUT];
	await crowd(1000, 40, async (i) => {
		const answer = await clients[i % 2].openChat('What?', { fields: bare, form: 'ui' });
		assert.equal(answer.status, 200);
		assert.match(await answer.text(), /"type":"error"/);
	});
	server.chat = (request, response) => json(response, 400, { error: { message: 'No.' } });
	await crowd(1000, 40, async (i) =>
		assert.equal((await chat(clients[i % 2])).status, 502));
	await isFree('returns');
	// What was asked is spent, the failures apart; and the usage says the same.
	const { used } = counters('returns');
	assert.ok(used >= 2000, String(used));
	await until('the usage is the same', async () => Number((await stack.sql('select sum(input_tokens + ' +
		"output_tokens) from tenant_usage where tenant_id = 'returns'", 'catalog'))[0][0]) === used);
});

test('a lease is renewed while its stream lives; a killed process gives back by itself', async () => {
	const gate = await stack.tenantgate({ ...settings, model_url: server.url, quota_lease: '2s' });
	gate.serviceKey = await gates[0].service();
	const [dying, other] = await tenant('killed', 'one', [gate, gates[0]]);
	const key = 'tg:limit:test:leases:killed';
	const ends = () => Number(redis('zrange', key, '0', '-1', 'withscores').split('\n')[1]);
	server.chat = [chunk({ content: 'Beech.' }), STALL];
	const answer = await dying.openChat('What?', { fields: bare, signal: leave.signal });
	assert.equal(answer.status, 200);
	answer.stream.on('error', () => {});
	const began = ends();
	await until('it is renewed for longer than it had', () => ends() > began + 2000);
	assert.equal((await chat(other)).status, 429);
	gate.program.kill('SIGKILL');
	server.chat = words('Beech.');
	await until('its lease is over', async () => (await chat(other)).status === 200);
	await isFree('killed');
});

test('rates and quotas are charged together, by the keys of before', async () => {
	const [here, there] = await tenant('rate', 'rate');
	redis('del', 'tg:limit:test:tenant:rate');
	assert.equal((await chat(here)).status, 200);
	assert.equal((await there.get('/documents')).status, 200);
	assert.equal((await chat(there)).status, 200);
	assert.equal((await here.get('/documents')).status, 200);
	const refused = await chat(here);
	assert.deepEqual([refused.status, JSON.parse(refused.body).code], [429, 'rate_limited']);
	await isFree('rate');
});

test('while Redis is away each process counts, and holds come back', async () => {
	const [here] = await tenant('away', 'one');
	await stack.cache.program.stop();
	server.chat = [chunk({ content: 'Beech.' }), STALL];
	await until('Redis is missed', async () =>
		(await gates[0].anonymous.get('/readyz')).json.degraded?.includes('redis'));
	const first = await here.openChat('What?', { fields: bare, signal: leave.signal });
	assert.equal(first.status, 200);
	first.stream.on('error', () => {});
	const refused = await chat(here);
	assert.deepEqual([refused.status, JSON.parse(refused.body).code], [429, 'too_many_streams']);
	const line = gates[0].lines().filter((l) => l.code === 'too_many_streams').at(-1);
	assert.equal(line.limit_by, 'local');
	leave.abort();
	server.chat = words('Beech.');
	await until('it is given back', async () => (await chat(here)).status === 200);
	await stack.redis();
});
