// SPDX-License-Identifier: MIT
// A process that is killed while it works on a tenant's index: what is stored is found, and another
// goes on from there.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { another, endHolders, IndexTenant, settings } from './lib/index-tenant.mjs';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('index-killed');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate(settings);
});
after(() => {
	endHolders();
	return stack.stop();
});

// The server has noticed that its client is gone.
function ended(t) {
	return until('its connections end', async () => (await stack.sql(`select 1 from pg_stat_activity
		where datname = '${t.db}' and application_name = 'tenantgate' and query ~
		'^(CREATE|DROP|WITH kept|UPDATE public.retrieval)' and state = 'active'`)).length === 0);
}

// What is killed is in the middle of a step, which a lock holds there; another goes on.
async function killed(name, { rows = 2600, prepare = async () => {}, hold, waits,
	endsLater = false }) {
	const t = await IndexTenant.make(stack, gate, name);
	await t.fill(rows);
	await prepare(t);
	const victim = await another(stack, gate);
	const release = await hold(t);
	const there = await victim.tenant(name);
	assert.equal((await there.ingestText(`${name} v`, { documentId: 'v' })).status, 201);
	t.needles.push(`${name} v`);
	await waits(t);
	victim.program.kill('SIGKILL');
	await victim.program.exit;
	if (!endsLater)
		await ended(t);
	await release();
	await ended(t);
	const left = await t.state();
	assert.notEqual(left.merger, '', 'the lease is the dead one\'s');
	await t.findsAll();
	await t.leaseEnds();
	await t.put(`${name} w`);
	const end = await t.settled('another has gone on', (s) => s.name !== '' && s.tail < 1001);
	await t.findsAll();
	return { left, end };
}

test('killed while it builds: what is left is dropped, and made again', async () => {
	const { left, end } = await killed('kbuild', {
		hold: (t) => t.hold('lock table chunk in row exclusive mode'),
		waits: (t) => t.waits('CREATE INDEX CONCURRENTLY'),
	});
	assert.equal(left.name, '');
	assert.ok(left.indexes.every(([, valid]) => valid === 'f'));
	assert.equal(left.indexes.length, 1);
	assert.notEqual(end.indexes[0][2], left.indexes[0][2]);
});

test('asked to end while it builds: it does, and so does the build', async () => {
	const t = await IndexTenant.make(stack, gate, 'kterm');
	await t.fill(2600);
	const victim = await another(stack, gate);
	const release = await t.hold('lock table chunk in row exclusive mode');
	assert.equal((await (await victim.tenant('kterm')).ingestText('v', { documentId: 'v' })).status,
		201);
	await t.waits('CREATE INDEX CONCURRENTLY');
	const began = Date.now();
	await victim.program.stop();
	assert.ok(Date.now() - began < 8000, 'before shutdown_timeout is over');
	await ended(t);
	await release();
	await t.leaseEnds();
	await t.put('kterm w');
	await t.settled('another has gone on', (s) => s.name !== '');
});

test('killed before it publishes: the index is published, and not built again', async () => {
	let endWriter, endReader;
	const { left, end } = await killed('kpublish', {
		hold: async (t) => {
			endWriter = await t.hold('lock table chunk in row exclusive mode');
			return () => endReader();
		},
		waits: async (t) => {
			await t.waits('CREATE INDEX CONCURRENTLY');
			endReader = await t.hold('select from retrieval for update');
			await endWriter();
			await t.waits('UPDATE public.retrieval');
		},
		endsLater: true,
	});
	assert.equal(left.name, '');
	assert.equal(left.indexes[0][1], 't');
	assert.deepEqual(end.indexes, left.indexes);
});

test('killed while it drops the old one: that is dropped', async () => {
	const { left, end } = await killed('kdrop', {
		prepare: async (t) => {
			await t.put('kdrop a');
			await t.settled('there is an index', (s) => s.name !== '');
			await t.fill(1010, 'more');
		},
		hold: (t) => t.hold('select from chunk limit 1'), // keeps no build
		waits: (t) => t.waits('DROP INDEX CONCURRENTLY'),
	});
	assert.notEqual(left.name, '');
	assert.equal(left.indexes.length, 2);
	assert.equal(end.name, left.name);
});

test('killed while it merges: others go on', async () => {
	const { left, end } = await killed('kmerge', {
		rows: 3700,
		prepare: async (t) => {
			await t.put('kmerge a');
			await t.settled('there is an index', (s) => s.name !== '');
			await t.fill(1200, 'more');
			await t.sql(`create function stays() returns trigger language plpgsql as $$ begin
				perform pg_advisory_xact_lock_shared(9); return new; end $$;
				create trigger stays before update on chunk for each row execute function stays()`);
		},
		hold: (t) => t.hold('select pg_advisory_xact_lock(9)'),
		waits: (t) => t.waits('WITH kept'),
		endsLater: true,
	});
	assert.ok(left.tail > 1000);
	assert.equal(end.name, left.name);
});

test('the server is killed while it builds: what is left is dropped, and made again', async () => {
	const t = await IndexTenant.make(stack, gate, 'kserver');
	await t.fill(2600);
	await t.hold('lock table chunk in row exclusive mode');
	await t.put('kserver a');
	await t.waits('CREATE INDEX CONCURRENTLY');
	await stack.pg.program.stop('SIGQUIT');
	await stack.postgres();
	const left = await t.state();
	assert.deepEqual(left.indexes.map(([, valid]) => valid), ['f']);
	await t.leaseEnds();
	const next = await another(stack, gate); // the first has failed, and rests
	const there = await next.tenant('kserver');
	await until('it is stored', async () => (await there.ingestText('kserver b',
		{ documentId: 'b' })).status === 201);
	const end = await t.settled('it is made again', (s) => s.name !== '');
	assert.notEqual(end.indexes[0][2], left.indexes[0][2]);
	await t.findsAll(there);
});
