// SPDX-License-Identifier: MIT
// An operator's hand on a tenant's life: made, changed, tried again, warmed. Two replicas, one Redis.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('tenant-life');
const settings = { workers: 2, redis_timeout: '10s', tenant_cache_ttl: '1h',
	rate_limit_requests_per_minute: 60000, neon_region: 'aws-us-east-2', provision_lease: '2s',
	neon_timeout: '3s', 'plan free': { top_k: 2, max_documents: 3 },
	'plan pro': { top_k: 9, chunk_overlap: 100 } };
let gate, replica;

before(async () => {
	await stack.surroundings();
	await stack.neonKnobs({ operation_ms: 0 });
	gate = await stack.tenantgateWithAdmin(settings);
	replica = await stack.tenantgate(settings);
	replica.serviceKey = await gate.service();
});
after(() => stack.stop());

const path = (id) => `/admin/tenants/${id}`;
const ask = (method, at, value) => gate.admin.ask(method, at, {
	headers: { 'content-type': 'application/json' },
	body: value === undefined ? undefined : JSON.stringify(value) });
const put = (id, value = {}, query = '') => ask('PUT', path(id) + query, value);
const patch = (id, value, query = '') => ask('PATCH', path(id) + query, value);
const row = async (id, columns) => (await stack.sql(
	`select ${columns} from tenants where tenant_id = '${id}'`, 'catalog'))[0];
const isReady = (id) => until(`${id} is ready`, async () => (await row(id, 'state'))[0] === 'ready');
async function made(id, value = {}) {
	const answer = await put(id, value);
	assert.equal(answer.status, 202, answer.body);
	await isReady(id);
	return (await row(id, 'project_id'))[0];
}
const neon = async (at) => (await stack.neon.client.get(`/api/v2/projects/${at}`,
	{ headers: { authorization: `Bearer ${stack.neonKey}` } })).json;
const endpoint = async (project) => (await neon(`${project}/endpoints`)).endpoints[0];
const quota = async (project) => (await neon(project)).project.settings.quota;
const requests = async () => (await stack.neon.client.get('/_stats')).json.requests;
const audits = (action, id, of = gate) => of.lines().filter((l) => l.event === 'admin.audit' &&
	l.action === action && l.tenant === id);

test('create: 202, made behind as it is wished, also at Neon; again 200, otherwise 409', async () => {
	const wishes = { name: 'Ann', email: 'ann@example.org', plan: 'pro', region: 'aws-eu-central-1',
		settings: { top_k: 7, pool_size: 3 },
		compute: { minCu: 0.5, maxCu: 2, suspendTimeout: 120 },
		quotas: { activeTimeSeconds: 3600, logicalSizeBytes: 1e9 } };
	const first = await put('ann', wishes);
	assert.equal(first.status, 202, first.body);
	const { createdAt, ...told } = first.json.tenant;
	assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60000);
	const all = { id: 'ann', ...wishes, neon: 'pending', quotas: { ...wishes.quotas,
		computeTimeSeconds: null, writtenDataBytes: null, dataTransferBytes: null } };
	assert.deepEqual(told, { ...all, state: 'provisioning' });
	assert.equal(first.json.effective, 'now');
	await isReady('ann');
	const again = await put('ann', wishes);
	assert.equal(again.status, 200, again.body);
	assert.deepEqual(again.json.tenant, { ...all, createdAt, state: 'ready', neon: 'applied' });
	const [project, region] = await row('ann', 'project_id, region');
	assert.equal(region, 'aws-eu-central-1');
	const { autoscaling_limit_min_cu, autoscaling_limit_max_cu, suspend_timeout_seconds } =
		await endpoint(project);
	assert.deepEqual([autoscaling_limit_min_cu, autoscaling_limit_max_cu, suspend_timeout_seconds],
		[0.5, 2, 120]);
	assert.deepEqual(await quota(project), { active_time_seconds: 3600, logical_size_bytes: 1e9 });
	assert.equal((await requests())['PATCH /projects/{p}'], undefined, 'it was in the creation');
	for (const [other, what] of [[{ plan: 'free' }, /plan/], [{ name: 'Anne' }, /name/],
		[{ settings: { top_k: 8 } }, /settings/], [{ compute: { minCu: 1 } }, /compute/],
		[{ region: 'aws-us-east-2' }, /region/]]) {
		const answer = await put('ann', { ...wishes, ...other });
		assert.deepEqual([answer.status, answer.json.code], [409, 'conflict'], answer.body);
		assert.match(answer.json.detail, what);
	}
	assert.deepEqual(await row('ann', 'plan, settings'), ['pro', '{"top_k": 7, "pool_size": 3}']);
	const lines = audits('tenant.create', 'ann');
	assert.equal(lines.length, 1);
	assert.deepEqual([lines[0].before, lines[0].after.plan, lines[0].after.compute.minCu],
		[null, 'pro', 0.5]);
});

