// SPDX-License-Identifier: MIT
// What tenants use is in the catalog: by day and model, once each, over two replicas, lost answers,
// an outage and a kill.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { embeddingsOf, json, ModelServer } from './lib/model-server.mjs';
import { pgError, Proxy } from './lib/proxy.mjs';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('usage');
const soon = { usage_write_interval: '100ms', rate_limit_requests_per_minute: 0, workers: 2 };
const zero = { requests: 0, inputTokens: 0, outputTokens: 0, embeddingCalls: 0, embeddingTokens: 0,
	documents: 0, bytes: 0 };
const today = () => new Date().toISOString().slice(0, 10);
let gates, proxy;

before(async () => {
	await stack.surroundings({ neon: false });
	gates = [await stack.tenantgateWithAdmin(soon), await stack.tenantgate(soon)];
	gates[1].serviceKey = await gates[0].service();
	proxy = await new Proxy(stack.pg.port).listen();
});
after(async () => {
	proxy.close();
	await stack.stop();
});

// As the catalog has it, which no request changes.
async function totals(tenant) {
	const [row] = await stack.sql('select sum(requests), sum(input_tokens), sum(output_tokens), ' +
		'sum(embedding_calls), sum(embedding_tokens), sum(documents), sum(bytes) ' +
		`from tenant_usage where tenant_id = '${tenant}' having count(*) > 0`, 'catalog');
	const names = Object.keys(zero);
	return row ? Object.fromEntries(row.map((n, i) => [names[i], Number(n)])) : zero;
}

const settle = (tenant, wanted) => until(`${tenant} has used ${JSON.stringify(wanted)}`, async () => {
	const found = await totals(tenant);
	return Object.entries(wanted).every(([name, n]) => found[name] === n);
});

// A tenant with one document, by way of which gate.
async function furnished(gate, id, text = 'Herring is smoked over beech.') {
	const tenant = await gate.tenant(id);
	assert.equal((await tenant.ingestText(text, { documentId: 'd' })).status, 201);
	return tenant;
}

test('by day and model, over two replicas, as the access logs have it', async () => {
	const text = 'Herring is smoked over beech.';
	const here = await furnished(gates[0], 'acme', text);
	const there = await gates[1].tenant('acme');
	for (const client of [here, there]) {
		assert.equal((await client.search('herring')).status, 200);
		assert.equal((await client.chat('What is smoked?')).status, 200);
	}
	await settle('acme', { requests: 5, documents: 1 });
	const answer = await here.get('/usage');
	assert.equal(answer.status, 200, answer.body);
	assert.deepEqual([answer.json.to, answer.json.delaySeconds], [today(), 1]);
	const by = Object.fromEntries(answer.json.usage.map((row) => [row.model ?? '', row]));
	assert.deepEqual(Object.keys(by), ['', 'gpt-4o-mini', 'text-embedding-3-small']);
	for (const row of answer.json.usage)
		assert.equal(row.day, today());
	assert.deepEqual([by[''].requests, by[''].documents, by[''].bytes], [3, 1, text.length]);
	assert.equal(by['gpt-4o-mini'].requests, 2);
	assert.equal(by['text-embedding-3-small'].embeddingCalls, 5);
	// What the servers said is in the access log.
	const logged = gates.flatMap((gate) => gate.lines())
		.filter((l) => l.event === 'access' && l.tenant === 'acme');
	const sum = (field) => logged.reduce((n, l) => n + (l[field] ?? 0), 0);
	const { totals: all } = answer.json;
	assert.ok(all.inputTokens > 0 && all.outputTokens > 0 && all.embeddingTokens > 0);
	assert.equal(all.inputTokens + all.embeddingTokens, sum('tokens_in'));
	assert.equal(all.outputTokens, sum('tokens_out'));
	assert.equal(all.requests, 5);
});

test('what is refused uses nothing, and nobody sees another tenant\'s', async () => {
	const key = await gates[0].key('--tenant', 'acme');
	const own = new Client(gates[0].url, { authorization: `Bearer ${key}` });
	assert.equal((await own.get('/usage?from=2026-13-01')).status, 400);
	assert.equal((await own.get('/usage?from=2026-02-29')).status, 400);
	assert.equal((await own.get('/usage?from=2026-02-02&to=2026-02-01')).status, 400);
	const old = await own.get('/usage?from=2024-02-29&to=2024-03-01');
	assert.deepEqual([old.status, old.json.usage, old.json.totals], [200, [], zero]);
	assert.equal((await own.get('/usage', { headers: { 'x-tenant-id': 'other' } })).status, 403);
	assert.equal((await gates[0].anonymous.get('/usage')).status, 401);
	// An unknown tenant has no row, and gets none.
	const nobody = await (await gates[0].tenant('nobody')).get('/usage');
	assert.deepEqual([nobody.status, nobody.json.totals], [200, zero]);
	assert.deepEqual(await totals('nobody'), zero);
});

