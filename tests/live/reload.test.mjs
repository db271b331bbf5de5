// SPDX-License-Identifier: MIT
// A reload, by SIGHUP, POST /admin/reload and tenantgatectl: what a changed file says holds for what
// begins from then on; a bad file changes nothing; what runs is not touched.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { chunk, DONE, ModelServer, words } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { built, Stack } from './lib/stack.mjs';

const run = promisify(execFile);
const stack = new Stack('reload');
const PROMPT = 'You answer as the keeper of the harbour.';
let gate, model, base, tenant;

// What the file has now: the settings of the start, and these.
function write(changes = {}) {
	renameSync(stack.conf({ ...base, ...changes }), gate.path);
}

async function reload(changes, query = '') {
	write(changes);
	return gate.admin.ask('POST', `/admin/reload${query}`);
}

const keys = (settings) => settings.map((s) => s.key).sort();

async function setting(key, section = 'tenantgate') {
	const { json } = await gate.admin.get('/admin/config');
	return json.config.find((s) => s.key === key && s.section === section);
}

const counts = (pattern) => gate.lines().filter((line) => line.event === pattern).length;

async function signalled(changes) {
	const reloaded = counts('conf.reloaded');
	write(changes);
	gate.program.kill('SIGHUP');
	await until('it is reloaded', () => counts('conf.reloaded') > reloaded);
}

const bare = { documentIds: [] };
const ask = (client = tenant, fields = {}) =>
	client.openChat('Where do the boats lie?', { fields: { ...bare, ...fields } });
const sessions = async () => (await stack.sql(`select pid from pg_stat_activity
	where datname like 'tg%' and backend_type = 'client backend' order by pid`)).map(([pid]) => pid);

// An answer whose rest comes when `finish` is called.
function held() {
	let finish;
	const gone = new Promise((resolve) => {
		finish = resolve;
	});
	const play = async (request, response) => {
		const pieces = [chunk({ role: 'assistant', content: '' }), chunk({ content: 'The north ' })];
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		for (const piece of pieces)
			response.write(piece);
		await gone;
		for (const word of ['quay ', 'is ', 'theirs.'])
			response.write(chunk({ content: word }));
		response.end(chunk({}, 'stop') + DONE);
	};
	return { play, finish };
}

before(async () => {
	model = await ModelServer.start();
	await stack.surroundings({ neon: false });
	base = { model_url: model.url, workers: 2, rate_limit_requests_per_minute: 0,
		server_idle_timeout: '10m' };
	gate = await stack.tenantgateWithAdmin(base, { env: { PGOPTIONS: 'from-the-start' } });
	base.admin_listen_port = Number(new URL(gate.adminUrl).port);
	tenant = await gate.tenant('harbour');
	assert.equal((await tenant.ingestText('The boats lie at the north quay.')).status, 201);
});
after(async () => {
	await stack.stop();
	await model.stop();
});

test('nothing has changed: nothing is told, and nothing is logged again and again', async () => {
	const { status, json } = await reload({});
	assert.equal(status, 200);
	assert.deepEqual(json, { applied: true, changed: [], removed: [], needsRestart: [],
		warnings: json.warnings });
});

test('a limit, a prompt and the log level hold for the next request', async () => {
	const { status, json } = await reload({ rate_limit_requests_per_minute: 1, rate_limit_burst: 1,
		system_prompt: PROMPT, log_level: 'debug' });
	assert.equal(status, 200, JSON.stringify(json));
	assert.deepEqual(keys(json.changed).filter((key) => !key.startsWith('requests') && key !== 'burst'),
		['log_level', 'rate_limit_burst', 'rate_limit_requests_per_minute', 'system_prompt']);
	assert.deepEqual(json.needsRestart, []);
	const audit = gate.lines().filter((line) => line.event === 'admin.audit').at(-1);
	assert.equal(audit.action, 'config.reload');
	assert.ok(audit.after.changed.includes('system_prompt') && !JSON.stringify(audit).includes(PROMPT));
	model.requests = [];
	assert.equal((await ask()).status, 200);
	const system = model.chats()[0].body.messages[0];
	assert.ok(system.content.startsWith(PROMPT), system.content);
	assert.equal((await ask()).status, 429);
	assert.equal((await setting('system_prompt')).value, PROMPT);
	await reload({});
	assert.equal((await ask()).status, 200);
});

