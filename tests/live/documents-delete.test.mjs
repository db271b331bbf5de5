// SPDX-License-Identifier: MIT
// A deletion takes what it was asked to take and nothing that came later, however late it goes on.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('documents-delete');
let gate, ann, db;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0 });
	ann = await gate.tenant('ann');
	assert.equal((await put('first')).status, 201);
	[[db]] = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
});
after(() => stack.stop());

const put = (id, text = `A zebra called ${id}.`) => ann.ingestText(text, { documentId: id });
const erase = (id) => ann.ask('DELETE', `/documents/${id}`);
const status = async (id) => (await stack.sql(
	`select status from documents where document_id = '${id}'`, 'catalog'))[0]?.[0];
const content = async (id) => (await stack.sql(
	`select content from chunk where document_id = '${id}'`, db))[0]?.[0];
const listed = async (id) => (await ann.get(`/documents/${id}`)).json.document?.sha256;
const intend = (id) => stack.sql(`update documents set status = 'deleting', attempt = null
	where document_id = '${id}'`, 'catalog');

// A session of its own, which goes on when it is told to: `first` now, `then` at the call.
async function session(first, then, database = db) {
	const name = `held${Math.random()}`;
	const held = stack.sql(`set application_name = '${name}'; begin; ${first};
		select pg_advisory_xact_lock(7); ${then}; commit`, database);
	await until('it holds', async () => (await stack.sql(`select 1 from pg_stat_activity
		where application_name = '${name}' and wait_event = 'advisory'`)).length > 0);
	return { held };
}

// Others wait at lock 7 of the tenant's database until it is released.
async function closed(database = db) {
	const name = `closed${Math.random()}`;
	const holding = stack.sql(`set application_name = '${name}';
		select pg_advisory_lock(7); select pg_sleep(60)`, database).catch(() => {});
	await until('the lock is held', async () => (await stack.sql(`select 1 from pg_stat_activity
		where application_name = '${name}' and wait_event = 'PgSleep'`)).length > 0);
	return async () => {
		await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
			where application_name = '${name}'`);
		await holding;
	};
}
const waits = (database = db) => until('a statement waits for a row', async () => (await stack.sql(
	`select 1 from pg_stat_activity where datname = '${database}' and wait_event_type = 'Lock'
	and wait_event <> 'advisory'`)).length > 0);

async function restart(kill = false) {
	const key = gate.serviceKey;
	if (kill)
		gate.program.child.kill('SIGKILL');
	else
		await gate.program.stop();
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0 });
	gate.serviceKey = key;
	ann = await gate.tenant('ann');
}

const replaced = (id) => `update document set sha256 = repeat('b', 64), created_at = now() where
	id = '${id}'; update chunk set content = 'new' where document_id = '${id}'`;

test('a deletion that waits while another is stored does not take that', async () => {
	assert.equal((await put('late')).status, 201);
	const open = await closed();
	const { held } = await session("select 1 from document where id = 'late' for update",
		replaced('late'));
	const answer = erase('late');
	await waits();
	assert.equal(await status('late'), 'deleting');
	await open();
	await held;
	assert.equal((await answer).status, 204);
	assert.equal(await content('late'), 'new');
	await restart(); // nobody has told the list, as a store that was killed would not have
});

test('what a killed deletion has left goes on, and does not take what came instead', async () => {
	assert.equal((await put('left')).status, 201);
	await intend('left');
	const open = await closed();
	const { held } = await session("select 1 from document where id = 'left' for update",
		replaced('left'));
	await restart();
	await ann.search('zebra', { documentId: 'first' });
	await waits();
	await stack.sql(`update documents set status = 'ready', sha256 = repeat('b', 64),
		updated_at = now() where document_id = 'left'`, 'catalog'); // as another replica's store
	await open();
	await held;
	await until('the deletion is over', async () => (await stack.sql(`select 1 from pg_stat_activity
		where datname = '${db}' and state = 'active' and pid <> pg_backend_pid()`)).length === 0);
	await restart(); // ends what is under way
	assert.equal(await content('left'), 'new');
	assert.equal(await status('left'), 'ready');
});

test('while a deletion is left half-way the id is refused, then free; what is stored stays',
	async () => {
		for (const same of [true, false]) {
			const id = `half${same}`;
			assert.equal((await put(id)).status, 201);
			await intend(id);
			const again = () => put(id, same ? undefined : 'A zebra that came later.');
			const refused = await again();
			assert.equal(refused.status, 409, refused.body);
			assert.equal(refused.json.code, 'conflict');
			assert.match(refused.json.detail, /being deleted/);
			assert.ok(Number(refused.headers['retry-after']) > 0);
			let stored;
			await until('it is stored', async () => {
				stored = await again();
				return stored.status !== 409;
			});
			assert.equal(stored.status, 201, stored.body);
			await restart();
			await ann.search('zebra', { documentId: id });
			assert.equal(await listed(id), stored.json.document.sha256);
			assert.equal(await content(id), same ? `A zebra called ${id}.` :
				'A zebra that came later.');
		}
	});

// Kills the process while a statement on `table` waits for the row that `lock` names.
async function killedAt(id, lock, database) {
	const open = await closed(database);
	const { held } = await session(lock, 'select 1', database);
	const answer = erase(id).catch((error) => error);
	await waits(database);
	gate.program.child.kill('SIGKILL');
	await answer;
	await until('its statement is over', async () => {
		await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
			where datname = '${database}' and wait_event_type = 'Lock' and wait_event <> 'advisory'`);
		return (await stack.sql(`select 1 from pg_stat_activity where datname = '${database}'
			and wait_event_type = 'Lock' and wait_event <> 'advisory'`)).length === 0;
	});
	await open();
	await held;
	await restart(true);
}