test('a batch whose answer was lost is sent again, and counts once', async () => {
	const gate = await stack.tenantgate({ ...soon, workers: 1,
		catalog_url: stack.pg.url('catalog').replace(`:${stack.pg.port}/`, `:${proxy.port}/`) });
	gate.serviceKey = await gates[0].service();
	const tenant = await furnished(gate, 'twice');
	await settle('twice', { requests: 1 });
	// Not only once: catalog_run() itself repeats a statement on a fresh connection.
	proxy.loseAnswers(3, 'INTO public.usage_writers');
	for (let i = 0; i < 5; i++)
		assert.equal((await tenant.search('herring')).status, 200);
	await until('three answers are lost', () => proxy.losses.done === 3);
	assert.equal((await tenant.search('herring')).status, 200);
	await settle('twice', { requests: 7 });
	assert.equal((await totals('twice')).embeddingCalls, 7);
	await gate.program.stop();
	assert.equal((await totals('twice')).requests, 7);
});

test('while the catalog is away usage is kept, and written afterwards', async () => {
	const gate = await stack.tenantgate({ ...soon, workers: 1, catalog_query_timeout: '300ms',
		catalog_url: stack.pg.url('catalog').replace(`:${stack.pg.port}/`, `:${proxy.port}/`) });
	gate.serviceKey = await gates[0].service();
	const tenant = await furnished(gate, 'patient');
	await settle('patient', { requests: 1 });
	proxy.refuse(pgError('57P03', 'the database system is starting up'));
	proxy.cut();
	for (let i = 0; i < 4; i++)
		assert.equal((await tenant.search('herring')).status, 200);
	await until('a batch has failed', () =>
		gate.lines().some((l) => l.event === 'usage.write'));
	assert.equal((await tenant.search('herring')).status, 200);
	proxy.pass();
	await settle('patient', { requests: 6 });
	assert.equal(gate.lines().filter((l) => l.event === 'usage.write').length, 1);
	await gate.program.stop();
});

test('a sum that is full, and a row that is refused, hold up nobody', async () => {
	const [full, refused, other] = await Promise.all(['full', 'refused', 'other'].map((id) =>
		furnished(gates[1], id)));
	for (const id of ['full', 'refused', 'other'])
		await settle(id, { requests: 1 });
	const most = 9223372036854775807n;
	await stack.sql(`update tenant_usage set embedding_tokens = ${most - 1n}, bytes = -5 ` +
		`where tenant_id = 'full'`, 'catalog');
	await stack.sql(`alter table tenant_usage add constraint wanted check (tenant_id <> 'refused') ` +
		'not valid', 'catalog');
	for (const client of [full, refused, other, full, refused, other])
		assert.equal((await client.search('herring')).status, 200);
	await settle('full', { requests: 3 });
	await settle('other', { requests: 3 });
	assert.deepEqual(await stack.sql('select max(embedding_tokens)::text from tenant_usage ' +
		`where tenant_id = 'full'`, 'catalog'), [[String(most)]]);
	const told = () => gates[1].lines().filter((l) => l.event === 'usage.refused');
	await until('it is told', () => told().reduce((n, l) =>
		n + Number(l.message.match(/(\d+) requests/)[1]), 0) === 2);
	assert.match(told()[0].message, /the first: refused, \d{4}-\d\d-\d\d, ".*"; SQLSTATE 23514/);
	assert.equal((await totals('refused')).requests, 1);
	await stack.sql('alter table tenant_usage drop constraint wanted', 'catalog');
	assert.equal((await refused.search('herring')).status, 200);
	await settle('refused', { requests: 2 });
	const { json: all } = await full.get('/usage');
	assert.equal(all.totals.requests, 3);
});

test('an orderly stop writes what there is; a kill loses what no batch had', async () => {
	const slow = { ...soon, usage_write_interval: '1h' };
	const first = await stack.tenantgate(slow), second = await stack.tenantgate(slow);
	first.serviceKey = second.serviceKey = await gates[0].service();
	const one = await furnished(first, 'stopped');
	const other = await second.tenant('stopped');
	for (let i = 0; i < 9; i++)
		assert.equal((await (i % 2 ? one : other).search('herring')).status, 200);
	assert.deepEqual(await totals('stopped'), zero);
	await first.program.stop();
	assert.equal((await totals('stopped')).requests, 5);
	second.program.kill('SIGKILL');
	await second.program.exit;
	// Neither more, nor half of what the first has written.
	assert.equal((await totals('stopped')).requests, 5);
	assert.equal(first.lines().filter((l) => l.event === 'usage.lost').length, 0);
});

