// SPDX-License-Identifier: MIT
// What a tenant may spend of models: tokens a minute and a month, answers at the same time. Over two
// replicas.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { chunk, STALL, words } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { bare, chat, quotaStack, settings, took } from './lib/quota-stack.mjs';

const q = quotaStack('token-quota');

test('tokens a minute: reserved, made true, and one count for two replicas', async () => {
	const [here, there] = await q.tenant('minute', 'minute');
	q.server.chat = took(500, 2400);
	const first = await chat(here);
	assert.equal(first.status, 200, first.body);
	assert.match(first.headers['ratelimit-policy'], /^"tokens-minute";q=3000;w=60$/);
	await q.isFree('minute');
	assert.equal(q.counters('minute').used, 2900);
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
	const line = q.gates[0].lines().find((l) => l.code === 'token_quota_exceeded');
	assert.deepEqual([line.step, line.limit, line.cause],
		['limit', 'refused', 'tokens_per_minute of [plan minute]']);
	assert.equal(q.counters('minute').used, 2900);
});

test('tokens a month: of answers, documents and searches', async () => {
	const [here, there] = await q.tenant('month', 'month');
	assert.equal((await here.ingestText('Herring is smoked.', { documentId: 'd' })).status, 201);
	assert.equal((await there.search('herring')).status, 200);
	await q.isFree('month');
	assert.equal(q.counters('month').used, 2);	// a token a text, as the stand-in counts
	q.server.chat = took(9000, 3000);
	const answer = await chat(there);
	assert.equal(answer.status, 200);
	assert.match(answer.headers.ratelimit, /"tokens-month";r=\d+;t=\d+$/);
	await q.isFree('month');
	assert.equal(q.counters('month').used, 12002);
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
	const [here, there] = await q.tenant('month', 'month');
	await until('the usage is written', async () => Number((await q.stack.sql("select sum(input_tokens + " +
		"output_tokens + embedding_tokens) from tenant_usage where tenant_id = 'month'",
	'catalog'))[0][0]) === 12002);
	q.redis('flushall');
	await until('it is refused again', async () => (await there.search('herring')).status === 429);
	assert.equal(q.counters('month').seeded, 12002);
	assert.equal((await chat(here)).status, 429);
});

test('max_tokens is what is reserved, where it is said', async () => {
	const [here] = await q.tenant('exact', 'all');
	q.server.chat = [chunk({ content: 'Beech.' }), STALL];
	const answer = await here.openChat('What is smoked?', { fields: { ...bare, maxTokens: 77000 },
		signal: q.leave.signal });
	assert.equal(answer.status, 200);
	await until('it is reserved', () => q.counters('exact').held > 77000);
	assert.ok(q.counters('exact').held < 78000);
	q.leave.abort();
	await q.isFree('exact');
});

test('answers at the same time, over two replicas', async () => {
	const clients = await q.tenant('streams', 'streams');
	q.server.chat = [chunk({ content: 'Beech.' }), STALL];
	const open = (i, signal) => clients[i % 2].openChat('What?', { fields: bare, signal });
	const first = new AbortController();
	const answers = [await open(0, first.signal), await open(1, q.leave.signal),
		await open(0, q.leave.signal)];
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
		const again = await open(1, q.leave.signal);
		if (again.status !== 200)
			await again.text();
		return again.status === 200;
	});
	assert.equal(q.counters('streams').streams, 3);
	q.leave.abort();
	await q.isFree('streams');
});

test('rates and quotas are charged together, by the keys of before', async () => {
	const [here, there] = await q.tenant('rate', 'rate');
	q.redis('del', 'tg:limit:test:tenant:rate');
	assert.equal((await chat(here)).status, 200);
	assert.equal((await there.get('/documents')).status, 200);
	assert.equal((await chat(there)).status, 200);
	assert.equal((await here.get('/documents')).status, 200);
	const refused = await chat(here);
	assert.deepEqual([refused.status, JSON.parse(refused.body).code], [429, 'rate_limited']);
	await q.isFree('rate');
});

test('an operator sees what is used of them, and nothing where Redis is away', async () => {
	const own = { ...settings, model_url: q.server.url };
	const gate = await q.stack.tenantgateWithAdmin(own);
	const blind = await q.stack.tenantgateWithAdmin({ ...own, redis_url: 'redis://127.0.0.1:1',
		redis_failure_mode: 'open' });
	const [here] = await q.tenant('seen', 'all');
	const names = ['tokens_per_minute', 'tokens_per_month', 'max_concurrent_streams'];
	const used = async (by, path) => (await by.admin.get(`/admin/tenants/seen${path}`)).json.limits
		.filter(({ name }) => names.includes(name)).map((l) => [l.used, l.usedSource]);
	assert.deepEqual(await used(gate, ''), [[0, 'redis'], [null, null], [0, 'redis']]);
	q.server.chat = took(500000, 2400000);
	assert.equal((await chat(here)).status, 200);
	await q.isFree('seen');
	const before = JSON.stringify(q.counters('seen'));
	q.server.chat = [chunk({ content: 'Beech.' }), STALL];
	for (const path of ['', '/limits']) {
		const [minute, month, streams] = await until('the month is known', async () => {
			const now = await used(gate, path);
			return now[1][0] !== null && now;
		});
		assert.ok(minute[0] >= 0 && minute[0] < 2900000, String(minute));
		assert.deepEqual([minute[1], month, streams], ['redis', [2900000, 'redis'], [0, 'redis']]);
		assert.deepEqual(await used(blind, path), [[null, null], [null, null], [null, null]]);
	}
	assert.equal(JSON.stringify(q.counters('seen')), before);
	const answer = await here.openChat('What?', { fields: bare, signal: q.leave.signal });
	answer.stream.on('error', () => {});
	assert.deepEqual((await used(gate, ''))[2], [1, 'redis']);
	q.leave.abort();
	await q.isFree('seen');
});

test('while Redis is away each process counts, and holds come back', async () => {
	const [here] = await q.tenant('away', 'one');
	await q.stack.cache.program.stop();
	q.server.chat = [chunk({ content: 'Beech.' }), STALL];
	await until('Redis is missed', async () =>
		(await q.gates[0].anonymous.get('/readyz')).json.degraded?.includes('redis'));
	const first = await here.openChat('What?', { fields: bare, signal: q.leave.signal });
	assert.equal(first.status, 200);
	first.stream.on('error', () => {});
	const refused = await chat(here);
	assert.deepEqual([refused.status, JSON.parse(refused.body).code], [429, 'too_many_streams']);
	const line = q.gates[0].lines().filter((l) => l.code === 'too_many_streams').at(-1);
	assert.equal(line.limit_by, 'local');
	q.leave.abort();
	q.server.chat = words('Beech.');
	await until('it is given back', async () => (await chat(here)).status === 200);
	await q.stack.redis();
});
