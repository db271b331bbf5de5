// SPDX-License-Identifier: MIT
// Two tenants who do the same things with the same names at the same time, acme always first: nothing
// of the one is the other's, in whatever is keyed by tenants. tests/mutation/run makes each of those
// keys forget its tenant, and this file has to notice.
import { test as nodeTest, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Client } from './lib/client.mjs';
import { attributes, Collector } from './lib/collector.mjs';
import { chunk, embeddingsOf, json, ModelServer, STALL } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('tenants-apart');
const TENANTS = ['acme', 'bolt'];
const word = { acme: 'kelpforest', bolt: 'saltmarsh' };
const WAIT = 10000;	// ms; what a mutation hinders is not waited for longer
const other = { acme: 'bolt', bolt: 'acme' };
let server, collector, gate, replica;
const databases = {};

const settings = () => ({ workers: 1, shutdown_timeout: '1s', model_url: server.url, model_send_user: 'on',
	rate_limit_requests_per_minute: 0, auth_failures_per_minute: 0, redis_timeout: '10s',
	usage_write_interval: '100ms', otlp_url: collector.url, trace_sample: 100,
	rerank_model: 'judge/best', 'model judge': { url: server.url, api_key: 'k' },
	'plan few': { requests_per_minute: 1, burst: 3, user_requests_per_minute: 1 },
	'plan streams': { max_concurrent_streams: 1 }, 'plan tokens': { tokens_per_month: 3000 } });

// One finding is enough where a mutation is looked for: what comes after it is left out.
let hasFailed = false;
const test = (name, fn) => nodeTest(name, async (t) => {
	if (hasFailed && process.env.TENANTGATE_MUTATION)
		return t.skip('an earlier test has failed');
	try {
		return await fn(t);
	} catch (error) {
		hasFailed = true;
		throw error;
	}
});

async function start() {
	gate = await stack.tenantgateWithAdmin(settings());
	gate.serviceKey = stack.service ??= await gate.service();
	return gate;
}

before(async () => {
	[server, collector] = [await ModelServer.start(), await Collector.start()];
	await stack.surroundings({ neon: false });
	await start();
	replica = await stack.tenantgate(settings());
	replica.serviceKey = stack.service;
});
after(async () => {
	await stack.stop();
	await Promise.all([server.stop(), collector.stop()]);
});
beforeEach(() => server.reset());

const redis = (...words) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...words],
	{ encoding: 'utf8' }).trim();
const both = async (does) => {	// acme first
	for (const t of TENANTS)
		await does(t, await gate.tenant(t));
};
const store = async (client, t, id = 'same', fields = {}) => {
	const answer = await client.ingestText(`A text of the ${word[t]}, called ${id}.`,
		{ documentId: id, title: `Title ${word[t]}`, ...fields });
	assert.ok([200, 201].includes(answer.status), answer.body);
	return answer.json.document;
};
const listed = async (t) => (await stack.sql(`select document_id, status from documents
	where user_id = '${t}' order by 1`, 'catalog')).map((row) => row.join(' '));
const plan = (tenant, name) => gate.admin.ask('PATCH', `/admin/tenants/${tenant}`, { headers: {
	'content-type': 'application/json' }, body: JSON.stringify({ plan: name }) });

test('two that come first at the same moment get a database each', async () => {
	const answers = await Promise.all(TENANTS.map(async (t) =>
		(await gate.tenant(t)).ingestText(`A text of the ${word[t]}, called same.`,
			{ documentId: 'same', title: `Title ${word[t]}` })));
	assert.deepEqual(answers.map((a) => a.status), [201, 201], answers.map((a) => a.body).join());
	for (const t of TENANTS) {
		[[databases[t]]] = await stack.sql(`select db_name from tenants where tenant_id = '${t}'`, 'catalog');
		assert.deepEqual(await stack.sql('select title from document', databases[t]), [[`Title ${word[t]}`]]);
		assert.deepEqual(await stack.sql('select tenant_id from tenantgate_owner', databases[t]), [[t]]);
	}
	assert.notEqual(databases.acme, databases.bolt);
});

