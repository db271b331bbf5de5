// SPDX-License-Identifier: MIT
// Health: the listener apart, at a flood of the public door; what is ill, in words, soon after; and
// whose requests they are behind proxies.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { Stack } from './lib/stack.mjs';
import { crowd, lockTables } from './lib/crowd.mjs';
import { freePort, until } from './lib/process.mjs';
import { Client } from './lib/client.mjs';

const PLACES = 64; // of which four are kept
const stack = new Stack('health');
let gate, tenant, health, healthPort, relay;

// A relay to Postgres that can be cut, or hang, so that only the catalog is lost.
async function catalogRelay() {
	const sockets = new Set();
	let open = true, hangs = false;
	const server = net.createServer((socket) => {
		if (!open) {
			socket.destroy();
			return;
		}
		const peer = net.connect(stack.pg.port, '127.0.0.1');
		sockets.add(socket);
		socket.on('data', (piece) => {
			if (!hangs)
				peer.write(piece);
		});
		peer.pipe(socket);
		socket.on('error', () => peer.destroy());
		socket.on('close', () => {
			sockets.delete(socket);
			peer.destroy();
		});
		peer.on('error', () => socket.destroy());
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		port: server.address().port,
		cut() {
			open = false;
			for (const socket of sockets)
				socket.destroy();
		},
		hang() {
			hangs = true;
		},
		mend() {
			open = true;
			hangs = false;
		},
		close() {
			this.cut();
			server.close();
		},
	};
}

before(async () => {
	await stack.surroundings({ neon: false });
	relay = await catalogRelay();
	healthPort = await freePort();
	gate = await stack.tenantgate({ health_listen_port: healthPort, max_client_conn: PLACES,
		catalog_url: `postgresql://postgres:${stack.pg.password}@127.0.0.1:${relay.port}/catalog`,
		key_cache_ttl: '1h', tenant_cache_ttl: '1h', rate_limit_requests_per_minute: 0,
		trusted_proxies: '127.0.0.0/8', auth_failures_per_minute: 5 });
	health = new Client(`http://127.0.0.1:${healthPort}`);
	tenant = await gate.tenant('lantern');
	const answer = await tenant.ingestText('The boat burns 19 litres.', { documentId: 'b' });
	assert.equal(answer.status, 201, answer.body);
});
after(async () => {
	await stack.stop();
	relay?.close();
});

// What a connection returns for these bytes until it closes.
const raw = (port, text) => new Promise((resolve, reject) => {
	const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
	let all = '';
	socket.on('data', (piece) => {
		all += piece;
	});
	socket.on('close', () => resolve(all));
	socket.on('error', reject);
});
const CLOSE = 'Connection: close\r\n';

const readyz = async () => (await health.get('/readyz')).json;
// Of either worker: each has links of its own.
const degraded = (name, is) => until(`${name} ${is ? 'is' : 'is not'} degraded`, async () => {
	for (let i = 0; i < 10; i++)
		if ((await readyz()).degraded.includes(name) !== is)
			return false;
	return true;
});

test('all is well: names for the public, figures on the health listener', async () => {
	const open = await gate.anonymous.get('/readyz');
	assert.deepEqual(open.json, { status: 'ready', checks: { catalog: 'ok', redis: 'ok', limits: 'ok',
		model: 'ok', pools: 'ok', shares: 'ok' }, degraded: [] });
	const { figures, ...rest } = await readyz();
	assert.deepEqual(rest, open.json);
	assert.equal(figures.model_streams.capacity, 256);
	assert.equal(figures.embedding_calls.capacity, 64);
	assert.equal(figures.rerank_calls.capacity, 64);
	assert.ok(figures.embedding_calls.granted_total >= 1, JSON.stringify(figures));
	assert.ok(figures.helpers.done_total >= 1, JSON.stringify(figures));
	assert.ok(figures.pools.pools >= 1);
});

test('the health listener has its routes alone', async () => {
	assert.equal((await health.get('/healthz')).status, 200);
	assert.equal((await health.post('/chat', {})).status, 405);
	assert.equal((await health.get('/nothing')).status, 404);
});

test('without a Host, with an empty one, HTTP/1.0, OPTIONS /', async () => {
	for (const port of [gate.port, healthPort]) {
		for (const line of ['GET /healthz', 'HEAD /healthz', 'GET /readyz', 'HEAD /readyz']) {
			assert.match(await raw(port, `${line} HTTP/1.1\r\n${CLOSE}\r\n`), /^HTTP\/1.1 200 /);
			assert.match(await raw(port, `${line} HTTP/1.1\r\nHost:\r\n${CLOSE}\r\n`),
				/^HTTP\/1.1 200 /);
			assert.match(await raw(port, `${line} HTTP/1.0\r\n\r\n`), /^HTTP\/1.[01] 200 /);
		}
		for (const fields of ['', 'Host:\r\n', 'Host: x\r\n'])
			assert.match(await raw(port, `OPTIONS / HTTP/1.1\r\n${fields}${CLOSE}\r\n`),
				/^HTTP\/1.1 204 /);
		assert.match(await raw(port, 'OPTIONS / HTTP/1.0\r\n\r\n'), /^HTTP\/1.[01] 204 /);
	}
	for (const line of ['GET /', 'POST /chat', 'POST /healthz', 'GET /healthz/', 'OPTIONS /chat'])
		assert.match(await raw(gate.port, `${line} HTTP/1.1\r\n\r\n`), /^HTTP\/1.1 400 /, line);
});

test('at a flood of connections both doors answer probes', async () => {
	const sockets = Array.from({ length: PLACES * 4 }, () => net.connect(gate.port, '127.0.0.1'));
	for (const socket of sockets)
		socket.on('error', () => {});
	try {
		const refusals = () => gate.lines().filter((l) => l.event === 'access' &&
			l.status === 503).length;
		await until('the public door is full', async () => refusals() > 0 &&
			(await raw(gate.port, `POST /chat HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`)
				.catch(() => '')).startsWith('HTTP/1.1 503'));
		for (let i = 0; i < 20; i++) {
			assert.equal((await health.get('/healthz')).status, 200);
			assert.equal((await health.get('/readyz')).status, 200);
		}
		// The flood's idle connections have the kept places for three seconds at most.
		await until('a kept place', async () => (await raw(gate.port,
			'GET /healthz HTTP/1.1\r\n\r\n').catch(() => '')).startsWith('HTTP/1.1 200'));
		for (let i = 0; i < 5; i++)
			assert.match(await raw(gate.port, 'GET /readyz HTTP/1.1\r\n\r\n'), /^HTTP\/1.1 200 /);
	} finally {
		for (const socket of sockets)
			socket.destroy();
	}
	await until('the door is open again', async () =>
		(await gate.anonymous.get('/nothing').catch(() => null))?.status === 404);
});

test('a catalog lost later: 200, degraded, with the reason where it may be read', async () => {
	relay.cut();
	await degraded('catalog', true);
	// From now on without waiting for a request to fail: each answer is by a look of its own.
	const open = await gate.anonymous.get('/readyz');
	assert.equal(open.status, 200);
	assert.equal(open.json.checks.catalog, 'ill');
	assert.doesNotMatch(open.body, /catalog_url|127\.0\.0\.1/);
	assert.match((await readyz()).checks.catalog, /look at .*catalog_url/);
	relay.mend();
	await degraded('catalog', false);
});

test('a catalog that hangs: 200, degraded; when it is back, nothing is', async () => {
	relay.hang();
	await degraded('catalog', true);
	assert.equal((await gate.anonymous.get('/readyz')).status, 200);
	assert.equal((await gate.anonymous.get('/healthz')).status, 200);
	// Nobody has asked for a key: that looks fail is no reason to shut out those who will.
	assert.ok(!gate.lines().some((l) => l.event === 'catalog.unreached'));
	relay.cut();
	relay.mend();
	await degraded('catalog', false);
});

test("keys behind a lock are refused at once, whoever looks at the server's health", async () => {
	const locked = await stack.tenantgate({ catalog_query_timeout: '1s' });
	const key = await locked.key('--tenant', 'lantern');
	const lock = stack.program('lock', 'psql', ['-X', '-q', '-d', stack.pg.url('catalog'), '-c',
		'begin; lock table public.api_keys in access exclusive mode; select pg_sleep(100000)']);
	await until('the keys are locked', async () => (await stack.sql('select 1 from pg_locks where ' +
		"relation = 'public.api_keys'::regclass and mode = 'AccessExclusiveLock' and granted",
	'catalog')).length > 0);
	const looks = crowd(2, () => locked.anonymous.get('/readyz'));
	const client = new Client(locked.url, { authorization: `Bearer ${key}` });
	const asked = crowd(1, () => client.search('litres'));
	await locked.program.says(/"catalog.unreached".*lookups of API keys/, 60000);
	const { 503: before } = asked.seen;
	await until('many are refused', () => asked.seen[503] > before + 100, 60000);
	assert.deepEqual(Object.keys(await asked.stop()), ['503']);
	assert.deepEqual(Object.keys(await looks.stop()), ['200']);
	assert.ok(!locked.lines().some((l) => l.event === 'catalog.back'));
	await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like " +
		"'begin; lock table public.api_keys%'");
	await lock.exit;
	await until('the key is known', async () => (await client.search('litres')).status === 200);
	await locked.program.stop();
});

