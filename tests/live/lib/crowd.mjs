// SPDX-License-Identifier: MIT
// What the tests of fairness share: crowds of clients, a lock on a tenant's table, and what is
// counted instead of timed: logins in Postgres' own log, long turns in tenantgate's.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { sleep, until } from './process.mjs';

// For stack.surroundings(): Postgres says in its log who logs in where.
export const LOG_LOGINS = ['log_connections=on'];

// That many clients, each of which calls again as soon as it is answered; call(number of the client)
// resolves to a response. stop() lets each finish its last: { 200: how many, ... }.
export function crowd(clients, call) {
	const seen = {};
	let going = true;
	const loops = Array.from({ length: clients }, async (_, i) => {
		while (going) {
			const outcome = await call(i).then((a) => a.status, (e) => e.message);
			seen[outcome] = (seen[outcome] ?? 0) + 1;
		}
	});
	return { seen, count: () => Object.values(seen).reduce((a, b) => a + b, 0),
		async stop() {
			going = false;
			await Promise.all(loops);
			return seen;
		} };
}

// call(signal), which is given up after so many ms; when it is over, the signal is raised too.
export async function within(ms, call) {
	const leave = new AbortController();
	const timer = setTimeout(() => leave.abort(), ms);
	try {
		return await call(leave.signal);
	} finally {
		clearTimeout(timer);
		leave.abort();
	}
}

// Sorted milliseconds of n calls, one after the other, `pause` ms apart; all must be answered 200.
export async function timesOf(n, call, pause = 0) {
	const times = [];
	for (let i = 0; i < n; i++) {
		const start = performance.now();
		const answer = await call(i);
		times.push(performance.now() - start);
		if (answer.status >= 300)
			throw new Error(`answer ${i + 1} of ${n}: ${answer.status} ${answer.body}`);
		if (pause)
			await sleep(pause);
	}
	return times.sort((a, b) => a - b);
}

export const mean = (numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

// Text fixed by a seed: a generator of numbers in [0, 1).
export function random(seed) {
	return () => {
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
}

// Which of n is asked next, the first most often (exponent 1).
export function zipf(n, draw) {
	const sums = [];
	let sum = 0;
	for (let i = 0; i < n; i++)
		sums.push(sum += 1 / (i + 1));
	return () => {
		const at = draw() * sum;
		let low = 0, high = n - 1;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (sums[middle] > at)
				high = middle;
			else
				low = middle + 1;
		}
		return low;
	};
}

// Logins that a cache of so many connections needs when the one used longest ago is closed.
export function lruLogins(sequence, capacity) {
	const cached = new Map();
	let logins = 0;
	for (const who of sequence) {
		if (!cached.delete(who)) {
			logins++;
			if (cached.size === capacity)
				cached.delete(cached.keys().next().value);
		}
		cached.set(who, true);
	}
	return logins;
}

// The databases of tenants: { tenant: name }. Their roles have the same names.
export async function databases(stack) {
	return Object.fromEntries(await stack.sql('select tenant_id, db_name from tenants', 'catalog'));
}

// What Postgres has logged since this moment.
export function loginsFrom(stack) {
	const start = stack.pg.program.text().length;
	const count = (pattern) => (stack.pg.program.text().slice(start).match(pattern) ?? []).length;
	return {
		to: (database) => count(new RegExp(`connection authorized: user=\\S+ database=${database}\\b`,
			'g')),
		denied: (role) => count(new RegExp(`password authentication failed for user "${role}"`,
			'g')),
		// 53300: of the server, a database or a role
		full: () => count(/FATAL: {2}(sorry, too many|too many connections|remaining connection)/g),
		perDatabase() {
			const found = {};
			for (const [, database] of stack.pg.program.text().slice(start)
				.matchAll(/connection authorized: user=\S+ database=(\S+)/g))
				found[database] = (found[database] ?? 0) + 1;
			return found;
		},
	};
}

// An exclusive lock on a tenant's tables, in a session of its own, until release().
export async function lockTables(stack, database) {
	const program = stack.program('lock', 'psql', ['-X', '-q', '-d', stack.pg.url(database), '-c',
		'begin; lock table public.document, public.chunk in access exclusive mode; ' +
		"select pg_sleep(100000)"]);
	await until('the tables are locked', async () => (await stack.sql('select 1 from pg_locks l ' +
		`join pg_database d on d.oid = l.database where d.datname = '${database}' and ` +
		"l.mode = 'AccessExclusiveLock' and l.granted and l.locktype = 'relation'")).length >= 2,
	20000);
	return {
		async release() {
			await stack.sql('select pg_terminate_backend(pid) from pg_stat_activity where ' +
				`datname = '${database}' and query like 'begin; lock table%'`);
			await program.exit;
		},
	};
}

// Server sessions of tenants, by state, as Postgres sees them.
export async function sessions(stack, database) {
	const where = database ? `datname = '${database}'` : "datname like 'tg\\_%'";
	const [[count]] = await stack.sql('select count(*) from pg_stat_activity where ' +
		`${where} and backend_type = 'client backend' and application_name <> 'psql'`);
	return Number(count);
}

export const longTurns = (gate) => gate.lines().filter((line) => line.event === 'worker.long_turn');

const ticks = Number(execFileSync('getconf', ['CLK_TCK']));

// Milliseconds of CPU that the workers' threads have used, helpers' threads apart.
export function workersCpu(gate) {
	const { pid } = gate.program;
	let sum = 0;
	for (const tid of readdirSync(`/proc/${pid}/task`)) {
		if (!/^worker/.test(readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8')))
			continue;
		try {
			sum += Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8')
				.split(' ')[0]) / 1e6;
		} catch {
			const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8');
			const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
			sum += (Number(fields[11]) + Number(fields[12])) * 1000 / ticks;
		}
	}
	return sum;
}
