// SPDX-License-Identifier: MIT
// A password that was reset at Neon, and a project that was deleted: Neon is asked again, seldom,
// and every worker and replica profits; or requests get the reason.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { sleep, until } from './lib/process.mjs';

const stack = new Stack('neon-address');
const retry = 2000;
let gates;

before(async () => {
	await stack.surroundings();
	const settings = { workers: 3, rate_limit_requests_per_minute: 0,
		neon_address_retry: `${retry}ms`, server_login_retry: '200ms',
		neon_timeout: '5s' };
	gates = [await stack.tenantgate(settings), await stack.tenantgate(settings)];
	gates[1].serviceKey = await gates[0].service();
});
after(() => stack.stop());

const uris = async () => (await stack.neon.client.get('/_stats')).json.requests[
	'GET /projects/{p}/connection_uri'] ?? 0;

async function projectOf(tenant) {
	const [[id]] = await stack.sql(`select project_id from tenants where tenant_id = '${tenant}'`,
		'catalog');
	const [[role, db]] = await stack.sql(`select role, db from neon_standin.projects where id = '${id}'`);
	return { id, role, db };
}

async function arrive(tenant) {
	for (const gate of gates)
		assert.equal((await (await gate.tenant(tenant)).search('x')).status, 200);
	return projectOf(tenant);
}

// What Neon does when a password is reset: the role's is another, and its sessions end.
async function resetPassword({ id, role }, password, told = password) {
	await stack.sql(`alter role ${role} password '${password}';
		update neon_standin.projects set password = '${told}' where id = '${id}';
		select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
}

// A burst on every replica; what was answered.
async function burst(tenant, n = 20) {
	const answers = [];
	for (const gate of gates) {
		const client = await gate.tenant(tenant);
		answers.push(...await Promise.all(Array.from({ length: n }, () => client.search('x'))));
	}
	return answers;
}

const statuses = (answers) => [...new Set(answers.map((a) => a.status))].sort().join();

test('a password that was reset heals on every worker and replica, by one call', async () => {
	const project = await arrive('reset');
	const before = await uris();
	await resetPassword(project, 'another-password');
	await until('healed', async () => statuses(await burst('reset')) === '200');
	assert.equal(await uris() - before, 1);
	assert.ok(gates.some((gate) => gate.lines().some((line) => line.event === 'tenant.address')));
	for (const gate of gates)
		assert.doesNotMatch(gate.program.text(), /another-password/);
});

test('a second reset heals as well', async () => {
	const project = await projectOf('reset');
	await resetPassword(project, 'a-third-password');
	await until('healed', async () => statuses(await burst('reset')) === '200');
});

test('a project that was deleted: its requests get the reason, and Neon few calls', async () => {
	const project = await arrive('deleted');
	const before = await uris();
	const answer = await stack.neon.client.ask('DELETE', `/api/v2/projects/${project.id}`,
		{ headers: { authorization: `Bearer ${stack.neonKey}` } });
	assert.equal(answer.status, 200);
	const reason = /was deleted at its provider\. Ask the operator to restore it\./;
	await until('the reason is told by both', async () => {
		const answers = await burst('deleted', 1);
		// A connection that was open is served until its database is gone too, which the API does
		// not wait for.
		if (answers.some((a) => a.status === 200))
			return false;
		for (const a of answers) {
			assert.equal(a.status, 502, a.body);
			assert.doesNotMatch(a.body, /local-/);
		}
		return answers.every((a) => reason.test(a.json.detail) &&
			Number(a.headers['retry-after']) >= 1);
	});
	const [[why]] = await stack.sql(`select replace(last_error, E'\\n', ' ') from tenants
		where tenant_id = 'deleted'`, 'catalog');
	assert.match(why, reason);
	assert.match(why, new RegExp(`404 for project ${project.id}`));
	const began = Date.now();
	while (Date.now() - began < 3 * retry) {
		assert.equal(statuses(await burst('deleted', 10)), '502');
		await sleep(50);
	}
	// One at first, then after one, two and four times the pause: time enough for three or four.
	const calls = await uris() - before;
	assert.ok(calls >= 1 && calls <= 5, `${calls} calls`);
	assert.equal((await stack.projects('tg-test-deleted')).length, 0, 'nothing is made in its place');
});

test('a deleted project that the operator gives up: a new one, on first contact', async () => {
	await stack.sql("update tenants set state = 'failed' where tenant_id = 'deleted'", 'catalog');
	await until('served', async () => statuses(await burst('deleted', 1)) === '200', 60000);
	assert.equal((await stack.projects('tg-test-deleted')).length, 1);
});

test('a password that Neon does not know either: the reason, until it does', async () => {
	const project = await arrive('drifted');
	const [[before]] = await stack.sql(`select password from neon_standin.projects where id = '${project.id}'`);
	await resetPassword(project, 'known-to-nobody', before);
	await until('the reason is told', async () => (await burst('drifted', 1)).every((a) =>
		a.status === 502 && /refuses the login that its provider names/.test(a.json.detail)));
	await resetPassword(project, before);
	await until('healed', async () => statuses(await burst('drifted', 1)) === '200', 60000);
});

test('another tenant is served meanwhile, and asks Neon for nothing', async () => {
	await arrive('well');
	const before = await uris();
	assert.equal(statuses(await burst('well')), '200');
	assert.equal(await uris(), before);
});
