// SPDX-License-Identifier: MIT
// A tenant's database that is ill: cut off, restarted, asleep, full, over its quota, silent or slow.
// What may be done again is; the rest hears a kind, a reason of ours and a time, and none of the
// server's words.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { crowd } from './lib/crowd.mjs';
import { sleep, until } from './lib/process.mjs';
import { pgError, Proxy } from './lib/proxy.mjs';

const stack = new Stack('ill-database');
// By its text, or by the name it has once it is prepared.
const SEARCH = ['<=>', 'search_exact', 'search_some', 'hybrid_exact', 'hybrid_some'];
let gate, proxy;

const replica = (changes = {}) => stack.tenantgate({ rate_limit_requests_per_minute: 0,
	postgres_admin_url: `postgresql://postgres:${stack.db.password}@127.0.0.1:${proxy.port}/postgres`,
	...changes });

// The catalog's server stays well.
before(async () => {
	await stack.surroundings({ neon: false });
	await stack.postgres([], 'db');
	proxy = await new Proxy(stack.db.port).listen();
	gate = await replica();
});
after(async () => {
	proxy?.close();
	await stack.stop();
});

// A tenant with a document in its database, and an idle connection.
async function tenant(name) {
	const client = await gate.tenant(name);
	const answer = await client.ingestText(`The boat of ${name} burns 19 litres an hour.`,
		{ documentId: 'b' });
	assert.equal(answer.status, 201, answer.body);
	return client;
}

async function found(client) {
	const answer = await client.search('litres');
	assert.equal(answer.status, 200, answer.body);
	assert.equal(answer.json.results.length, 1);
}

// A problem of ours, and its cause in the log alone.
function told(answer, status, code, cause) {
	assert.equal(answer.status, status, answer.body);
	assert.equal(answer.json.code, code, answer.body);
	assert.ok(Number(answer.headers['retry-after']) >= 1, JSON.stringify(answer.headers));
	assert.doesNotMatch(answer.body, cause);
	assert.doesNotMatch(answer.body, /SQLSTATE|tg_|127\.0\.0\.1|FATAL|Neon|administrator/);
	const line = gate.lines().find((l) => l.request_id === answer.headers['x-request-id'] &&
		l.cause);
	assert.match(line.cause, cause);
}

test('a search that is cut off goes once to a fresh connection, and only once', async () => {
	const client = await tenant('cut');
	proxy.cutNext(1, ...SEARCH);
	await found(client);
	assert.equal(proxy.cuts.done, 1);
	proxy.cutNext(9, ...SEARCH);
	told(await client.search('litres'), 503, 'database_unavailable', /57P01/);
	assert.equal(proxy.cuts.done, 2);
	proxy.cutNext(0);
	await found(client);
});

test('so do the search of a chat, the look for a stored document, and the first of a store',
	async () => {
		const client = await tenant('others');
		proxy.cutNext(1, ...SEARCH);
		const chat = await client.post('/chat', { messages: [{ role: 'user', content: 'litres?' }] });
		assert.equal(chat.status, 200, chat.body);
		for (const text of ['FROM public.document WHERE id', 'BEGIN']) {
			proxy.cutNext(1, text);
			const answer = await client.ingestText(`New: ${text}.`, { documentId: 'b' });
			assert.equal(answer.status, 201, answer.body);
			assert.equal(proxy.cuts.done, 1, text);
		}
	});

test('one silent connection does not cost its siblings a deadline each', async () => {
	const client = await tenant('silent');
	const some = crowd(6, () => client.search('litres'));
	await until('a few connections', () => proxy.pairs.size >= 3);
	assert.deepEqual(Object.keys(await some.stop()), ['200']);
	await until('no login is under way', async () => (await sqlAtDb("select 1 from " +
		"pg_stat_activity where application_name = 'tenantgate' and state = 'idle'"))
		.length === proxy.pairs.size);
	proxy.mute();
	try {
		// The first finds out by leaving: it would wait for its statement's deadline.
		const first = new AbortController();
		const left = client.ask('POST', '/search', { signal: first.signal,
			headers: { 'content-type': 'application/json' }, body: '{"query":"litres"}' });
		// And no other's, of what is done behind requests: what a search has to know of the database
		// first, or its statement, which has a name once it is prepared.
		const asked = await until('its statement is on its way', () =>
			proxy.told(/r\.index_name, r\.indexed_to|search_(exact|some|chunk)|<=>/));
		first.abort();
		await assert.rejects(left);
		// Before that its siblings are under no suspicion: on another worker the next request may be
		// there before the first one's departure is.
		await until('its connection is given up', () => !proxy.pairs.has(asked));
		const start = performance.now();
		await found(client);
		assert.ok(performance.now() - start < 15000, `${performance.now() - start} ms`);
	} finally {
		proxy.cut();
	}
});

