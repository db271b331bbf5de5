// SPDX-License-Identifier: MIT
// How an operator suspends, resumes and deletes a tenant: two replicas, and what runs on the other
// one ends in its own form. tenant-ends-killed.test.mjs has what kills a process in the middle.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readDataStream, readUiStream } from './lib/client.mjs';
import { chunk, ModelServer, STALL } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('tenant-ends');
let here, there, server;

const settings = () => ({ model_url: server.url, rate_limit_requests_per_minute: 0,
	provision_lease: '2s', neon_timeout: '2s' });

before(async () => {
	server = await ModelServer.start();
	await stack.surroundings();
	here = await stack.tenantgateWithAdmin(settings());
	there = await stack.tenantgate(settings());
	there.serviceKey = await here.service();
});
after(async () => {
	await stack.stop();
	await server?.stop();
});
beforeEach(async () => {
	server.reset();
	await stack.neonKnobs({ fail_next: [] });
});

const redis = (...words) => execFileSync('redis-cli', ['-p', String(stack.cache.port), ...words],
	{ encoding: 'utf8' }).trim();
const suspend = (id, body = {}) => here.admin.post(`/admin/tenants/${id}/suspend`, body);
const resume = (id) => here.admin.post(`/admin/tenants/${id}/resume`, {});
const remove = (id, query = '') => here.admin.ask('DELETE', `/admin/tenants/${id}${query}`);
const receipt = (id) => here.admin.get(`/admin/tenants/${id}/receipt`);
const row = async (id) => (await stack.sql(`select state, end_order, deleted_at is not null from tenants
	where tenant_id = '${id}'`, 'catalog'))[0];
const endpoint = async (id) => (await stack.sql(`select disabled, state from neon_standin.projects
	where name like 'tg-test-${id}-%' order by created_at desc limit 1`))[0];

// A client of it at each replica, with a document stored.
async function tenant(id) {
	const [a, b] = [await here.tenant(id), await there.tenant(id)];
	const stored = await a.ingestText(`The boat of ${id} burns 19 litres an hour.`, { documentId: 'b' });
	assert.equal(stored.status, 201, stored.body);
	assert.equal((await b.search('litres')).status, 200);
	return { a, b };
}

// A stream that has begun and would never end by itself.
async function streaming(client, form) {
	server.chat = [chunk({ role: 'assistant', content: 'Hello' }), STALL];
	const answer = await client.openChat('How many litres?', { form });
	assert.equal(answer.status, 200);
	const heard = { text: '', ended: false, isCut: false };
	answer.stream.on('data', (piece) => {
		heard.text += piece;
	});
	answer.stream.on('end', () => {
		heard.ended = true;
	});
	answer.stream.on('error', () => {
		heard.isCut = true;
	});
	await until('its first word is there', () => heard.text.includes('Hello'));
	return heard;
}

const over = (heard) => until('the stream is over', () => heard.ended || heard.isCut, 10000);