test('documents of one id: each has its own, in the list and in the database', async () => {
	const own = (t, answer, status = 200) => {
		assert.equal(answer.status, status, answer.body);
		assert.match(answer.body, new RegExp(word[t]));
		assert.doesNotMatch(answer.body, new RegExp(word[other[t]]));
	};
	await both(async (t, client) => {
		await store(client, t, `only-${t}`);
		own(t, await client.get('/documents'));
		assert.equal((await client.get('/documents')).json.total, 2);
		own(t, await client.get('/documents/same'));
		own(t, await client.get('/documents/same/chunks'));
		own(t, await client.search('A text of the kelpforest, the saltmarsh', { topK: 50 }));
		assert.equal((await client.get(`/documents/only-${other[t]}`)).status, 404);
		assert.deepEqual(await listed(t), [`only-${t} ready`, 'same ready']);
	});
	await both(async (t, client) => {
		const answer = await client.ask('PATCH', '/documents/same', { headers: { 'content-type':
			'application/json' }, body: JSON.stringify({ title: `New ${word[t]}` }) });
		own(t, answer);
		own(t, await client.get('/documents/same'));
	});
	// The same bytes: acme has them by another id, bolt has not.
	await both(async (t, client) => {
		const equal = { documentId: t === 'acme' ? 'equal' : 'mine', text: 'The same bytes.', ifNew: true };
		const answer = await client.post('/ingest', equal);
		assert.deepEqual([answer.status, answer.json.document.id], [201, equal.documentId], answer.body);
	});
	const acme = await gate.tenant('acme'), bolt = await gate.tenant('bolt');
	assert.equal((await acme.ask('DELETE', '/documents/equal')).status, 204);
	for (const id of ['mine', 'only-bolt', 'same'])
		assert.equal((await bolt.ask('DELETE', `/documents/${id}`)).status, 204);
	assert.deepEqual([await listed('acme'), await listed('bolt')],
		[['only-acme ready', 'same ready'], []]);
	assert.deepEqual(await stack.sql('select id from document', databases.bolt), []);
	own('acme', await acme.search('A text of the kelpforest', { topK: 50 }));
});

test("a tenant's key opens its own tenant, after the other's and together with it", async () => {
	const clients = {};
	for (const t of TENANTS)
		clients[t] = new Client(gate.url, { authorization: `Bearer ${await gate.key('--tenant', t)}` });
	const bolt = await gate.tenant('bolt');
	await store(bolt, 'bolt');
	for (const t of [...TENANTS, ...TENANTS]) {
		const answer = await clients[t].search('A text of the kelpforest, the saltmarsh', { topK: 50 });
		assert.equal(answer.status, 200, answer.body);
		assert.match(answer.body, new RegExp(word[t]));
		assert.doesNotMatch(answer.body, new RegExp(word[other[t]]));
	}
});

test('each has a pool of its own, and records of its own in Redis', async () => {
	const { pools } = (await gate.admin.get('/admin/pools')).json;
	assert.deepEqual(pools.filter((p) => p.tenant).map((p) => [p.tenant, p.database]).sort(),
		TENANTS.map((t) => [t, databases[t]]));
	const texts = TENANTS.map((t) => redis('get', `tg:tenant:test:${t}`));
	for (const text of texts)
		assert.match(text, /^tgs1\./);
	// Copied to another's place, it does not open: another replica goes to the catalog.
	redis('set', 'tg:tenant:test:bolt', texts[0]);
	const answer = await (await replica.tenant('bolt')).search('A text of the saltmarsh', { topK: 50 });
	assert.match(answer.body, /saltmarsh/);
	assert.doesNotMatch(answer.body, /kelpforest/);
	redis('del', 'tg:tenant:test:bolt');
});

test("a password that is copied to another's row opens nothing", async () => {
	const [[before]] = await stack.sql("select db_password_sealed from tenants where tenant_id = 'bolt'",
		'catalog');
	await stack.sql(`update tenants set (db_password_sealed, db_user, db_name) = (select db_password_sealed,
		db_user, db_name from tenants where tenant_id = 'acme') where tenant_id = 'bolt'`, 'catalog');
	redis('flushall');
	const key = await gate.service();
	await gate.program.stop();
	await start();
	assert.equal(gate.serviceKey, key);
	const answer = await (await gate.tenant('bolt')).search('A text of the kelpforest', { topK: 50 });
	assert.equal(answer.status, 500, answer.body);
	assert.doesNotMatch(answer.body, /kelpforest/);
	await stack.sql(`update tenants set db_password_sealed = '${before}', db_name = '${databases.bolt}',
		db_user = '${databases.bolt}' where tenant_id = 'bolt'`, 'catalog');
	await until('it is read anew', async () =>
		(await (await gate.tenant('bolt')).search('x')).status === 200);
});

