// SPDX-License-Identifier: MIT
// Server connections are shared among tenants: a noisy one costs a quiet one no login, a hung one
// fails nobody else, and what was refused is not asked for again at once. Logins are counted in
// Postgres' own log.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { sleep, until } from './lib/process.mjs';
import { crowd, databases, LOG_LOGINS, lockTables, loginsFrom, lruLogins, random, sessions,
	timesOf, zipf } from './lib/crowd.mjs';

const BUDGET = 20;
const stack = new Stack('fair-pool');
const names = ['noisy', 'quiet', ...Array.from({ length: 10 }, (_, i) => `other${i}`)];
const tenants = {};
let gate, database, key;

const settings = { workers: 1, rate_limit_requests_per_minute: 0, default_pool_size: 20,
	max_server_connections: BUDGET, max_host_statements: 1000, query_wait_timeout: '60s', max_waiting: 10000 };

async function restart(changes = {}) {
	if (gate)
		await gate.program.stop();
	gate = await stack.tenantgate({ ...settings, ...changes });
	gate.serviceKey = key ??= await gate.service();
	for (const tenant of Object.values(tenants))
		tenant.url = new URL(gate.url);
}

before(async () => {
	await stack.surroundings({ neon: false, postgres: LOG_LOGINS });
	await restart();
	for (const name of names) {
		tenants[name] = await gate.tenant(name);
		const stored = await tenants[name].ingestText('The kettle whistles.', { documentId: 'k' });
		assert.equal(stored.status, 201, stored.body);
	}
	database = await databases(stack);
});
after(() => stack.stop());

const search = (name) => tenants[name].search('kettle');

test('a noisy tenant of 25 clients costs a quiet one no logins', async (t) => {
	await restart();
	await search('quiet');
	const noise = crowd(25, () => search('noisy'));
	await until('the noisy one is many', async () =>
		noise.count() > 500 && await sessions(stack, database.noisy) >= BUDGET / 2, 60000);
	await timesOf(3, () => search('quiet'), 150);
	const logins = loginsFrom(stack);
	const times = await timesOf(30, () => search('quiet'), 150);
	const counted = logins.to(database.quiet);
	const answered = await noise.stop();
	t.diagnostic(`${counted} logins for 30 requests; p50 ${times[15].toFixed(1)} ms`);
	assert.ok(counted <= 2, `${counted} logins of the quiet tenant for 30 requests`);
	assert.deepEqual(Object.keys(answered), ['200']);
});

test('20 hung queries of one tenant: ten others are all answered', async () => {
	await restart({ query_wait_timeout: '15s' });
	await search('noisy');
	const lock = await lockTables(stack, database.noisy);
	const hung = Array.from({ length: 2 * BUDGET }, () => search('noisy').catch((e) => e));
	await until('its queries hang', async () => await sessions(stack, database.noisy) - 1 >=
		BUDGET / 2);
	const answers = [];
	for (let round = 0; round < 3; round++)
		answers.push(...await Promise.all(names.slice(2).map(search)));
	await lock.release();
	await Promise.all(hung);
	assert.deepEqual(answers.filter((a) => a.status !== 200).map((a) => a.body), []);
});

// 20 clients ask again as soon as they are refused, 10 times each.
async function insist(name) {
	const seen = [];
	await Promise.all(Array.from({ length: 20 }, async () => {
		for (let i = 0; i < 10; i++)
			seen.push((await search(name)).status);
	}));
	return seen;
}

// The first of all clients may have been under way, and one or two after a back-off.
const FEW = 60;

// Tenants' roles are no superusers: a limit of 0 lets none of them in (53300).
test('a database at its connection limit is not asked again and again', async (t) => {
	await restart();
	const { other0: name } = database;
	await stack.sql(`alter database ${name} connection limit 0`);
	const logins = loginsFrom(stack);
	const answered = await insist('other0');
	const tried = logins.to(name);
	t.diagnostic(`${tried} logins for 200 requests`);
	assert.ok(logins.full() > 0, 'Postgres has refused none');
	assert.ok(tried <= FEW, `${tried} logins for 200 requests that are refused`);
	assert.ok(answered.every((status) => status >= 500), String(answered));
	await stack.sql(`alter database ${name} connection limit -1`);
	await until('it is let in again', async () => (await search('other0')).status === 200);
});

test('a role whose password is another is not tried again and again', async (t) => {
	await restart();
	const { other1: name } = database;
	const [[stored]] = await stack.sql('select rolpassword from pg_authid where ' +
		`rolname = '${name}'`);
	await stack.sql(`alter role ${name} password 'another'`);
	const logins = loginsFrom(stack);
	const answered = await insist('other1');
	const tried = logins.denied(name);
	t.diagnostic(`${tried} logins for 200 requests`);
	assert.ok(tried > 0, 'Postgres has refused none');
	assert.ok(tried <= FEW, `${tried} logins for 200 requests that are refused`);
	assert.ok(answered.every((status) => status >= 500), String(answered));
	await stack.sql(`alter role ${name} password '${stored}'`);
	await until('it is let in again', async () => (await search('other1')).status === 200);
});

