// SPDX-License-Identifier: MIT
// Tenants as an operator sees them: listed by pages, by prefix, state and plan; one on a screen; its
// limits. And what a look costs: no database woken, and 100,000 tenants no more than a hundred.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('admin-tenants');
let gate;
const rows = 100000;

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgateWithAdmin({ rate_limit_requests_per_minute: 600,
		usage_write_interval: '200ms' });
	await stack.sql(`insert into users (user_id) select 'bulk-' || lpad(i::text, 6, '0')
		from generate_series(1, ${rows}) i`, 'catalog');
	await stack.sql(`insert into tenants (tenant_id, provider, state, plan, project_name, attempts,
			last_error)
		select 'bulk-' || lpad(i::text, 6, '0'), 'neon',
			case when i % 1000 = 0 then 'failed' else 'ready' end,
			case when i % 500 = 0 then 'gold' else '' end, 'tg-' || i, 1,
			case when i % 1000 = 0 then E'The project could not be made.\\nquota of org-7' end
		from generate_series(1, ${rows}) i`, 'catalog');
	await stack.sql('analyze users, tenants', 'catalog');
});
after(() => stack.stop());

const ask = async (path, status = 200) => {
	const answer = await gate.admin.ask('GET', path);
	assert.equal(answer.status, status, answer.body);
	return answer.json;
};
const ids = (page) => page.tenants.map((t) => t.id);

test('pages follow one another, without a gap and without one twice', async () => {
	const seen = [];
	let cursor = '';
	do {
		const page = await ask(`/admin/tenants?prefix=bulk-0000&limit=40&cursor=${cursor}`);
		seen.push(...ids(page));
		cursor = page.next;
	} while (cursor !== null);
	assert.deepEqual(seen, Array.from({ length: 99 }, (_, i) => `bulk-${String(i + 1).padStart(6, '0')}`));
	assert.equal((await ask('/admin/tenants')).tenants.length, 100);
});

test('by prefix, state and plan; what is no such thing is told', async () => {
	const failed = await ask('/admin/tenants?status=failed&limit=3');
	assert.deepEqual(ids(failed), ['bulk-001000', 'bulk-002000', 'bulk-003000']);
	assert.equal(failed.tenants[0].error, 'The project could not be made.');
	assert.equal(failed.next, 'bulk-003000');
	assert.deepEqual(ids(await ask('/admin/tenants?status=failed&limit=2&cursor=bulk-099000')),
		['bulk-100000']);
	assert.deepEqual(ids(await ask('/admin/tenants?plan=gold&status=ready&limit=2')),
		['bulk-000500', 'bulk-001500']);
	assert.deepEqual(ids(await ask('/admin/tenants?prefix=bulk-09999&status=suspended')), []);
	for (const query of ['status=gone', 'limit=0', 'limit=1001'])
		assert.equal((await ask(`/admin/tenants?${query}`, 400)).code, 'invalid_field');
	for (const query of ['prefix=a%27b', 'cursor=%C3%A9', 'prefix=~'])
		assert.equal((await ask(`/admin/tenants?${query}`, 400)).code, 'invalid_tenant');
	await ask('/admin/tenants/nobody', 404);
	await ask('/admin/tenants/nobody/limits', 404);
});

// What a request makes Postgres read of tenants, by its own count, which a connection's end brings up
// to date. Rows, and not a clock. What replicas look for by themselves is among it.
async function read(path) {
	const count = async () => (await stack.sql(`select seq_tup_read + idx_tup_fetch 
		from pg_stat_user_tables where relname = 'tenants'`, 'catalog'))[0][0];
	const ended = async () => {
		const pids = (await stack.sql(`select pid, pg_terminate_backend(pid) from pg_stat_activity
			where application_name = 'tenantgate' and datname = 'catalog'`, 'catalog')).map(([pid]) => pid);
		await until('they have ended', async () => (await stack.sql(`select 1 from pg_stat_activity
			where pid in (${['0', ...pids]})`, 'catalog')).length === 0);
	};
	await ended();
	const was = Number(await count());
	await ask(path);
	await ended();
	return Number(await count()) - was;
}

