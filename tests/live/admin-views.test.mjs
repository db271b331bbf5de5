// SPDX-License-Identifier: MIT
// What an operator sees of a process: flows, shares, pools, and `tenantgatectl top` in a terminal.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from './lib/process.mjs';
import { build, sample, Stack } from './lib/stack.mjs';

const stack = new Stack('admin-views');
let gate, acme;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin({ max_model_streams: 8, rate_limit_requests_per_minute: 0,
		server_login_retry: '60s' });
	acme = await gate.tenant('acme');
	assert.equal((await acme.ingestFile(sample, { id: 'guide' })).status, 201);
});
after(() => stack.stop());

const question = { messages: [{ role: 'user', content: 'How much fuel?' }] };

// A chat whose answer has begun and does not end until it is cut.
async function openChat(id) {
	await stack.knobs({ token_delay_ms: 60000 });
	const cut = new AbortController();
	const answer = await acme.open('POST', '/chat', { signal: cut.signal, body: JSON.stringify(question),
		headers: { 'content-type': 'application/json', 'x-request-id': id,
			'x-tenantgate-stream': 'text' } });
	answer.stream.on('error', () => {});
	assert.equal(answer.status, 200);
	return cut;
}

const view = async (path) => {
	const answer = await gate.admin.get(path);
	assert.equal(answer.status, 200, `${path}: ${answer.body}`);
	return answer.json;
};

test('flows: what is under way, by step and one by one, of all workers', async () => {
	const cuts = [];
	for (let i = 0; i < 4; i++)
		cuts.push(await openChat(`open-${i}`));
	const { count, steps, flows } = await view('/admin/flows?limit=200');
	assert.ok(count >= 5, 'four chats, and whoever asks');
	const chats = flows.filter((f) => f.kind === 'chat');
	assert.deepEqual(chats.map((f) => f.request).sort(), ['open-0', 'open-1', 'open-2', 'open-3']);
	for (const f of chats)
		assert.ok(f.ageSeconds > 0 && f.stepSeconds <= f.ageSeconds && f.worker < 2, JSON.stringify(f));
	assert.equal(steps.filter((s) => s.kind === 'chat').reduce((sum, s) => sum + s.count, 0), 4);
	assert.equal(flows.filter((f) => f.kind === 'admin_flows').length, 1);
	assert.equal((await view('/admin/flows?limit=1')).flows.length, 1);
	for (const cut of cuts)
		cut.abort();
	await until('the chats have ended', async () =>
		(await view('/admin/flows')).flows.every((f) => f.kind !== 'chat'));
});

test('shares: who holds what, and gives it back', async () => {
	const streams = async () => (await view('/admin/shares')).shares
		.find((s) => s.name === 'model_streams');
	assert.equal((await streams()).held, 0);
	const cuts = [await openChat('share-0'), await openChat('share-1')];
	const held = await streams();
	assert.equal(held.capacity, 8);
	assert.deepEqual([held.held, held.holders, held.waiting], [2, 1, 0]);
	assert.deepEqual(held.most, [{ tenant: 'acme', held: 2, waiting: 0 }]);
	for (const cut of cuts)
		cut.abort();
	await until('nothing is held', async () => (await streams()).held === 0);
	const names = (await view('/admin/shares')).shares.map((s) => s.name);
	assert.deepEqual(names, ['model_streams', 'embedding_calls', 'rerank_calls', 'ingests',
		'document_bytes', 'vector_bytes', 'spool_bytes', 'extractors', 'index_builds', 'server_connections']);
});