test('killed again and again, no batch counts twice, and none is half', async () => {
	let asked = 0;
	for (let round = 0; round < 3; round++) {
		const gate = await stack.tenantgate({ ...soon, workers: 1 });
		gate.serviceKey = await gates[0].service();
		const tenant = round === 0 ? await furnished(gate, 'killed') : await gate.tenant('killed');
		asked += round === 0 ? 1 : 0;
		const before = (await totals('killed')).requests;
		for (let i = 0; i < 20; i++)
			assert.equal((await tenant.search('herring')).status, 200);
		asked += 20;
		await until('a batch is written', async () => (await totals('killed')).requests > before);
		gate.program.kill('SIGKILL');
		await gate.program.exit;
	}
	const found = await totals('killed');
	assert.ok(found.requests > 0 && found.requests <= asked, `${found.requests} of ${asked}`);
	// A request and its vectors are in one batch.
	assert.equal(found.embeddingCalls, found.requests);
});

test('a server that names no tokens: an estimate, for its answer and for its vectors', async () => {
	const server = await ModelServer.start();
	const gate = await stack.tenantgate({ ...soon, model_url: server.url });
	gate.serviceKey = await gates[0].service();
	server.embeddings = (request, response) =>
		json(response, 200, { ...embeddingsOf(request.body), usage: undefined });
	const tenant = await furnished(gate, 'unnamed', 'Herring is smoked over beech wood.');
	const answer = await tenant.chat('What is smoked?');
	assert.equal(answer.status, 200);
	await settle('unnamed', { requests: 2 });
	const found = await totals('unnamed');
	const asked = server.requests.filter((r) => r.path.endsWith('/chat/completions')).at(-1);
	const bytes = asked.body.messages.reduce((n, m) => n + Buffer.byteLength(m.content), 0);
	assert.equal(found.inputTokens, Math.ceil(bytes / 4));
	assert.equal(found.outputTokens, 3);	// pieces
	const embedded = server.requests.filter((r) => r.path.endsWith('/embeddings'))
		.flatMap((r) => r.body.input);
	assert.equal(found.embeddingTokens, embedded.reduce((n, text) =>
		n + Math.ceil(text.length / 4), 0));
	await gate.program.stop();
	await server.stop();
});

test('old days are deleted', async () => {
	await stack.sql("insert into tenant_usage values ('old', current_date - 500, '', 1, 0, 0, 0, 0, " +
		"0, 0), ('old', current_date - 300, '', 1, 0, 0, 0, 0, 0, 0)", 'catalog');
	const gate = await stack.tenantgate(soon);
	gate.serviceKey = await gates[0].service();
	await (await gate.tenant('acme')).search('herring');
	await until('the old day is gone', async () => (await totals('old')).requests === 1);
	await gate.program.stop();
});

test('operators see all tenants\', by prefix and page by page', async () => {
	await stack.sql("insert into tenant_usage select 'page-' || n, current_date - d, m, 1, 2, 3, 4, 5, " +
		"6, 7 from generate_series(1, 5) n, generate_series(0, 1) d, unnest(array['', 'm']) m",
		'catalog');
	const { admin } = gates[0];
	const seen = [];
	let cursor = '';
	do {
		const page = await admin.get(`/admin/usage?prefix=page-&limit=2&cursor=${cursor}`);
		assert.equal(page.status, 200, page.body);
		seen.push(...page.json.usage);
		cursor = page.json.next;
	} while (cursor !== null);
	assert.deepEqual(seen.map((t) => t.tenant), ['page-1', 'page-2', 'page-3', 'page-4', 'page-5']);
	assert.deepEqual(seen[0], { tenant: 'page-1', requests: 4, inputTokens: 8, outputTokens: 12,
		embeddingCalls: 16, embeddingTokens: 20, documents: 24, bytes: 28 });
	const one = await admin.get(`/admin/usage?tenant=page-2&from=${today()}`);
	assert.deepEqual([one.json.usage.length, one.json.totals.requests], [2, 2]);
	assert.equal((await admin.get('/admin/usage?tenant=%20')).status, 400);
	const past = await admin.get('/admin/usage?prefix=page-1&from=2000-01-01&to=2000-01-02');
	assert.deepEqual(past.json.usage, [{ tenant: 'page-1', ...zero }]);
});
