// SPDX-License-Identifier: MIT
// GET /metrics: a page that Prometheus' own tool finds no fault with, whose counts are what was done.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Client } from './lib/client.mjs';
import { databases, lockTables } from './lib/crowd.mjs';
import { sleep, until } from './lib/process.mjs';
import { sample, Stack } from './lib/stack.mjs';

const stack = new Stack('metrics');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin({ user_requests_per_minute: 3 });
});
after(() => stack.stop());

async function page(accept = '*/*') {
	const answer = await gate.admin.get('/metrics', { headers: { accept } });
	assert.equal(answer.status, 200);
	return answer;
}

// { 'name{labels}': value }
function samples(text) {
	const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
	const found = {};
	for (const line of lines) {
		const at = line.lastIndexOf(' ');
		assert.ok(!(line.slice(0, at) in found), `twice: ${line}`);
		found[line.slice(0, at)] = Number(line.slice(at + 1));
	}
	return found;
}

function promtool(text) {
	return new Promise((resolve, reject) => {
		const tool = spawn('promtool', ['check', 'metrics']);
		let said = '';
		tool.stdout.on('data', (data) => { said += data; });
		tool.stderr.on('data', (data) => { said += data; });
		tool.on('error', reject);
		tool.on('close', (code) => resolve({ code, said }));
		tool.stdin.end(text);
	});
}

test('promtool finds no fault with it, and would with another', async () => {
	const tenant = await gate.tenant('acme');
	await tenant.ingestFile(sample);
	await tenant.post('/search', { query: 'fuel' });
	const answer = await page();
	assert.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
	assert.deepEqual(await promtool(answer.body), { code: 0, said: '' });
	assert.notEqual((await promtool(`${answer.body}broken{ 1\n`)).code, 0);
});

test('requests are counted by route and status, with their phases', async () => {
	const tenant = await gate.tenant('counted');
	await tenant.post('/search', { query: 'fuel' });
	const before = samples((await page()).body);
	for (let i = 0; i < 5; i++)
		assert.equal((await tenant.post('/search', { query: 'fuel' })).status, 200);
	assert.equal((await tenant.post('/search', {})).status, 400);
	assert.equal((await new Client(gate.url).post('/search', {})).status, 401);
	const now = samples((await page()).body);
	const grew = (name) => (now[name] ?? 0) - (before[name] ?? 0);
	const route = 'tenantgate_requests_total{route="search",code=';
	assert.deepEqual([200, 400, 401].map((code) => grew(`${route}"${code}"}`)), [5, 1, 1]);
	assert.equal(grew('tenantgate_flow_duration_seconds_count{flow="search"}'), 7);
	assert.equal(grew('tenantgate_flow_failures_total{flow="search"}'), 2);
	const step = (name) => grew(`tenantgate_step_duration_seconds_count{flow="search",step="${name}"}`);
	assert.deepEqual(['auth', 'tenant', 'body', 'search'].map(step), [7, 7, 6, 5]);
	assert.ok(grew('tenantgate_step_duration_seconds_sum{flow="search",step="search"}') > 0);
	assert.equal(grew('tenantgate_tenant_requests_total{tenant="counted"}'), 6);
});

