// SPDX-License-Identifier: MIT
// First contact with Neon's API misbehaving: exactly one project, whatever happens, and the next
// contact goes on from what is there.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { sleep, until } from './lib/process.mjs';

const stack = new Stack('neon');
const settings = { provision_wait: '15s', provision_lease: '2s', neon_timeout: '2s' };
let gate;
let patient;	// where all goes well, however busy the machine is

before(async () => {
	await stack.surroundings();
	patient = await stack.tenantgate({ provision_wait: '60s' });
	gate = await stack.tenantgate(settings);
	patient.serviceKey = await gate.service();
});
after(() => stack.stop());
beforeEach(() => stack.neonKnobs());

async function onlyProject(tenant) {
	assert.equal((await stack.projects(`tg-test-${tenant}`)).length, 1, `projects of ${tenant}`);
	assert.deepEqual(await stack.sql(`select state from tenants where tenant_id = '${tenant}'`,
		'catalog'), [['ready']]);
}

const dropped = () => gate.lines().filter((line) => line.event === 'pg.uri_parameters_dropped');

// First contact until it is served, however often the client must come again.
async function arrive(tenant, ms = 90000) {
	const client = await gate.tenant(tenant);
	const statuses = [];
	await until(`${tenant} is served`, async () => {
		const answer = await client.search('x');
		statuses.push(answer.status);
		assert.ok([200, 502, 503].includes(answer.status), answer.body);
		if (answer.status === 200)
			return true;
		if (answer.status === 503)
			assert.ok(Number(answer.headers['retry-after']) >= 1, 'Retry-After');
		return sleep(1000 * Number(answer.headers['retry-after'] ?? 1));
	}, ms);
	return statuses;
}

test('20 simultaneous first contacts make one project', async () => {
	const before = (await stack.neon.client.get('/_stats')).json.requests['POST /projects'] ?? 0;
	const client = await patient.tenant('crowd');
	const answers = await Promise.all(Array.from({ length: 20 }, () => client.search('x')));
	for (const answer of answers)
		assert.equal(answer.status, 200, answer.body);
	const after = (await stack.neon.client.get('/_stats')).json.requests['POST /projects'];
	assert.equal(after - before, 1);
	await onlyProject('crowd');
});

test('20 first contacts over two replicas make one project', async () => {
	const replica = await stack.tenantgate({ provision_wait: '60s' });
	replica.serviceKey = await gate.service();
	const clients = [await patient.tenant('two-replicas'), await replica.tenant('two-replicas')];
	const answers = await Promise.all(Array.from({ length: 20 }, (_, i) =>
		clients[i % 2].search('x')));
	for (const answer of answers)
		assert.equal(answer.status, 200, answer.body);
	await onlyProject('two-replicas');
	await replica.program.stop();
	await patient.program.stop();
});

for (const [name, fault] of [
	['423 twice', { status: 423, times: 2 }],
	['429 with Retry-After', { status: 429, times: 1, retry_after: 1 }],
	['500', { status: 500, times: 1 }],
	['503', { status: 503, times: 1 }],
	['500, though the project was made', { status: 500, times: 1, after: true }],
]) {
	test(`creation answers ${name}`, async () => {
		const tenant = `fault-${fault.status}${fault.after ? '-after' : ''}`;
		await stack.neonKnobs({ fail_next: [{ route: 'POST /projects', ...fault }] });
		await arrive(tenant);
		await onlyProject(tenant);
	});
}

test('the reply of the creation is lost', async () => {
	await stack.neonKnobs({ lose_next_reply: 1 });
	await arrive('lost-reply');
	await onlyProject('lost-reply');
});

test('a project is adopted by a URI with an unknown parameter, which is logged by name', async () => {
	const before = dropped().length;
	await stack.neonKnobs({ lose_next_reply: 1 });
	await arrive('unknown-word');
	const lines = dropped().slice(before);
	assert.ok(lines.length >= 1, gate.program.text());
	for (const line of lines) {
		assert.match(line.message, /: stand_in;/);
		assert.doesNotMatch(line.message, /postgresql:|@|=/);
	}
});

test('Neon slower than provision_wait: 503 with Retry-After, and the work goes on', async () => {
	const hasty = await stack.tenantgate({ provision_wait: '200ms' });
	hasty.serviceKey = await gate.service();
	await stack.neonKnobs({ delay_ms: 500 });
	const client = await hasty.tenant('patient');
	const answer = await client.search('x');
	assert.equal(answer.status, 503, answer.body);
	assert.equal(answer.json.code, 'provisioning');
	assert.ok(Number(answer.headers['retry-after']) >= 1);
	await stack.neonKnobs();
	await until('served', async () => (await client.search('x')).status === 200, 60000);
	await onlyProject('patient');
	await hasty.program.stop();
});

test('Neon refuses for good: 502 naming it, nothing half made; later it goes on', async () => {
	await stack.neonKnobs({ fail_next: [{ status: 500, times: 1000 }] });
	const hasty = await stack.tenantgate({ provision_timeout: '3s' });
	hasty.serviceKey = await gate.service();
	const client = await hasty.tenant('refused');
	const answer = await client.ingestText('x', { documentId: 'd' });
	assert.ok([502, 503].includes(answer.status), answer.body);
	assert.match(answer.json.code, /neon_failed|provisioning/);
	assert.deepEqual(await stack.sql("select 1 from documents where user_id = 'refused'",
		'catalog'), []);
	await hasty.program.stop();
	await stack.neonKnobs();
	await arrive('refused');
	await onlyProject('refused');
});

test('while Neon is asked again, the row says why; the client hears no word of Neon\'s', async () => {
	await stack.neonKnobs({ fail_next: [{ status: 503, times: 1000 }] });
	const hasty = await stack.tenantgate({ provision_timeout: '8s' });
	hasty.serviceKey = await gate.service();
	const answer = (await hasty.tenant('told')).search('x');
	const row = async () => (await stack.sql("select state, coalesce(last_error, '') from tenants " +
		"where tenant_id = 'told'", 'catalog'))[0] ?? [];
	await until('the row tells', async () => {
		const [state, why] = await row();
		return state === 'provisioning' && /status 503/.test(why);
	});
	assert.doesNotMatch((await answer).body, /Neon|status 503/);
	assert.match((await row())[1], /./);
	await hasty.program.stop();
	await stack.neonKnobs();
});

test('killed in the middle of provisioning: another process goes on, one project', async () => {
	const doomed = await stack.tenantgate(settings);
	doomed.serviceKey = await gate.service();
	await stack.neonKnobs({ delay_ms: 400 });
	const gone = (await doomed.tenant('orphan')).search('x').catch(() => null);
	await until('intent written', async () => (await stack.sql(
		"select 1 from tenants where tenant_id = 'orphan'", 'catalog')).length === 1);
	await sleep(600);
	doomed.program.kill('SIGKILL');
	await gone;
	await stack.neonKnobs();
	await arrive('orphan', 90000);
	await onlyProject('orphan');
});

test('a ready tenant needs no Neon', async () => {
	await stack.neon.program.stop();
	const client = await gate.tenant('crowd');
	assert.equal((await client.search('x')).status, 200);
	const answer = await (await gate.tenant('unborn')).search('x');
	assert.ok([502, 503].includes(answer.status), answer.body);
});
