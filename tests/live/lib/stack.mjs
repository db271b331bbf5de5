// SPDX-License-Identifier: MIT
// The whole system on loopback: a private Postgres, a Redis, the two stand-ins and tenantgate, each
// on a free port, all files in one folder. A stack starts only what a test asks of it.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync,
	renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from './client.mjs';
import { freePort, Program, startServer, until } from './process.mjs';
import { scramVerifier } from './scram.mjs';

const run = promisify(execFile);

const NOGROUP = 65534;	// of the user nobody
// Of the superuser's password, who logs in some thousand times. As many as Postgres makes itself, and
// tenants' roles have, cost a sanitized client 16 ms of its processor: tests/live/run asks for fewer.
const ROUNDS = Number(process.env.TG_PG_ROUNDS ?? 4096);

export const source = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const build = resolve(process.env.TG_BUILD ?? '.');
export const sample = join(source, 'contrib/sample/field-guide.pdf');

// A program of the build tree: the first of the places where it may be.
export function built(...places) {
	const found = places.map((p) => join(build, p)).find((p) => existsSync(p));
	if (!found)
		throw new Error(`not built in ${build}: ${places.join(' or ')}`);
	return found;
}

export const programs = {
	tenantgate: () => built('src/tenantgate', 'tenantgate'),
	ctl: () => built('tenantgatectl'),
	extract: () => built('tenantgate-extract', 'src/tenantgate-extract'),
	neonApi: () => built('contrib/devstack/neon-api'),
	modelApi: () => built('contrib/devstack/model-api'),
};

const live = process.env.TG_LIVE_FOLDER ??
	join(process.env.TENANTGATE_STATE ?? join(source, '.state'), 'live');

// What initdb makes takes seconds, and is the same for each test: made once, and copied. By the
// script that makes it and the servers that there are, so that it is never an old one's.
async function clusterTemplate() {
	const script = join(source, 'contrib/devstack/postgres.sh');
	const servers = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
	const made = join(live, `cluster-${createHash('sha256').update(readFileSync(script))
		.update([ROUNDS, ...servers].join()).digest('hex').slice(0, 16)}`);
	if (existsSync(made))
		return made;
	const making = mkdtempSync(join(live, 'making-'));
	chmodSync(making, 0o755);
	const password = randomBytes(12).toString('hex');
	await run(script, [join(making, 'pg'), '0'], { env: { ...process.env,
		TG_PG_PASSWORD: scramVerifier(password, ROUNDS) } });
	writeFileSync(join(making, 'password'), password);
	try {
		renameSync(making, made);
	} catch (error) {
		if (!existsSync(made))
			throw error;
		rmSync(making, { recursive: true });	// another test's was there first
	}
	return made;
}

// The cluster's folder; its superuser's password.
async function makeCluster(dir) {
	const template = await clusterTemplate();
	await run('cp', ['-a', join(template, 'pg'), dir]);
	return readFileSync(join(template, 'password'), 'utf8');
}

export class Stack {
	constructor(name) {
		mkdirSync(live, { recursive: true });
		this.dir = mkdtempSync(join(live, `${name}-`));
		chmodSync(this.dir, 0o755);
		this.started = [];
		this.serial = 0;
	}

	program(name, command, args, options = {}) {
		const log = join(this.dir, `${name}-${++this.serial}.log`);
		const program = new Program(name, command, args, { log, ...options });
		this.started.push(program);
		return program;
	}

	// Everything this stack started ends, the newest first; the folder goes, unless kept.
	async stop() {
		const errors = [];
		for (const program of this.started.reverse()) {
			const hurry = program.name === 'postgres' ? 'SIGINT' : 'SIGTERM';
			await program.stop(hurry).catch((error) => errors.push(error));
		}
		this.started = [];
		if (process.env.TG_KEEP !== '1')
			await run('rm', ['-rf', this.dir]);	// ten times as quick as rmSync()
		if (errors.length > 0)
			throw errors[0];
	}

	// settings: 'name=value', without blanks. name: of the folder, and of the stack's member; one
	// that was stopped starts again where it was.
	async postgres(settings = [], name = 'pg') {
		const password = this[name]?.password ?? await makeCluster(join(this.dir, name));
		const start = (port) => this.program('postgres',
			join(source, 'contrib/devstack/postgres.sh'), [join(this.dir, name), String(port),
				'fsync=off', 'full_page_writes=off', ...settings],
			{ env: { TG_PG_PASSWORD: password } });
		const { program, port } = await startServer(start,
			/LOG: .* ready to accept connections/, { fixed: this[name]?.port });
		this[name] = { program, port, password,
			conninfo: `host=127.0.0.1 port=${port} dbname=postgres user=postgres ` +
				`password=${password}`,
			url: (db) => `postgresql://postgres:${password}@127.0.0.1:${port}/${db}` };
		return this[name];
	}

