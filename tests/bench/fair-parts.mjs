// SPDX-License-Identifier: MIT
// The parts of tests/bench/fair: { title, run(bench, part), clean(bench), tenants: how many it needs,
// if not all }. The bounds are those that
// the budget's rule promises. Tenants t0 to t39 are the noisy, hung and warm ones of a part, t40 to
// t49 its quiet ones, t100 and on its newcomers.
import { execFileSync } from 'node:child_process';
import { lockTables } from '../live/lib/crowd.mjs';

const BUDGET = 50;
const QUIET = { quiet: { kind: 'search', tenants: ['t40', 't41', 't42', 't43'], clients: 4,
	pause: 150 } };

const noisy = (tenants, clients) => ({ noisy: { kind: 'search', tenants, clients } });
const sum = (figures) => Object.values(figures).reduce((a, f) => a + f, 0);

// How much slower than alone: at most twice.
function slowness(part, what, beside, alone) {
	part.target(`${what}: p99, times alone`, beside.p99 / alone.p99, 2);
}

// Tables of tenants whose searches take a while and no CPU: a view in place of one of them.
async function slowDown(bench, tenants, seconds) {
	bench.slow = [];
	for (const tenant of tenants) {
		const database = await bench.database(tenant);
		await bench.stack.sql('alter table chunk rename to chunk_kept; create view chunk as select ' +
			`k.* from chunk_kept k, (select pg_sleep(${seconds})) s; ` +
			`grant select on chunk, chunk_kept to ${database}`, database);
		bench.slow.push(database);
	}
}

async function speedUp(bench) {
	for (const database of bench.slow?.splice(0) ?? [])
		await bench.stack.sql('drop view chunk; alter table chunk_kept rename to chunk', database);
}

async function release(bench) {
	for (const lock of bench.locks?.splice(0) ?? [])
		await lock.release();
}

async function zipfPart(bench, part) {
	await bench.start({ default_pool_size: 20, max_server_connections: BUDGET });
	const got = await bench.beside({}, { zipf: { kind: 'search', tenants: bench.names(0,
		bench.tenants), clients: 64, zipf: true } }, { warm: bench.quick ? 3 : 8 });
	const { zipf } = got.quiet;
	part.row(`${bench.tenants} tenants, 64 clients`, { ...zipf, logins: got.logins,
		sessions: got.sessions.most });
	// An LRU cache that is asked one after the other needs 0.40.
	part.target('logins a request', got.logins / zipf.requests, 0.45);
	part.target(`server connections (${got.sessions.samples} samples)`, got.sessions.most, BUDGET,
		{ digits: 0 });
	part.target('failed', zipf.failed, 0, { digits: 0 });
	if (got.sessions.most > BUDGET)
		part.note(`${got.sessions.above(BUDGET)} samples above; a session that was closed is ` +
			'counted until its process has ended');
}

// A quiet tenant alone, beside one and beside ten.
async function quietRows(bench, part, what) {
	const settings = { default_pool_size: BUDGET, max_server_connections: BUDGET };
	const cases = [['alone', {}], [`beside one ${what}, 200 waiting`, noisy(['t0'], 200)],
		[`beside ten ${what}, 200 waiting each`, noisy(bench.names(0, 10), 2000)]];
	let alone;
	for (const [title, noise] of cases) {
		bench.say(`${part.title}: ${title}`);
		await bench.start(settings);
		const got = await bench.beside(noise, QUIET);
		const { quiet } = got.quiet;
		part.row(`quiet, ${title}`, quiet);
		if (got.noise.noisy)
			part.row('  and the noisy', { ...got.noise.noisy, logins: got.logins,
				sessions: got.sessions.most });
		alone ??= quiet;
		if (title === 'alone')
			continue;
		slowness(part, `quiet, ${title}`, quiet, alone);
		part.target(`quiet, ${title}: failed`, quiet.failed, 0, { digits: 0 });
	}
}

async function slowPart(bench, part) {
	await slowDown(bench, bench.names(0, 10), 0.1);
	await quietRows(bench, part, 'slow');
}

