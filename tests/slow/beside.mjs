// SPDX-License-Identifier: MIT
// A rollout: an older build of this program and this one side by side, on one catalog and one Redis,
// with requests to both. Nothing may break, what one stores the other finds, and a limit counts once.
//
//	OLDER (6935514, the first that was measured): a commit of this repository
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from '../live/lib/client.mjs';
import { until } from '../live/lib/process.mjs';
import { Gate, source, Stack } from '../live/lib/stack.mjs';

const run = promisify(execFile);
const commit = process.env.OLDER ?? '6935514';
const stack = new Stack('beside');
const folder = join(process.env.TENANTGATE_STATE ?? join(source, '.state'), `older-${commit}`);
const free = { rate_limit_requests_per_minute: 0 }, strict = { rate_limit_requests_per_minute: 30 };
const limited = [];	// the older one, and the newer
let older, newer;

// Built once; what is in its folder is of that commit alone.
async function buildOlder() {
	const program = join(folder, 'build/src/tenantgate');
	if (existsSync(program))
		return program;
	mkdirSync(join(folder, 'build'), { recursive: true });
	const shell = (command, cwd) => run('sh', ['-c', command], { cwd, maxBuffer: 1 << 26 });
	await shell(`git -C '${source}' archive ${commit} | tar -x -C '${folder}'`, folder);
	await shell('./autogen.sh', folder);
	await shell('../configure CFLAGS=-O1 && make -s -j2 src/tenantgate', join(folder, 'build'));
	return program;
}

// One of the older build; it says with a small letter that it listens.
async function startOlder(program, settings) {
	const path = stack.conf(settings);
	const process = stack.program('older', program, ['-c', path]);
	const [, port] = await process.says(/listening on [^ ]+:(\d+) with/i);
	const gate = new Gate(process, Number(port), path);
	await until('the older one is ready', async () =>
		(await gate.anonymous.get('/readyz').catch(() => null))?.status === 200);
	return gate;
}

// The older build makes the catalog; the newer one is started beside it, and migrates. (From then on
// an older one cannot be started any more: both are before.)
before(async () => {
	const program = await buildOlder();
	await stack.surroundings({ neon: false });
	older = await startOlder(program, free);
	limited.push(await startOlder(program, strict));
	const { stdout } = await run(program, ['-c', older.path, 'key', 'create', '--service']);
	const serviceKey = stdout.trim();
	older.serviceKey = serviceKey;
	const first = await older.tenant('early');
	assert.equal((await first.ingestText('The lantern burns three litres a week.',
		{ documentId: 'lantern' })).status, 201);
	newer = await stack.tenantgateWithAdmin(free);
	limited.push(await stack.tenantgate(strict));
	for (const gate of [newer, ...limited])
		gate.serviceKey = serviceKey;
});
after(() => stack.stop());

const both = () => [['older', older], ['newer', newer]];
const contents = (answer) => answer.json.results.map((r) => r.content);

test('the newer build has migrated the catalog, and the older one goes on', async () => {
	for (const [name, gate] of both()) {
		const answer = await (await gate.tenant('early')).search('lantern');
		assert.equal(answer.status, 200, `${name}: ${answer.body}`);
		assert.deepEqual(contents(answer), ['The lantern burns three litres a week.'], name);
	}
});

test('tenants that either makes, documents that either stores and replaces, are both\'s', async () => {
	for (const [writer, gate] of both()) {
		const id = `made-by-${writer}`;
		const mine = await gate.tenant(id);
		for (const text of ['The raft floats.', 'The boat leaks.']) {
			const stored = await mine.ingestText(text, { documentId: 'd' });
			assert.equal(stored.status, 201, `${writer}: ${stored.body}`);
			for (const [reader, other] of both()) {
				const answer = await (await other.tenant(id)).search('boat');
				assert.deepEqual(contents(answer), [text], `${writer}, read by ${reader}`);
			}
		}
		// The other one replaces it, too, and answers about it.
		const [reader, other] = both().find(([name]) => name !== writer);
		const theirs = await other.tenant(id);
		assert.equal((await theirs.ingestText('The canoe is red.', { documentId: 'd' })).status, 201);
		for (const client of [mine, theirs]) {
			assert.deepEqual(contents(await client.search('canoe')), ['The canoe is red.'], reader);
			assert.equal((await client.chat('What is red?')).status, 200);
		}
	}
});

test('many at once, on both: no answer that is not one of theirs', async () => {
	const tenants = [...Array(6)].map((_, i) => `crowd-${i}`);
	await Promise.all(tenants.map(async (id, i) => {
		const [, gate] = both()[i % 2];
		const stored = await (await gate.tenant(id)).ingestText(`The word of ${id}.`, { documentId: 'w' });
		assert.equal(stored.status, 201, stored.body);
	}));
	await Promise.all(tenants.flatMap((id) => both().map(async ([name, gate]) => {
		const client = await gate.tenant(id);
		for (let i = 0; i < 25; i++) {
			const answer = await client.search('word');
			assert.equal(answer.status, 200, `${name}: ${answer.body}`);
			assert.deepEqual(contents(answer), [`The word of ${id}.`], name);
		}
	})));
});

test('a key that the newer one revokes is over at both', async () => {
	const made = await newer.admin.post('/admin/keys', { kind: 'tenant', tenant: 'early' });
	assert.equal(made.status, 201, made.body);
	const { text } = made.json;
	const bearer = (key) => ({ authorization: `Bearer ${key}` });
	// The tag at its end is younger than that build, which takes the key without it, and nothing else.
	assert.equal((await new Client(newer.url, bearer(text)).search('lantern')).status, 200);
	assert.equal((await new Client(older.url, bearer(text)).search('lantern')).status, 401);
	const headers = bearer(text.slice(0, older.serviceKey.length));
	for (const [name, gate] of both())
		assert.equal((await new Client(gate.url, headers).search('lantern')).status, 200, name);
	assert.equal((await newer.admin.ask('DELETE', `/admin/keys/${made.json.key.id}`)).status, 200);
	for (const [, gate] of both())
		await until('it is refused', async () =>
			(await new Client(gate.url, headers).search('lantern')).status === 401);
});

// All that passes together is 30, and what a minute's part brings back meanwhile.
test('a limit counts once: 30 a minute, asked of both, are 30', async () => {
	const clients = await Promise.all(limited.map((gate) => gate.tenant('limited')));
	assert.equal((await (await older.tenant('limited')).ingestText('The lantern.')).status, 201);
	const began = Date.now();
	const statuses = [];
	for (let i = 0; i < 40; i++)
		for (const client of clients)
			statuses.push((await client.search('lantern')).status);
	const passed = statuses.filter((status) => status === 200).length;
	const more = Math.ceil((Date.now() - began) / 2000);
	assert.ok(passed >= 30 && passed <= 30 + more, `${passed} have passed, ${30 + more} at most`);
	assert.deepEqual([...new Set(statuses)].sort(), [200, 429]);
});

test('neither has said that anything was wrong', () => {
	for (const [name, gate] of both()) {
		const bad = gate.program.text().split('\n').filter((line) => /"level":"(error|err|crit)"/.test(line));
		assert.deepEqual(bad, [], name);
		assert.equal(gate.program.ended, undefined, name);
	}
});
