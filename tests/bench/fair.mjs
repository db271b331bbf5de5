// SPDX-License-Identifier: MIT
// The program behind tests/bench/fair; its parts are in fair-parts.mjs.
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LOG_LOGINS } from '../live/lib/crowd.mjs';
import { sleep } from '../live/lib/process.mjs';
import { Stack } from '../live/lib/stack.mjs';
import { Part } from './fair-report.mjs';
import { parts } from './fair-parts.mjs';
import { furnishTenants, LoginCounter, SessionSampler } from './fair-tenants.mjs';
import { machine } from './report.mjs';

const TENANTS = 300;
const MAX_CONNECTIONS = 500;
const loader = join(dirname(fileURLToPath(import.meta.url)), 'fair-load.mjs');
const began = Date.now();

function say(text, { over = false } = {}) {
	const line = `[${String(Math.round((Date.now() - began) / 1000)).padStart(4)}s] ${text}`;
	if (process.stderr.isTTY)
		process.stderr.write(over ? `\r${line}\x1b[K` : `\r${line}\x1b[K\n`);
	else if (!over)
		process.stderr.write(`${line}\n`);
}

// One process of clients: see fair-load.mjs.
class Load {
	constructor(spec) {
		this.child = fork(loader, [], { stdio: 'inherit' });
		this.child.send({ spec });
		this.figures = new Promise((resolve, reject) => {
			this.child.on('message', (m) => m.figures && resolve(m.figures));
			this.child.on('exit', (code) => reject(new Error(`the load ended: ${code}`)));
		});
		this.figures.catch(() => {});
	}

	mark() {
		this.child.send('mark');
	}

	end() {
		this.child.send('end');
		return this.figures;
	}
}

// What a part is given: the gate as it wants it, loads, and the counters.
class Bench {
	constructor(stack, quick) {
		Object.assign(this, { stack, quick, say, sleep, tenants: TENANTS, loads: [] });
	}

	async start(settings) {
		if (this.gate)
			await this.gate.program.stop('SIGTERM', 40000);
		this.gate = await this.stack.tenantgate({ access_log: 'off', log_level: 'notice',
			rate_limit_requests_per_minute: 0, query_wait_timeout: '10s', max_waiting: 100000,
			max_client_conn: 15000, shutdown_timeout: '2s', ...settings });
		this.gate.serviceKey = this.key ??= await this.gate.service();
		return this.gate;
	}

	load(groups, gate = this.gate) {
		const load = new Load({ port: gate.port, key: this.key, seed: 6, groups });
		this.loads.push(load);
		return load;
	}

	get seconds() {
		return this.quick ? 5 : 20;
	}

	// Names of tenants from..from+n-1.
	names(from, n) {
		return Array.from({ length: n }, (_, i) => `t${from + i}`);
	}

	async database(tenant) {
		const [[name]] = await this.stack.sql('select db_name from tenants where tenant_id = ' +
			`'${tenant}'`, 'catalog');
		return name;
	}

	// Runs `noise` groups and beside them, in a process of its own, `quiet` ones; for some seconds
	// after `warm` more of them. { quiet, noise, logins, refused, sessions }.
	async beside(noise, quiet, { warm = 3, seconds = this.seconds } = {}) {
		const loud = Object.keys(noise).length > 0 ? this.load(noise) : null;
		await this.sleep(1000);
		const calm = this.load(quiet);
		await this.sleep(warm * 1000);
		this.logins.count();
		const sampler = new SessionSampler(this.stack);
		loud?.mark();
		calm.mark();
		await this.sleep(seconds * 1000);
		const figures = { quiet: await calm.end(), noise: loud ? await loud.end() : {},
			sessions: await sampler.stop() };
		return { ...figures, ...this.logins.count() };
	}
}

function options() {
	const { values, positionals } = parseArgs({ allowPositionals: true, options: {
		quick: { type: 'boolean' }, check: { type: 'boolean' }, json: { type: 'string' } } });
	for (const name of positionals)
		if (!parts[name])
			throw new Error(`There is no part "${name}"; there are ${Object.keys(parts).join(' ')}.`);
	return { ...values, names: positionals.length > 0 ? positionals : Object.keys(parts) };
}

async function prepare(bench, tenants) {
	const { stack } = bench;
	await stack.surroundings({ neon: false, postgres: [...LOG_LOGINS, 'autovacuum=off',
		`max_connections=${MAX_CONNECTIONS}`] });
	bench.logins = new LoginCounter(stack);
	const gate = await bench.start({ default_pool_size: 1 });
	say(`making ${tenants} tenants`);
	await furnishTenants(gate, tenants, (n) => say(`${n} of ${tenants} tenants`, { over: true }));
	say(`${tenants} tenants are there`);
}

async function runPart(bench, name) {
	const part = new Part(parts[name].title);
	say(part.title);
	try {
		await parts[name].run(bench, part);
	} catch (error) {
		part.note(`broken off: ${error.message.split('\n')[0]}`);
		part.target('the part was measured', NaN, 0);
	} finally {
		for (const load of bench.loads.splice(0))
			load.child.kill('SIGKILL');
		await parts[name].clean?.(bench);
	}
	part.print();
	return part;
}

async function main({ names, quick, check, json }) {
	const stack = new Stack('fair');
	const report = { date: new Date().toISOString(), machine: machine(), quick: !!quick, parts: [] };
	const m = report.machine;
	console.log(`${report.date}  ${m.cpu}, ${m.cores} cores, ${m.memory_gib} GiB, ${m.system}, ` +
		`Linux ${m.kernel}, load ${m.load.toFixed(2)} at the start${quick ? ', quick' : ''}`);
	try {
		const bench = new Bench(stack, quick);
		await prepare(bench, Math.max(...names.map((name) => parts[name].tenants ?? TENANTS)));
		for (const name of names)
			report.parts.push(await runPart(bench, name));
	} finally {
		say('clearing up');
		await stack.gate?.program.stop('SIGTERM', 40000);
		await stack.pg?.program.stop('SIGQUIT');	// at once: nothing of it is kept
		await stack.stop();
		say('done');
	}
	const targets = report.parts.flatMap((part) => part.targets);
	const missed = targets.filter((target) => !target.met).length;
	console.log(`\n${targets.length - missed} targets met, ${missed} not met`);
	if (json)
		writeFileSync(json, `${JSON.stringify(report, null, '\t')}\n`);
	process.exitCode = check && missed > 0 ? 1 : 0;
}

try {
	await main(options());
} catch (error) {
	console.error(`fair: ${error.message}`);
	process.exitCode = 2;
}