test('a bad file changes nothing, and all its reasons come back with their lines', async () => {
	const { status, json } = await reload({ top_k: 'many', listn_port: 1, chunk_size: 300 });
	assert.equal(status, 422);
	assert.equal(json.code, 'configuration_refused');
	assert.equal(json.errors.length, 2, json.errors.join());
	for (const error of json.errors)
		assert.match(error, new RegExp(`^${gate.path}:\\d+: `));
	assert.ok(json.errors.some((error) => /top_k takes a number/.test(error)));
	assert.ok(json.errors.some((error) => /did you mean "listen_port"/.test(error)));
	assert.equal(json.detail, json.errors[0]);
	assert.equal((await setting('chunk_size')).value, 1000);
	gate.program.kill('SIGHUP');
	await gate.program.says(/"conf.refused".*top_k takes a number/);
	assert.equal((await ask()).status, 200);
});

test('certificates that are not there refuse it, as -t does', async () => {
	const pipe = join(stack.dir, 'pipe.pem');	// which nobody writes into: it would be waited for
	await run('mkfifo', ['-m', '666', pipe]);
	for (const ca_file of [join(stack.dir, 'none.pem'), pipe, stack.dir]) {
		const { status, json } = await reload({ ca_file });
		assert.equal(status, 422);
		assert.match(json.errors.join(), /:\d+: ca_file: .*cannot be read/);
	}
});

test('a key that needs a restart is named, the rest is applied', async () => {
	const { status, json } = await reload({ workers: 3, environment: 'other', top_k: 2 });
	assert.equal(status, 200);
	assert.deepEqual(json.needsRestart.map((s) => [s.key, s.value, s.inFile]),
		[['workers', 2, 3], ['environment', 'test', 'other']]);
	assert.deepEqual(keys(json.changed), ['top_k']);
	assert.deepEqual([(await setting('workers')).value, (await setting('workers')).inFile,
		(await setting('workers')).change], [2, 3, 'restart']);
	assert.deepEqual([(await setting('top_k')).value, (await setting('top_k')).change], [2, 'reload']);
	await gate.program.says(/"conf.needs_restart".*: workers, environment\./);
	assert.deepEqual((await reload({})).json.needsRestart, []);
	assert.equal('inFile' in await setting('workers'), false);
});

test('variables are those of the start, also those that are kept from libpq', async () => {
	const { status, json } = await reload({ server_header: '${PGOPTIONS}' });
	assert.equal(status, 200, JSON.stringify(json));
	assert.equal((await gate.anonymous.get('/healthz')).headers.server, 'from-the-start');
	await reload({});
});

test('a dry run tells what it would do, and does nothing', async () => {
	const { json } = await reload({ top_k: 9 }, '?dryRun=true');
	assert.deepEqual([json.applied, keys(json.changed)], [false, ['top_k']]);
	assert.equal((await setting('top_k')).value, 4);
});

test('plans come, change and go, with tenants on them', async () => {
	await gate.admin.ask('PATCH', '/admin/tenants/harbour', { body: '{"plan":null}',
		headers: { 'content-type': 'application/json' } });
	await reload({ 'plan small': { max_question: 5 } });
	assert.equal((await gate.admin.ask('PATCH', '/admin/tenants/harbour', { body: '{"plan":"small"}',
		headers: { 'content-type': 'application/json' } })).status, 200);
	await until('the plan holds', async () => (await ask()).status === 400);
	await reload({ 'plan small': { max_question: 500, system_prompt: PROMPT } });
	model.requests = [];
	assert.equal((await ask()).status, 200);
	assert.ok(model.chats()[0].body.messages[0].content.startsWith(PROMPT));
	const { json } = await reload({});
	assert.deepEqual(json.removed, ['plan small']);
	model.requests = [];
	assert.equal((await ask()).status, 200);
	assert.ok(!model.chats()[0].body.messages[0].content.startsWith(PROMPT));
});

test('a stream over two reloads is what it would have been; pools and counters go on', async () => {
	const reference = words('The north ', 'quay ', 'is ', 'theirs.');
	model.chat = reference;
	const whole = await (await ask()).text();
	assert.equal((await tenant.search('boats')).status, 200);
	const first = await sessions();
	assert.ok(first.length > 0);
	const { play, finish } = held();
	model.chat = play;
	const streams = await Promise.all(Array.from({ length: 8 }, () => ask()));
	const texts = streams.map((stream) => stream.text());
	const before = (await gate.admin.get('/metrics')).body;
	await signalled({ system_prompt: PROMPT, default_pool_size: 3, top_k: 2 });
	await signalled({ system_prompt: 'Another.', answer_tokens: 99 });
	model.chat = reference;
	assert.equal(await (await ask()).text(), whole);
	assert.equal((await tenant.search('boats')).status, 200);
	finish();
	for (const text of await Promise.all(texts))
		assert.equal(text, whole);
	assert.deepEqual((await sessions()).filter((pid) => first.includes(pid)), first, 'connections');
	const after = (await gate.admin.get('/metrics')).body;
	const counters = (page) => new Map([...page.matchAll(/^(tenantgate_\w+_total\S*) (\d+)$/gm)]
		.map(([, name, value]) => [name, Number(value)]));
	assert.ok(counters(before).size > 3);
	for (const [name, value] of counters(before))
		assert.ok(counters(after).get(name) >= value, name);
	await reload({});
});