test('suspended: streams on both replicas end in their form, and it is refused everywhere', async () => {
	const { a, b } = await tenant('ann');
	const other = await tenant('bob');
	const streams = { data: await streaming(b, 'data'), ui: await streaming(b, 'ui'),
		text: await streaming(b, 'text'), mine: await streaming(a, 'ui'),
		other: await streaming(other.b, 'ui') };
	const began = Date.now();
	const answer = await suspend('ann', { reason: 'unpaid since May' });
	assert.equal(answer.status, 200, answer.body);
	for (const name of ['data', 'ui', 'text', 'mine'])
		await over(streams[name]);
	assert.ok(Date.now() - began < 5000, 'no deadline was waited for');
	assert.deepEqual({ ...answer.json, suspendedAt: null }, { tenant: 'ann', state: 'suspended',
		suspendedAt: null, reason: 'unpaid since May', endpoint: 'disabled', owed: null,
		effective: 'now' });
	assert.match(answer.json.suspendedAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
	assert.match(readDataStream(streams.data.text).error, /suspended/);
	const parts = readUiStream(streams.ui.text).parts;
	assert.equal(parts.at(-1).type, 'error');
	assert.match(parts.at(-1).errorText, /suspended/);
	assert.match(readUiStream(streams.mine.text).parts.at(-1).errorText, /suspended/);
	assert.ok(streams.text.isCut && !streams.text.ended, 'plain text has no form for it');
	for (const client of [a, b]) {
		const refused = await client.search('litres');
		assert.deepEqual([refused.status, refused.json.code], [403, 'tenant_suspended']);
		assert.match(refused.json.detail, /Ask the operator/);
		assert.doesNotMatch(refused.body, /unpaid/, 'the reason is the operator\'s');
	}
	assert.deepEqual(await endpoint('ann'), ['t', 'ready']);
	assert.ok(!streams.other.ended && !streams.other.isCut, 'another tenant notices nothing');
	assert.equal((await other.b.search('litres')).status, 200);
	assert.equal((await remove('bob')).status, 200);
	await over(streams.other);
	assert.match(readUiStream(streams.other.text).parts.at(-1).errorText, /deleted/);
});

test('suspended again: the same answer; resumed: the next request works, and again', async () => {
	const { a, b } = await tenant('cara');
	const first = await suspend('cara', { reason: 'a look' });
	assert.deepEqual((await suspend('cara')).json, first.json);
	const back = await resume('cara');
	assert.equal(back.status, 200, back.body);
	assert.deepEqual([back.json.state, back.json.endpoint, back.json.owed, back.json.suspendedAt],
		['ready', 'enabled', null, null]);
	assert.equal((await a.search('litres')).status, 200);
	await until('the other serves it', async () => (await b.search('litres')).status === 200, 5000);
	assert.deepEqual(await endpoint('cara'), ['f', 'ready']);
	assert.deepEqual((await resume('cara')).json, back.json);
});

test('a tenant that nobody has, and a body that is wrong', async () => {
	assert.deepEqual([(await suspend('nobody')).status, (await resume('nobody')).status,
		(await remove('nobody')).status, (await receipt('nobody')).status], [404, 404, 404, 404]);
	await tenant('dora');
	assert.equal((await suspend('dora', { reason: 7 })).status, 400);
	assert.equal((await suspend('dora', { why: 'x' })).json.code, 'invalid_field');
	assert.equal((await suspend('dora', { reason: 'x'.repeat(501) })).status, 400);
	assert.equal((await row('dora'))[0], 'ready');
});

test('a dry run says what would be done, and does nothing', async () => {
	const { a } = await tenant('emil');
	const lines = here.lines().filter((l) => l.event === 'admin.audit').length;
	const dry = await here.admin.post('/admin/tenants/emil/suspend?dryRun=true', {});
	assert.equal(dry.status, 200);
	assert.ok(dry.json.dryRun && dry.json.would.length === 2, dry.body);
	const gone = await remove('emil', '?dryRun=true');
	assert.match(gone.json.would.join(' '), /Delete project local-\w+ .* Take 1 documents/);
	assert.equal((await a.search('litres')).status, 200);
	assert.deepEqual(await row('emil'), ['ready', '', 'f']);
	assert.equal(here.lines().filter((l) => l.event === 'admin.audit').length, lines);
});

test('Neon away: suspended at once, the endpoint is owed, and done when Neon is back', async () => {
	const { b } = await tenant('finn');
	await stack.neonKnobs({ fail_next: [{ status: 500, times: 1000 }] });
	const answer = await suspend('finn');
	assert.equal(answer.status, 202, answer.body);
	assert.deepEqual([answer.json.state, answer.json.endpoint, answer.json.owed.order],
		['suspended', 'owed', 'suspend']);
	assert.match(answer.json.owed.why, /Neon/);
	assert.equal((await b.search('litres')).status, 403);
	assert.deepEqual(await endpoint('finn'), ['f', 'ready']);
	await stack.neonKnobs({ fail_next: [] });
	await until('the endpoint is disabled', async () => (await endpoint('finn'))[0] === 't');
	await until('nothing is owed', async () => (await row('finn'))[1] === '');
});

test('Neon away: not resumed before the endpoint is enabled, and then by itself', async () => {
	const { b } = await tenant('gus');
	await suspend('gus');
	await stack.neonKnobs({ fail_next: [{ status: 503, times: 1000, retry_after: 20 }] });
	const answer = await resume('gus');
	assert.equal(answer.status, 202, answer.body);
	assert.deepEqual([answer.json.state, answer.json.owed.order], ['suspended', 'resume']);
	await stack.neonKnobs({ fail_next: [] });
	assert.equal((await resume('gus')).status, 200, 'asked again it does not rest');
	await until('it is served', async () => (await b.search('litres')).status === 200, 5000);
});

test('deleted: the receipt says what went, again the same, and no request brings it back', async () => {
	const { a, b } = await tenant('hal');
	const other = await tenant('ivy');
	await a.ingestText('Another page.', { documentId: 'c' });
	const key = await here.key('--tenant', 'hal');
	const [{ id: project }] = await stack.projects('tg-test-hal');
	await stack.sql(`update users set name = 'Hal', email = 'hal@example.org' where user_id = 'hal'`,
		'catalog');
	const listed = Number((await stack.sql(`select sum(bytes) from documents where user_id = 'hal'`,
		'catalog'))[0][0]);
	const stream = await streaming(b, 'ui');
	const answer = await here.admin.ask('DELETE', '/admin/tenants/hal',
		{ headers: { 'content-length': '21' }, body: '{"reason":"asked to"}' });
	assert.equal(answer.status, 200, answer.body);
	await over(stream);
	assert.match(readUiStream(stream.text).parts.at(-1).errorText, /deleted/);
	const { effective, ...told } = answer.json;
	assert.equal(effective, 'now');
	assert.deepEqual([told.state, told.documents, told.bytes, told.keysRevoked, told.reason, told.owed],
		['deleted', 2, listed, 1, 'asked to', null]);
	assert.ok(told.chunks >= 2 && told.database.storedBytes > 0, answer.body);
	assert.deepEqual([told.database.provider, told.database.projectId], ['neon', project]);
	const days = (Date.parse(told.database.recoverableUntil) - Date.parse(told.orderedAt)) / 86400000;
	assert.equal(days, 7);
	assert.match(told.recovery, new RegExp(`Neon can recover project ${project} until`));
	const times = [told.orderedAt, ...['requestsEndedAt', 'databaseDeletedAt', 'redisClearedAt',
		'catalogClearedAt'].map((step) => told.steps[step])];
	assert.deepEqual([...times].sort(), times);
	assert.equal(told.finishedAt, times.at(-1));
	assert.deepEqual((await receipt('hal')).json, told);
	const again = await remove('hal');
	assert.deepEqual([again.status, { ...again.json, effective: undefined }],
		[200, { ...told, effective: undefined }]);

	for (const client of [a, b]) {
		for (const late of [await client.search('litres'), await client.ingestText('x'),
			await client.ask('PUT', '/tenant', { headers: { 'content-type': 'application/json' },
				body: '{"name":"Hal"}' })])
			assert.deepEqual([late.status, late.json.code], [410, 'tenant_deleted'], late.body);
	}
	assert.match((await a.search('x')).json.detail, /recreate/);
	assert.ok([401, 410].includes((await new (a.constructor)(there.url,
		{ authorization: `Bearer ${key}` }).search('x')).status));
	assert.deepEqual(await stack.projects('tg-test-hal'), []);
	assert.deepEqual(await stack.sql(`select count(*), (select count(*) from vector_databases where
		user_id = 'hal'), (select count(*) from api_keys where tenant_id = 'hal' and revoked_at is null),
		(select name is null and email is null from users where user_id = 'hal'),
		(select db_password_sealed is null and project_id is null from tenants where
		tenant_id = 'hal') from documents where user_id = 'hal'`, 'catalog'), [['0', '0', '0', 't', 't']]);
	assert.ok(['', '-'].includes(redis('get', 'tg:tenant:test:hal')));
	assert.equal(redis('exists', 'tg:limit:test:tenant:hal'), '0');
	assert.equal((await suspend('hal')).status, 410);
	assert.equal((await other.b.search('litres')).status, 200, 'another tenant is as it was');
	assert.equal(Number((await stack.sql(`select count(*) from documents where user_id = 'ivy'`,
		'catalog'))[0][0]), 1);
});

test('made anew by the operator alone: empty, and the receipt stays', async () => {
	const { a } = await tenant('vic');
	const recreate = (id, query = '') => here.admin.post(`/admin/tenants/${id}/recreate${query}`, {});
	assert.deepEqual([(await recreate('vic')).status, (await recreate('nobody')).status], [409, 404]);
	const key = await here.key('--tenant', 'vic');
	const old = new (a.constructor)(there.url, { authorization: `Bearer ${key}` });
	assert.equal((await old.search('litres')).status, 200);
	const told = (await remove('vic')).json;
	assert.equal((await recreate('vic', '?dryRun=true')).json.state, 'deleted');
	assert.equal((await a.search('x')).status, 410);
	const answer = await recreate('vic');
	assert.deepEqual([answer.status, answer.json.state], [202, 'provisioning'], answer.body);
	const found = await a.search('litres');
	assert.deepEqual([found.status, found.json.results?.length ?? found.json.hits?.length], [200, 0],
		found.body);
	await until('its old keys open nothing', async () => (await old.search('x')).status === 401, 5000);
	assert.equal((await receipt('vic')).json.orderedAt, told.orderedAt);
	assert.equal((await recreate('vic')).status, 409);
	const second = (await remove('vic')).json;
	assert.notEqual(second.database.projectId, told.database.projectId);
	assert.equal(second.documents, 0);
	assert.equal((await receipt('vic')).json.orderedAt, second.orderedAt);
});

test('each change is one line of the audit', async () => {
	await tenant('jo');
	await suspend('jo', { reason: 'first' });
	await resume('jo');
	await remove('jo');
	await remove('jo');
	const lines = here.lines().filter((l) => l.event === 'admin.audit' && l.tenant === 'jo');
	assert.deepEqual(lines.map((l) => [l.action, l.before.state, l.after.state]), [
		['tenant.suspend', 'ready', 'suspended'], ['tenant.resume', 'suspended', 'ready'],
		['tenant.delete', 'ready', 'deleted']]);
	assert.equal(lines[0].after.reason, 'first');
	assert.match(lines[2].after.project, /^local-/);
});

test('a suspension by SQL ends what runs, as soon as anybody looks', async () => {
	const { a, b } = await tenant('kim');
	const stream = await streaming(a, 'ui');
	await stack.sql(`update tenants set state = 'suspended' where tenant_id = 'kim'`, 'catalog');
	redis('publish', 'tg:tenant:drop', 'operator:kim');
	await over(stream);
	await until('it is refused', async () => (await b.search('x')).status === 403);
	assert.equal((await resume('kim')).status, 200);
	await until('it is served', async () => (await b.search('litres')).status === 200, 5000);
});

test('a forged message ends nothing', async () => {
	const { a } = await tenant('lea');
	const stream = await streaming(a, 'ui');
	redis('publish', 'tg:tenant:drop', 'operator:lea');
	assert.equal((await a.search('litres')).status, 200);
	assert.ok(!stream.ended && !stream.isCut);
	assert.equal((await suspend('lea')).status, 200);
	await over(stream);
});

test('deleted while its database is being made: no project is left', async () => {
	await stack.neonKnobs({ fail_next: [], operation_ms: 1500 });
	const asked = (await there.tenant('max')).search('x');
	await until('Neon makes it', async () => (await stack.projects('tg-test-max')).length === 1);
	const answer = await remove('max');
	assert.ok([200, 202].includes(answer.status), answer.body);
	assert.ok([410, 503].includes((await asked).status));
	await until('the deletion is over', async () => (await receipt('max')).json.state === 'deleted');
	assert.deepEqual(await stack.projects('tg-test-max'), []);
	assert.equal((await (await there.tenant('max')).search('x')).status, 410);
});

test('a creation that is answered after the deletion was ordered leaves no project', async () => {
	await stack.neonKnobs({ fail_next: [], operation_ms: 100, delay_ms: 600000,
		delay_route: 'POST /projects' });
	const asked = (await there.tenant('nat')).search('x');
	await until('it is asked for', async () => (await stack.sql(`select posted_at is not null from tenants
		where tenant_id = 'nat'`, 'catalog'))[0]?.[0] === 't');
	const answer = await remove('nat');
	assert.equal(answer.status, 202, answer.body);
	assert.equal(answer.json.state, 'deleting');
	await stack.neonKnobs({ fail_next: [], operation_ms: 100 });
	await asked;
	await until('the deletion is over', async () => (await receipt('nat')).json.state === 'deleted');
	assert.deepEqual(await stack.projects('tg-test-nat'), []);
});

test('a project that says it is another\'s stays, and the deletion says so', async () => {
	await tenant('ole');
	const [{ id: project }] = await stack.projects('tg-test-ole');
	await stack.sql(`update neon_standin.projects set annotations = annotations ||
		'{"tenantgate_tenant":"someone"}' where id = '${project}'`);
	const answer = await remove('ole');
	assert.equal(answer.status, 202, answer.body);
	assert.match(answer.json.owed.why, /another tenant's/);
	assert.equal((await stack.projects('tg-test-ole')).length, 1);
	await stack.sql(`update neon_standin.projects set annotations = annotations ||
		'{"tenantgate_tenant":"ole"}' where id = '${project}'`);
	assert.equal((await remove('ole')).status, 200);
	assert.deepEqual(await stack.projects('tg-test-ole'), []);
});