test('a Redis that hangs: Redis and the limits are degraded', async () => {
	stack.cache.program.kill('SIGSTOP');
	try {
		await degraded('redis', true);
		await degraded('limits', true);
		assert.match((await readyz()).checks.limits, /counts limits for itself/);
		assert.equal((await gate.anonymous.get('/readyz')).status, 200);
	} finally {
		stack.cache.program.kill('SIGCONT');
	}
	await degraded('redis', false);
	await degraded('limits', false);
});

test('a model that fails: degraded until it answers', async () => {
	await stack.knobs({ fail_embeddings: 500 });
	for (let i = 0; i < 3; i++)
		assert.equal((await tenant.search('litres')).status, 502);
	const { checks, degraded: ill } = await readyz();
	assert.deepEqual(ill, ['model']);
	assert.match(checks.model, /embedding model failed \(HTTP 500\)/);
	assert.equal((await gate.anonymous.get('/readyz')).json.checks.model, 'ill');
	await stack.knobs();
	assert.equal((await tenant.search('litres')).status, 200);
	assert.deepEqual((await readyz()).degraded, []);
});

test("one tenant's full pool is no condition", async () => {
	const port = await freePort();
	const small = await stack.tenantgate({ max_server_connections: 10, default_pool_size: 2,
		query_wait_timeout: '60s', rate_limit_requests_per_minute: 0, health_listen_port: port });
	small.serviceKey = await gate.service();
	const doctor = new Client(`http://127.0.0.1:${port}`);
	const client = await small.tenant('lantern');
	assert.equal((await client.search('litres')).status, 200);
	const [[name]] = await stack.sql("select datname from pg_database where not datistemplate " +
		"and datname not in ('postgres', 'catalog')");
	const lock = await lockTables(stack, name);
	const waiting = Array.from({ length: 12 }, () => client.search('litres').catch(() => {}));
	await until('its pool is full', async () =>
		(await doctor.get('/readyz')).json.figures.pools.client_waiting >= 8);
	const answer = await doctor.get('/readyz');
	assert.equal(answer.status, 200);
	assert.deepEqual(answer.json.degraded, [], answer.body);
	await lock.release();
	await Promise.all(waiting);
	await small.program.stop();
});