// The statement that fails with each SQLSTATE, and how it is undone. (A table that is away is made
// anew: schema-grows.)
const faults = [
	['22012', 'alter table chunk rename to chunk_kept; create view chunk as select id, document_id, ' +
		'chunk_index, page, content, metadata, embedding from chunk_kept where 1 / (id - id) = 0',
	'drop view chunk; alter table chunk_kept rename to chunk'],
	['42501', 'alter table chunk owner to postgres', 'alter table chunk owner to OWNER'],
];

test('searches that fail in SQL cost no logins', async (t) => {
	await restart();
	for (const [sqlstate, fault, undo] of faults) {
		assert.equal((await search('other2')).status, 200);
		await stack.sql(fault, database.other2);
		const logins = loginsFrom(stack);
		const seen = [];
		// One after the other: the connection that is there is enough.
		for (let i = 0; i < 20; i++)
			seen.push(await search('other2'));
		const counted = logins.to(database.other2);
		await stack.sql(undo.replace('OWNER', database.other2), database.other2);
		// psql's own was one: the undoing is counted after.
		t.diagnostic(`${sqlstate}: ${counted} logins for 20 failures`);
		assert.ok(seen.every((answer) => answer.status >= 500), JSON.stringify(seen[0]));
		assert.equal(counted, 0, `${counted} logins for 20 searches that fail with ${sqlstate}`);
		assert.equal((await search('other2')).status, 200);
	}
});

test('documents that break a constraint cost no logins', async () => {
	const ingest = (i) => tenants.other3.ingestText(`Kettle ${i} whistles.`, { documentId: `c${i}` });
	assert.equal((await ingest('first')).status, 201);
	await stack.sql("alter table chunk add constraint odd check (content !~ 'Kettle \\d')",
		database.other3);
	const logins = loginsFrom(stack);
	for (let i = 0; i < 10; i++)
		assert.ok((await ingest(i)).status >= 400);
	assert.equal(logins.to(database.other3), 0);
});

// 57014, as a time-out of the server's own has it, too.
async function cancelOne(name) {
	const cancelled = () => stack.sql('select pg_cancel_backend(pid) from pg_stat_activity where ' +
		`datname = '${name}' and wait_event_type = 'Lock'`);
	const answer = search('other4');
	await until('it is cancelled', async () => (await cancelled()).length > 0);
	return answer;
}

test('a statement that Postgres ends by its time-out costs no login', async () => {
	await restart();
	assert.equal((await search('other4')).status, 200);
	const lock = await lockTables(stack, database.other4);
	const logins = loginsFrom(stack);
	for (let i = 0; i < 10; i++)
		assert.ok((await cancelOne(database.other4)).status >= 500);
	assert.equal(logins.to(database.other4), 0);
	await lock.release();
	assert.equal((await search('other4')).status, 200);
});

// The one that takes long: left out where TG_LIVE_BRIEF is set.
const longTest = process.env.TG_LIVE_BRIEF ? () => {} : test;

// A budget that is a quarter of the tenants'; a client's next request is of whom the dice say.
longTest('tenants four times the budget, one more asked than another: few logins more than an LRU cache',
	async (t) => {
		const many = Array.from({ length: 40 }, (_, i) => `many${i}`);
		for (const name of many)
			tenants[name] = await gate.tenant(name);
		for (const name of many)
			assert.equal((await search(name)).status, 200);
		await restart({ max_server_connections: 10, max_host_statements: 0 });
		const draw = zipf(many.length, random(6));
		const sequence = Array.from({ length: 800 }, () => many[draw()]);
		const known = await databases(stack);
		const logins = loginsFrom(stack);
		let next = 0, most = 0;
		const answered = crowd(16, () => search(sequence[next++ % sequence.length]));
		while (answered.count() < sequence.length) {
			most = Math.max(most, await sessions(stack));
			await sleep(50);
		}
		const seen = await answered.stop();
		const requests = answered.count();
		const found = logins.perDatabase();
		const counted = many.reduce((sum, name) => sum + (found[known[name]] ?? 0), 0);
		const lru = lruLogins(sequence, 10);
		t.diagnostic(`${(counted / requests).toFixed(2)} logins a request; an LRU cache that is ` +
			`asked one after the other: ${(lru / sequence.length).toFixed(2)}; ${most} sessions`);
		assert.deepEqual(Object.keys(seen), ['200']);
		assert.ok(most <= 10, `${most} sessions`);
		assert.ok(counted / requests <= lru / sequence.length,
			`${counted} logins for ${requests} requests; LRU needs ${lru} for ${sequence.length}`);
	});
