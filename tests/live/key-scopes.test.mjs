// SPDX-License-Identifier: MIT
// What a key may do, and until when: over every route of the table, and from the command line.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from './lib/client.mjs';
import { programs, source, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const run = promisify(execFile);
const stack = new Stack('key-scopes');
let gate;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0,
		key_last_used_interval: '200ms', auth_failures_per_minute: 0 });
	assert.equal((await (await gate.tenant('acme')).ingestText('A text.', { documentId: 'd' })).status,
		201);
});
after(() => stack.stop());

const scopes = ['ingest', 'chat', 'search', 'documents', 'sql', 'v1', 'mcp'];
const client = (key, tenant) => new Client(gate.url, { authorization: `Bearer ${key}`,
	...(tenant ? { 'x-tenant-id': tenant } : {}) });

// Every route that asks for a key, and the scope that it is in; null: a key without scopes alone;
// 'any': every key. What is of apps alone is said before the scope.
const ofApps = ['PUT /tenant', 'GET /tenant', 'POST /tokens'];
const routes = {
	'POST /ingest': 'ingest',
	'POST /chat': 'chat',
	'GET /chat/{id}/stream': 'chat',
	'POST /search': 'search',
	'GET /documents': 'documents',
	'GET /documents/{id}': 'documents',
	'PATCH /documents/{id}': 'documents',
	'DELETE /documents/{id}': 'documents',
	'GET /documents/{id}/chunks': 'documents',
	'PUT /tenant': null,
	'GET /tenant': null,
	'POST /tokens': 'any',
	'GET /usage': null,
};

