// SPDX-License-Identifier: MIT
// POST /admin/reseal: what another key has sealed is sealed with the first one, told as it goes;
// killed between any two batches, the same again does the rest.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('reseal');
const key = () => randomBytes(32).toString('hex');
const [OLD, NEW] = [key(), key()];
const ROWS = 120;
let gate;

// As base/seal.h says it.
const keyId = (hex) => createHash('sha256').update(Buffer.from(hex, 'hex')).digest().subarray(0, 4);
function seal(hex, text, context) {
	const nonce = randomBytes(12);
	const cipher = createCipheriv('aes-256-gcm', Buffer.from(hex, 'hex'), nonce);
	cipher.setAAD(Buffer.from(context));
	const box = Buffer.concat([cipher.update(text), cipher.final()]);
	return 'tgs1.' + Buffer.concat([keyId(hex), nonce, box, cipher.getAuthTag()]).toString('base64url');
}
function open(hex, sealed, context) {
	const raw = Buffer.from(sealed.slice(5), 'base64url');
	assert.deepEqual(raw.subarray(0, 4), keyId(hex));
	const decipher = createDecipheriv('aes-256-gcm', Buffer.from(hex, 'hex'), raw.subarray(4, 16));
	decipher.setAAD(Buffer.from(context));
	decipher.setAuthTag(raw.subarray(-16));
	return decipher.update(raw.subarray(16, -16)).toString() + decipher.final().toString();
}

const ours = (text) => stack.sql(text, 'catalog');
const another = () => stack.tenantgateWithAdmin({ seal_keys: `${NEW},${OLD}` });
const left = async () => Number((await ours(`select count(*) from tenants where
	left(db_password_sealed, 10) <> '${('tgs1.' + keyId(NEW).toString('base64url')).slice(0, 10)}'`))[0][0]);

// Written an hour ago, by a replica that had the other key first: nobody seals them by himself.
async function fill() {
	const rows = Array.from({ length: ROWS }, (_, i) => `('t-${i}', 'neon', 'p', 'ready',
		'${seal(OLD, `password-${i}`, `tenant:t-${i}`)}', now() - interval '1 hour')`);
	await ours(`insert into users (user_id) select 't-' || i from generate_series(0, ${ROWS - 1}) i
		on conflict do nothing;
		insert into tenants (tenant_id, provider, project_name, state, db_password_sealed, updated_at)
		values ${rows.join()} on conflict (tenant_id) do update set
		db_password_sealed = excluded.db_password_sealed, updated_at = excluded.updated_at`);
}

async function reseal(from = gate, query = '') {
	const answer = await from.admin.ask('POST', `/admin/reseal${query}`,
		{ headers: { accept: 'application/x-ndjson' } });
	const lines = answer.body.trim().split('\n').map((line) => JSON.parse(line));
	return { ...answer, lines, last: lines.at(-1) };
}

before(async () => {
	await stack.surroundings({ neon: false });
	const first = await stack.tenantgate({ seal_keys: `${OLD},${NEW}` });
	await first.program.stop();
	gate = await another();
});
after(() => stack.stop());

test('counted, sealed and told, batch by batch; each opens with the new key, and is what it was',
	async () => {
		await fill();
		await ours("update tenants set db_password_sealed = left(db_password_sealed, -4) || 'AAAA' " +
			"where tenant_id = 't-7'");
		const dry = await reseal(gate, '?dryRun=true');
		assert.deepEqual(dry.last, { passwords: ROWS, toReseal: ROWS, resealed: 0, unopened: 0, done: true });
		assert.equal(await left(), ROWS);
		const run = await reseal();
		assert.equal(run.status, 200, run.body);
		assert.deepEqual(run.last, { passwords: ROWS, toReseal: ROWS, resealed: ROWS - 1, unopened: 1,
			done: true });
		assert.ok(run.lines.length >= 4, 'a line a batch');
		for (const [id, sealed] of await ours("select tenant_id, db_password_sealed from tenants where " +
			"tenant_id <> 't-7'"))
			assert.equal(open(NEW, sealed, `tenant:${id}`), `password-${id.slice(2)}`);
		const lines = gate.lines().filter((l) => l.event === 'admin.audit');
		assert.deepEqual(lines.map((l) => [l.action, l.after.resealed]), [['passwords.reseal', ROWS - 1]]);
		const again = await reseal();
		assert.deepEqual([again.last.resealed, again.last.unopened], [0, 1]);
	});