	// Rows of text fields, without newlines; a row of one empty field is a row.
	async sql(text, db = 'postgres') {
		const { stdout } = await run('psql', ['-X', '-A', '-t', '-q', '-F', '\t', '-v',
			'ON_ERROR_STOP=1', '-d', this.pg.url(db), '-c', text], { maxBuffer: 64 << 20 });
		return stdout.split('\n').slice(0, -1).map((line) => line.split('\t'));
	}

	// In front of the stack's Postgres, one server connection being shared by transactions.
	// changes: of its settings; pool_mode for instance. database: more of every database's.
	async pgbouncer(changes = {}, database = '') {
		const ini = join(this.dir, `pgbouncer-${++this.serial}.ini`);
		const users = `${ini}.users`;
		writeFileSync(users, `"postgres" "${this.pg.password}"\n`, { mode: 0o644 });
		const { program, port } = await startServer((listen_port) => {
			const settings = { listen_addr: '127.0.0.1', listen_port, unix_socket_dir: '',
				auth_type: 'plain', auth_file: '/proc/self/fd/8', pool_mode: 'transaction',
				...changes };
			const lines = Object.entries(settings).map(([k, v]) => `${k} = ${v}\n`);
			writeFileSync(ini, `[databases]\n* = host=127.0.0.1 port=${this.pg.port} ` +
				`${database}\n[pgbouncer]\n${lines.join('')}`, { mode: 0o644 });
			return this.program('pgbouncer', join(source, 'tests/live/lib/pgbouncer.sh'),
				[ini, users]);
		}, /process up/);
		return { program, port,
			url: (db, user = 'postgres', password = this.pg.password) =>
				`postgresql://${user}:${password}@127.0.0.1:${port}/${db}` };
	}

	// A hot standby of the stack's Postgres.
	async standby() {
		const dir = join(this.dir, 'standby');
		await this.sql("copy (select 'host replication all 127.0.0.1/32 scram-sha-256') to program " +
			"'cat >>pg_hba.conf'");
		await this.sql('select pg_reload_conf()');
		await run(join(source, 'tests/live/lib/standby.sh'), [dir, this.pg.conninfo.replace(
			'dbname=postgres', 'dbname=replication')]);
		const { program, port } = await startServer((at) => this.program('postgres',
			join(source, 'contrib/devstack/postgres.sh'), [dir, String(at), 'fsync=off'],
			{ env: { TG_PG_PASSWORD: this.pg.password } }), /ready to accept read-only connections/);
		return { program, port,
			url: (db) => `postgresql://postgres:${this.pg.password}@127.0.0.1:${port}/${db}` };
	}

	// args: further words of redis-server's command line.
	async redis(args = []) {
		const { program, port } = await startServer((at) => this.program('redis', 'redis-server',
			['--port', String(at), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
				'--dir', this.dir, ...args]),
		/Ready to accept connections/i, { fixed: this.redisPort });
		this.redisPort = port;
		this.cache = { program, port, url: `redis://127.0.0.1:${port}` };
		return this.cache;
	}

	async standIn(name, command, args) {
		const { program, port } = await startServer((at) => this.program(name, command,
			['--listen', `127.0.0.1:${at}`, ...args]), /listening on 127\.0\.0\.1:/);
		return { program, port, url: `http://127.0.0.1:${port}`,
			client: new Client(`http://127.0.0.1:${port}`) };
	}

	async neonApi(args = []) {
		this.neonKey = 'napi-test-key';
		this.neon = await this.standIn('neon-api', programs.neonApi(), ['--admin-url',
			this.pg.url('postgres'), '--api-key', this.neonKey, ...args]);
		return this.neon;
	}

	async modelApi(args = []) {
		this.model = await this.standIn('model-api', programs.modelApi(), args);
		return this.model;
	}

	// How the model's stand-in misbehaves from now on; nothing given: not at all.
	async knobs(values = {}) {
		const answer = await this.model.client.post('/_knobs', { reset: true, ...values });
		if (answer.status !== 200)
			throw new Error(`knobs: ${answer.status} ${answer.body}`);
	}

	// The same for the stand-in of Neon's API (neon-api-knobs.c).
	async neonKnobs(values = {}) {
		const answer = await this.neon.client.post('/_knobs', { delay_ms: 0, delay_route: '',
			lose_next_reply: 0, fail_next: [], unavailable: [], calls_per_minute: 0,
			route_per_second: 0, projects_max: 0, cu_max: 0, suspend_min: 0, change_ms: 0,
			limit_retry_after: -1, operation_ms: 400,
			operation_spread_ms: 0, ...values });
		if (answer.status !== 200)
			throw new Error(`knobs: ${answer.status} ${answer.body}`);
	}