test('a wrong body is refused by its member, and nothing is made', async () => {
	for (const [body, what] of [[{ nonsense: 1 }, /nonsense/], [{ plan: 'gold' }, /plan/],
		[{ settings: { top_k: 0 } }, /top_k.*1 to 100/], [{ settings: { top: 1 } }, /"top"/],
		[{ settings: { chunk_size: 50 }, plan: 'pro' }, /chunk_overlap.*less than chunk_size/],
		[{ settings: [] }, /settings/], [{ compute: { minCu: 0.3 } }, /minCu.*quarters/],
		[{ compute: { minCu: 1, maxCu: 10 } }, /maxCu/], [{ compute: { minCu: 2, maxCu: 1 } }, /maxCu/],
		[{ compute: { suspendTimeout: 59 } }, /suspendTimeout/], [{ quotas: { disk: 1 } }, /quotas.disk/],
		[{ quotas: { activeTimeSeconds: -1 } }, /activeTimeSeconds/], [{ email: 'nobody' }, /email/],
		[{ region: 'EU!' }, /region/]]) {
		const answer = await put('wrong', body);
		assert.deepEqual([answer.status, answer.json.code], [400, 'invalid_field'],
			JSON.stringify(body));
		assert.match(answer.json.detail, what);
	}
	assert.equal(await row('wrong', '1'), undefined);
});

test('dryRun changes nothing', async () => {
	const answer = await put('dry', { plan: 'free', compute: { minCu: 1 } }, '?dryRun=true');
	assert.equal(answer.status, 202, answer.body);
	assert.deepEqual([answer.json.dryRun, answer.json.tenant.plan, answer.json.tenant.compute.minCu],
		[true, 'free', 1]);
	assert.equal(await row('dry', '1'), undefined);
	await made('dry', { plan: 'free' });
	assert.deepEqual(await row('dry', 'last_error'), [''], 'a row, of an empty field');
	const change = await patch('dry', { plan: 'pro', compute: { maxCu: 4 } }, '?dryRun=true');
	assert.equal(change.status, 200, change.body);
	assert.deepEqual([change.json.dryRun, change.json.tenant.compute.maxCu,
		change.json.tenant.held.plan], [true, 4, 'pro']);
	assert.deepEqual(await row('dry', 'plan, neon_wished, neon_held'), ['free', '{}', '']);
	for (const action of ['retry', 'warm'])
		await ask('POST', `${path('dry')}/${action}?dryRun=true`);
	assert.deepEqual(audits('tenant.set', 'dry').length, 0);
	assert.deepEqual(audits('tenant.warm', 'dry').length, 0);
});

test('set: a limit holds on the other replica within a second', async () => {
	await made('lim', { plan: 'free', settings: { max_documents: 1 } });
	const there = await replica.tenant('lim');
	assert.equal((await there.ingestText('One.')).status, 201);
	assert.equal((await there.ingestText('Two.')).json.code, 'too_many_documents');
	const answer = await patch('lim', { settings: { max_documents: 2, requests_per_minute: 5000 } });
	const at = Date.now();
	assert.deepEqual([answer.status, answer.json.effective], [200, 'now'], answer.body);
	await until('the other replica keeps it', async () =>
		(await there.ingestText('Two.')).status === 201);
	assert.ok(Date.now() - at < 1000, `${Date.now() - at} ms`);
	assert.equal((await there.ingestText('Three.')).json.code, 'too_many_documents');
	const gone = await patch('lim', { settings: { max_documents: null } });
	assert.deepEqual(gone.json.tenant.settings, { requests_per_minute: 5000 });
	await until('the plan holds', async () => (await there.ingestText('Three.')).status === 201);
	assert.equal((await there.ingestText('Four.')).json.code, 'too_many_documents');
	const [line] = audits('tenant.set', 'lim');
	assert.deepEqual([line.before.settings, line.after.settings], [{ max_documents: 1 },
		{ max_documents: 2, requests_per_minute: 5000 }]);
});