test('killed between any two of its writes: the same again does the rest', async () => {
	await fill();
	// The n-th batch waits, and the process is killed there.
	for (const at of [0, 1, 2]) {
		const victim = await another();
		await fill();
		await ours(`create or replace function halt() returns trigger language plpgsql as 'begin
			if new.tenant_id = (select tenant_id from tenants order by tenant_id offset ${at * 50 + 3}
			limit 1) then perform pg_advisory_lock(78); end if; return new; end';
			create or replace trigger halt before update on tenants for each row execute function halt()`);
		const hold = ours('select pg_advisory_lock(78), pg_sleep(60)').catch(() => {});
		const locks = (granted) => ours(`select 1 from pg_locks where locktype = 'advisory'
			and objid = 78 and granted = ${granted}`);
		await until('the lock is held', async () => (await locks(true)).length === 1);
		const cut = reseal(victim).catch(() => 'cut');
		await until('it waits there', async () => (await locks(false)).length === 1);
		victim.program.kill('SIGKILL');
		await victim.program.exit;
		assert.equal(await cut, 'cut');
		// Who waits first: else it would have the lock, and might end well before it is ended.
		const end = (granted) => ours(`select pg_terminate_backend(pid) from pg_locks where
			locktype = 'advisory' and objid = 78 and granted = ${granted}`);
		await end(false);
		await until('it is undone', async () => (await locks(false)).length === 0);
		await end(true);
		await hold;
		await ours('drop trigger halt on tenants');
		assert.equal(await left(), ROWS - at * 50, 'whole batches, and no more');
		const run = await reseal();
		assert.deepEqual([run.last.resealed, await left()], [ROWS - at * 50, 0]);
	}
});

test('a password that is changed while it is sealed anew is sealed anew too', async () => {
	await fill();
	const changed = seal(OLD, 'another password', 'tenant:t-60');
	const locks = (granted) => ours(`select 1 from pg_locks where locktype = 'advisory'
		and objid = 79 and granted = ${granted}`);
	const hold = ours('select pg_advisory_lock(79), pg_sleep(60)').catch(() => {});
	await until('the lock is held', async () => (await locks(true)).length === 1);
	const change = ours(`begin; update tenants set db_password_sealed = '${changed}'
		where tenant_id = 't-60'; select pg_advisory_lock(79); commit`);
	await until('the change waits', async () => (await locks(false)).length === 1);
	const run = reseal();
	await until('it waits for the row', async () => (await ours(`select 1 from pg_stat_activity
		where wait_event_type = 'Lock' and query like 'UPDATE public.tenants%'`)).length === 1);
	await ours(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
		and objid = 79 and granted`);
	await Promise.all([change, hold]);
	const { last } = await run;
	assert.deepEqual([last.done, last.resealed, last.unopened, await left()], [true, ROWS, 0, 0]);
	const [[sealed]] = await ours("select db_password_sealed from tenants where tenant_id = 't-60'");
	assert.equal(open(NEW, sealed, 'tenant:t-60'), 'another password');
});

test('a key that not all replicas can read seals nothing anew', async () => {
	await fill();
	await ours('delete from seal_readers');
	const refused = await reseal();
	assert.deepEqual([refused.status, refused.last.code], [409, 'conflict'], refused.body);
	assert.match(refused.last.detail, /readable by all replicas/);
	assert.equal(await left(), ROWS);
});
