// SPDX-License-Identifier: MIT
// A process is held in the middle of what it does, so that it can be killed there: a statement on
// the catalog by a trigger that waits for a lock, a call of Neon by its stand-in. After the kill
// the statement is either done, its reply being lost, or undone.
import { until } from './process.mjs';

export class Holds {
	constructor(stack) {
		this.stack = stack;
		this.holders = [];
	}

	// Once the catalog has its schema.
	prepare() {
		return this.sql(`create function stays() returns trigger language plpgsql as $$ begin
			perform pg_advisory_xact_lock_shared(hashtext(new.tenant_id)); return new; end $$`);
	}

	end() {
		for (const holder of this.holders)
			holder.kill('SIGKILL');
	}

	sql(text) {
		return this.stack.sql(text, 'catalog');
	}

	// Statements that make this of the tenant's row in the table wait; let go with done() or undone().
	async statement(id, condition, { what = 'update', table = 'tenants' } = {}) {
		await this.sql(`create trigger stays_${id} before ${what} on ${table} for each row
			when (new.tenant_id = '${id}' and ${condition}) execute function stays()`);
		const holder = this.stack.program('holder', 'psql', ['-X', '-q', '-d',
			this.stack.pg.url('catalog'), '-c', `select pg_advisory_lock(hashtext('${id}'))`,
			'-c', `select pg_sleep(100000) as ${id}`]);
		this.holders.push(holder);
		const locks = `from pg_locks where locktype = 'advisory' and
			objid = hashtext('${id}')::bigint & 4294967295`;
		const count = async (where) =>
			Number((await this.sql(`select count(*) ${locks} and ${where}`))[0][0]);
		await until('the lock is held', async () => await count('granted') === 1);
		const done = async () => {
			await this.sql(`select pg_terminate_backend(pid) from pg_stat_activity
				where query = 'select pg_sleep(100000) as ${id}'`);
			// Locked first: DROP TRIGGER comes to its lock by a weaker one, so two would deadlock.
			await this.sql(`begin; lock table ${table} in access exclusive mode;
				drop trigger stays_${id} on ${table}; commit`);
		};
		const undone = async () => {
			const pids = (await this.sql(`select pid, pg_terminate_backend(pid) ${locks}
				and not granted`)).map(([pid]) => pid).join();
			// None: its own deadline has cancelled it.
			await until('it is undone', async () => (await this.sql(`select 1 from
				pg_stat_activity where pid = any ('{${pids}}'::int[])`)).length === 0);
			await done();
		};
		return { done, undone,
			waits: () => until('the statement waits', async () => await count('not granted') > 0) };
	}

	// A call of the stand-in of Neon is held until done(), which sets its knobs.
	async call(route, knobs = {}) {
		const stats = async () => (await this.stack.neon.client.get('/_stats')).json;
		const { requests: before } = await stats();
		await this.stack.neonKnobs({ ...knobs, delay_ms: 600000, delay_route: route });
		return {
			waits: () => until('Neon is asked', async () =>
				((await stats()).requests[route] ?? 0) > (before[route] ?? 0)),
			done: () => this.stack.neonKnobs(knobs),
		};
	}

	// The victim is told to, held, killed, and what held it let go.
	async kill(gate, request, held, how) {
		const asked = request(gate).catch(() => null);
		await held.waits();
		gate.program.kill('SIGKILL');
		await gate.program.exit;
		await asked;
		await held[how]();
	}
}