// Newcomers, each with its first request; clients ask anew when they are refused.
async function newcomers(bench, part, hung) {
	bench.say(`${part.title}: ${hung} hung`);
	await bench.start({ default_pool_size: 20, max_server_connections: 200 });
	bench.locks = await Promise.all(bench.names(0, hung).map(async (tenant) =>
		lockTables(bench.stack, await bench.database(tenant))));
	if (hung > 0) {
		bench.load({ hung: { kind: 'search', tenants: bench.names(0, hung), clients: 40 * hung } });
		await bench.sleep(4000);
	}
	bench.logins.count();
	const { first } = await bench.load({ first: { kind: 'search', tenants: bench.names(100, 100),
		clients: 100, times: 1, stagger: 4000 } }).figures;
	part.row(`100 newcomers beside ${hung || 'no'} hung`, { ...first,
		logins: bench.logins.count().logins });
	for (const load of bench.loads.splice(0))
		load.child.kill('SIGKILL');
	await release(bench);
	return first;
}

async function hungPart(bench, part) {
	const alone = await newcomers(bench, part, 0);
	for (const hung of [1, 30]) {
		const first = await newcomers(bench, part, hung);
		part.target(`beside ${hung} hung: failed`, first.failed, 0, { digits: 0 });
		slowness(part, `beside ${hung} hung`, first, alone);
	}
}

async function burstPart(bench, part) {
	const settings = { default_pool_size: 20, max_server_connections: BUDGET };
	const burst = (from) => ({ burst: { kind: 'search', tenants: bench.names(from, 100),
		clients: 100, times: 1 } });
	const warm = { warm: { kind: 'search', tenants: bench.names(0, 30), clients: 30, pause: 200,
		stagger: 200 } };
	await bench.start(settings);
	const { burst: alone } = await bench.load(burst(100)).figures;
	part.row('a burst of 100 tenants, alone', alone);
	await bench.start(settings);
	const load = bench.load(warm);
	await bench.sleep(4000);
	load.mark();
	await bench.sleep(bench.seconds * 500);
	const { warm: before } = await load.end();
	part.row('30 warm tenants, alone', before);
	const warmed = bench.load(warm);
	await bench.sleep(2000);
	warmed.mark();
	const { burst: beside } = await bench.load(burst(200)).figures;
	const { warm: during } = await warmed.end();
	part.row('the burst, beside them', beside);
	part.row('they, during the burst', during);
	part.target('the burst: failed', beside.failed, 0, { digits: 0 });
	slowness(part, 'the burst', beside, alone);
	part.target('the warm: failed', during.failed, 0, { digits: 0 });
	slowness(part, 'the warm', during, before);
}

async function manyPart(bench, part) {
	await bench.start({ default_pool_size: 20, max_server_connections: 20 });
	const got = await bench.beside({}, { many: { kind: 'search', tenants: bench.names(0,
		bench.tenants), clients: 2 * bench.tenants } }, { warm: 5 });
	const { many } = got.quiet;
	part.row(`${bench.tenants} tenants, 2 clients each, 20 connections`, { ...many,
		logins: got.logins, sessions: got.sessions.most });
	part.target('failed', many.failed, 0, { digits: 0 });
	part.target('the longest wait, ms (query_wait_timeout is 10 s)', many.max, 10000, { digits: 0 });
	part.target('logins a request', got.logins / many.requests, 0.7);
}

// Short queries first as at a server elsewhere, then as at this one, whose ceiling leaves
// connections unused: that must not cost requests.
async function alonePart(bench, part) {
	const one = { one: { kind: 'search', tenants: ['t0'], clients: 60 } };
	const rates = [];
	for (const [what, seconds, statements] of [['short queries, no ceiling', 0, 1000],
		['short queries', 0, 0], ['queries of 0.1 s and more', 0.1, 0]]) {
		if (seconds > 0)
			await slowDown(bench, ['t0'], seconds);
		await bench.start({ default_pool_size: 20, max_server_connections: 20,
			max_host_statements: statements });
		const got = await bench.beside({}, one, { seconds: bench.seconds / 2 });
		part.row(`one tenant, 60 clients, ${what}`, { ...got.quiet.one, logins: got.logins,
			sessions: got.sessions.p50 });
		rates.push(got.quiet.one.per_second);
		if (seconds > 0 || statements > 0)
			part.target(`${what}: part of the budget in use`, got.sessions.p50 / 20, 0.7,
				{ least: true });
		part.target(`${what}: failed`, got.quiet.one.failed, 0, { digits: 0 });
	}
	part.target('the ceiling: requests a second, times those without', rates[1] / rates[0], 0.9,
		{ least: true });
}