// Who works for the tenant looks whether it has ended: with limits of its own as without.
test('set: settings while answers stream, on both replicas: they go on to their end', async () => {
	await made('streamer', { settings: { top_k: 4, system_prompt: 'Be brief.' } });
	await stack.knobs({ token_delay_ms: 60000 });
	const opened = [];
	for (const of of [gate, replica]) {
		const client = await of.tenant('streamer');
		assert.equal((await client.ingestText('A text.', { documentId: 'd' })).status < 300, true);
		const answer = await client.open('POST', '/chat', { headers: { 'content-type': 'application/json',
			'x-tenantgate-stream': 'text' }, body: JSON.stringify({
			messages: [{ role: 'user', content: 'What?' }] }) });
		assert.equal(answer.status, 200);
		opened.push(answer);
	}
	for (let top_k = 5; top_k < 8; top_k++) {
		assert.equal((await patch('streamer', { settings: { top_k } })).status, 200);
		for (const of of [gate, replica])
			assert.equal((await (await of.tenant('streamer')).search('text')).status, 200);
	}
	for (const answer of opened) {
		assert.equal(answer.stream.destroyed, false, 'it streams still');
		answer.stream.on('error', () => {}).destroy();
	}
	await stack.knobs();
});

test('set: plan, compute and quotas, at Neon by PATCH; null is what Neon has without', async () => {
	const project = await made('big');
	await stack.neonKnobs({ operation_ms: 0, change_ms: 700 });
	const answer = await patch('big', { plan: 'pro', settings: { top_k: 5 },
		compute: { minCu: 1, maxCu: 4, suspendTimeout: 600 }, quotas: { writtenDataBytes: 5e9 } });
	assert.equal(answer.status, 200, answer.body);
	assert.deepEqual([answer.json.tenant.neon, answer.json.tenant.plan], ['applied', 'pro']);
	const there = await endpoint(project);
	assert.deepEqual([there.autoscaling_limit_min_cu, there.autoscaling_limit_max_cu,
		there.suspend_timeout_seconds], [1, 4, 600]);
	assert.deepEqual(await quota(project), { written_data_bytes: 5e9 });
	const { operations } = await neon(`${project}/operations`);
	assert.ok(operations.every((o) => o.status === 'finished'), 'its operations were waited for');
	assert.deepEqual(await row('big', 'plan, settings, neon_held, neon_error'),
		['pro', '{"top_k": 5}', '', '']);
	await stack.neonKnobs({ operation_ms: 0 });
	const count = await requests();
	assert.equal((await patch('big', { compute: { minCu: 1 } })).status, 200);
	assert.deepEqual(await requests(), count, 'the same is not asked for again');
	const less = await patch('big', { compute: { suspendTimeout: null },
		quotas: { writtenDataBytes: null } });
	assert.deepEqual([less.status, less.json.tenant.compute.suspendTimeout], [200, 0], less.body);
	assert.equal((await endpoint(project)).suspend_timeout_seconds, 0);
	assert.deepEqual(await quota(project), { written_data_bytes: 0 });
	const without = await patch('big', { compute: { minCu: null } });
	assert.deepEqual([without.status, /minCu/.test(without.json.detail)], [400, true]);
});

test('set: a project that is locked (423), and 503, are waited out', async () => {
	const project = await made('busy');
	await stack.neonKnobs({ operation_ms: 0, fail_next: [
		{ status: 423, times: 2, route: 'PATCH /projects/{p}/endpoints/{e}' },
		{ status: 503, times: 1, route: 'PATCH /projects/{p}' }] });
	const answer = await patch('busy', { compute: { maxCu: 3 }, quotas: { computeTimeSeconds: 9 } });
	assert.deepEqual([answer.status, answer.json.tenant.neon], [200, 'applied'], answer.body);
	assert.equal((await endpoint(project)).autoscaling_limit_max_cu, 3);
});

