// SPDX-License-Identifier: MIT
// A process that is killed (kill -9) between any two side effects of making a tenant, or of changing
// it: another replica goes on by itself, or with the same request, and the end is the same.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Client } from './lib/client.mjs';
import { Holds } from './lib/hold.mjs';
import { freePort, until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('tenant-life-killed');
const holds = new Holds(stack);
const settings = { provision_lease: '1s', neon_timeout: '2s', workers: 1, provision_wait: '2s',
	rate_limit_requests_per_minute: 0, 'plan free': { top_k: 2 }, 'plan pro': { top_k: 9 } };
const quick = { operation_ms: 0 };
const isBrief = Boolean(process.env.TG_LIVE_BRIEF);
let here;

before(async () => {
	await stack.surroundings();
	await stack.neonKnobs(quick);
	here = await stack.tenantgateWithAdmin(settings);
	await holds.prepare();
});
after(() => {
	holds.end();
	return stack.stop();
});

const sql = (text) => stack.sql(text, 'catalog');
const row = async (id, columns) => (await sql(
	`select ${columns} from tenants where tenant_id = '${id}'`))[0];
const ask = (gate, method, id, value) => gate.admin.ask(method, `/admin/tenants/${id}`, {
	headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });
const neon = async (at) => (await stack.neon.client.get(`/api/v2/projects/${at}`,
	{ headers: { authorization: `Bearer ${stack.neonKey}` } })).json;
const isReady = (id) => until(`${id} is ready`, async () =>
	(await row(id, 'state'))?.[0] === 'ready');

// Another replica, with an admin door.
async function victim() {
	const port = await freePort();
	const gate = await stack.tenantgate({ ...settings, admin_listen_port: port });
	gate.admin = new Client(`http://127.0.0.1:${port}`, { authorization: `Bearer ${here.adminKey}` });
	return gate;
}

const killed = async (request, held, how) => holds.kill(await victim(), request, held, how);

// What Neon has, as the tests below ask for it.
async function atNeon(id) {
	const [project] = await row(id, 'project_id');
	const endpoint = (await neon(`${project}/endpoints`)).endpoints[0];
	return [endpoint.autoscaling_limit_max_cu, (await neon(project)).project.settings.quota];
}

/* ---- made ---- */

const wishes = { name: 'K', plan: 'pro', settings: { top_k: 3 }, compute: { maxCu: 4 },
	quotas: { activeTimeSeconds: 60 } };
const create = (id) => (gate) => ask(gate, 'PUT', id, wishes);

// What the dead had of the queue at Neon is given up after a while; an empty Redis has none of it.
const forgetQueue = () => execFileSync('redis-cli', ['-p', String(stack.cache.port), 'flushall']);

async function isMade(id) {
	forgetQueue();
	await until(`${id} is made by another`, async () => {
		const answer = await create(id)(here);
		assert.ok([200, 202].includes(answer.status), answer.body);
		return answer.status === 200 && answer.json.tenant.state === 'ready';
	});
	await until('Neon has it', async () => (await row(id, 'neon_wished = neon_applied'))[0] === 't');
	assert.deepEqual(await row(id, 'plan, settings'), ['pro', '{"top_k": 3}']);
	assert.deepEqual(await atNeon(id), [4, { active_time_seconds: 60 }]);
	assert.equal((await stack.projects(`tg-test-${id}`)).length, 1);
	assert.equal((await (await here.tenant(id)).ingestText('A text.')).status, 201);
}

const making = {
	row: ['true', 'insert'],
	claim: [`new.state = 'provisioning' and old.state = 'failed'`],
	fence: ['new.posted_at is not null and old.posted_at is null'],
	save: ['new.project_id is not null and old.project_id is null'],
	ready: [`new.state = 'ready' and old.state <> 'ready'`],
};

/* ---- changed ---- */

const change = { plan: 'pro', settings: { top_k: 5 }, compute: { maxCu: 4 },
	quotas: { activeTimeSeconds: 90 } };
const set = (id, value = change) => (gate) => ask(gate, 'PATCH', id, value);

async function tenant(id) {
	await ask(here, 'PUT', id, { plan: 'free' });
	await isReady(id);
}

// The lease of the dead is over.
const leaseEnds = (id) => sql(`update tenants set neon_until = now() where tenant_id = '${id}'
	and neon_attempt is not null`);

async function isChanged(id) {
	await until('Neon has it, and what was held holds', async () => {
		await leaseEnds(id);
		return (await row(id, 'neon_wished = neon_applied and neon_held is null'))[0] === 't';
	});
	assert.deepEqual(await row(id, 'plan, settings, neon_error, neon_attempt'),
		['pro', '{"top_k": 5}', '', '']);
	assert.deepEqual(await atNeon(id), [4, { active_time_seconds: 90 }]);
	const again = await set(id)(here);
	assert.deepEqual([again.status, again.json.tenant.neon], [200, 'applied'], again.body);
}

const changing = {
	claim: 'new.neon_attempt is not null and old.neon_attempt is null',
	note: 'new.neon_attempt is not null and new.neon_applied <> old.neon_applied',
	settle: 'new.neon_attempt is null and old.neon_attempt is not null',
};

/* ---- refused ---- */

async function isRefused(id) {
	await until('all is as before', async () => {
		await leaseEnds(id);
		return (await row(id, `neon_wished = neon_applied and neon_held is null and
			neon_error is not null and neon_attempt is null`))[0] === 't';
	});
	assert.deepEqual(await row(id, 'plan, settings'), ['free', '{}']);
	assert.deepEqual(await atNeon(id), [2, { active_time_seconds: 0 }]);
	const again = await set(id, { compute: { maxCu: 8 } })(here);
	assert.deepEqual([again.status, again.json.code], [422, 'neon_refused'], again.body);
}

// Each has a tenant and a victim of its own.
describe('creations, held by the catalog', { concurrency: 5 }, () => {
	for (const [stage, [condition, what]] of Object.entries(making))
		for (const how of isBrief ? ['done'] : ['done', 'undone'])
			test(`a creation, killed at the write "${stage}", which is ${how}`, async () => {
				const id = `m${stage}${how}`;
				await killed(create(id), await holds.statement(id, condition, { what }), how);
				await isMade(id);
			});
});

test('a creation, killed while Neon makes the project', async () => {
	await killed(create('mpost'), await holds.call('POST /projects', quick), 'done');
	await isMade('mpost');
});

test('a creation, killed while Neon tells of its operations', async () => {
	await killed(create('mops'), await holds.call('GET /projects/{p}/operations', quick), 'done');
	await isMade('mops');
});

function changesToo() {
	describe('changes, held by the catalog', { concurrency: 5 }, () => {
		for (const how of ['done', 'undone'])
			test(`a change, killed at the write of the wish, which is ${how}`, async () => {
				const id = `swish${how}`;
				await tenant(id);
				await killed(set(id), await holds.statement(id, 'new.neon_wished <> old.neon_wished'),
					how);
				if (how === 'undone') {
					assert.deepEqual(await row(id, 'plan, neon_wished'), ['free', '{}']);
					assert.equal((await set(id)(here)).status, 200);
				}
				await isChanged(id);
			});
		for (const [stage, condition] of Object.entries(changing))
			for (const how of ['done', 'undone'])
				test(`a change, killed at the write "${stage}", which is ${how}`, async () => {
					const id = `s${stage}${how}`;
					await tenant(id);
					await killed(set(id), await holds.statement(id, condition), how);
					await isChanged(id);
				});
	});

	for (const route of ['PATCH /projects/{p}', 'PATCH /projects/{p}/endpoints/{e}',
		'GET /projects/{p}/operations'])
		test(`a change, killed while Neon is asked: ${route}`, async () => {
			const id = `s${route.length}`;
			await tenant(id);
			await killed(set(id), await holds.call(route, quick), 'done');
			await isChanged(id);
		});

	for (const how of ['done', 'undone'])
		test(`a refusal, killed at its write, which is ${how}`, async () => {
			const id = `refuse${how}`;
			await tenant(id);
			await stack.neonKnobs({ ...quick, cu_max: 5 });
			await killed(set(id, { ...change, compute: { maxCu: 8 } }), await holds.statement(id,
				'new.neon_wished <> old.neon_wished and old.neon_attempt is not null'), how);
			await isRefused(id);
		});
}

if (!isBrief)
	changesToo();
