// SPDX-License-Identifier: MIT
// The same orders without what helps: no Redis, so that other replicas hear of nothing; and a
// cluster of one's own, where there is no endpoint and the database is dropped.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readUiStream } from './lib/client.mjs';
import { chunk, embeddingsOf, json, ModelServer, STALL } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('tenant-ends-alone');
const TTL = { tenant_cache_ttl: '2s', cache_stale_ttl: '0s', provision_lease: '1s', workers: 2,
	rate_limit_requests_per_minute: 0 };
let here, there, server;

before(async () => {
	server = await ModelServer.start();
	await stack.surroundings({ neon: false, redis: false });
	here = await stack.tenantgateWithAdmin({ ...TTL, model_url: server.url });
	there = await stack.tenantgate({ ...TTL, model_url: server.url });
	there.serviceKey = await here.service();
});
after(async () => {
	await stack.stop();
	await server?.stop();
});

const order = (id, what, body = {}) => here.admin.post(`/admin/tenants/${id}/${what}`, body);
const databases = async () => (await stack.sql(`select datname from pg_database where datname like 'tg\\_%'
	union all select rolname from pg_roles where rolname like 'tg\\_%'`)).length;

async function tenant(id) {
	const [a, b] = [await here.tenant(id), await there.tenant(id)];
	assert.equal((await a.ingestText(`A page of ${id}.`, { documentId: 'b' })).status, 201);
	assert.equal((await b.search('page')).status, 200);
	return { a, b };
}

async function streaming(client) {
	server.chat = [chunk({ role: 'assistant', content: 'Hello' }), STALL];
	const answer = await client.openChat('A page?', { form: 'ui' });
	const heard = { text: '', ended: false };
	answer.stream.on('data', (piece) => {
		heard.text += piece;
	});
	answer.stream.on('end', () => {
		heard.ended = true;
	});
	await until('its first word is there', () => heard.text.includes('Hello'));
	return heard;
}

test('without Redis the answer says so, and the other replica follows by itself', async () => {
	const { a, b } = await tenant('ann');
	const [mine, theirs] = [await streaming(a), await streaming(b)];
	const answer = await order('ann', 'suspend');
	assert.equal(answer.status, 200, answer.body);
	assert.deepEqual([answer.json.effective, answer.json.endpoint], ['within 2s', null]);
	assert.equal((await a.search('page')).status, 403, 'here at once');
	await until('the stream here is over', () => mine.ended);
	await until('the stream there is over', () => theirs.ended);
	for (const heard of [mine, theirs])
		assert.match(readUiStream(heard.text).parts.at(-1).errorText, /suspended/);
	assert.equal((await b.search('page')).status, 403);
	await until('its pooled connections are closed', async () => (await stack.sql(`select 1 from
		pg_stat_activity where usename like 'tg\\_%'`)).length === 0, 10000);
	assert.equal((await order('ann', 'resume')).json.state, 'ready');
	assert.equal((await a.search('page')).status, 200);
	await until('it is served there', async () => (await b.search('page')).status === 200);
});

test('on a cluster of one\'s own the database and the role are dropped', async () => {
	const before = await databases();
	await tenant('bob');
	assert.equal(await databases(), before + 2);
	const answer = await here.admin.ask('DELETE', '/admin/tenants/bob');
	assert.equal(answer.status, 200, answer.body);
	assert.deepEqual([answer.json.database.provider, answer.json.database.recoverableUntil,
		answer.json.recovery, answer.json.database.left], ['postgres', null, null, null]);
	assert.equal(await databases(), before);
});

test('a database that has another name than ours is left, and the receipt says so', async () => {
	await tenant('cara');
	const before = await databases();
	await stack.sql(`update tenants set db_name = 'theirs' where tenant_id = 'cara'`, 'catalog');
	const answer = await here.admin.ask('DELETE', '/admin/tenants/cara');
	assert.equal(answer.json.database.left, 'theirs', answer.body);
	assert.equal(await databases(), before);
});

test('an ingest that runs is absent afterwards, and its client is told why', async () => {
	const { a } = await tenant('dora');
	let release;
	server.embeddings = (request, response) => {
		release = () => json(response, 200, embeddingsOf(request.body));
	};
	const asked = a.ingestText('A page that is never stored.', { documentId: 'n' });
	await until('its vectors are asked for', () => release !== undefined);
	assert.equal((await order('dora', 'suspend')).status, 200);
	const answer = await asked;
	assert.deepEqual([answer.status, answer.json.code], [403, 'tenant_suspended'], answer.body);
	release();
	server.reset();
	assert.equal((await order('dora', 'resume')).status, 200);
	const found = await a.search('never stored');
	assert.ok(!found.body.includes('never stored'), found.body);
	assert.equal((await a.ingestText('Now it is stored.', { documentId: 'n' })).status, 201);
});