// As the program's own table has them: one that nobody has thought of here fails this test.
function tableOfRoutes() {
	const text = readFileSync(join(source, 'src/api/route.c'), 'utf8');
	return [...text.matchAll(/\{ "([A-Z]+)", "(\/[^"]*)", \w+,[^}]*\}/g)]
		.filter(([row]) => !row.includes('ANYBODY')).map(([, method, path]) => `${method} ${path}`);
}

function ask(by, route) {
	const [method, path] = route.split(' ');
	const body = { POST: '{"text":"A text.","documentId":"e","query":"x","messages":[]}', PATCH: '{}',
		PUT: '{}' }[method];
	return by.ask(method, path.replace('{id}', 'e'), body === undefined ? {} :
		{ headers: { 'content-type': 'application/json' }, body });
}

test('the routes here are those that there are', () => {
	assert.deepEqual(tableOfRoutes().sort(), Object.keys(routes).sort());
});

test('each scope opens its routes and no other, for keys of apps and of tenants', async () => {
	for (const scope of scopes)
		for (const kind of [['--service'], ['--tenant', 'acme']]) {
			const by = client(await gate.key(...kind, '--scopes', scope),
				kind[0] === '--service' ? 'acme' : null);
			for (const [route, needed] of Object.entries(routes)) {
				const answer = await ask(by, route);
				const what = `${kind[0]} ${scope}: ${route} ${answer.body}`;
				if (kind[0] === '--tenant' && ofApps.includes(route)) {
					assert.equal(answer.json.code, 'forbidden', what);
				} else if (needed === scope || needed === 'any') {
					assert.notEqual(answer.status, 403, what);
				} else {
					assert.deepEqual([answer.status, answer.json.code],
						[403, 'insufficient_scope'], what);
					assert.match(answer.json.detail, new RegExp(needed === null ?
						'without scopes' : `scope ${needed};`), what);
				}
			}
		}
});

test('several scopes open what each does; a key without scopes opens all', async () => {
	const some = client(await gate.key('--tenant', 'acme', '--scopes', 'search,documents'));
	assert.equal((await some.search('text')).status, 200);
	assert.equal((await some.get('/documents')).status, 200);
	assert.equal((await some.chat('What?')).status, 403);
	const all = client(await gate.key('--service'), 'acme');
	for (const route of Object.keys(routes))
		assert.notEqual((await ask(all, route)).status, 403, route);
});

// By hand too: nothing but a whole key becomes one.
test('what an operator writes by hand is never more than it says', async () => {
	const key = await gate.key('--tenant', 'acme', '--scopes', 'chat');
	const id = key.slice(3, 15);
	const set = (what) => stack.sql(`update api_keys set ${what} where key_id = '${id}'`, 'catalog');
	await assert.rejects(set('scopes = null'), /api_keys_limited/);
	await assert.rejects(set("scopes = '{}'"), /api_keys_limited/);
	await assert.rejects(set('limited_sha256 = null'), /api_keys_limited/);
	await set("scopes = '{telepathy}'");
	const answer = await client(key).search('x');
	assert.equal(answer.json.code, 'insufficient_scope');
	const whole = (await gate.key('--tenant', 'acme')).slice(3, 15);
	await assert.rejects(stack.sql(
		`update api_keys set scopes = '{chat}' where key_id = '${whole}'`, 'catalog'), /api_keys_limited/);
});

// The statement of builds before scopes, as they have it.
test('to a build that knows no scopes a limited key is a wrong one, and a whole one is right', async () => {
	const older = async (key) => {
		const [[matches]] = await stack.sql(`select secret_sha256 =
			encode(sha256('${key.slice(16, 59)}'), 'hex') from public.api_keys where
			key_id = '${key.slice(3, 15)}' and revoked_at is null`, 'catalog');
		return matches === 't';
	};
	assert.equal(await older(await gate.key('--tenant', 'acme')), true);
	assert.equal(await older(await gate.key('--tenant', 'acme', '--scopes', 'chat')), false);
	assert.equal(await older(await gate.key('--service', '--expires', '1h')), false);
});

test('a key is over at its time, though its record is cached, and the log says why', async () => {
	// Long enough to be used once, however busy the machine is.
	let key, by, first = { status: 401 };
	for (let life = 2; first.status === 401; life *= 2) {
		assert.ok(life < 100, 'it never worked');
		key = await gate.key('--tenant', 'acme', '--expires', `${life}s`);
		by = client(key);
		first = await by.search('x');
	}
	assert.equal(first.status, 200, first.body);
	const last = await until('it is over', async () => {
		const answer = await by.search('x', {});
		return answer.status === 401 ? answer : null;
	});
	assert.equal(last.json.code, 'unauthenticated');
	assert.match(last.headers['www-authenticate'], /^Bearer/);
	assert.deepEqual(last.json.detail, (await client(`${key.slice(0, -9)}xxxxxxxxx`).search('x'))
		.json.detail, 'it says what an invented key is told');
	const line = gate.lines().find((l) => l.status === 401 && l.key === key.slice(3, 15));
	assert.match(line.cause, /expired/);
	assert.ok(!gate.program.text().includes(key));
	const [[expired]] = await stack.sql(`select expires_at from api_keys where
		key_id = '${key.slice(3, 15)}'`, 'catalog');
	assert.ok(new Date(line.time) >= new Date(expired));
});

test('when a key was used last is in the catalog soon after', async () => {
	const key = await gate.key('--tenant', 'acme');
	const used = async () => (await stack.sql(`select extract(epoch from last_used_at) from api_keys
		where key_id = '${key.slice(3, 15)}'`, 'catalog'))[0][0];
	assert.equal(await used(), '');
	const began = Date.now() / 1000;
	assert.equal((await client(key).search('x')).status, 200);
	const first = await until('it is noted', async () => Number(await used()));
	assert.ok(first >= began - 1 && first <= Date.now() / 1000 + 1, `${first}`);
	await until('a later use is noted', async () => {
		assert.equal((await client(key).search('x')).status, 200);
		return Number(await used()) > first;
	});
});

// ---- the command line ----

const command = (...words) => run(programs.tenantgate(), ['-c', gate.path, 'key', ...words]);
const fails = async (...words) => {
	const error = await command(...words).then(() => null, (e) => e);
	assert.ok(error, `${words.join(' ')} is refused`);
	return { code: error.code, text: error.stderr };
};

test('key create says what is wrong with its words', async () => {
	for (const [words, reason] of [
		[['--service', '--scopes', 'chats'], /no scope "chats"; take some of ingest/],
		[['--service', '--scopes', ''], /at least one scope/],
		[['--admin', '--scopes', 'chat'], /no admin key/],
		[['--service', '--expires', 'soon'], /--expires takes/],
		[['--service', '--expires', '0s'], /--expires takes/],
		[['--service', '--expires', '2020-01-01T00:00:00Z'], /--expires takes/],
		[['--service', '--expires', '99999999999999999999d'], /--expires takes/],
		[['--tenant', 'a b'], /tenant id/],
		[['--service', '--kind', 'tenant'], /usage/],
		[['--service', '--admin'], /usage/],
		[[], /usage/],
	]) {
		const { code, text } = await fails('create', ...words);
		assert.equal(code, 2, words.join(' '));
		assert.match(text, reason);
	}
});

test('key create, list and revoke on the catalog itself, as text and as JSON', async () => {
	const made = JSON.parse((await command('create', '--tenant', 'lister', '--scopes', 'search,chat',
		'--expires', '30d', '--note', 'a \x1b[31mred\x1b[0m note', '--json')).stdout);
	const key = made.key;
	assert.match(made.text, new RegExp(`^tg_${key.id}_`));
	assert.deepEqual([key.kind, key.tenant, key.scopes, key.state], ['tenant', 'lister',
		['chat', 'search'], 'active']);
	const days = (new Date(key.expiresAt) - new Date(key.createdAt)) / 86400000;
	assert.ok(Math.abs(days - 30) < 0.01, `${days}`);
	await command('create', '--tenant', 'lister', '--note', 'batch one');
	await command('create', '--tenant', 'lister', '--note', 'batch two');

	const list = async (...words) => JSON.parse((await command('list', '--json', ...words)).stdout).keys;
	assert.deepEqual((await list('--tenant', 'lister')).map((k) => k.note),
		['batch two', 'batch one', 'a \x1b[31mred\x1b[0m note']);
	assert.equal((await list('--tenant', 'lister', '--note', 'batch')).length, 2);
	assert.deepEqual(await list('--kind', 'admin', '--tenant', 'lister'), []);
	const text = (await command('list', '--tenant', 'lister')).stdout;
	assert.match(text, /^ID +KIND +STATE +CREATED/);
	assert.match(text, new RegExp(`^${key.id} +tenant +active .* chat,search +lister +a \\?\\[31mred`, 'm'));
	for (const all of [text, JSON.stringify(await list())])
		assert.ok(!all.includes(made.text.slice(16, 59)) && !/[0-9a-f]{64}/.test(all));

	assert.equal((await client(made.text).search('x')).status, 200);
	const gone = (await command('revoke', key.id)).stdout;
	assert.match(gone, new RegExp(`^Key ${key.id} \\(tenant\\) is revoked since 20`));
	assert.match(gone, /within 30 s/);
	const again = JSON.parse((await command('revoke', key.id, '--json')).stdout);
	assert.equal(again.key.state, 'revoked');
	assert.ok(gone.includes(again.key.revokedAt), 'the first time stands');
	assert.equal(again.effective, 'within 30s');
	const unknown = await fails('revoke', 'aaaaaaaaaaaa');
	assert.equal(unknown.code, 1);
	assert.match(unknown.text, /no key aaaaaaaaaaaa/);
	assert.equal((await fails('revoke', made.text)).code, 2);
	assert.equal((await fails('revoke')).code, 2);
});

test('key list goes through all pages', async () => {
	await stack.sql(`insert into api_keys (key_id, secret_sha256, kind, tenant_id, created_at)
		select 'many' || lpad(i::text, 8, '0'), repeat('0', 64), 'tenant', 'many',
		'2026-01-01Z'::timestamptz + (i / 2) * interval '1 microsecond'
		from generate_series(1, 2500) i`, 'catalog');
	const { stdout } = await run(programs.tenantgate(), ['-c', gate.path, 'key', 'list', '--json',
		'--tenant', 'many'], { maxBuffer: 16 << 20 });
	const ids = JSON.parse(stdout).keys.map((k) => k.id);
	assert.equal(ids.length, 2500);
	assert.equal(new Set(ids).size, 2500);
});

test('an admin key opens nothing of tenants', async () => {
	const admin = client(await gate.key('--admin'), 'acme');
	for (const route of Object.keys(routes))
		assert.equal((await ask(admin, route)).json.code, 'forbidden', route);
});