test('a hundred thousand cost no more than a hundred: no table is walked through', async () => {
	for (const path of ['/admin/tenants?limit=50', '/admin/tenants?limit=50&cursor=bulk-050000',
		'/admin/tenants?prefix=bulk-0777&limit=50', '/admin/tenants?status=failed&limit=50',
		'/admin/tenants?status=ready&limit=50&cursor=bulk-090000', '/admin/tenants?status=deleted',
		'/admin/tenants?plan=gold&limit=50&cursor=bulk-050000', '/admin/tenants/bulk-050000'])
		assert.ok(await read(path) < 500, path);
});

test('one on a screen: its row, limits with their origin and use, connections, usage; no secret', async () => {
	const acme = await gate.tenant('acme');
	assert.equal((await acme.search('x')).status, 200);
	assert.equal((await acme.ingestText('Bolts are tightened to twelve newton metres.')).status, 201);
	await stack.sql(`update tenants set settings = '{"max_documents": 7}', requests_per_minute = 90
		where tenant_id = 'acme'`, 'catalog');
	const shown = await ask('/admin/tenants/acme');
	assert.deepEqual([shown.id, shown.state, shown.documents, shown.error, shown.order],
		['acme', 'ready', 1, null, null]);
	assert.ok(shown.bytes > 0 && shown.chunks >= 1 && shown.projectId && shown.schemaVersion > 0);
	assert.equal(shown.connectionsHere.tenant, 'acme');
	// Not while its connection is lent.
	const { index } = await until('its index is known', async () => {
		const now = await ask('/admin/tenants/acme');
		return now.index !== null && now;
	});
	assert.deepEqual([index.chunksIndexed, index.chunksNotIndexed], [0, shown.chunks]);
	assert.ok(index.dimensions > 0);
	const limit = (name) => shown.limits.find((l) => l.name === name);
	assert.deepEqual([limit('max_documents'), limit('requests_per_minute').value,
		limit('requests_per_minute').origin, limit('top_k').origin],
	[{ name: 'max_documents', value: 7, origin: 'row', used: 1, usedSource: 'catalog' }, 90, 'row',
		'default']);
	assert.equal(limit('requests_per_minute').usedSource, 'redis');
	assert.deepEqual((await ask('/admin/tenants/acme/limits')).limits.map((l) => l.name),
		shown.limits.map((l) => l.name));
	await until('what it has used is written', async () => {
		const { usage } = await ask('/admin/tenants/acme');
		return usage.totals.documents === 1 && usage.totals.requests >= 2;
	});
	const sealed = (await stack.sql(`select db_password_sealed from tenants where tenant_id = 'acme'`,
		'catalog'))[0][0];
	for (const path of ['/admin/tenants', '/admin/tenants?prefix=acme', '/admin/tenants/acme']) {
		const { body } = await gate.admin.ask('GET', path);
		for (const secret of [sealed, gate.adminKey, await gate.service(), 'password'])
			assert.ok(!body.includes(secret), `${path} has ${secret}`);
	}
});

test('used falls as time gives it back, and a look charges nothing', async () => {
	const rate = async () => (await ask('/admin/tenants/loud/limits')).limits
		.find((l) => l.name === 'requests_per_minute').used;
	const loud = await gate.tenant('loud');
	await until('more is used than time gives back', async () => {
		const answers = await Promise.all(Array.from({ length: 20 }, () => loud.search('x')));
		assert.ok(answers.every((a) => a.status === 200));
		return await rate() > 10;
	});
	await until('it is all free again', async () => await rate() === 0, 60000);
});

test('another tenant is not in it, and a look wakes no database', async () => {
	const quiet = await gate.tenant('quiet');
	assert.equal((await quiet.search('x')).status, 200);
	await stack.sql(`update tenants set state = 'suspended' where tenant_id = 'quiet'`, 'catalog');
	const { body, json } = await gate.admin.ask('GET', '/admin/tenants/quiet');
	assert.equal(json.state, 'suspended');
	assert.ok(!body.includes('acme'));
	const of = async (id) => (await ask('/admin/pools')).pools.find((p) => p.tenant === id);
	assert.equal(await of('bulk-000777'), undefined);
	const asleep = await ask('/admin/tenants/bulk-000777');
	assert.deepEqual([asleep.index, asleep.connectionsHere], [null, null]);
	await ask('/admin/tenants/bulk-000777/limits');
	assert.equal(await of('bulk-000777'), undefined);
});
