// SPDX-License-Identifier: MIT
// 300 new tenants at 10 a second on two replicas, against a Neon that keeps to its own limits (700
// calls a minute, 40 a second of a route) and takes 1 to 5 s for a project: all are served, nobody
// is refused, at most four calls each, within 1.2 times of what the rate itself takes. Then a
// replica that is killed with creations under way: its slots come back.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from '../live/lib/stack.mjs';
import { sleep } from '../live/lib/process.mjs';

const stack = new Stack('neon-300');
const gates = [];
const limits = { calls_per_minute: 700, route_per_second: 40, operation_ms: 1000,
	operation_spread_ms: 4000 };

before(async () => {
	await stack.surroundings();
	for (let i = 0; i < 2; i++)
		gates.push(await stack.tenantgate({ neon_requests_per_second: 10, neon_burst: 30,
			redis_timeout: '5s', provision_wait: '30s', max_server_connections: 20,
			rate_limit_requests_per_minute: 0 }));
	gates[1].serviceKey = await gates[0].service();
	await stack.neonKnobs(limits);
});
after(() => stack.stop());

const stats = async () => {
	const { requests, ...rest } = (await stack.neon.client.get('/_stats')).json;
	return { ...rest, calls: Object.values(requests).reduce((a, b) => a + b, 0) };
};

// As a client does: again when Retry-After is over, on any replica.
async function arrive(name, first) {
	for (let tries = 1; ; tries++) {
		const gate = gates[(first + tries) % gates.length];
		const answer = await (await gate.tenant(name)).search('x');
		if (answer.status === 200)
			return tries;
		assert.equal(answer.status, 503, `${name}: ${answer.body}`);
		const told = Number(answer.headers['retry-after']);
		assert.ok(told >= 1 && told <= 150, `${name}: Retry-After ${told}`);
		assert.ok(tries <= 20, `${name}: ${tries} tries`);
		await sleep(1000 * told);
	}
}

test('300 new tenants at ten a second', async () => {
	const began = Date.now(), before = await stats();
	const tries = await Promise.all(Array.from({ length: 300 }, async (_, i) => {
		await sleep(i * 100);
		return arrive(`new-${i}`, i);
	}));
	const seconds = (Date.now() - began) / 1000, after = await stats();
	const calls = after.calls - before.calls, pace = (calls - 30) / 10;
	console.log(`# ${calls} calls (${calls / 300} each) in ${seconds} s, the rate's own pace is ` +
		`${pace} s; ${tries.filter((n) => n === 1).length} waited for it, at most ` +
		`${Math.max(...tries)} tries; ${after.building_peak} creations at once`);
	assert.equal(after.limited - before.limited, 0);
	assert.equal(after.projects_made - before.projects_made, 300);
	assert.ok(calls <= 4 * 300, `${calls} calls`);
	assert.ok(seconds <= 1.2 * pace + 5, `${seconds} s, and ${pace} s is the pace`);
	assert.ok(after.building_peak <= 17);
});

test('the slots of a killed replica come back', async () => {
	await stack.neonKnobs({ ...limits, operation_ms: 20000, operation_spread_ms: 0 });
	const doomed = await stack.tenantgate({ neon_requests_per_second: 10, neon_burst: 30,
		max_server_connections: 20, rate_limit_requests_per_minute: 0 });
	doomed.serviceKey = await gates[0].service();
	const gone = Promise.all(Array.from({ length: 16 }, async (_, i) =>
		(await doomed.tenant(`doomed-${i}`)).search('x').catch(() => null)));
	await sleep(5000);
	doomed.program.kill('SIGKILL');
	await gone;
	await stack.neonKnobs(limits);
	const began = Date.now();
	await arrive('survivor', 0);
	console.log(`# served ${(Date.now() - began) / 1000} s after the kill`);
	await Promise.all(Array.from({ length: 16 }, (_, i) => arrive(`doomed-${i}`, i)));
	for (let i = 0; i < 16; i++)
		assert.equal((await stack.projects(`tg-test-doomed-${i}`)).length, 1);
});