test('a bucket has all below it, and the last is all', async () => {
	const { body } = await page();
	const now = samples(body);
	for (const name of Object.keys(now).filter((n) => n.includes('_bucket{')))
		if (name.includes('le="+Inf"'))
			assert.equal(now[name], now[name.replace('_bucket', '_count').replace(/,?le="\+Inf"/, '')
				.replace('{}', '')], name);
	const rising = Object.entries(now).filter(([n]) =>
		n.startsWith('tenantgate_flow_duration_seconds_bucket{flow="search"')).map(([, v]) => v);
	assert.deepEqual(Object.keys(now).map((n) => /search",le="(.*)"/.exec(n)?.[1]).filter(Boolean)
		.slice(0, 12), ['0.001', '0.005', '0.025', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '60',
		'+Inf']);
	assert.deepEqual(rising, [...rising].sort((a, b) => a - b));
});

test('the loudest tenants have a name, all others one together, whatever they are called', async () => {
	const noisy = await gate.tenant('other');
	for (let i = 0; i < 3; i++)
		await noisy.post('/search', {});
	for (let i = 0; i < 80; i++)
		await (await gate.tenant(`crowd-${i}`)).get('/documents');
	const now = samples((await page()).body);
	const tenants = Object.entries(now).filter(([n]) =>
		n.startsWith('tenantgate_tenant_requests_total'));
	assert.ok(tenants.length <= 65, `${tenants.length}`);
	assert.ok(now['tenantgate_tenant_requests_total{tenant="other"}'] >= 3);
	const all = tenants.reduce((sum, [, v]) => sum + v, 0);
	const counted = Object.entries(now).filter(([n]) => /^tenantgate_requests_total\{route="[^a]/.test(n) &&
		!n.includes('code="401"')).reduce((sum, [, v]) => sum + v, 0);
	assert.equal(all, counted);
});

test('what is scarce, pools, helpers and the process are there', async () => {
	const now = samples((await page()).body);
	assert.equal(now['tenantgate_ready'], 1);
	assert.equal(now['tenantgate_share_held{share="model_streams"}'], 0);
	assert.ok(now['tenantgate_share_capacity{share="extractors"}'] >= 1);
	assert.equal(now['tenantgate_share_capacity{share="ingests"}'], undefined);
	assert.equal(now['tenantgate_share_held{share="ingests"}'], 0);
	await until('no helper runs but the one that writes the page', async () =>
		samples((await page()).body)['tenantgate_helpers_running{helpers="requests"}'] === 0);
	const done = 'tenantgate_helpers_done_total{helpers="spool"}';
	const large = await (await gate.tenant('uploader')).ingestText('A body that goes to the disk. '.repeat(20000));
	assert.equal(large.status, 201, large.body);
	assert.ok(samples((await page()).body)[done] > now[done]);
	assert.ok(now['tenantgate_pools_logins_total'] >= 1);
	assert.ok(now['tenantgate_pools_server_idle'] >= 1);
	assert.ok(now['process_open_fds'] > 10 && now['process_resident_memory_bytes'] > 1e6);
	assert.ok(now['process_cpu_seconds_total'] > 0);
	assert.ok('tenantgate_loop_lag_seconds{worker="1"}' in now);
});

// The names of the samples that begin so, with what they have.
const having = (found, start) => Object.entries(found).filter(([name]) => name.startsWith(start));

test('models are counted in OpenTelemetry\'s words', async () => {
	const tenant = await gate.tenant('talker');
	await tenant.ingestFile(sample);
	const before = samples((await page()).body);
	await stack.knobs({ tokens: 5, token_delay_ms: 20 });
	const answer = await tenant.chat('How much fuel is carried?');
	await stack.knobs();
	assert.ok(answer.body.length > 0);
	const now = samples((await page()).body);
	const grew = (name) => having(now, name).reduce((sum, [n, v]) => sum + v - (before[n] ?? 0), 0);
	const calls = (metric, operation) => grew(`tenantgate_gen_ai_client_${metric}_count{` +
		`gen_ai_provider_name="openai",gen_ai_operation_name="${operation}"`);
	assert.equal(calls('operation_duration_seconds', 'chat'), 1);
	assert.equal(calls('operation_duration_seconds', 'embeddings'), 1);
	assert.equal(calls('time_to_first_chunk_seconds', 'chat'), 1);
	assert.ok(calls('time_per_output_chunk_seconds', 'chat') >= 1);
	assert.equal(calls('token_usage', 'chat'), 2);
	assert.ok(grew('tenantgate_usage_tokens_total{type="input"}') > 0);
	assert.ok(grew('tenantgate_usage_tokens_total{type="output"}') > 0);
	assert.ok(grew('tenantgate_usage_tokens_total{type="embedding"}') > 0);
	assert.ok(grew('tenantgate_pools_queries_total') >= 1);
	assert.equal(grew('tenantgate_overhead_seconds_count{route="chat"}'), 1);
	const own = grew('tenantgate_overhead_seconds_sum{route="chat"}');
	assert.ok(own >= 0 && own < grew('tenantgate_flow_duration_seconds_sum{flow="chat"}'));
	assert.equal(now['tenantgate_model_breaker_open{server="default",operation="chat"}'], 0);
	assert.equal(having(now, 'tenantgate_gen_ai_client_operation_duration_seconds_bucket')
		.filter(([name]) => name.includes('error_type')).length, 0);
});

test('what a request waits for in a database is none of our own time', async () => {
	const tenant = await gate.tenant('acme');
	await tenant.ingestText('There is one goat.', { documentId: 'goat' });
	const { acme } = await databases(stack);
	const before = samples((await page()).body);
	const lock = await lockTables(stack, acme);
	const calls = [tenant.ingestText('There are two boats.', { documentId: 'boat' }),
		tenant.ask('DELETE', '/documents/goat')];
	await until('both wait', async () => (await stack.sql('select 1 from pg_stat_activity where ' +
		`datname = '${acme}' and wait_event_type = 'Lock'`)).length === 2);
	await sleep(1500);	// for at least so long
	await lock.release();
	assert.deepEqual((await Promise.all(calls)).map((answer) => answer.status), [201, 204]);
	const now = samples((await page()).body);
	const grew = (name) => now[name] - (before[name] ?? 0);
	for (const route of ['ingest', 'documents_delete']) {
		const all = grew(`tenantgate_flow_duration_seconds_sum{flow="${route}"}`);
		const own = grew(`tenantgate_overhead_seconds_sum{route="${route}"}`);
		assert.ok(all >= 1.5 && own < all / 2, `${route}: ${own} of ${all}`);
	}
});

test('a model that fails has its reason as a label', async () => {
	await stack.knobs({ fail_embeddings: 400 });
	const tenant = await gate.tenant('talker');
	await tenant.post('/search', { query: 'fuel' });
	await stack.knobs();
	const now = samples((await page()).body);
	assert.equal(having(now, 'tenantgate_gen_ai_client_operation_duration_seconds_count')
		.filter(([name]) => name.includes('error_type="')).length, 1);
});

test('limits tell what they decided, by which limit and where', async () => {
	const tenant = await gate.tenant('busy');
	const name = (limit, decision) => 'tenantgate_ratelimit_decisions_total{' +
		`limit="${limit}",decision="${decision}",mode="redis"}`;
	const before = samples((await page()).body);
	const grew = (now, ...labels) => (now[name(...labels)] ?? 0) - (before[name(...labels)] ?? 0);
	for (let i = 0; i < 5; i++)
		await tenant.get('/documents', { headers: { 'x-user-id': 'ann' } });
	await tenant.get('/documents');
	const now = samples((await page()).body);
	assert.equal(grew(now, 'user', 'allowed'), 3);
	assert.equal(grew(now, 'user', 'refused'), 2);
	assert.equal(grew(now, 'tenant', 'allowed'), 4);
});

test('a client that leaves is counted by its route', async () => {
	const tenant = await gate.tenant('talker');
	const aborts = async () => samples((await page()).body)['tenantgate_client_aborts_total{route="chat"}'] ?? 0;
	const before = await aborts();
	await stack.knobs({ tokens: 1000, token_delay_ms: 50 });
	const answer = await tenant.openChat('How much fuel?');
	answer.request.destroy();
	await until('it is counted', async () => await aborts() === before + 1);
	await stack.knobs();
	assert.ok(having(samples((await page()).body), 'tenantgate_gen_ai_client_operation_duration_seconds_count')
		.some(([n]) => n.includes('operation_name="chat"') && n.includes('error_type="cancelled"')));
});

test('connections, configuration, log and provisioning are there', async () => {
	const now = samples((await page()).body);
	assert.ok(now.tenantgate_client_connections >= 0);
	assert.ok(now.tenantgate_client_connections_accepted_total >= 1);
	assert.equal(now.tenantgate_client_connections_refused_total, 0);
	assert.equal(now.tenantgate_config_last_reload_successful, 1);
	assert.ok(Math.abs(Date.now() / 1000 -
		now.tenantgate_config_last_reload_success_timestamp_seconds) < 600);
	assert.equal(now.tenantgate_log_lines_lost_total, 0);
	assert.ok(now['tenantgate_provisionings_total{result="created"}'] >= 1);
	assert.equal(now['tenantgate_provisionings_total{result="failed"}'], 0);
	assert.equal(now['tenantgate_provisionings_total{result="created"}'],
		now['tenantgate_provisioning_duration_seconds_count{result="created"}']);
	assert.ok(now['tenantgate_loop_turns_total{worker="0"}'] > 0);
	assert.ok('tenantgate_loop_cpu_seconds_total{worker="0"}' in now);
	assert.ok(now.tenantgate_pools_client_active >= 0);
	assert.equal(now.tenantgate_pools_client_maxwait_seconds, 0);
});

test('what README says there is, is there, and no more', async () => {
	const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
	const told = [...readme.matchAll(/^\| `((?:tenantgate|process)_\w+)` \| (.*?) \|/gm)];
	const { body } = await page();
	const there = [...body.matchAll(/^# TYPE (\S+) /gm)].map((m) => m[1]);
	assert.deepEqual(told.map((m) => m[1]).sort(), there.sort());
	const families = Object.fromEntries(told.map((m) => [m[1], m[2]]));
	for (const name of Object.keys(samples(body))) {
		const [, family, labels = ''] = name.match(/^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})?$/);
		for (const [, label] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g))
			assert.ok(label === 'le' || families[family].includes(`\`${label}\``) ||
				families[family].startsWith('provider, operation, model'), name);
	}
});

test('OpenMetrics where it is asked for', async () => {
	const answer = await page('application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
	assert.match(answer.headers['content-type'], /^application\/openmetrics-text; version=1\.0\.0/);
	assert.ok(answer.body.endsWith('# EOF\n'));
	assert.match(answer.body, /^# TYPE tenantgate_requests counter$/m);
	assert.match(answer.body, /^tenantgate_requests_total\{/m);
});

test('it wants an admin key, and no loop is held up', async () => {
	assert.equal((await new Client(gate.adminUrl).get('/metrics')).status, 401);
	assert.deepEqual(gate.lines().filter((l) => l.event === 'worker.long_turn'), []);
});