test('what was looked at for the one is looked at for the other too', async () => {
	const bolt = await gate.tenant('bolt');
	for (const id of ['gone', 'over'])
		await store(bolt, 'bolt', id);
	await stack.sql("delete from document where id = 'gone'", databases.bolt);
	await stack.sql(`update documents set expires_at = now() - interval '1 second'
		where user_id = 'bolt' and document_id = 'over'`, 'catalog');
	await stack.sql(`update documents set status = 'ingesting', attempt = 'killed', updated_at = now() -
		interval '1 hour' where user_id = 'bolt' and document_id = 'same'`, 'catalog');
	await stack.sql('update tenants set documents_swept_at = null', 'catalog');
	await gate.program.stop();
	await start();
	const ask = async (t) => (await gate.tenant(t)).search('A text called over', { topK: 50 });
	assert.equal((await ask('acme')).status, 200);
	await until('acme was swept', async () => (await stack.sql(`select 1 from tenants where
		tenant_id = 'acme' and documents_swept_at is not null`, 'catalog')).length === 1);
	const found = await ask('bolt');
	assert.deepEqual(found.json.results.filter((r) => r.documentId === 'over'), [], 'it is over');
	await until('what is over is gone', async () =>
		!(await listed('bolt')).some((d) => d.startsWith('over')), WAIT);
	await until('what its database has not is not listed', async () =>
		!(await listed('bolt')).includes('gone ready'), WAIT);
	await until('what was left half-way is whole', async () =>
		(await listed('bolt')).includes('same ready'), WAIT);
	assert.equal((await (await gate.tenant('acme')).get('/documents/same')).status, 200);
});

test('limits: what the one has used up, the other has', async () => {
	for (const [t, name] of [['few-a', 'few'], ['few-b', 'few'], ['lone-a', 'streams'], ['lone-b', 'streams'],
		['much-a', 'tokens'], ['much-b', 'tokens']]) {
		assert.equal((await (await gate.tenant(t)).search('x')).status, 200);
		assert.equal((await plan(t, name)).status, 200);
	}
	const statuses = async (t, headers, n) => {
		const client = await gate.tenant(t);
		const out = [];
		for (let i = 0; i < n; i++)
			out.push((await client.post('/search', { query: 'x' }, headers)).status);
		return out;
	};
	await until('the plan holds', async () => (await statuses('few-a', {}, 1))[0] === 429, WAIT);
	assert.deepEqual(await statuses('few-b', {}, 1), [200], 'the tenant\'s rate');
	const leave = new AbortController();
	server.chat = [chunk({ content: 'Beech.' }), STALL];
	const open = async (t) => {
		const answer = await (await gate.tenant(t)).openChat('What?', { fields: { documentIds: [] },
			signal: leave.signal });
		answer.stream.on('error', () => {});	// by which it ends
		return answer;
	};
	await until('its plan holds', async () => (await open('lone-a')).status === 429, WAIT);
	assert.equal((await open('lone-b')).status, 200, 'answers at the same time');
	for (const t of ['lone-a', 'lone-b'])
		assert.equal(redis('exists', `tg:limit:test:leases:${t}`), '1', t);
	leave.abort();
	server.reset();
	const chat = async (t) => (await (await gate.tenant(t)).chat('What?', { fields: { documentIds: [],
		maxTokens: 2900 } })).status;
	server.chat = [chunk({ content: 'Beech.' }), chunk({}, 'stop'), `data: ${JSON.stringify({ choices: [],
		usage: { prompt_tokens: 1000, completion_tokens: 2500 } })}\n\n`, 'data: [DONE]\n\n'];
	await until('it has spent its tokens', async () => await chat('much-a') === 429, WAIT);
	assert.equal(await chat('much-b'), 200, 'tokens of a month');
});

test('users of one name in two tenants: a rate each, and a pseudonym each', async () => {
	for (const t of ['user-a', 'user-b']) {
		assert.equal((await (await gate.tenant(t)).search('x')).status, 200);
		assert.equal((await gate.admin.ask('PATCH', `/admin/tenants/${t}`, { headers: { 'content-type':
			'application/json' }, body: '{"settings":{"user_requests_per_minute":1}}' })).status, 200);
	}
	const ask = async (t) => (await (await gate.tenant(t)).post('/search', { query: 'x' },
		{ 'x-user-id': 'ann' })).status;
	await until('the user is over', async () => await ask('user-a') === 429, WAIT);
	assert.equal(await ask('user-b'), 200);
	const names = [];
	await both(async (t, client) => {
		assert.equal((await client.chat('What?', { headers: { 'x-user-id': 'ann' },
			fields: { documentIds: [] } })).status, 200);
		names.push(server.chats().at(-1).body.user);
	});
	assert.match(names[0], /^[0-9a-f]{64}$/);
	assert.notEqual(names[0], names[1]);
});