test('streams of the model that several wait for: shares are degraded, by their setting', async () => {
	const port = await freePort();
	const small = await stack.tenantgate({ max_model_streams: 4, model_wait_timeout: '60s',
		rate_limit_requests_per_minute: 0, health_listen_port: port });
	small.serviceKey = await gate.service();
	const doctor = new Client(`http://127.0.0.1:${port}`);
	const clients = [await small.tenant('lantern'), await small.tenant('kettle')];
	for (const client of clients)
		assert.equal((await client.ingestText('litres', { documentId: 'x' })).status, 201);
	await stack.knobs({ stall_header: 1 });
	const stuck = Array.from({ length: 12 }, (_, i) => clients[i % 2].chat('litres?').catch(() => {}));
	const answer = await until('degraded', async () => {
		const one = await doctor.get('/readyz');
		return one.json.degraded.includes('shares') && one;
	});
	assert.equal(answer.status, 200);
	// The fourth is kept for a tenant that holds none: taken only by who came late.
	assert.match(answer.json.checks.shares, /[34] of 4 model streams .*max_model_streams/);
	assert.ok(answer.json.figures.model_streams.held >= 3, answer.body);
	await stack.knobs();
	await small.program.stop('SIGQUIT');
	await Promise.all(stuck);
});

test('behind proxies: logs and the limit of failures go by the client', async () => {
	const from = (address) => new Client(gate.url, { authorization: 'Bearer nonsense',
		'x-forwarded-for': address });
	for (let i = 0; i < 6; i++)
		assert.equal((await from('6.6.6.6, 203.0.113.5').post('/search', {})).status, 401);
	for (let i = 0; i < 5; i++)
		assert.equal((await from(`6.6.6.6, 203.0.113.${6 + i}`).post('/search', {})).status, 401);
	const slowed = gate.lines().filter((l) => l.event === 'auth.slowed');
	assert.equal(slowed.length, 1, JSON.stringify(slowed));
	assert.match(slowed[0].message, /come from 203\.0\.113\.5;/);
	assert.equal(gate.lines().filter((l) => l.remote === '203.0.113.5' && l.status === 401).length, 6);
	assert.ok(!gate.lines().some((l) => l.remote === '6.6.6.6'));
});

