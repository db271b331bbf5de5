// SPDX-License-Identifier: MIT
// What stands in nobody's way at Neon's API: places that were left in Redis, and a long queue.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Stack } from './lib/stack.mjs';
import { sleep } from './lib/process.mjs';

const stack = new Stack('neon-queue');
// Every tenant is a database of one Postgres here, which takes 100 connections.
const patient = { provision_wait: '150s', provision_timeout: '200s', redis_timeout: '5s',
	max_server_connections: 20, rate_limit_requests_per_minute: 0 };
const redis = (...words) => execFileSync('redis-cli', ['-p', String(stack.cache.port),
	...words.map(String)], { encoding: 'utf8' }).trim();
let gate;

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgate(patient);
	await gate.service();
});
after(() => stack.stop());

// The end of the first contact of a tenant that must be served; ms since 1970.
async function served(through, name) {
	const answer = await (await through.tenant(name)).search('x');
	assert.equal(answer.status, 200, `${name}: ${answer.body}`);
	return Date.now();
}

// Redis's own clock cannot be moved here; what it wrote before is as if it had been an hour ahead.
test('Redis\'s clock is set back by an hour: who creates does not wait for that hour', async () => {
	await served(gate, 'before-that');
	const tickets = redis('keys', 'tg:neon:*:tickets');
	const key = (what) => tickets.replace(/tickets$/, what);
	const later = (Math.floor(Date.now() / 1000) + 3600) * 1e6;
	redis('set', key('bucket'), `${later + 8e6} ${later}`);
	for (let i = 0; i < 16; i++)
		redis('zadd', key('slots'), later, `dead-${i}`);
	for (let i = 16; i < 40; i++) {
		redis('zadd', key('waiting'), -i, `dead-${i}`);
		redis('zadd', key('seen'), later, `dead-${i}`);
	}
	const hasty = await stack.tenantgate({ ...patient, provision_wait: '30s' });
	hasty.serviceKey = await gate.service();
	await served(hasty, 'after-that');
	await hasty.program.stop();
});

test('who has its database already is not kept waiting by a queue of creations', async () => {
	const slow = await stack.tenantgate({ ...patient, neon_requests_per_second: 6,
		neon_burst: 4 });
	slow.serviceKey = await gate.service();
	await served(gate, 'saved');
	// As a kill within the schema leaves it.
	await stack.sql("update tenants set state = 'provisioning', lease_until = now() " +
		"where tenant_id = 'saved'", 'catalog');
	redis('flushall');
	const crowd = Promise.all(Array.from({ length: 24 }, (_, i) => served(slow, `before-${i}`)));
	await sleep(2000);
	const saved = await served(slow, 'saved'), ended = (await crowd).sort((a, b) => a - b);
	// Behind the queue it would be the last. How many it overtakes is the machine's.
	assert.ok(saved < ended[21], `${ended.filter((at) => at < saved).length} were served before`);
	await slow.program.stop();
});
