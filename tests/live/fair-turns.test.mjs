// SPDX-License-Identifier: MIT
// No turn of a worker's loop is long: bodies of megabytes and logins are computed elsewhere. The
// worker itself logs a turn that took too much of its thread's CPU (worker.long_turn); beside that,
// the CPU of the workers' threads is compared with what the same work costs in here, and /healthz
// with itself when nothing else is asked.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stack } from './lib/stack.mjs';
import { crowd, longTurns, mean, timesOf, workersCpu } from './lib/crowd.mjs';
import { scramVerifier } from './lib/scram.mjs';

const NEWCOMERS = 60;
// Four times what Postgres has: one digest is then far more than all messages of a login.
const ROUNDS = 16384;
const stack = new Stack('fair-turns');
const settings = { workers: 1, rate_limit_requests_per_minute: 0, max_chat_body: '16MiB',
	max_server_connections: 100, max_chunks_per_document: 4096 };
let gate, noisy;

before(async () => {
	await stack.surroundings();
	await stack.neonKnobs({ operation_ms: 0 });
	gate = await stack.tenantgate(settings);
	noisy = await gate.tenant('noisy');
	const stored = await noisy.ingestText('The kettle whistles.', { documentId: 'k' });
	assert.equal(stored.status, 201, stored.body);
	assert.equal((await noisy.search('kettle')).status, 200);
});
after(() => stack.stop());

const health = () => gate.anonymous.get('/healthz');

const list = (n, item) => Array.from({ length: n }, (_, i) => item(i)).join(',');
// 9 MB each.
const keys = `{${list(800000, (i) => `"${String(i).padStart(6, '0')}":1`)}}`;
const numbers = `[${list(4500000, () => '7')}]`;
const text = 'The lantern over the door is lit. '.repeat(270000);

const bodies = (big) => ({
	'/ingest': `{"text":"The kettle whistles.","documentId":"m","metadata":{"a":${big}}}`,
	'/chat': `{"messages":[{"role":"user","content":"kettle?"}],"data":${big}}`,
	'/search': `{"query":"kettle","documentIds":${big.startsWith('[') ? big : `[${big}]`}}`,
});

// The body, again and again by two clients, and /healthz beside them.
async function repeat(path, body, statuses) {
	const cpu = workersCpu(gate);
	const asking = crowd(2, () => noisy.post(path, body));
	const beside = await timesOf(40, health, 5);
	const answered = await asking.stop();
	for (const status of Object.keys(answered))
		assert.ok(statuses.includes(Number(status)), JSON.stringify(answered));
	return { cpu: (workersCpu(gate) - cpu) / asking.count(), health: mean(beside) };
}

// As large a body, which is no JSON at its first byte: what reading alone costs.
const garbage = () => repeat('/search', `x${text}`, [400]);

async function post(t, path, body, statuses) {
	const quiet = mean(await timesOf(30, health));
	const read = await garbage();
	const before = longTurns(gate).length;
	const costs = await repeat(path, body, statuses);
	const turns = longTurns(gate).slice(before);
	t.diagnostic(`a body costs its worker ${costs.cpu.toFixed(0)} ms of CPU, reading alone ` +
		`${read.cpu.toFixed(0)}; /healthz: ${quiet.toFixed(1)} ms when quiet, ` +
		`${costs.health.toFixed(1)} ms beside, ${read.health.toFixed(1)} beside what is only read`);
	assert.deepEqual(turns.slice(0, 3), [], `${turns.length} long turns`);
	assert.ok(costs.cpu <= 2 * read.cpu + 20, `${costs.cpu} ms of a worker's CPU for each`);
	assert.ok(costs.health <= 10 * Math.max(quiet, read.health) + 200,
		`/healthz: ${quiet} ms when quiet, ${costs.health} ms beside`);
}

const large = [['800,000 keys', keys], ['4,500,000 numbers', numbers]];

for (const [what, big] of process.env.TG_LIVE_BRIEF ? large.slice(0, 1) : large)
	for (const path of ['/ingest', '/chat', '/search'])
		test(`${path}: ${what} are refused, and no turn is long`, (t) =>
			post(t, path, bodies(big)[path], path === '/ingest' ? [413] : [400]));

