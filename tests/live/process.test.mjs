// SPDX-License-Identifier: MIT
// The process: configuration check, health, drain, signals, stalled dependencies.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programs, source, Stack } from './lib/stack.mjs';
import { freePort, sleep, until } from './lib/process.mjs';
import { readDataStream } from './lib/client.mjs';

const run = promisify(execFile);
const stack = new Stack('process');
let gate, tenant;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ extract_max_text: '10MiB' });
	tenant = await gate.tenant('lantern');
	const answer = await tenant.ingestText('The boat burns 19 litres an hour.', { documentId: 'b' });
	assert.equal(answer.status, 201, answer.body);
});
after(() => stack.stop());

const raw = (port, text) => new Promise((resolve, reject) => {
	const socket = net.connect(port, '127.0.0.1', () => socket.end(text));
	let all = '';
	socket.on('data', (piece) => {
		all += piece;
	});
	socket.on('close', () => resolve(all));
	socket.on('error', reject);
});

test('an older name of a key is read; -t and one line of the log say the newer', async () => {
	const advice = /Line \d+: extract_max_text is called max_document_text now; write that\./g;
	const { stdout, stderr } = await run(programs.tenantgate(),
		['-t', '-c', stack.conf({ extract_max_text: '1MiB' })]);
	assert.match(stdout, /fine/);
	assert.equal(stderr.match(advice)?.length, 1, stderr);
	assert.equal(gate.program.text().match(advice)?.length, 1);
});

// Milliseconds of n calls one after the other, sorted. Compared with those of the same calls when
// nothing hangs: how quick a busy machine is says nothing.
async function timesOf(n, call) {
	const times = [];
	for (let i = 0; i < n; i++) {
		const start = performance.now();
		await call();
		times.push(performance.now() - start);
	}
	return times.sort((a, b) => a - b);
}

test('-t checks the configuration', async () => {
	const good = await run(programs.tenantgate(), ['-t', '-c', stack.conf({ max_client_conn: 100,
		extract_max_memory: '32MiB', max_ingest_memory: '128MiB' })]);
	assert.match(good.stdout, /fine/);
	assert.equal(good.stderr, '');
	const bad = stack.conf({ listn_port: 1, top_k: 'many' });
	await assert.rejects(run(programs.tenantgate(), ['-t', '-c', bad]), (error) => {
		assert.equal(error.code, 1);
		assert.match(error.stderr, new RegExp(`^${bad}:\\d+: Unknown key "listn_port"; did you ` +
			'mean "listen_port"\\?$', 'm'));
		assert.match(error.stderr, /^.*:\d+: top_k takes a number/m);
		return true;
	});
});

test('--sample is the committed sample file; --version and --help', async () => {
	const sample = await run(programs.tenantgate(), ['--sample']);
	assert.equal(sample.stdout, readFileSync(join(source, 'conf/tenantgate.conf.sample'), 'utf8'));
	assert.match((await run(programs.tenantgate(), ['--version'])).stdout, /^tenantgate \d/);
	assert.match((await run(programs.tenantgate(), ['--help'])).stdout, /listen_port = 8080/);
});

test('/healthz: HEAD, HTTP/1.0, no Host, no credential, and not in the access log', async () => {
	const logged = gate.program.text().length;
	assert.equal((await gate.anonymous.ask('HEAD', '/healthz')).status, 200);
	assert.match(await raw(gate.port, 'GET /healthz HTTP/1.0\r\n\r\n'), /^HTTP\/1\.[01] 200 /);
	assert.equal((await gate.anonymous.get('/healthz')).json.status, 'ok');
	assert.doesNotMatch(gate.program.text().slice(logged), /healthz/);
});

test('never root', async () => {
	const status = readFileSync(`/proc/${gate.program.pid}/status`, 'utf8');
	assert.doesNotMatch(status, /^Uid:\t0/m);
	if (process.getuid() !== 0)
		return;
	const program = stack.program('tenantgate', programs.tenantgate(), ['-c',
		stack.conf({ user: '' })]);
	assert.equal((await program.exit).code, 1);
	assert.match(program.text(), /root/);
});

test('a port that is taken: an error, and it exits', async () => {
	const program = stack.program('tenantgate', programs.tenantgate(), ['-c',
		stack.conf({ listen_port: stack.pg.port })]);
	assert.equal((await program.exit).code, 1);
	assert.match(program.text(), /in use|listen/i);
});