test('budgets are held by who asked', async () => {
	const held = [];
	const hold = (request, response) => held.push(() => play(request, response));
	const play = (request, response) => request.path.endsWith('/rerank') ?
		json(response, 200, { results: request.body.documents.map((d, index) => ({ index,
			relevance_score: 1 - index / 100 })) }) : json(response, 200, embeddingsOf(request.body));
	const most = async (name) => (await gate.admin.get('/admin/shares')).json.shares
		.find((s) => s.name === name).most.map((m) => m.tenant).sort();
	const holds = async (names, begin) => {
		const begun = [];
		for (const t of TENANTS)
			begun.push(begin(await gate.tenant(t), t));
		for (const name of names)
			await until(`${name} are held by both`, async () =>
				(await most(name)).join() === TENANTS.join(), WAIT);
		return begun;
	};
	const release = async (begun) => {
		server.embeddings = play;
		for (const go of held.splice(0))
			go();
		for (const answer of await Promise.all(begun))
			assert.ok(answer.status < 300, answer.body);
	};
	server.embeddings = hold;
	await release(await holds(['embedding_calls', 'ingests', 'document_bytes'],
		(client, t) => client.ingestText(`Held: ${t}.`, { documentId: 'held' })));
	server.rerank = hold;
	const ranked = await holds(['rerank_calls'], (client) => client.search('A text of it', { topK: 5, rerank: true }));
	server.rerank = play;
	await release(ranked);
	const leave = new AbortController();
	server.chat = [chunk({ content: 'Beech.' }), STALL];
	for (const answer of await Promise.all(await holds(['model_streams'], (client) =>
		client.openChat('What?', { fields: { documentIds: [] }, signal: leave.signal }))))
		answer.stream.on('error', () => {});	// by which it ends
	leave.abort();
});

test('usage, log lines and spans name who it was', async () => {
	const traces = {};
	await both(async (t, client) => {
		traces[t] = `${t === 'acme' ? 'a' : 'b'}`.repeat(32);
		const answer = await client.post('/search', { query: 'x' }, { 'x-request-id': `named-${t}`,
			traceparent: `00-${traces[t]}-00f067aa0ba902b7-01` });
		assert.equal(answer.status, 200);
	});
	const before = {};
	const total = async (client) => (await client.get('/usage')).json.totals.requests;
	await both(async (t, client) => { before[t] = await total(client); });
	const bolt = await gate.tenant('bolt');
	for (let i = 0; i < 5; i++)
		assert.equal((await bolt.search('x')).status, 200);
	await until('bolt\'s are counted', async () => await total(bolt) >= before.bolt + 5, WAIT);
	const { tenants } = (await gate.admin.get('/admin/top')).json;
	assert.deepEqual(TENANTS.filter((t) => !JSON.stringify(tenants).includes(`"${t}"`)), [], 'who asks most');
	for (const t of TENANTS) {
		const line = await until('its line is there', () => gate.lines().find((l) =>
			l.request_id === `named-${t}` && l.route));
		assert.equal(line.tenant, t);
		await until('its spans are there', () => collector.of(traces[t]).some((s) => s.kind === 2));
		for (const span of collector.of(traces[t])) {
			const named = attributes(span.attributes)['tenantgate.tenant.id'];
			assert.ok(named === undefined || named === t, named);
		}
		assert.equal(attributes(collector.of(traces[t]).find((s) => s.kind === 2).attributes)
			['tenantgate.tenant.id'], t);
	}
});

test('the end of one is not the other\'s, on either replica', async () => {
	server.chat = [chunk({ role: 'assistant', content: 'Hello' }), STALL];
	const streams = {};
	const leave = new AbortController();
	for (const t of TENANTS)
		for (const g of [gate, replica]) {
			const answer = await (await g.tenant(t)).openChat('What?', { fields: { documentIds: [] },
				signal: leave.signal });
			assert.equal(answer.status, 200);
			const heard = { isOver: false };
			for (const event of ['end', 'error', 'aborted'])
				answer.stream.on(event, () => { heard.isOver = true; });
			answer.stream.resume();
			(streams[t] ??= []).push(heard);
		}
	const suspended = await gate.admin.post('/admin/tenants/bolt/suspend', {});
	assert.ok(suspended.status < 300, suspended.body);
	await until('bolt\'s streams are over', () => streams.bolt.every((s) => s.isOver), WAIT);
	server.reset();
	for (const g of [gate, replica])
		assert.equal((await (await g.tenant('bolt')).search('x')).status, 403);
	assert.deepEqual(streams.acme.map((s) => s.isOver), [false, false]);
	leave.abort();
	for (const g of [gate, replica])
		assert.equal((await (await g.tenant('acme')).search('x')).status, 200);
});

test('deleted: what it has in Redis goes, and not the other\'s', async () => {
	await plan('acme', 'tokens');
	await plan('much-b', 'tokens');
	const keys = (t) => ['tenant', 'quota', 'leases'].filter((what) =>
		redis('exists', `tg:limit:test:${what}:${t}`) === '1');
	for (const t of ['much-a', 'much-b'])
		assert.ok(keys(t).includes('quota'), t);
	for (const t of ['much-a', 'much-b']) {
		const answer = await gate.admin.ask('DELETE', `/admin/tenants/${t}`);
		assert.ok(answer.status < 300, answer.body);
		await until('its keys are gone', () => keys(t).length === 0, WAIT);
		if (t === 'much-a')
			assert.ok(keys('much-b').includes('quota'), 'those of the other stay');
	}
});
