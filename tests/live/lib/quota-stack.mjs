// SPDX-License-Identifier: MIT
// Two replicas, tenants with quotas, and what Redis has of them.
import { after, afterEach, before } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { chunk, DONE, event, ModelServer } from './model-server.mjs';
import { Stack } from './stack.mjs';
import { until } from './process.mjs';

export const plans = {
	'plan minute': { tokens_per_minute: 3000 },
	'plan month': { tokens_per_month: 10000 },
	'plan streams': { max_concurrent_streams: 3 },
	'plan one': { max_concurrent_streams: 1 },
	'plan all': { tokens_per_minute: 1000000000, tokens_per_month: 100000000000,
		max_concurrent_streams: 1000 },
	'plan rate': { tokens_per_minute: 1000000, requests_per_minute: 1, burst: 4 },
};

// A busy machine's Redis may take longer than 100 ms, and would be counted without.
export const settings = { redis_timeout: '10s', rate_limit_requests_per_minute: 0, workers: 2,
	usage_write_interval: '100ms', model_connect_timeout: '30s', ...plans };

// An answer that took so many tokens.
export const took = (prompt, completion) => [chunk({ content: 'Beech.' }), chunk({}, 'stop'),
	event({ choices: [], usage: { prompt_tokens: prompt, completion_tokens: completion } }), DONE];

// Without documents, so that the model alone is asked.
export const bare = { documentIds: [] };
export const chat = (client, fields = {}) =>
	client.chat('What is smoked?', { fields: { ...bare, ...fields } });

// The stack of one file's tests; its members are there when they run.
export function quotaStack(name) {
	const stack = new Stack(name);
	const q = { stack, gates: [], server: null, leave: new AbortController() };
	before(async () => {
		await stack.surroundings({ neon: false });
		q.server = await ModelServer.start();
		for (let i = 0; i < 2; i++)
			q.gates.push(await stack.tenantgate({ ...settings, model_url: q.server.url }));
		q.gates[1].serviceKey = await q.gates[0].service();
	});
	after(async () => {
		q.leave.abort();
		await stack.stop();
		await q.server.stop();
	});
	afterEach(() => {
		q.leave.abort();
		q.leave = new AbortController();
		setMaxListeners(0, q.leave.signal);
		q.server.reset();
	});
	q.redis = (...args) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...args],
		{ encoding: 'utf8' }).trim();
	// The counters of a tenant, and its leases.
	q.counters = (tenant) => {
		const lines = q.redis('hgetall', `tg:limit:test:quota:${tenant}`).split('\n');
		const pairs = lines.filter((_, i) => i % 2 === 0)
			.map((field, i) => [field, Number(lines[2 * i + 1])]);
		return { ...Object.fromEntries(pairs),
			leases: Number(q.redis('zcard', `tg:limit:test:leases:${tenant}`)) };
	};
	q.isFree = (tenant) => until(`nothing is held of ${tenant}`, () => {
		const { held, streams, leases } = q.counters(tenant);
		return held === 0 && streams === 0 && leases === 0;
	});
	// Clients of the replicas, of a tenant with that plan, whose database is there.
	q.tenant = async (id, plan, by = q.gates) => {
		const clients = await Promise.all(by.map((gate) => gate.tenant(id)));
		const put = await clients[0].ask('PUT', '/tenant', { headers: {
			'content-type': 'application/json' }, body: JSON.stringify({ plan }) });
		assert.ok(put.status === 200 || put.status === 202, put.body);
		await until('its database is made', async () => (await stack.sql(
			`select state from tenants where tenant_id = '${id}'`, 'catalog'))[0][0] === 'ready');
		return clients;
	};
	return q;
}
