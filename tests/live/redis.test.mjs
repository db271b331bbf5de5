// SPDX-License-Identifier: MIT
// Redis absent, hanging, killed and back: requests go on, their latency stays flat, limits go to
// the configured failure mode, nothing else changes.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('redis');
// Far above what a request takes here that does not wait for Redis.
const WAIT = 2000;
let gate, tenant;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ redis_timeout: `${WAIT}ms` });
	tenant = await gate.tenant('lantern');
	const answer = await tenant.ingestText('The boat burns 19 litres an hour.', { documentId: 'b' });
	assert.equal(answer.status, 201, answer.body);
});
after(() => stack.stop());

// Milliseconds of n searches one after the other, sorted.
async function latencies(n) {
	const out = [];
	for (let i = 0; i < n; i++) {
		const start = performance.now();
		const answer = await tenant.search('litres');
		assert.equal(answer.status, 200, answer.body);
		assert.equal(answer.json.results.length, 1);
		out.push(performance.now() - start);
	}
	return out.sort((a, b) => a - b);
}

async function onlyFirstOnesWait() {
	const waited = (await latencies(40)).filter((ms) => ms >= WAIT);
	assert.ok(waited.length <= 4, `${waited.length} waited: ${waited}`);
}

async function readiness() {
	const answer = await gate.anonymous.get('/readyz');
	return { status: answer.status, degraded: answer.json.degraded };
}

test('with Redis: ready, nothing degraded', async () => {
	assert.deepEqual(await readiness(), { status: 200, degraded: [] });
	await latencies(5);
});

test('a Redis that hangs: requests go on, and only the first ones wait for it', async () => {
	stack.cache.program.kill('SIGSTOP');
	await onlyFirstOnesWait();
	const answer = await tenant.search('litres');
	assert.equal(answer.headers['ratelimit-policy'], '"tenant";q=600;w=60', 'limits go on in process');
	await until('degraded', async () => (await readiness()).degraded.includes('redis'));
	assert.equal((await readiness()).status, 200);
	const health = performance.now();
	assert.equal((await gate.anonymous.get('/healthz')).status, 200);
	assert.ok(performance.now() - health < WAIT);
});

test('when it goes on, nothing is degraded any more', async () => {
	stack.cache.program.kill('SIGCONT');
	await until('nothing is degraded', async () => (await readiness()).degraded.length === 0);
	await latencies(5);
});

test('a Redis that was killed: requests go on', async () => {
	stack.cache.program.kill('SIGKILL');
	await stack.cache.program.exit;
	await onlyFirstOnesWait();
	const fresh = await gate.tenant('first-seen-without-redis');
	assert.equal((await fresh.search('x')).status, 200);
});

test('an empty Redis comes back: nothing was lost', async () => {
	await stack.redis();
	await until('nothing is degraded', async () => (await readiness()).degraded.length === 0);
	await latencies(5);
});

test('failure mode closed: 503; open: let through without limits', async () => {
	stack.cache.program.kill('SIGKILL');
	await stack.cache.program.exit;
	const key = await gate.service();
	for (const [mode, status] of [['closed', 503], ['open', 200]]) {
		const other = await stack.tenantgate({ redis_failure_mode: mode, workers: 1 });
		other.serviceKey = key;
		const answer = await (await other.tenant('lantern')).search('litres');
		assert.equal(answer.status, status, `${mode}: ${answer.body}`);
		if (status === 503)
			assert.equal(answer.json.code, 'limiter_unavailable');
		await other.program.stop();
	}
	await stack.redis();
});

test('no redis_url: one replica works, which is logged', async () => {
	const alone = await stack.tenantgate({ redis_url: '' });
	alone.serviceKey = await gate.service();
	const answer = await (await alone.tenant('lantern')).search('litres');
	assert.equal(answer.status, 200, answer.body);
	assert.ok(alone.lines().some((l) => l.event === 'serve.no_redis'));
	await alone.program.stop();
});