test('set: what Neon refuses is told with its reason, and the row is as before', async () => {
	const project = await made('small', { plan: 'free', compute: { maxCu: 2 },
		settings: { top_k: 3 } });
	await stack.neonKnobs({ operation_ms: 0, cu_max: 4 });
	const before = await row('small', 'plan, settings, neon_wished');
	const answer = await patch('small', { plan: 'pro', settings: { top_k: 8 },
		compute: { maxCu: 8 }, quotas: { activeTimeSeconds: 77 } });
	assert.deepEqual([answer.status, answer.json.code], [422, 'neon_refused'], answer.body);
	assert.match(answer.json.detail, /compute size exceeds the limit of your plan/);
	await until('the quota is taken back', async () =>
		(await quota(project)).active_time_seconds === 0);
	await until('nothing is pending', async () =>
		(await row('small', 'neon_wished = neon_applied and neon_held is null'))[0] === 't');
	const [plan, own, wished] = await row('small', 'plan, settings, neon_wished');
	assert.deepEqual([plan, own], before.slice(0, 2));
	assert.equal(JSON.parse(wished).maxCu, 2);
	assert.equal((await endpoint(project)).autoscaling_limit_max_cu, 2);
	const told = await put('small');
	assert.match(told.json.tenant.neon, /^failed: Neon refuses it/);
	const shown = (await gate.admin.get(path('small'))).json;
	assert.equal(shown.neon, 'failed');
	assert.match(shown.neonError, /^Neon refuses it/);
	assert.equal((await patch('small', { compute: { maxCu: 4 } })).json.tenant.neon, 'applied');
	await stack.neonKnobs({ operation_ms: 0 });
});

test('set: another process that is at it is waited for, at a measured pace', async () => {
	await made('shared');
	await stack.sql(`update tenants set neon_attempt = 'elsewhere', neon_until = now() + interval '2 s'
		where tenant_id = 'shared'`, 'catalog');
	const begun = async () => (await gate.admin.get('/admin/top')).json.flows
		.find((f) => f.kind === 'tenant_wish')?.count ?? 0;
	const before = await begun();
	const answer = await patch('shared', { compute: { maxCu: 2 } });
	assert.deepEqual([answer.status, answer.json.tenant.neon], [200, 'applied'], answer.body);
	const looks = await begun() - before;
	assert.ok(looks >= 2 && looks < 50, `${looks} looks`);
});

test('set: Neon away is 202, plan and settings wait with it, and it is done by itself', async () => {
	const project = await made('away', { plan: 'free' });
	await stack.neonKnobs({ operation_ms: 0, fail_next: [
		{ status: 500, times: 2, route: 'PATCH /projects/{p}/endpoints/{e}' }] });
	const answer = await patch('away', { plan: 'pro', compute: { minCu: 2, maxCu: 2 } });
	assert.equal(answer.status, 202, answer.body);
	assert.match(answer.json.tenant.neon, /^failed: /);
	assert.deepEqual([answer.json.tenant.plan, answer.json.tenant.held.plan], ['free', 'pro']);
	const meanwhile = await patch('away', { settings: { top_k: 6 } });
	assert.deepEqual(meanwhile.json.tenant.settings, { top_k: 6 }, 'that needs no Neon');
	await until('it is done', async () => (await row('away', 'plan'))[0] === 'pro');
	assert.deepEqual(await row('away', 'settings, neon_held, neon_error'), ['{"top_k": 6}', '', '']);
	assert.equal((await endpoint(project)).autoscaling_limit_min_cu, 2);
});

test('set: the region until the database is made, and no tenant that there is not', async () => {
	await stack.neonKnobs({ operation_ms: 0, fail_next: [
		{ status: 422, times: 1, route: 'POST /projects' }] });
	assert.equal((await put('mover')).status, 202);
	await until('it has failed', async () => (await row('mover', 'last_error'))[0] !== '');
	const moved = await patch('mover', { region: 'aws-eu-central-1', compute: { maxCu: 1 } });
	assert.deepEqual([moved.status, moved.json.tenant.region, moved.json.tenant.neon],
		[200, 'aws-eu-central-1', 'pending'], moved.body);
	const retried = await ask('POST', `${path('mover')}/retry`);
	assert.deepEqual([retried.status, retried.json.tenant.state], [202, 'provisioning'], retried.body);
	await isReady('mover');
	const { project } = await neon((await row('mover', 'project_id'))[0]);
	assert.equal(project.region_id, 'aws-eu-central-1');
	assert.equal((await endpoint(project.id)).autoscaling_limit_max_cu, 1);
	const late = await patch('mover', { region: 'aws-us-east-2' });
	assert.deepEqual([late.status, late.json.code], [409, 'conflict']);
	assert.equal((await patch('nobody', { plan: 'pro' })).status, 404);
});