test('several replicas start at once on an empty catalog: one makes the schema', async () => {
	await stack.sql('create database catalog_race');
	const changes = { catalog_url: stack.pg.url('catalog_race') };
	const gates = await Promise.all([1, 2, 3, 4].map(() => stack.tenantgate(changes)));
	for (const one of gates)
		assert.equal((await one.anonymous.get('/readyz')).status, 200);
	await Promise.all(gates.map((one) => one.program.stop()));
});

test('no catalog yet: listening, /healthz 200, /readyz 503; ready when it comes', async () => {
	const port = await freePort();
	const early = await stack.tenantgate({ catalog_url:
		`postgresql://postgres:${stack.pg.password}@127.0.0.1:${port}/catalog` }, { wait: false });
	assert.equal((await early.anonymous.get('/healthz')).status, 200);
	assert.equal((await early.anonymous.get('/readyz')).status, 503);
	const relay = net.createServer((socket) => {
		const peer = net.connect(stack.pg.port, '127.0.0.1');
		socket.pipe(peer).pipe(socket);
		socket.on('error', () => peer.destroy());
		peer.on('error', () => socket.destroy());
	});
	await new Promise((resolve) => relay.listen(port, '127.0.0.1', resolve));
	await until('ready', async () => (await early.anonymous.get('/readyz')).status === 200);
	await early.program.stop();
	relay.close();
});

test('SIGUSR1 writes the live flows to the log, SIGUSR2 is ignored; a stream goes on', async () => {
	await stack.knobs({ tokens: 60, token_delay_ms: 100 });
	const stream = await tenant.openChat('litres?', { form: 'data',
		headers: { 'x-request-id': 'streams' } });
	await new Promise((resolve) => stream.stream.once('data', resolve));
	const rest = stream.text();
	await stack.knobs({ stall_embeddings: true });
	const asked = (await stack.modelStats()).embeddings;
	const leave = new AbortController();
	const hangs = tenant.ask('POST', '/search', { signal: leave.signal, headers:
		{ 'content-type': 'application/json', 'x-request-id': 'hangs' }, body: '{"query":"x"}' })
		.catch(() => null);
	await until('the model is asked', async () => (await stack.modelStats()).embeddings > asked);
	const logged = gate.lines().length;
	gate.program.kill('SIGUSR2');
	gate.program.kill('SIGUSR1');
	const flows = await until('both workers have written', () => {
		const lines = gate.lines().slice(logged);
		return lines.filter((line) => line.event === 'flow.total').length === 2 && lines;
	});
	const live = flows.filter((line) => line.event === 'flow.live');
	const hung = live.find((line) => line.request_id === 'hangs' && line.handler === 'search');
	assert.equal(hung?.step, 'embed', JSON.stringify(flows));
	assert.equal(hung.state, 'waiting');
	assert.ok(hung.age_ms >= hung.step_ms && hung.step_ms >= 0, JSON.stringify(hung));
	assert.ok(live.some((line) => line.request_id === 'streams' && line.handler === 'chat'),
		JSON.stringify(flows));
	assert.equal(flows.filter((line) => line.event === 'flow.total')
		.reduce((sum, line) => sum + line.flows, 0), live.length);
	for (const line of flows.filter((l) => l.event === 'flow.total'))
		for (const name of ['lag_us', 'long_turns', 'worst_turn_us'])
			assert.ok(Number.isInteger(line[name]) && line[name] >= 0, JSON.stringify(line));
	leave.abort();
	await hangs;
	const { finish, error } = readDataStream(`0:""\n${await rest}`.replace(/^.*?\n/, ''));
	assert.equal(error, null);
	assert.equal(finish.finishReason, 'stop');
	assert.equal(gate.program.ended, undefined);
	await stack.knobs();
});

test('SIGHUP and SIGUSR1 do not hurry a drain', async () => {
	const leaving = await stack.tenantgate({ drain_delay: '1s' });
	const start = Date.now();
	leaving.program.kill('SIGTERM');
	await leaving.program.says(/"serve.drain"/);
	leaving.program.kill('SIGUSR1');
	leaving.program.kill('SIGHUP');
	await leaving.program.says(/"conf.reloaded"/);
	assert.equal((await leaving.program.exit).code, 0);
	assert.ok(Date.now() - start >= 990, `gone after ${Date.now() - start} ms`);
});

