// SPDX-License-Identifier: MIT
// What a tenant may have: its own settings go before its plan's, and that before what [tenantgate]
// says. Each value is seen by what it does, a refusal by the limit that it names.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';
import { ModelServer } from './lib/model-server.mjs';

const run = promisify(execFile);
const stack = new Stack('plans');
let server, gate, settings;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	settings = { model_url: server.url, workers: 1,
		rate_limit_requests_per_minute: 0, tenant_cache_ttl: '50ms',
		chat_model: 'plain', models_allowed: 'large, small', top_k: 3,
		chunk_size: 400, chunk_overlap: 0, max_question: 40, temperature: 1.5,
		system_prompt: 'Default words.',
		'plan free': { max_document_size: '2KiB', max_question: 20, requests_per_minute: 1000,
			top_k: 1, temperature: 0.25, system_prompt: 'Words of the plan.', chunk_size: 200,
			models_allowed: 'small', pool_size: 3 },
		'plan slow': { requests_per_minute: 1 } };
	gate = await stack.tenantgate(settings);
});
after(async () => {
	await stack.stop();
	await server.stop();
});
beforeEach(() => server.reset());

// Has a database, and then what is given, which a running process is to hear of by itself.
let tenants = 0;
async function tenantOf(plan, settings = {}) {
	const id = `tenant-${++tenants}`;
	const tenant = await gate.tenant(id);
	const text = Array.from({ length: 60 }, (_, i) => `Sentence number ${i}.`).join(' ');
	const stored = await tenant.ingestText(text, { documentId: 'text' });
	assert.equal(stored.status, 201, stored.body);
	await change(id, plan, settings);
	return Object.assign(tenant, { id });
}

// The cache's time is 50 ms; what is asked for is the first answer that has the change.
async function change(id, plan, settings) {
	await stack.sql(`update tenants set plan = '${plan ?? ''}', ` +
		`settings = '${JSON.stringify(settings).replaceAll("'", "''")}' where tenant_id = '${id}'`,
		'catalog');
}

const asked = () => server.requests.filter((request) => request.path.endsWith('/chat/completions'))
	.at(-1)?.body;
const systemOf = (body) => body.messages.find((message) => message.role === 'system').content;

// Asks until the model hears what is awaited.
async function hears(tenant, what, is, fields = {}) {
	await until(what, async () => {
		const answer = await tenant.chat('Which number?', { fields });
		return answer.status === 200 && is(asked());
	});
	return asked();
}

async function refused(tenant, status, code, ask, detail, cause) {
	let answer;
	await until(`${status} ${code}`, async () => {
		answer = await ask();
		return answer.status === status;
	});
	const problem = answer.json ?? JSON.parse(answer.body);
	assert.equal(problem.code, code);
	assert.match(problem.detail, detail);
	await until(`${cause} in the log`, () => gate.lines().some((line) => line.tenant === tenant.id &&
		line.code === code && line.cause === cause));
}