test('/search: a query of 9 MB is 400, and no turn is long', (t) =>
	post(t, '/search', JSON.stringify({ query: text }), [400]));

test('/chat: a question of 9 MB is answered or refused, and no turn is long', (t) => post(t, '/chat',
	JSON.stringify({ messages: [{ role: 'user', content: text }] }), [200, 400, 413]));

test('/ingest: a document of 9 MB as JSON has too many chunks, and no turn is long', (t) =>
	post(t, '/ingest', JSON.stringify({ text, documentId: 'long' }), [422]));

test('nodes are counted, not guessed: some below each bound pass, some above do not', async () => {
	const many = (n) => JSON.stringify(Array.from({ length: n }, () => 1));
	const ask = async (path, field, n) => (await noisy.post(path, field + many(n) + '}')).status;
	for (const [path, field, below, above] of [
		['/ingest', '{"text":"The kettle whistles.","documentId":"n","other":', 9000, 11000],
		['/chat', '{"messages":[{"role":"user","content":"kettle?"}],"data":', 19000, 21000],
	]) {
		assert.ok([200, 201].includes(await ask(path, field, below)), `${path} ${below}`);
		assert.equal(await ask(path, field, above), 400, `${path} ${above}`);
	}
	// What looks like nodes inside a string is none.
	const answer = await noisy.ingestText('[1,2,3],{"a":1},'.repeat(20000), { documentId: 'json' });
	assert.equal(answer.status, 201, answer.body);
});

const tenants = [];

// Without the sanitizer's quarantine, which gives memory back in batches, on any thread.
async function restart() {
	await gate.program.stop();
	gate = await stack.tenantgate(settings, { env: { ASAN_OPTIONS: 'quarantine_size_mb=0' } });
	for (const tenant of [noisy, ...tenants])
		tenant.url = new URL(gate.url);
}

// Once of each, 8 at a time: milliseconds of a worker's CPU for one.
async function searchEach() {
	const queue = [...tenants];
	const before = workersCpu(gate);
	await Promise.all(Array.from({ length: 8 }, async () => {
		for (let one = queue.pop(); one; one = queue.pop()) {
			const answer = await one.search('kettle');
			assert.equal(answer.status, 200, answer.body);
		}
	}));
	return (workersCpu(gate) - before) / NEWCOMERS;
}

// What a first request costs with Postgres asking for that proof of who logs in.
async function firstCosts(method) {
	writeFileSync(join(stack.dir, 'pg/pg_hba.conf'), `host all all 127.0.0.1/32 ${method}\n`);
	await stack.sql('select pg_reload_conf()');
	await restart();
	assert.equal((await noisy.search('kettle')).status, 200);
	return searchEach();
}

async function costlyPasswords() {
	const roles = await stack.sql('select role, password from neon_standin.projects');
	assert.ok(roles.length > NEWCOMERS);
	await stack.sql(roles.map(([role, password]) =>
		`alter role "${role}" password '${scramVerifier(password, ROUNDS)}';`).join(' '));
}

function digestTime() {
	const start = performance.now();
	for (let i = 0; i < 20; i++)
		pbkdf2Sync('a password of forty characters, as ours', randomBytes(16), ROUNDS, 32, 'sha256');
	return (performance.now() - start) / 20;
}

test('60 first requests, 8 at once: the loop does not compute a password\'s digest',
	async (t) => {
		for (let i = 0; i < NEWCOMERS; i++)
			tenants.push(await gate.tenant(`new${i}`));
		await searchEach();	// their databases are made
		await costlyPasswords();
		const trusted = await firstCosts('trust');
		const proven = await firstCosts('scram-sha-256');
		const turns = longTurns(gate);
		const digest = digestTime();
		t.diagnostic(`a first request costs its worker ${proven.toFixed(2)} ms of CPU, without a ` +
			`password ${trusted.toFixed(2)}; a digest takes ${digest.toFixed(2)}`);
		assert.deepEqual(turns.slice(0, 3), [], `${turns.length} long turns`);
		// Two messages more, one of them a job for a helper. On the loop it would be a digest and more.
		assert.ok(proven - trusted < 0.5 * digest,
			`${proven} ms of CPU, ${trusted} without a password; a digest takes ${digest}`);
	});