// As many as descriptors allow: a client costs one here and one in tenantgate.
function clientsThatFit(part, wanted) {
	const limit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Infinity;
	const fit = Math.min(wanted, limit - 1000);
	if (fit < wanted)
		part.note(`${fit} clients instead of ${wanted}: the limit of descriptors is ${limit}`);
	return fit;
}

async function spreadPart(bench, part) {
	const clients = clientsThatFit(part, bench.quick ? 2000 : 10000);
	const half = { waiting: { kind: 'search', tenants: ['t0'], clients: Math.floor(clients / 2),
		stagger: 2000 } };
	await bench.start({ default_pool_size: 40, max_server_connections: 54,
		query_wait_timeout: '10m', model_wait_timeout: '10m', max_embedding_calls: 128 });
	const loads = [bench.load(half), bench.load(half)];
	// Each client's first requests come at once, and wait for less than all: not counted.
	await bench.sleep(bench.quick ? 10000 : 40000);
	loads.forEach((load) => load.mark());
	await bench.sleep(bench.quick ? 10000 : 40000);
	const both = await Promise.all(loads.map((load) => load.end()));
	for (const { waiting } of both)
		part.row(`${half.waiting.clients} of ${clients} clients on 40 connections`, waiting);
	part.target('p99, times p50', Math.max(...both.map((f) => f.waiting.p99 / f.waiting.p50)), 1.2);
	part.target('answers of a client, so that all is in step', sum(both.map((f) =>
		f.waiting.requests)) / clients, 2, { least: true });
	part.target('failed', sum(both.map((f) => f.waiting.failed)), 0, { digits: 0 });
}

async function bodiesPart(bench, part) {
	await bench.stack.sql("update tenants set requests_per_minute = 1000000 where tenant_id <> 't0'",
		'catalog');
	execFileSync('redis-cli', ['-p', String(bench.stack.cache.port), 'flushall']);
	await bench.start({ rate_limit_requests_per_minute: 600, max_chat_body: '16MiB', workers: 1 });
	const calm = { health: { kind: 'health', tenants: [''], clients: 1, pause: 10 },
		search: { ...QUIET.quiet, pause: 50 } };
	const noise = Object.fromEntries(['ingest keys', 'ingest numbers', 'chat text', 'search keys']
		.map((kind) => [kind, { kind, tenants: ['t0'], clients: 1 }]));
	const alone = (await bench.beside({}, calm)).quiet;
	const { quiet: beside, noise: bodies } = await bench.beside(noise, calm);
	for (const [what, figures] of [['alone', alone], ['beside the bodies', beside]]) {
		part.row(`/healthz, ${what}`, figures.health);
		part.row(`/search of others, ${what}`, figures.search);
	}
	for (const [kind, { requests, statuses, p50 }] of Object.entries(bodies))
		part.note(`9 MB, ${kind}: ${requests} answers ${JSON.stringify(statuses)}, ` +
			`p50 ${p50?.toFixed(0)} ms`);
	part.target('/healthz beside them: p99, ms', beside.health.p99, 5);
	part.target('/search beside them: p99, ms (bound: 2 x alone + 5)', beside.search.p99,
		2 * alone.search.p99 + 5);
	part.target('failed', beside.health.failed + beside.search.failed, 0, { digits: 0 });
}

export const parts = {
	zipf: { title: `zipf: more tenants than connections, budget ${BUDGET}`, run: zipfPart },
	quiet: { title: `quiet: a quiet tenant beside noisy ones, budget ${BUDGET}`, tenants: 50,
		run: (bench, part) => quietRows(bench, part, 'noisy') },
	slow: { title: `slow: a quiet tenant beside slow queries, budget ${BUDGET}`, tenants: 50,
		run: slowPart, clean: speedUp },
	hung: { title: 'hung: newcomers beside hung tenants, budget 200', tenants: 200, run: hungPart,
		clean: release },
	burst: { title: `burst: 100 tenants at once beside 30 warm ones, budget ${BUDGET}`,
		run: burstPart },
	many: { title: 'many: tenants fifteen times the budget', run: manyPart },
	alone: { title: 'alone: what one tenant may use, budget 20', tenants: 50, run: alonePart,
		clean: speedUp },
	spread: { title: 'spread: thousands of waiting clients', tenants: 50, run: spreadPart },
	bodies: { title: 'bodies: a tenant sends 9 MB of JSON at its rate, one worker', tenants: 50,
		run: bodiesPart },
};