	// A tenant's projects, as Neon's own list has them; name: without the digest at its end, which
	// those of the first releases do not have.
	async projects(name) {
		const answer = await this.neon.client.get(`/api/v2/projects?limit=400&search=${name}`,
			{ headers: { authorization: `Bearer ${this.neonKey}` } });
		return answer.json.projects.filter((p) => p.name === name ||
			(p.name.startsWith(`${name}-`) && /^[0-9a-f]{24}$/.test(p.name.slice(name.length + 1))));
	}

	async modelStats() {
		return (await this.model.client.get('/_stats')).json;
	}

	// Everything but tenantgate.
	async surroundings({ redis = true, neon = true, postgres = [] } = {}) {
		await this.postgres(postgres);
		await Promise.all([
			redis ? this.redis() : null,
			neon ? this.neonApi() : null,
			this.modelApi(),
			this.sql('create database catalog'),
		]);
		return this;
	}

	settings(changes = {}) {
		const settings = {
			listen_addr: '127.0.0.1', listen_port: 0, workers: 2, log_level: 'info',
			user: process.getuid() === 0 ? 'nobody' : '',
			catalog_url: this.pg.url('catalog'),
			seal_keys: this.sealKey ??= randomBytes(32).toString('hex'),
			redis_url: this.cache ? this.cache.url : '',
			environment: 'test',
			model_url: `${this.model.url}/v1`, model_api_key: 'sk-test',
			model_retries: 0,
			extract_program: programs.extract(),
			shutdown_timeout: '10s',
		};
		if (this.neon)
			Object.assign(settings, { provider: 'neon', neon_api_url: `${this.neon.url}/api/v2`,
				neon_api_key: this.neonKey, neon_sslmode: 'disable',
				neon_requests_per_second: 1000, neon_burst: 1000 });
		else
			Object.assign(settings, { provider: 'postgres',
				postgres_admin_url: this.pg.url('postgres') });
		return { ...settings, ...changes };
	}

	// A value that is an object is a section: { 'model east': { url } }.
	conf(changes = {}) {
		const path = join(this.dir, `tenantgate-${++this.serial}.conf`);
		const all = Object.entries(this.settings(changes));
		const lines = (pairs) => pairs.map(([k, v]) => `${k} = ${v}\n`).join('');
		const isSection = ([, value]) => typeof value === 'object';
		const sections = all.filter(isSection)
			.map(([name, keys]) => `[${name}]\n${lines(Object.entries(keys))}`);
		writeFileSync(path, `[tenantgate]\n${lines(all.filter((pair) => !isSection(pair)))}` +
			sections.join(''), { mode: 0o640 });
		if (process.getuid() === 0)
			chownSync(path, 0, NOGROUP);	// a reload reads it as the user
		return path;
	}

	// One tenantgate, ready to serve; `wait: false` only listening. env: added to its environment.
	async tenantgate(changes = {}, { wait = true, env = {} } = {}) {
		const path = this.conf(changes);
		const program = this.program('tenantgate', programs.tenantgate(), ['-c', path], { env });
		const [, port] = await program.says(/Listening on [^ ]+:(\d+) with/);
		const gate = new Gate(program, Number(port), path, env);
		if (wait)
			await until('tenantgate is ready', async () => {
				if (program.ended)
					throw new Error(`tenantgate ended\n${program.tail()}`);
				return (await gate.anonymous.get('/readyz').catch(() => null))?.status === 200;
			}).catch((error) => {
				throw new Error(`${error.message}\n${program.tail()}`);
			});
		this.gate = gate;
		return gate;
	}

	// The same with an admin door: gate.admin is a client of it, with an admin key.
	async tenantgateWithAdmin(changes = {}, options = {}) {
		const port = await freePort();
		const gate = await this.tenantgate({ admin_listen_port: port, ...changes }, options);
		gate.adminUrl = `http://127.0.0.1:${port}`;
		gate.adminKey = await gate.key('--admin');
		gate.admin = new Client(gate.adminUrl, { authorization: `Bearer ${gate.adminKey}` });
		return gate;
	}
}

export class Gate {
	constructor(program, port, path, env = {}) {
		this.program = program;
		this.env = env;
		this.port = port;
		this.path = path;
		this.url = `http://127.0.0.1:${port}`;
		this.anonymous = new Client(this.url);
	}

	// A key's text; kind: '--service', '--admin', or '--tenant' and its id.
	async key(...kind) {
		const { stdout } = await run(programs.tenantgate(), ['-c', this.path, 'key', 'create',
			...kind], { env: { ...process.env, ...this.env } });
		return stdout.trim();
	}

	// A service key: it may act for any tenant.
	async service() {
		this.serviceKey ??= await this.key('--service');
		return this.serviceKey;
	}

	async tenant(id) {
		return new Client(this.url, { authorization: `Bearer ${await this.service()}`,
			'x-tenant-id': id });
	}

	// The log's JSON lines (access log and events).
	lines() {
		return this.program.text().split('\n').filter((line) => line.startsWith('{'))
			.map((line) => JSON.parse(line));
	}
}