test('SIGTERM drains: readiness 503 at once, the stream finishes, then it is gone', async () => {
	const leaving = await stack.tenantgate({ drain_delay: '5s' });
	leaving.serviceKey = await gate.service();
	const client = await leaving.tenant('lantern');
	await stack.knobs({ tokens: 60, token_delay_ms: 50 });
	const answer = await client.openChat('litres?', { form: 'data' });
	await new Promise((resolve) => answer.stream.once('data', resolve));
	const rest = answer.text();
	leaving.program.kill('SIGTERM');
	await until('readyz 503', async () =>
		(await leaving.anonymous.get('/readyz')).status === 503);
	const { finish, error } = readDataStream(`0:""\n${await rest}`.replace(/^.*?\n/, ''));
	assert.equal(error, null);
	assert.equal(finish.finishReason, 'stop');
	assert.equal((await leaving.program.exit).code, 0);
	await stack.knobs();
});

test('a stream that takes too long gets an error event, not a bare reset', async () => {
	const leaving = await stack.tenantgate({ shutdown_timeout: '300ms' });
	leaving.serviceKey = await gate.service();
	await stack.knobs({ tokens: 1000, token_delay_ms: 30 });
	const answer = await (await leaving.tenant('lantern')).openChat('litres?', { form: 'data' });
	const text = answer.text();
	await new Promise((resolve) => answer.stream.once('data', resolve));
	leaving.program.kill('SIGTERM');
	assert.match(await text, /^3:/m);
	assert.equal((await leaving.program.exit).code, 0);
	await stack.knobs();
});

test('SIGQUIT and a second SIGTERM: gone at once', async () => {
	for (const signals of [['SIGQUIT'], ['SIGTERM', 'SIGTERM']]) {
		const leaving = await stack.tenantgate({ drain_delay: '20s' });
		const start = Date.now();
		leaving.program.kill(signals[0]);
		if (signals.length > 1) {
			await leaving.program.says(/"serve.drain"/);
			leaving.program.kill(signals[1]);
		}
		await leaving.program.exit;
		assert.ok(Date.now() - start < 20000, `${signals}: ${Date.now() - start} ms`);
	}
});

test('a stalled model and a stalled catalog do not slow /healthz or each other', async () => {
	const both = async () => {
		assert.equal((await gate.anonymous.get('/healthz')).status, 200);
		assert.equal((await tenant.search('litres')).status, 200);
	};
	const usual = await timesOf(50, both);
	await stack.knobs({ stall_header: 1 });
	const { chats } = await stack.modelStats();
	const stuck = Array.from({ length: 20 }, () => tenant.chat('litres?').catch(() => {}));
	await until('all hang', async () => (await stack.modelStats()).chats >= chats + 20);
	const times = await timesOf(50, both);
	assert.ok(times[25] < 200 + 5 * usual[25], `median ${times[25]} ms, else ${usual[25]} ms`);
	await gate.program.stop('SIGQUIT');
	await Promise.all(stuck);
	await stack.knobs();
	const key = gate.serviceKey;
	gate = await stack.tenantgate();
	gate.serviceKey = key;
	tenant = await gate.tenant('lantern');
});

test('a Postgres that hangs: /healthz stays quick', async () => {
	await tenant.search('litres');
	const healthz = async () =>
		assert.equal((await gate.anonymous.get('/healthz')).status, 200);
	const usual = await timesOf(50, healthz);
	stack.pg.program.kill('SIGSTOP');
	const stuck = Array.from({ length: 8 }, (_, i) => gate.tenant(`new-${i}`)
		.then((t) => t.search('x')).catch(() => {}));
	try {
		await sleep(50);
		const times = await timesOf(50, healthz);
		assert.ok(times[45] < 200 + 5 * usual[45],
			`nine of ten within ${times[45]} ms, else ${usual[45]} ms`);
	} finally {
		stack.pg.program.kill('SIGCONT');
	}
	await Promise.all(stuck);
});

test('a restarted Postgres: dead connections are replaced, requests are fine', async () => {
	assert.equal((await tenant.search('litres')).status, 200);
	// Others may come at once, for what is done behind requests.
	const dead = (await stack.sql(`select pid, pg_terminate_backend(pid) from pg_stat_activity
		where backend_type = 'client backend' and pid <> pg_backend_pid()`)).map(([pid]) => pid);
	assert.ok(dead.length > 0);
	await until('they are gone', async () => (await stack.sql(`select count(*) from pg_stat_activity
		where pid in (${dead})`))[0][0] === '0');
	for (let i = 0; i < 5; i++) {
		const answer = await tenant.search('litres');
		assert.equal(answer.status, 200, answer.body);
	}
});