test('the PROXY protocol: v1, v2, LOCAL; what has none is closed, and nothing is an error', async () => {
	const port = await freePort();
	const one = await stack.tenantgate({ proxy_protocol: 'on', trusted_proxies: '127.0.0.1',
		health_listen_port: port }, { wait: false });
	const ask = 'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
	const v2 = (command, block) => Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n'),
		Buffer.from([command, block.length ? 0x11 : 0, 0, block.length]), Buffer.from(block),
		Buffer.from(ask)]);
	assert.match(await raw(one.port, `PROXY TCP4 203.0.113.5 127.0.0.1 4444 80\r\n${ask}`),
		/^HTTP\/1.1 404 /);
	assert.match(await raw(one.port, v2(0x21, [203, 0, 113, 5, 127, 0, 0, 1, 17, 92, 0, 80])),
		/^HTTP\/1.1 404 /);
	assert.match(await raw(one.port, v2(0x20, [])), /^HTTP\/1.1 404 /);
	assert.deepEqual(one.lines().filter((l) => l.event === 'access').map((l) => l.remote),
		['203.0.113.5', '203.0.113.5', '127.0.0.1']);
	const logged = one.lines().length;
	await new Promise((resolve) => {
		const socket = net.connect(one.port, '127.0.0.1', () => socket.destroy());
		socket.on('close', resolve);
	});
	assert.match(await raw(one.port, v2(0x20, [])), /^HTTP\/1.1 404 /);
	assert.deepEqual(one.lines().slice(logged).filter((l) => /http\.proxy/.test(l.event)), []);
	for (let i = 0; i < 20; i++)
		assert.equal(await raw(one.port, ask), '');
	await one.program.says(/"http.proxy_protocol"/);
	assert.equal(one.lines().filter((l) => l.event === 'http.proxy_protocol').length, 1);
	assert.equal((await new Client(`http://127.0.0.1:${port}`).get('/healthz')).status, 200);
	await one.program.stop();
});

test('draining: the health listener says so to the end', async () => {
	const port = await freePort();
	const leaving = await stack.tenantgate({ health_listen_port: port, drain_delay: '0s' });
	leaving.serviceKey = await gate.service();
	await stack.knobs({ tokens: 60, token_delay_ms: 50 });
	const answer = await (await leaving.tenant('lantern')).openChat('litres?', { form: 'data' });
	await new Promise((resolve) => answer.stream.once('data', resolve));
	const rest = answer.text();
	leaving.program.kill('SIGTERM');
	await leaving.program.says(/"serve.drain"/);
	const asked = await new Client(`http://127.0.0.1:${port}`).get('/readyz');
	assert.equal(asked.status, 503);
	assert.equal(asked.json.status, 'draining');
	await rest;
	assert.equal((await leaving.program.exit).code, 0);
	await stack.knobs();
});
