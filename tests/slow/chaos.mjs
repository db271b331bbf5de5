// SPDX-License-Identifier: MIT
// Two replicas under a mixed load, while every part (they themselves, Redis, the catalog, the
// tenants' Postgres, the stand-ins of Neon and of the model) is killed or stopped at random. Then all
// are well again, and it must be so: what was acknowledged is there, whole; nobody saw another's
// words; every answer had a code, or an orderly end; a tenant has one project; nothing is left over.
//
//	CHAOS_SECONDS (600), CHAOS_SEED (1)
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { Client } from '../live/lib/client.mjs';
import { random } from '../live/lib/crowd.mjs';
import { freePort, until } from '../live/lib/process.mjs';
import { Gate, programs, Stack } from '../live/lib/stack.mjs';
import { ChaosLoad } from './chaos-load.mjs';
import { ChaosPart, hurtAtRandom } from './chaos-parts.mjs';

const seconds = Number(process.env.CHAOS_SECONDS ?? 600);
const seed = Number(process.env.CHAOS_SEED ?? 1);
const CLIENTS = 24, TENANTS = 12;
const stack = new Stack('chaos'), main = new Stack('chaos-catalog');
const parts = {}, gates = [], idle = {};
let load, serviceKey;

const began = Date.now();
const say = (text) => console.log(`# [${Math.round((Date.now() - began) / 1000)}s] ${text}`);

// The same port and password in each of its lives.
function keepPostgres(of, name) {
	const { port, password, program } = of.pg;
	return new ChaosPart(name, program, async () => {
		const next = of.program('postgres', program.child.spawnargs[0],
			program.child.spawnargs.slice(1), { env: { TG_PG_PASSWORD: password } });
		await next.says(/LOG: .* ready to accept connections/, 30000);
		assert.equal(of.pg.port, port);
		of.pg.program = next;
		return next;
	});
}

function standInPart(name, program, client, knobs) {
	const [command, ...args] = program.child.spawnargs;
	const at = args.indexOf('--listen');
	args[at + 1] = `127.0.0.1:${client.url.port}`;
	return new ChaosPart(name, program, async () => {
		const next = stack.program(name, command, args);
		await next.says(/listening on/);
		await knobs();
		return next;
	});
}

const isReady = async (gate) =>
	(await gate.anonymous.get('/readyz').catch(() => null))?.status === 200;

// Ready or not: the catalog may be ill at that moment.
async function startGate(path) {
	const program = stack.program('tenantgate', programs.tenantgate(), ['-c', path]);
	await program.says(/Listening on/);
	return program;
}

async function addGate(i) {
	const path = stack.conf({ listen_port: await freePort(), catalog_url: main.pg.url('catalog'),
		rate_limit_requests_per_minute: 0, default_pool_size: 8, access_log: 'off',
		query_wait_timeout: '5s', server_connect_timeout: '5s', server_login_retry: '1s',
		catalog_query_timeout: '2s', provision_wait: '10s', redis_timeout: '300ms' });
	const program = await startGate(path);
	const port = Number(/listen_port = (\d+)/.exec(readFileSync(path, 'utf8'))[1]);
	const gate = new Gate(program, port, path);
	gate.part = new ChaosPart(`replica ${i}`, program, () => startGate(path));
	gates.push(gate);
	parts[`replica${i}`] = gate.part;
	await until('the replica is ready', () => isReady(gate), 30000);
}

const clientOf = (gate, tenant) => new Client(gate.url, { authorization: `Bearer ${serviceKey}`,
	'x-tenant-id': tenant });

const openFiles = (part) => readdirSync(`/proc/${part.program.pid}/fd`).length;
const memory = (part) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(
	`/proc/${part.program.pid}/status`, 'utf8'))[1]) / 1024;