test('servers of models come and go: a stream of one that is gone ends by itself', async () => {
	const east = await ModelServer.start();
	const { play, finish } = held();
	await reload({ chat_model: 'east/big', 'model east': { url: east.url } });
	east.chat = play;
	const stream = await ask();
	const text = stream.text();
	await until('it is asked', () => east.chats().length === 1);
	const { json } = await reload({ chat_model: 'small' });
	assert.deepEqual(json.removed, ['model east']);
	model.requests = [];
	assert.equal((await ask()).status, 200);
	assert.equal(model.chats()[0].body.model, 'small');
	await reload({});
	finish();
	assert.equal(await text, 'The north quay is theirs.');
	assert.equal(east.chats().length, 1);
	await east.stop();
});

test('what is known of a server of models that has not changed is kept', async () => {
	model.chat = (request, response) => {
		if (request.body.stream_options !== undefined) {
			response.writeHead(400, { 'content-type': 'application/json' });
			return response.end(JSON.stringify({ error: { message:
				"Unrecognized request argument supplied: stream_options", param: 'stream_options' } }));
		}
		return model.play(words('Yes.'), response);
	};
	model.requests = [];
	assert.equal((await ask()).status, 200);
	assert.equal(model.chats().length, 2);
	await reload({ top_k: 3 });
	model.requests = [];
	assert.equal((await ask()).status, 200);
	assert.equal(model.chats().length, 1, 'the habit is known');
	await reload({ model_retries: 1 });
	model.requests = [];
	assert.equal((await ask()).status, 200);
	assert.equal(model.chats().length, 2, 'with other settings it is another server');
	model.chat = words('Yes.');
	await reload({});
});

test('tenantgatectl reload: what it did, and the reasons where it refuses', async () => {
	const keyFile = join(stack.dir, 'admin.key');
	writeFileSync(keyFile, gate.adminKey, { mode: 0o600 });
	const ctl = (...args) => run(built('tenantgatectl'), ['--url', gate.adminUrl, '--key-file', keyFile,
		...args]).catch((error) => error);
	write({ top_k: 3, workers: 5 });
	const done = await ctl('reload', '--json');
	assert.deepEqual(JSON.parse(done.stdout).needsRestart.map((s) => s.key), ['workers']);
	write({ top_k: 'x', chunk_size: 'y' });
	const refused = await ctl('reload');
	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /top_k takes a number/);
	assert.match(refused.stderr, /chunk_size takes a number/);
	write({});
	assert.equal((await reload({})).status, 200);
});

test('reloads under load, one after the other: every answer is whole', async () => {
	const words10 = Array.from({ length: 10 }, (_, i) => chunk({ content: `word${i} ` }));
	model.chat = (request, response) => model.play([words10[0], 1, ...words10.slice(1),
		chunk({}, 'stop'), DONE], response);
	let over = false;
	const askers = Array.from({ length: 12 }, async (_, i) => {
		const bodies = new Set();
		let asked = 0;
		for (; !over; asked++) {
			const answer = await ask(tenant, i % 2 ? {} : { documentIds: undefined });
			assert.equal(answer.status, 200);
			bodies.add(await answer.text());
		}
		return { asked, bodies };
	});
	for (let i = 0; i < 30; i++)
		await reload({ top_k: 1 + i % 5, system_prompt: `Prompt ${i}.`, model_retries: i % 3,
			default_pool_size: 2 + i % 9, max_server_connections: 20 + i % 7,
			'plan p': { top_k: i % 4 + 1 }, 'model east': { url: `http://127.0.0.1:1/v${i % 2}` } });
	over = true;
	for (const { asked, bodies } of await Promise.all(askers)) {
		assert.ok(asked > 0);
		assert.deepEqual([...bodies], ['word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 ']);
	}
	assert.deepEqual(gate.lines().filter((line) => line.level === 'error' &&
		line.event !== 'conf.refused'), []);
});