test('kill -9 at each step, then the same id anew: what was told to be stored stays', async () => {
	const steps = [
		['mark', (id) => `select 1 from documents where document_id = '${id}' for update`, 'catalog'],
		['erase', (id) => `select 1 from document where id = '${id}' for update`, db],
	];
	for (const [step, lock, database] of steps) {
		const id = `kill-${step}`;
		assert.equal((await put(id)).status, 201);
		await killedAt(id, lock(id), database);
		let stored;
		await until('it is stored', async () => {
			stored = await put(id, 'A zebra after the kill.');
			return stored.status !== 409;
		});
		assert.equal(stored.status, 201, stored.body);
		await restart();
		await ann.search('zebra', { documentId: id });
		assert.equal(await listed(id), stored.json.document.sha256);
		assert.equal(await content(id), 'A zebra after the kill.');
	}
	const id = 'kill-drop'; // killed before the listing goes
	assert.equal((await put(id)).status, 201);
	await intend(id);
	await stack.sql(`delete from document where id = '${id}'`, db);
	await restart(true);
	await until('it is stored', async () => (await put(id, 'anew')).status === 201);
	await restart();
	await ann.search('zebra', { documentId: id });
	assert.equal(await content(id), 'anew');
	assert.equal(await status(id), 'ready');
});

test('the same bytes whose row has gone: not said to be stored before that is known', async () => {
	assert.equal((await put('rowless')).status, 201);
	await stack.sql("delete from documents where document_id = 'rowless'", 'catalog');
	assert.equal((await put('rowless')).status, 409);
	let stored;
	await until('it is known', async () => {
		stored = await put('rowless');
		return stored.status !== 409;
	});
	assert.equal(stored.status, 200, stored.body);
	assert.equal(await status('rowless'), 'ready');
	assert.equal(await listed('rowless'), stored.json.document.sha256);
});

test('a deletion left by an earlier build, of a document that is there', async () => {
	assert.equal((await put('old')).status, 201);
	await intend('old');
	await restart();
	await ann.search('zebra', { documentId: 'first' });
	await until('it is gone', async () => await status('old') === undefined);
	assert.equal(await content('old'), undefined);
});

test('what was being stored before goes too, though whoever stored it was killed before it was listed',
	async () => {
		assert.equal((await put('under')).status, 201);
		const other = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0 });
		other.serviceKey = gate.serviceKey;
		const [client, storer] = [await other.tenant('ann'), gate];
		const locked = async (database, statement) => {
			const name = `locks${Math.random()}`;
			const held = stack.sql(`set application_name = '${name}'; begin; ${statement};
				select pg_sleep(100)`, database).catch(() => {});
			await until('it is locked', async () => (await stack.sql(`select 1 from pg_stat_activity
				where application_name = '${name}' and wait_event = 'PgSleep'`)).length > 0);
			return async () => {
				await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
					where application_name = '${name}'`);
				await held;
			};
		};
		const waiters = async (database) => (await stack.sql(`select pid from pg_stat_activity where
			datname = '${database}' and wait_event_type = 'Lock'`)).flat();
		const openChunks = await locked(db, 'lock table chunk in exclusive mode');
		const storing = put('under', 'A zebra that was under way.').catch(() => {});
		await until('the store waits', async () => (await waiters(db)).length > 0);
		const openRow = await locked('catalog', "select from documents where document_id = 'under' for update");
		const deleting = client.ask('DELETE', '/documents/under');
		await until('the mark waits', async () => (await waiters('catalog')).length === 1);
		const [mark] = await waiters('catalog');
		await openChunks();
		await until('the listing waits', async () => (await waiters('catalog')).length === 2);
		assert.match(await content('under'), /under way/);
		storer.program.child.kill('SIGKILL');
		await storing;
		await stack.sql(`select pg_terminate_backend(${(await waiters('catalog')).find((p) => p !== mark)})`);
		await openRow();
		assert.equal((await deleting).status, 204);
		assert.equal(await content('under'), undefined);
		assert.equal(await status('under'), undefined);
		gate = other;
	});
