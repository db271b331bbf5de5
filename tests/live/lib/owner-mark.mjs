// SPDX-License-Identifier: MIT
// Databases of nobody's that are adopted under several names, and the mark in them of whose they are.
import assert from 'node:assert/strict';
import { Names } from './names.mjs';
import { until } from './process.mjs';

// All lead to the stack's one server.
export const aliases = ['127.0.0.1', 'localhost', 'DB.Test', 'db.test.', '127.0.0.2', 'ep-x.test',
	'ep-x-pooler.test'];
export const listens = ['listen_addresses=127.0.0.1,127.0.0.2'];
export const settings = { allowed_networks: '127.0.0.0/8', server_connect_timeout: '2s' };

export async function aliasNames() {
	const names = await new Names().listen();
	for (const name of ['localhost', 'db.test', 'ep-x.test', 'ep-x-pooler.test', 'other.test'])
		names.addresses.set(name, '127.0.0.1');
	return names;
}

// A role may have several databases: what is asked of one role says nothing of another database.
export async function database(stack, db) {
	await stack.sql(`create role ${db} login password 'p-of-${db}'`);
	await stack.sql(`create database ${db} owner ${db}`);
	await stack.sql('create extension if not exists vector', db);
	return { db, url: (host = '127.0.0.1') => `postgresql://${db}:p-of-${db}@${host}:${stack.pg.port}/${db}` };
}

export const mark = async (stack, db) =>
	(await stack.sql('select environment, tenant_id from tenantgate_owner', db)).map((r) => r.join('/'));

// What is empty, but there: so that one can wait for its lock.
export const markTable = (stack, db, role = db) => stack.sql(`create table tenantgate_owner (
	one boolean primary key default true check (one), environment text not null,
	tenant_id text not null, token text not null, claimed_at timestamptz not null default now());
	alter table tenantgate_owner owner to ${role}`, db);

// Nobody writes a mark there, though all may read it, until it is released. change: what is done to it
// in that moment, before anybody who waits.
export async function holdMark(stack, db, change = 'select 1') {
	const psql = (...statements) => stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url(db),
		...statements.flatMap((text) => ['-c', text])]);
	psql('select pg_advisory_lock(81)', `select pg_sleep(100000) as hold_${db}`);
	await until('the holder is held', async () => (await stack.sql(`select 1 from pg_locks
		where locktype = 'advisory' and objid = 81 and granted`, db)).length === 1);
	const holder = psql(`begin; lock table tenantgate_owner in share mode;
		select pg_advisory_xact_lock(81); ${change}; commit`);
	const locks = async (granted) => Number((await stack.sql(`select count(*) from pg_locks
		where relation = 'tenantgate_owner'::regclass and granted = ${granted}
		and mode = '${granted ? 'ShareLock' : 'RowExclusiveLock'}'`, db))[0][0]);
	await until('the mark is held', async () => await locks(true) === 1);
	return {
		waits: (count = 1) => until(`${count} wait for the mark`, async () => await locks(false) === count),
		release: async () => {
			await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
				where query like '%hold\\_${db}' and pid <> pg_backend_pid()`);
			await holder.exit;
		},
	};
}

export const refused = (answer, status, code, says) => {
	assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.body);
	assert.match(answer.json.detail, says);
};

export async function works(gate, tenant) {
	const client = await gate.tenant(tenant);
	const stored = await client.ingestText(`Of ${tenant}.`, { documentId: tenant });
	assert.equal(stored.status, 201, stored.body);
	return client;
}

export async function deleted(gate, tenant) {
	assert.ok((await gate.admin.ask('DELETE', `/admin/tenants/${tenant}`)).status < 300);
	await until('the deletion is over', async () => {
		const { json } = await gate.admin.get(`/admin/tenants/${tenant}/receipt`);
		return json.state === 'deleted' || json.finishedAt;
	});
}