test('a full database: 503 with its time, and not the name of the role', async () => {
	const client = await tenant('full');
	const [[role]] = await stack.sql("select db_user from tenants where tenant_id = 'full'",
		'catalog');
	await sqlAtDb(`alter role ${role} connection limit 0`);
	proxy.cut();
	told(await client.search('litres'), 503, 'overloaded', /too many connections for role/);
	await sqlAtDb(`alter role ${role} connection limit -1`);
});

test('a quota of the provider: 503 with a kind of its own', async () => {
	const client = await tenant('quota');
	proxy.cut();
	proxy.refuse(pgError('XX000', 'Your account or project has exceeded the compute time quota.' +
		' Upgrade your plan to increase limits.', 'ERROR'));
	const answer = await client.search('litres');
	told(answer, 503, 'database_quota', /compute time quota/);
	assert.ok(Number(answer.headers['retry-after']) >= 60);
	proxy.pass();
});

test('a login that is refused for good: 502, and the reason for operators', async () => {
	const client = await tenant('locked');
	proxy.cut();
	proxy.refuse(pgError('28P01', 'password authentication failed for user "tg_secret"'));
	told(await client.search('litres'), 502, 'database_failed', /28P01/);
	proxy.pass();
});

// As 14 s with the settings as they are, where query_wait_timeout is 10 s.
test('a wake that takes longer than query_wait_timeout is waited for, whether it refuses (57P03) ' +
	'or keeps the login', async () => {
	const mine = gate, WAKE = 2800;
	gate = await replica({ query_wait_timeout: '2s' });
	gate.serviceKey = mine.serviceKey;
	const [asleep, slow] = [await tenant('asleep'), await tenant('slow')];
	for (const [client, sleeps] of [
		[asleep, () => proxy.refuse(pgError('57P03', 'the database system is starting up'))],
		[slow, () => proxy.hold()],
	]) {
		proxy.cut();
		sleeps();
		const start = performance.now();
		const answer = found(client);
		await sleep(WAKE);
		proxy.pass();
		await answer;
		assert.ok(performance.now() - start >= WAKE);
	}
	await gate.program.stop();
	gate = mine;
});

test('a server that is slow to read a document gets it', async () => {
	const client = await tenant('slow-reader');
	const text = 'A sentence of a long text about boats and what they burn.\n'.repeat(20000);
	proxy.stallNext(13000, 'COPY public.chunk');
	const answer = await client.ingestText(text, { documentId: 'long' });
	assert.equal(answer.status, 201, answer.body);
	assert.equal(proxy.stalls.done, 1);
});

test('what an attempt waits for is in its row, and not told to the client', async () => {
	const client = await gate.tenant('new');
	const row = async () => (await stack.sql("select state, coalesce(last_error, '') from tenants " +
		"where tenant_id = 'new'", 'catalog'))[0] ?? [];
	proxy.refuse(pgError('57P03', 'the database system is starting up'), 'tg_');
	const answer = client.search('litres');
	await until('the row tells', async () => {
		const [state, why] = await row();
		return state === 'provisioning' && /57P03/.test(why);
	});
	proxy.pass();
	assert.equal((await answer).status, 200);
	assert.deepEqual(await row(), ['ready', '']);
});

test('a creation that is cut off is 503 and told when to come back; then it goes on', async () => {
	for (const [i, text] of ['CREATE DATABASE tg_', 'CREATE EXTENSION', 'EXISTS public.document']
		.entries()) {
		const client = await gate.tenant(`cut-off-${i}`);
		proxy.cutNext(1, text);
		const answer = await client.search('litres');
		assert.equal(proxy.cuts.done, 1, text);
		told(answer, 503, 'database_unavailable', /57P01/);
		await until('it is served', async () => (await client.search('litres')).status === 200);
	}
});

test('restarts under load: no search fails', async (t) => {
	const clients = [];
	for (const name of ['r1', 'r2', 'r3', 'r4'])
		clients.push(await tenant(name));
	const load = crowd(16, (i) => clients[i % 4].search('litres'));
	for (let i = 0; i < 3; i++) {
		const before = load.count();
		await until('the load goes on', () => load.count() >= before + 200, 60000);
		await stack.db.program.stop('SIGINT');
		await stack.postgres([], 'db');
	}
	const before = load.count();
	await until('the load goes on', () => load.count() >= before + 200, 60000);
	const seen = await load.stop();
	t.diagnostic(`searches: ${JSON.stringify(seen)}`);
	assert.deepEqual(Object.keys(seen), ['200']);
});

async function sqlAtDb(text) {
	const pg = stack.pg;
	stack.pg = stack.db;
	try {
		return await stack.sql(text);
	} finally {
		stack.pg = pg;
	}
}