before(async () => {
	await Promise.all([stack.postgres(), main.postgres()]);
	await Promise.all([stack.redis(), main.sql('create database catalog')]);
	await Promise.all([stack.neonApi(), stack.modelApi(['--token-delay-ms', '5'])]);
	await stack.knobs({ echo: true });
	parts.catalog = keepPostgres(main, 'the catalog');
	parts.postgres = keepPostgres(stack, "the tenants' Postgres");
	parts.redis = new ChaosPart('Redis', stack.cache.program, async () =>
		(await stack.redis()).program);
	parts.neon = standInPart('neon-api', stack.neon.program, stack.neon.client, async () => {});
	parts.model = standInPart('model-api', stack.model.program, stack.model.client, () =>
		stack.knobs({ echo: true }));
	for (let i = 0; i < 2; i++)
		await addGate(i);
	serviceKey = await gates[0].service();
});
after(async () => {
	await stack.stop();
	await main.stop();
});

test('nothing is lost, torn, mixed up or left over', async (t) => {
	const draw = random(seed);
	load = new ChaosLoad({ gates, client: clientOf, draw: random(seed + 1), tenants: TENANTS });
	const running = load.run(CLIENTS);
	const hurts = await hurtAtRandom(Object.values(parts), { ms: 1000 * seconds, draw, say });
	load.going = false;
	await running;
	say(`${hurts} hurts; ${load.requests} requests: ${JSON.stringify(load.statuses)}; ` +
		`${load.documents.length} documents, ${load.met.size} tenants`);

	await t.test('every answer had a code or an orderly end, and nobody else\'s words', () => {
		assert.deepEqual(load.wrong, []);
		assert.ok(load.statuses[200] > load.requests / 10, 'too few were answered to tell');
	});

	await t.test('every tenant is served again, and nothing is ill', async () => {
		for (const gate of gates)
			for (const tenant of load.met)
				await until(`${tenant} is served`, async () => (await clientOf(gate, tenant)
					.search('kettle').catch(() => ({}))).status === 200, 120000);
		for (const gate of gates)
			await until('/readyz is well', async () => {
				const { status, json } = await gate.anonymous.get('/readyz');
				idle.readyz = json;
				return status === 200 && json.degraded.length === 0;
			}, 60000).catch((error) => {
				throw new Error(`${error.message}: ${JSON.stringify(idle.readyz)}`);
			});
	});

	await t.test('documents that were acknowledged are whole, and found', async () => {
		for (const [i, { tenant, id, word, chunks }] of load.documents.entries()) {
			const found = await clientOf(gates[i % 2], tenant).search(word,
				{ documentIds: [id], topK: 50 });
			assert.equal(found.status, 200, found.body);
			assert.ok(found.json.results.some((r) => r.content.includes(word)),
				`${tenant} ${id}: ${word} is not found`);
			assert.equal(new Set(found.json.results.map((r) => r.chunk)).size,
				Math.min(chunks, 50), `${tenant} ${id}: of ${chunks} chunks`);
		}
	});

	await t.test('a tenant has one project', async () => {
		const { json } = await stack.neon.client.get('/api/v2/projects?limit=400',
			{ headers: { authorization: `Bearer ${stack.neonKey}` } });
		const rows = await main.sql('select tenant_id, project_id from tenants', 'catalog');
		assert.equal(rows.length, load.met.size);
		assert.deepEqual(json.projects.map((p) => p.id).sort(), rows.map(([, p]) => p).sort());
	});

	await t.test('nothing is left over', async () => {
		const active = () => stack.sql('select datname, state, query from pg_stat_activity ' +
			"where datname like 'tg\\_%' or datname like 'neon%' and state <> 'idle' " +
			"and application_name <> 'psql'");
		await until('no statement runs', async () => (await active()).every(([, state]) =>
			state === 'idle'), 30000);
		assert.deepEqual(await main.sql("select tenant_id, state from tenants where state <> " +
			"'ready'", 'catalog'), []);
		for (const gate of gates) {
			say(`${gate.part.name}: ${openFiles(gate.part)} open files, ` +
				`${Math.round(memory(gate.part))} MiB`);
			assert.ok(openFiles(gate.part) < 150, `${openFiles(gate.part)} open files`);
			// AddressSanitizer keeps up to 256 MiB of what was freed.
			assert.ok(memory(gate.part) < 700, `${memory(gate.part)} MiB`);
		}
	});

	await t.test('no process of ours ended by itself', () => {
		for (const gate of gates)
			assert.doesNotMatch(gate.part.text(),
				/AddressSanitizer|LeakSanitizer|runtime error|Assertion/);
	});
});