test('pools: connections by tenant, and why one has none', async () => {
	const broken = await gate.tenant('broken');
	assert.equal((await broken.post('/search', { query: 'x' })).status, 200);
	const mine = async (id) => (await view('/admin/pools')).pools.find((p) => p.tenant === id);
	const pool = await mine('acme');
	assert.ok(pool.idle >= 1 && pool.active === 0 && pool.waiting === 0, JSON.stringify(pool));
	assert.equal(pool.host, `127.0.0.1:${stack.pg.port}`);
	assert.equal(pool.error, null);
	const { database } = await mine('broken');
	await stack.sql(`alter database "${database}" with allow_connections false`);
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
		where datname = '${database}'`);
	await until('its login has failed', async () => {
		await broken.post('/search', { query: 'x' });
		return (await mine('broken'))?.error;
	});
	const ill = await mine('broken');
	assert.match(ill.error, /database/i);
	assert.ok(ill.retrySeconds > 0);
	assert.equal((await view('/admin/pools?limit=1')).pools[0].tenant, 'broken', 'the ill one first');
	for (const bad of ['0', '1001', 'x', ''])
		assert.equal((await gate.admin.get(`/admin/pools?limit=${bad}`)).status, 400, bad);
});

test('no view has a secret in it', async () => {
	for (const path of ['/admin/flows', '/admin/shares', '/admin/pools', '/admin/top', '/metrics']) {
		const { body } = await gate.admin.get(path);
		for (const secret of [stack.pg.password, gate.adminKey, gate.serviceKey, stack.sealKey,
			'sk-test'])
			assert.ok(!body.includes(secret), path);
		assert.doesNotMatch(body, /password|SCRAM/i, path);
	}
});

// In a terminal of its own, as an operator has it.
function terminal(socket, ...args) {
	return execFileSync('tmux', ['-L', socket, ...args], { encoding: 'utf8', env: { ...process.env,
		TERM: 'xterm', LC_ALL: 'C.UTF-8', TENANTGATE_ADMIN_URL: gate.adminUrl,
		TENANTGATE_ADMIN_KEY: gate.adminKey } });
}

test('top: a table in a terminal, written anew, with rates, steps, shares and tenants', async () => {
	await stack.knobs({});
	const socket = `tenantgate-${process.pid}`;
	terminal(socket, '-f', '/dev/null', 'new-session', '-d', '-x', '110', '-y', '50',
		`${join(build, 'tenantgatectl')} top`);
	try {
		let asking = true;
		const load = (async () => {
			while (asking)
				await acme.post('/search', { query: 'fuel' });
		})();
		let screen = '';
		await until('the table has a rate', async () => {
			screen = terminal(socket, 'capture-pane', '-p');
			return /^search +[1-9]\d*\.\d /m.test(screen) && /^acme +[1-9]\d*\.\d /m.test(screen);
		});
		asking = false;
		await load;
		assert.match(screen, /^tenantgate \d.*environment test, serving; \d\d:\d\d:\d\d, over/m);
		assert.match(screen, /^FLOW +rate\/s +failed\/s +p50 +p95 +p99$/m);
		assert.match(screen, /^search +[\d.]+ +[\d.]+ +[\d.]+ ms/m);
		assert.ok(screen.search(/^search /m) < screen.search(/^(embed|question) /m), 'requests first');
		assert.match(screen, /^ingests +0 +- +0/m);
		assert.match(screen, /^document_bytes +0 +256 MiB +0/m);
		assert.match(screen, /^search \w+ +[\d.]+ +[\d.]+ +[\d.]+ ms/m);
		assert.match(screen, /^model_streams +0 +8 +0/m);
		assert.equal(screen.match(/^FLOW/mg).length, 1, 'the screen is written over');
	} finally {
		terminal(socket, 'kill-server');
	}
});

test('top elsewhere: so many tables, one after another', () => {
	const out = execFileSync(join(build, 'tenantgatectl'), ['top', '--rounds', '2', '--interval', '0'],
		{ encoding: 'utf8', env: { ...process.env, TENANTGATE_ADMIN_URL: gate.adminUrl,
			TENANTGATE_ADMIN_KEY: gate.adminKey } });
	assert.equal(out.match(/^FLOW/mg).length, 2);
	assert.doesNotMatch(out, /\u001b/);
});
