// SPDX-License-Identifier: MIT
// A process that is killed (kill -9) between any two side effects of a suspension, a resumption or a
// deletion: another replica goes on by itself, and the end is the same.
//
// The victim is held in the middle of a statement by a trigger that waits for a lock, or of a call
// by the stand-in. After the kill the statement is either done, its reply being lost, or undone.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { Holds } from './lib/hold.mjs';
import { freePort, until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('tenant-ends-killed');
const settings = { provision_lease: '1s', neon_timeout: '2s', workers: 1,
	rate_limit_requests_per_minute: 0 };
const holds = new Holds(stack);
let here, beside;

before(async () => {
	await stack.surroundings();
	here = await stack.tenantgateWithAdmin(settings);
	await holds.prepare();
	beside = await here.tenant('beside');
	assert.equal((await beside.ingestText('The boat beside.', { documentId: 'b' })).status, 201);
});
after(() => {
	holds.end();
	return stack.stop();
});

const sql = (text) => stack.sql(text, 'catalog');
const receipt = async (id) => (await here.admin.get(`/admin/tenants/${id}/receipt`)).json;
const search = async (id) => (await (await here.tenant(id)).search('litres')).status;
const endpoint = async (id) => (await stack.sql(`select disabled from neon_standin.projects
	where name like 'tg-test-${id}-%'`))[0]?.[0];

// Another replica, with an admin door.
async function victim() {
	const port = await freePort();
	const gate = await stack.tenantgate({ ...settings, admin_listen_port: port });
	gate.admin = new Client(`http://127.0.0.1:${port}`, { authorization: `Bearer ${here.adminKey}` });
	return gate;
}

const hold = (id, table, condition) => holds.statement(id, condition, { table });
const holdCall = (route) => holds.call(route);

async function tenant(id) {
	const client = await here.tenant(id);
	for (const documentId of ['a', 'b'])
		assert.equal((await client.ingestText(`Page ${documentId} of ${id}.`, { documentId })).status, 201);
	await here.key('--tenant', id);
}

const killed = async (request, held, how) => holds.kill(await victim(), request, held, how);

async function isDeleted(id) {
	await until(`the deletion of ${id} is over`, async () => (await receipt(id)).state === 'deleted');
	const told = await receipt(id);
	assert.deepEqual([told.documents, told.keysRevoked, told.owed], [2, 1, null]);
	assert.ok(told.chunks === 2 && told.database.projectId && told.database.recoverableUntil);
	assert.equal(await search(id), 410);
	assert.deepEqual(await stack.projects(`tg-test-${id}`), []);
	assert.deepEqual(await sql(`select count(*), (select db_host is null from tenants where tenant_id =
		'${id}'), (select count(*) from vector_databases where user_id = '${id}') from documents
		where user_id = '${id}'`), [['0', 't', '0']]);
	assert.equal((await beside.search('boat')).status, 200);
	const again = (await here.admin.ask('DELETE', `/admin/tenants/${id}`)).json;
	assert.deepEqual({ ...again, effective: undefined }, { ...told, effective: undefined });
}

const remove = (id) => (gate) => gate.admin.ask('DELETE', `/admin/tenants/${id}`);
const noted = (column) => ['tenant_receipts', `new.${column} is distinct from old.${column}`];
const stages = {
	claim: ['tenants', 'new.end_attempt is not null and old.end_attempt is null'],
	requests: noted('requests_ended_at'),
	database: noted('database_deleted_at'),
	redis: noted('redis_cleared_at'),
	documents: noted('documents'),
	catalog: noted('catalog_cleared_at'),
};

test('a deletion, killed while Neon is asked to delete', async () => {
	await tenant('neoncall');
	await killed(remove('neoncall'), await holdCall('DELETE /projects/{p}'), 'done');
	await isDeleted('neoncall');
});

const suspend = (id) => (gate) => gate.admin.post(`/admin/tenants/${id}/suspend`, { reason: 'x' });
const resume = (id) => (gate) => gate.admin.post(`/admin/tenants/${id}/resume`, {});

async function isSuspended(id, reason = 'x') {
	await until(`nothing is owed of ${id}`, async () => (await sql(`select 1 from tenants where
		tenant_id = '${id}' and end_order is null and end_attempt is null`)).length === 1);
	assert.equal(await search(id), 403);
	assert.equal(await endpoint(id), 't');
	const said = (await suspend(id)(here)).json;
	assert.deepEqual([said.state, said.endpoint, said.reason], ['suspended', 'disabled', reason]);
	assert.equal((await beside.search('boat')).status, 200);
}

async function isResumed(id) {
	await until(`${id} is served`, async () => await search(id) === 200);
	assert.equal(await endpoint(id), 'f');
	assert.equal((await here.admin.post(`/admin/tenants/${id}/resume`, {})).json.state, 'ready');
}

const writes = {
	order: ['tenants', 'new.end_serial <> old.end_serial'],
	claim: stages.claim,
	done: ['tenants', 'new.end_order is null and old.end_order is not null'],
};

test('a suspension and a resumption, killed while Neon is asked', async () => {
	await tenant('scall');
	await killed(suspend('scall'), await holdCall('PATCH /projects/{p}/endpoints/{e}'), 'done');
	assert.equal(await search('scall'), 403);
	await isSuspended('scall');
	await killed(resume('scall'), await holdCall('PATCH /projects/{p}/endpoints/{e}'), 'done');
	await isResumed('scall');
});

// Each has a tenant and a victim of its own.
describe('held by the catalog', { concurrency: 5 }, () => {
	for (const [stage, [table, condition]] of Object.entries(stages))
		for (const how of ['done', 'undone'])
			test(`a deletion, killed at the write "${stage}", which is ${how}`, async () => {
				const id = `${stage}-${how}`.replace('-', '');
				await tenant(id);
				await killed(remove(id), await hold(id, table, condition), how);
				assert.equal(await search(id), 410, 'it is refused before anybody goes on');
				await isDeleted(id);
			});

	test('a deletion, killed at its order, which is done', async () => {
		await tenant('orderdone');
		await killed(remove('orderdone'), await hold('orderdone', 'tenants',
			'new.deleted_at is not null and old.deleted_at is null'), 'done');
		await isDeleted('orderdone');
	});

	test('a deletion, killed at its order, which is undone: nothing has been done', async () => {
		await tenant('orderundone');
		await killed(remove('orderundone'), await hold('orderundone', 'tenants',
			'new.deleted_at is not null and old.deleted_at is null'), 'undone');
		assert.equal(await search('orderundone'), 200);
		assert.equal((await remove('orderundone')(here)).status, 200);
		await isDeleted('orderundone');
	});

	for (const [write, [table, condition]] of Object.entries(writes))
		test(`a suspension and a resumption, killed at the write "${write}"`, async () => {
			const id = `s${write}`;
			await tenant(id);
			await killed(suspend(id), await hold(id, table, condition), 'done');
			await isSuspended(id);
			await killed(resume(id), await hold(id, table, condition), 'done');
			await isResumed(id);
		});
});
