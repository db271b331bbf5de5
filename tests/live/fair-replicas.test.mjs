// SPDX-License-Identifier: MIT
// Three replicas, each of which would take all of a server's connections, divide them: after the
// first seconds the server refuses none, and no client fails.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { sleep } from './lib/process.mjs';
import { crowd, LOG_LOGINS, loginsFrom, sessions } from './lib/crowd.mjs';

const CONNECTIONS = 60;
const TENANTS = 9;
const stack = new Stack('fair-replicas');
const tenants = [];	// by replica, clients of the same tenants
let gates;

before(async () => {
	await stack.surroundings({ neon: false, postgres: [...LOG_LOGINS,
		`max_connections=${CONNECTIONS}`] });
	const settings = { workers: 2, rate_limit_requests_per_minute: 0, catalog_pool_size: 2,
		max_server_connections: CONNECTIONS, query_wait_timeout: '60s' };
	const first = await stack.tenantgate(settings);
	for (let i = 0; i < TENANTS; i++) {
		const stored = await (await first.tenant(`t${i}`)).ingestText('The kettle whistles.',
			{ documentId: 'k' });
		assert.equal(stored.status, 201, stored.body);
	}
	gates = [first, await stack.tenantgate(settings), await stack.tenantgate(settings)];
	for (const gate of gates) {
		gate.serviceKey = await first.service();
		tenants.push(await Promise.all(Array.from({ length: TENANTS }, (_, i) =>
			gate.tenant(`t${i}`))));
	}
});
after(() => stack.stop());

// 30 clients of each replica; client n asks for tenant n modulo TENANTS.
const clients = () => crowd(90, (n) => tenants[n % 3][Math.floor(n / 3) % TENANTS].search('kettle'));

test('the server refuses no login after the first seconds, and nobody fails', async (t) => {
	const logins = loginsFrom(stack);
	const warming = clients();
	await sleep(6000);
	const warm = await warming.stop();
	const refused = logins.full();
	const going = clients();
	await sleep(6000);
	const used = await sessions(stack);
	const seen = await going.stop();
	const later = logins.full() - refused;
	t.diagnostic(`at first ${refused} logins refused, ${JSON.stringify(warm).slice(0, 300)}; ` +
		`then ${later}, ${JSON.stringify(seen).slice(0, 300)}; ${used} sessions`);
	assert.equal(later, 0, `${later} times 53300 (${refused} at first)`);
	assert.deepEqual(Object.keys(seen), ['200']);
	assert.deepEqual(Object.keys(warm), ['200'], 'in the first seconds');
});

test('a replica that ends leaves its part to the others', async () => {
	await gates.pop().program.stop();
	tenants.pop();
	const logins = loginsFrom(stack);
	const going = crowd(60, (n) => tenants[n % 2][Math.floor(n / 2) % TENANTS].search('kettle'));
	await sleep(8000);
	const seen = await going.stop();
	assert.deepEqual(Object.keys(seen), ['200']);
	assert.equal(logins.full(), 0);
});

test('with Redis away nothing is raised: still no refusal, and nobody fails', async () => {
	await stack.cache.program.stop();
	const logins = loginsFrom(stack);
	const going = crowd(60, (n) => tenants[n % 2][Math.floor(n / 2) % TENANTS].search('kettle'));
	await sleep(5000);
	const seen = await going.stop();
	assert.deepEqual(Object.keys(seen), ['200']);
	assert.equal(logins.full(), 0);
});