test('the prompt, temperature and topK: the tenant, its plan, the default', async () => {
	const tenant = await tenantOf(null);
	const passages = (body) => systemOf(body).match(/^\[\d+\]/gm).length;
	let body = await hears(tenant, 'the default', (b) => systemOf(b).startsWith('Default words.\n\n'));
	assert.equal(body.temperature, 1.5);
	assert.equal(passages(body), 3);
	assert.match(systemOf(body), /Answer the user's question from the passages/);

	await change(tenant.id, 'free', {});
	body = await hears(tenant, 'the plan', (b) => systemOf(b).startsWith('Words of the plan.\n\n'));
	assert.equal(body.temperature, 0.25);
	assert.equal(passages(body), 1);

	await change(tenant.id, 'free', { system_prompt: "The tenant's words: \"ja\".", top_k: 2 });
	body = await hears(tenant, 'the tenant', (b) => systemOf(b).startsWith('The tenant\'s words: "ja".'));
	assert.equal(body.temperature, 0.25, 'what it does not set is its plan\'s');
	assert.equal(passages(body), 2);

	body = await hears(tenant, 'the request', (b) => b.temperature === 0.75,
		{ temperature: 0.75, topK: 3 });
	assert.equal(passages(body), 3, 'a request goes before either');
	assert.match(systemOf(body), /^The tenant's words/);
});

test('a question past max_question: 400, with the number', async () => {
	const tenant = await tenantOf('free');
	await hears(tenant, 'the plan', (body) => systemOf(body).startsWith('Words of the plan.'));
	assert.equal((await tenant.chat('é'.repeat(20))).status, 200, 'characters, not bytes');
	await refused(tenant, 400, 'question_too_long', () => tenant.chat('é'.repeat(21)),
		/may have 20 characters, and this one has 21/, 'max_question of [plan free]');
	await refused(tenant, 400, 'question_too_long', () => tenant.search('x'.repeat(30)),
		/may have 20 characters, and this one has 30/, 'max_question of [plan free]');
	await change(tenant.id, 'free', { max_question: 30 });
	await until('the own limit', async () => (await tenant.chat('x'.repeat(30))).status === 200);
	await refused(tenant, 400, 'question_too_long', () => tenant.chat('x'.repeat(31)),
		/may have 30 characters/, "max_question of the tenant's settings");
	await change(tenant.id, null, {});
	await until('the default', async () => (await tenant.chat('x'.repeat(40))).status === 200);
	await refused(tenant, 400, 'question_too_long', () => tenant.chat('x'.repeat(41)),
		/may have 40 characters/, 'max_question of [tenantgate]');
});

test('a document past max_document_size: 413, also while its body comes', async () => {
	const tenant = await tenantOf('free');
	const ask = (bytes) => () => tenant.ask('POST', '/ingest?documentId=large', {
		headers: { 'content-type': 'text/plain' }, body: 'x '.repeat(bytes / 2) });
	for (const bytes of [2050, 600 << 10])
		await refused(tenant, 413, 'too_large', ask(bytes), /may have 2048 bytes/,
			'max_document_size of [plan free]');
	assert.equal((await ask(2048)()).status, 201);
	await change(tenant.id, 'free', { max_document_size: 4096 });
	await until('the own limit', async () => (await ask(4096)()).status === 201);
	await refused(tenant, 413, 'too_large', ask(4098), /may have 4096 bytes/,
		"max_document_size of the tenant's settings");
});

test('a model that is not in the plan: 403, with those that are', async () => {
	const tenant = await tenantOf(null);
	const ask = (model) => () => tenant.chat('Which number?', { fields: { model } });
	await hears(tenant, 'a further model', (body) => body.model === 'large', { model: 'large' });
	await change(tenant.id, 'free', {});
	await refused(tenant, 403, 'model_not_allowed', ask('large'), /"large".*plain, small/,
		'models_allowed of [plan free]');
	await hears(tenant, 'the plan\'s', (body) => body.model === 'small', { model: 'small' });
	await hears(tenant, 'chat_model', (body) => body.model === 'plain', { model: 'plain' });
	assert.equal((await ask('none')()).status, 400, 'one that nobody may name');
	await change(tenant.id, 'free', { models_allowed: 'large' });
	await hears(tenant, 'its own', (body) => body.model === 'large', { model: 'large' });
	await refused(tenant, 403, 'model_not_allowed', ask('small'), /"small".*plain, large/,
		"models_allowed of the tenant's settings");
});

test('the chunks are cut as the tenant, its plan and the default say', async () => {
	const tenant = await tenantOf(null);
	const text = 'word '.repeat(300).trim();
	const longest = async () => {
		assert.equal((await tenant.ingestText(text, { documentId: 'cut' })).status, 201);
		const { results } = (await tenant.search('word', { documentId: 'cut', topK: 50 })).json;
		return Math.max(...results.map((r) => r.content.length));
	};
	const overlaps = async () => (await tenant.search('word', { documentId: 'cut', topK: 50 }))
		.json.results.reduce((sum, r) => sum + r.content.length + 1, 0) > text.length + 1;
	assert.equal(await longest(), 399);
	const again = async (plan, settings) => {
		await change(tenant.id, plan, settings);
		assert.equal((await tenant.ask('DELETE', '/documents/cut')).status, 204);
	};
	await again('free', {});
	await until('the plan', async () => {
		const n = await longest();
		await tenant.ask('DELETE', '/documents/cut');
		return n === 199;
	});
	await again(null, { chunk_size: 100, chunk_overlap: 50 }).catch(() => {});
	await until('the tenant', async () => {
		await tenant.ask('DELETE', '/documents/cut');
		return await longest() === 99;
	});
	assert.equal(await overlaps(), true);
});

test('requests a minute: the settings, then the column, then the plan', async () => {
	const tenant = await tenantOf('slow');
	const limit = async () => (await tenant.get('/documents')).headers['ratelimit-policy'];
	await until('the plan', async () => /"tenant";q=1;/.test(await limit()));
	await refused(tenant, 429, 'rate_limited', () => tenant.get('/documents'), /1 requests a minute/,
		'requests_per_minute of [plan slow]');
	await stack.sql(`update tenants set requests_per_minute = 700 where tenant_id = '${tenant.id}'`,
		'catalog');
	await until('the column', async () => /"tenant";q=700;/.test(await limit()));
	await change(tenant.id, 'slow', { requests_per_minute: 800 });
	await until('the settings', async () => /"tenant";q=800;/.test(await limit()));
	await change(tenant.id, 'slow', { requests_per_minute: 0 });
	await until('no limit', async () => !/"tenant"/.test(await limit() ?? ''));
});

test('what is no setting, and a plan that is not there, change nothing and are logged', async () => {
	const tenant = await tenantOf('gold', { colour: 'red', top_k: 2, max_question: 'many' });
	const body = await hears(tenant, 'the good one',
		(b) => systemOf(b).match(/^\[\d+\]/gm).length === 2);
	assert.match(systemOf(body), /^Default words\./);
	const events = gate.lines().filter((line) => line.event?.startsWith('plan.'));
	assert.equal(events.filter((line) => line.event === 'plan.unknown').length, 1);
	assert.equal(events.filter((line) => line.event === 'plan.settings').length, 1,
		'once a minute, though the record is read every 50 ms');
	assert.match(events.find((line) => line.event === 'plan.unknown').message, /\[plan gold\]/);
});

test('pool_size: as many connections of its database as the plan says', async () => {
	const tenant = await tenantOf('free', { pool_size: 1 });
	const [[database]] = await stack.sql("select db_name from tenants where tenant_id = " +
		`'${tenant.id}'`, 'catalog');
	await until('the settings are known', async () =>
		(await tenant.chat('x'.repeat(21))).status === 400);
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`);
	const answers = await Promise.all(Array.from({ length: 8 }, () => tenant.search('number')));
	assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
	// Those that were told to end may take a moment.
	await until('there is one', async () => (await stack.sql('select count(*) from pg_stat_activity ' +
		`where datname = '${database}'`))[0][0] === '1');
});

test('a replica that has the record from Redis has the settings with it', async () => {
	const { url, port } = await stack.redis();
	const one = await stack.tenantgate({ ...settings, redis_url: url });
	const tenant = await one.tenant('shared');
	assert.equal((await tenant.ingestText('A text.', { documentId: 'text' })).status, 201);
	await change('shared', 'free', { max_question: 5 });
	await run('redis-cli', ['-p', String(port), 'del', 'tg:tenant:test:shared']);
	await until('the first replica has read them', async () =>
		(await tenant.chat('x'.repeat(6))).status === 400);
	await change('shared', '', {});
	const two = await stack.tenantgate({ ...settings, redis_url: url });
	const answer = await (await two.tenant('shared')).search('x'.repeat(6));
	assert.equal(answer.status, 400, answer.body);
	assert.match(answer.json.detail, /may have 5 characters/);
});
