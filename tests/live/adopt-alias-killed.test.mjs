// SPDX-License-Identifier: MIT
// kill -9 around the mark that a database has of whose it is: between the row, the mark, the undoing
// of the row and the answer, and where a deletion takes the mark away.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { aliasNames, database, holdMark, listens, mark, markTable, refused, settings,
	works } from './lib/owner-mark.mjs';
import { freePort, until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('adopt-alias-killed');
let names, gate, all;

before(async () => {
	names = await aliasNames();
	await stack.surroundings({ postgres: listens });
	all = { ...settings, dns_nameserver: names.at, provision_lease: '1s', workers: 1 };
	gate = await stack.tenantgateWithAdmin(all);
});
after(async () => {
	names.close();
	await stack.stop();
});

const sql = (text) => stack.sql(text, 'catalog');
const adopt = (tenant, url, from = gate) => from.admin.post(`/admin/tenants/${tenant}/adopt`, { url });
const row = async (tenant) => (await sql(`select state, project_id is not null, provider from tenants
	where tenant_id = '${tenant}'`))[0];
const FREE = ['failed', 'f', 'neon'], HAS = ['failed', 't', 'url'];

async function victim() {
	const port = await freePort();
	const from = await stack.tenantgate({ ...all, admin_listen_port: port });
	from.admin = new Client(`http://127.0.0.1:${port}`, { authorization: `Bearer ${gate.adminKey}` });
	return from;
}

async function kill(from) {
	from.program.kill('SIGKILL');
	await from.program.exit;
}

// The catalog's writes of the tenant that fulfil the condition wait; what waits is undone.
async function holdRow(tenant, table, condition) {
	await sql(`create or replace function halt() returns trigger language plpgsql as 'begin
			perform pg_advisory_xact_lock_shared(80); return new; end';
		create trigger halt before update on ${table} for each row
			when (new.tenant_id = '${tenant}' and ${condition}) execute function halt()`);
	const holder = stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url('catalog'), '-c',
		'select pg_advisory_lock(80)', '-c', 'select pg_sleep(100000) as hold_row']);
	const locks = (granted) => sql(`select pid from pg_locks where locktype = 'advisory'
		and objid = 80 and granted = ${granted}`);
	await until('the lock is held', async () => (await locks(true)).length === 1);
	return {
		waits: () => until('the row waits', async () => (await locks(false)).length > 0),
		release: async () => {
			await sql(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
				and objid = 80 and not granted`);
			await sql(`select pg_terminate_backend(pid) from pg_stat_activity
				where query like '%hold\\_row' and pid <> pg_backend_pid()`);
			await holder.exit;
			await sql(`drop trigger halt on ${table}`);
		},
	};
}

// The tenant's row has the database's address, and the process is dead before the mark is written.
async function unmarked(tenant, db) {
	const d = await database(stack, db);
	await markTable(stack, db);
	const held = await holdMark(stack, db);
	const from = await victim();
	const cut = adopt(tenant, d.url(), from).catch(() => 'cut');
	await held.waits();
	await kill(from);
	assert.equal(await cut, 'cut');
	await stack.sql(`select pg_terminate_backend(pid) from pg_locks
		where relation = 'tenantgate_owner'::regclass and not granted`, db);
	await held.release();
	assert.deepEqual([await row(tenant), await mark(stack, db)], [HAS, []]);
	return d;
}

test('killed between row and mark: the same request again ends it', async () => {
	const d = await unmarked('k-again', 'pond');
	const again = await adopt('k-again', d.url());
	assert.deepEqual([again.status, again.json.again], [200, true], again.body);
	assert.deepEqual(await mark(stack, 'pond'), ['test/k-again']);
	refused(await adopt('k-else', d.url('localhost')), 409, 'conflict', /tenant k-again's/);
	await works(gate, 'k-again');
});

test('killed between row and mark: the tenant\'s first contact ends it', async () => {
	const d = await unmarked('k-comes', 'lake');
	await works(gate, 'k-comes');
	assert.deepEqual(await mark(stack, 'lake'), ['test/k-comes']);
	refused(await adopt('k-else', d.url('localhost')), 409, 'conflict', /tenant k-comes's/);
});

test('killed between row and mark: another may have it, and then the first one has none', async () => {
	const d = await unmarked('k-first', 'mere');
	refused(await adopt('k-other', d.url()), 409, 'conflict', /another tenant's: k-first/);
	assert.equal((await adopt('k-other', d.url('localhost'))).status, 200);
	await works(gate, 'k-other');
	const got = await (await gate.tenant('k-first')).search('word');
	assert.deepEqual([got.status, got.json.code], [502, 'database_failed'], got.body);
	refused(await adopt('k-first', d.url()), 409, 'conflict', /k-other/);
	assert.deepEqual([await row('k-first'), await mark(stack, 'mere')], [FREE, ['test/k-other']]);
	await works(gate, 'k-first');
	assert.deepEqual(await stack.sql('select id from document', 'mere'), [['k-other']]);
});

test('killed before what it wrote is undone: the same request again undoes it', async () => {
	const d = await database(stack, 'tarn');
	await markTable(stack, 'tarn');
	const held = await holdMark(stack, 'tarn',
		"insert into tenantgate_owner values (true, 'test', 'k-won', 'first')");
	const from = await victim();
	const winning = adopt('k-won', d.url('localhost'));
	await held.waits(1);
	const cut = adopt('k-lost', d.url(), from).catch(() => 'cut');
	await held.waits(2);
	const undoing = await holdRow('k-lost', 'tenants', 'new.project_id is null');
	await held.release();
	assert.equal((await winning).status, 200);
	await undoing.waits();
	await kill(from);
	assert.equal(await cut, 'cut');
	await undoing.release();
	assert.deepEqual([await row('k-lost'), await mark(stack, 'tarn')], [HAS, ['test/k-won']]);
	refused(await adopt('k-lost', d.url()), 409, 'conflict', /tenant k-won's/);
	assert.deepEqual(await row('k-lost'), FREE);
	await works(gate, 'k-lost');
	await works(gate, 'k-won');
	assert.deepEqual(await stack.sql('select id from document', 'tarn'), [['k-won']]);
});

async function endsAlone(tenant) {
	await until('the deletion is over', async () => {
		const { json } = await gate.admin.get(`/admin/tenants/${tenant}/receipt`);
		return json.state === 'deleted' || json.finishedAt;
	});
}

for (const [step, tenant, hold] of [
	['before the mark is gone', 'k-marked', (d) => holdMark(stack, d.db)],
	['after it is gone', 'k-gone', () => holdRow('k-gone', 'tenant_receipts',
		'new.database_deleted_at is not null')],
]) {
	test(`a deletion that is killed ${step}: another replica ends it, and the database is free`, async () => {
		const d = await database(stack, tenant.replace('-', '_'));
		const from = await victim();
		assert.equal((await adopt(tenant, d.url())).status, 200);
		await works(gate, tenant);
		const held = await hold(d);
		const cut = from.admin.ask('DELETE', `/admin/tenants/${tenant}`).catch(() => 'cut');
		await held.waits();
		await kill(from);
		await cut;
		await held.release();
		await endsAlone(tenant);
		assert.deepEqual(await mark(stack, d.db), []);
		const next = `${tenant}-next`;
		assert.equal((await adopt(next, d.url('localhost'))).status, 200);
		await works(gate, next);
		assert.deepEqual(await mark(stack, d.db), [`test/${next}`]);
	});
}
