// SPDX-License-Identifier: MIT
// An adoption that is killed at each of its steps: what it has done by then, and that the same
// request again, to another process, ends as if nothing had been.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('adopt-killed');
const SETTINGS = { allowed_networks: '127.0.0.1', neon_timeout: '60s' };
let gate;

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgateWithAdmin(SETTINGS);
	await stack.sql("create role spring login password 'p-of-spring'");
	await stack.sql('create database spring owner spring');
	await stack.sql('create extension if not exists vector', 'spring');
});
after(() => stack.stop());

const ours = (text) => stack.sql(text, 'catalog');
const standIn = (text) => stack.sql(text.replaceAll('projects', 'neon_standin.projects'));
const row = async (tenant) => (await ours(`select state, project_id is not null,
	db_password_sealed is not null from tenants where tenant_id = '${tenant}'`))[0] ?? [];
const name = async (id) => (await standIn(`select name from projects where id = '${id}'`))[0][0];
const adopt = (from, tenant, body) => from.admin.post(`/admin/tenants/${tenant}/adopt`, body);

async function project() {
	const made = await stack.neon.client.post('/api/v2/projects', { project: {} },
		{ authorization: `Bearer ${stack.neonKey}` });
	const { id } = made.json.project;
	await until('it is ready', async () => (await standIn(
		`select state from projects where id = '${id}'`))[0][0] === 'ready');
	return id;
}

const locks = (granted) => ours(`select 1 from pg_locks where locktype = 'advisory'
	and objid = 79 and granted = ${granted}`);

// The catalog's write waits until the process is dead.
async function atWrite(tenant) {
	await ours(`create or replace function halt() returns trigger language plpgsql as 'begin
			if new.tenant_id = ''${tenant}'' then perform pg_advisory_xact_lock(79); end if;
			return new; end';
		create or replace trigger halt before insert or update on tenants for each row
			execute function halt()`);
	const hold = ours('select pg_advisory_lock(79), pg_sleep(60)').catch(() => {});
	await until('the lock is held', async () => (await locks(true)).length === 1);
	return {
		waits: () => until('it waits there', async () => (await locks(false)).length === 1),
		release: async () => {
			await ours(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
				and objid = 79 order by granted`);
			await hold;
			await ours('drop trigger halt on tenants');
		},
	};
}

// Neon's answer to a route does.
const atRoute = (route) => async () => {
	const calls = async () => (await stack.neon.client.get('/_stats')).json.requests?.[route] ?? 0;
	const before = await calls();
	await stack.neonKnobs({ delay_ms: 20000, delay_route: route });
	return {
		waits: () => until(`${route} is under way`, async () => await calls() > before),
		release: () => stack.neonKnobs(),
	};
};

async function killed(tenant, body, hold) {
	const victim = await stack.tenantgateWithAdmin(SETTINGS);
	const held = await hold(tenant);
	const cut = adopt(victim, tenant, body).catch(() => 'cut');
	await held.waits();
	victim.program.kill('SIGKILL');
	await victim.program.exit;
	assert.equal(await cut, 'cut');
	await held.release();
}

async function serves(tenant) {
	const client = await gate.tenant(tenant);
	const stored = await client.ingestText(`Of ${tenant}.`, { documentId: 'd' });
	assert.equal(stored.status, 201, stored.body);
}

// What each step leaves: the row, and the name at Neon.
const steps = [
	['project', atRoute('GET /projects/{p}'), [], false],
	['owner', atRoute('GET /projects/{p}/branches'), [], false],
	['uri', atRoute('GET /projects/{p}/connection_uri'), [], false],
	['write', atWrite, [], false],
	['mark', atRoute('PATCH /projects/{p}'), ['failed', 't', 't'], null],
];
for (const [step, hold, left, isNamed] of steps) {
	test(`a project, killed at step "${step}"`, async () => {
		const [id, tenant] = [await project(), `k-${step}`];
		await killed(tenant, { projectId: id }, hold);
		assert.deepEqual(await row(tenant), left);
		if (isNamed !== null)
			assert.equal(await name(id), id);
		const again = await adopt(gate, tenant, { projectId: id });
		assert.deepEqual([again.status, again.json.again], [200, left.length > 0], again.body);
		assert.equal(await name(id), again.json.projectName);
		await serves(tenant);
		assert.equal((await stack.projects(`tg-test-${tenant}`)).length, 1, 'none was made');
	});
}

test('a project, killed at step "mark", whose tenant comes before anybody asks again', async () => {
	const id = await project();
	await killed('k-comes', { projectId: id }, atRoute('PATCH /projects/{p}'));
	await serves('k-comes');
	assert.deepEqual(await ours("select project_id from tenants where tenant_id = 'k-comes'"), [[id]]);
	const again = await adopt(gate, 'k-comes', { projectId: id });
	assert.equal(again.status, 200, again.body);
	assert.equal(await name(id), again.json.projectName);
});

test('a URL, killed at step "write"', async () => {
	const url = `postgresql://spring:p-of-spring@127.0.0.1:${stack.pg.port}/spring`;
	await killed('k-url', { url }, atWrite);
	assert.deepEqual(await row('k-url'), []);
	assert.equal((await adopt(gate, 'k-url', { url })).status, 200);
	await serves('k-url');
});