test('retry: a failed one begins at once; what Neon asked for is waited for; 409 says the state',
	async () => {
		await stack.neonKnobs({ operation_ms: 0, fail_next: [
			{ status: 422, times: 1, route: 'POST /projects' }] });
		assert.equal((await put('again')).status, 202);
		await until('it has failed', async () => (await row('again', 'state'))[0] === 'failed' &&
			(await row('again', 'last_error'))[0] !== '');
		assert.equal((await row('again', 'not_before > now()'))[0], 't', 'our own back-off');
		assert.equal((await ask('POST', `${path('again')}/retry`)).status, 202);
		await isReady('again');
		const ready = await ask('POST', `${path('again')}/retry`);
		assert.deepEqual([ready.status, ready.json.code], [409, 'conflict']);
		assert.match(ready.json.detail, /is ready/);
		await stack.neonKnobs({ operation_ms: 0, fail_next: [
			{ status: 422, times: 1, retry_after: 3000, route: 'POST /projects' }] });
		await put('patience');
		await until('it has failed', async () => (await row('patience', 'state'))[0] === 'failed' &&
			(await row('patience', 'last_error'))[0] !== '');
		const asked = await ask('POST', `${path('patience')}/retry`);
		assert.deepEqual([asked.status, asked.json.code], [503, 'provisioning'], asked.body);
		assert.ok(Number(asked.headers['retry-after']) > 2900);
		await stack.neonKnobs({ operation_ms: 60000 });
		await put('making');
		await until('it is under way', async () => (await row('making', 'state'))[0] === 'provisioning');
		const making = await ask('POST', `${path('making')}/retry`);
		assert.deepEqual([making.status, making.json.code], [409, 'conflict'], making.body);
		assert.match(making.json.detail, /being made/);
		await stack.neonKnobs({ operation_ms: 0 });
		assert.equal((await ask('POST', `${path('nobody')}/retry`)).status, 404);
		assert.equal(audits('tenant.retry', 'again').length, 1);
	});

test('warm: makes it, then wakes it, and leaves a connection in the pool', async () => {
	await stack.neonKnobs({ operation_ms: 0, fail_next: [
		{ status: 422, times: 1, route: 'POST /projects' }] });
	await put('cold');
	await until('it has failed', async () => (await row('cold', 'last_error'))[0] !== '');
	await stack.sql(`update tenants set not_before = null where tenant_id = 'cold'`, 'catalog');
	const first = await ask('POST', `${path('cold')}/warm`);
	assert.equal(first.status, 200, first.body);
	assert.deepEqual([first.json.state, first.json.made], ['ready', true]);
	assert.ok(first.json.answerSeconds >= first.json.makeSeconds && first.json.makeSeconds > 0);
	const [db] = await row('cold', 'db_name');
	const pids = async () => (await stack.sql(`select pid from pg_stat_activity where
		datname = '${db}' and application_name = 'tenantgate'`)).flat();
	const [pid] = await pids();
	const second = await ask('POST', `${path('cold')}/warm`);
	assert.deepEqual([second.status, second.json.made, second.json.makeSeconds], [200, false, 0]);
	assert.ok(second.json.answerSeconds < first.json.answerSeconds);
	assert.ok((await pids()).includes(pid), 'the connection is still there');
	assert.equal((await ask('POST', `${path('nobody')}/warm`)).status, 404);
});

test('warm: 202 past provision_wait, and it is made behind', async () => {
	const hasty = await stack.tenantgateWithAdmin({ ...settings, provision_wait: '1s' });
	await stack.neonKnobs({ operation_ms: 60000 });
	assert.equal((await put('slow')).status, 202);
	await until('it is under way', async () => (await row('slow', 'state'))[0] === 'provisioning');
	const answer = await hasty.admin.post(`${path('slow')}/warm`, {});
	assert.deepEqual([answer.status, answer.json.state], [202, 'provisioning'], answer.body);
	await stack.neonKnobs({ operation_ms: 0 });
	await isReady('slow');
});

test('an id, a method and a key that are wrong', async () => {
	assert.equal((await put('a%20b')).json.code, 'invalid_tenant');
	const key = new Client(gate.adminUrl, { authorization: `Bearer ${await gate.service()}` });
	assert.equal((await key.ask('PATCH', path('ann'), { body: '{}' })).status, 403);
	assert.equal((await gate.admin.ask('PATCH', path('ann'), { body: '{"plan":' })).json.code,
		'invalid_json');
});
