// SPDX-License-Identifier: MIT
// A dry run changes nothing: each route that changes something, where it would; nor does a request
// that only nearly says that it is one.
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PASSWORD, tools } from './lib/app-catalog.mjs';
import { until } from './lib/process.mjs';
import { source, Stack } from './lib/stack.mjs';

const stack = new Stack('admin-dry-runs');
let gate, projectId, orphan, keyId;

const { appCatalog, ours, project, url } = tools(stack, () => gate);

before(async () => {
	await stack.surroundings();
	await stack.sql(`create role app login password '${PASSWORD}'`);
	gate = await stack.tenantgateWithAdmin({ allowed_networks: '127.0.0.1', key_last_used_interval: '1h',
		usage_write_interval: '1h' });
	for (const id of ['ready', 'asleep', 'gone'])
		assert.equal((await (await gate.tenant(id)).ingestText('A text.', { documentId: 'd' })).status, 201);
	assert.equal((await gate.admin.post('/admin/tenants/asleep/suspend', {})).status, 200);
	assert.ok((await gate.admin.ask('DELETE', '/admin/tenants/gone')).status < 300);
	await until('it is deleted', async () =>
		(await gate.admin.get('/admin/tenants/gone/receipt')).json.state === 'deleted');
	projectId = (await project()).id;
	await stack.neonKnobs({ projects_max: 1 });
	await (await gate.tenant('failed')).search('x');
	await stack.neonKnobs();
	const made = await stack.neon.client.post('/api/v2/projects', { project: { name: 'x' },
		branch: { annotations: { tenantgate_tenant: 'dog', tenantgate_environment: 'test' } } },
	{ authorization: `Bearer ${stack.neonKey}` });
	orphan = made.json.project.id;
	await until('it is an orphan', async () => (await stack.sql(
		`select state from neon_standin.projects where id = '${orphan}'`))[0][0] === 'ready');
	keyId = (await gate.key('--tenant', 'ready')).slice(3, 15);
	await appCatalog('shop', `insert into users (user_id, email) values ('usr_one', 'a@example.com');
		insert into vector_databases (vector_db_id, user_id) values ('${projectId}', 1);
		insert into documents (document_id, user_id, title) values ('doc_a', 1, 'Alpha')`);
});
after(() => stack.stop());

// But for the marks of records that were taken out (tenant_publish.c), which go by themselves.
const RECORDS = `local found = {}
	for _, key in ipairs(redis.call('keys', 'tg:tenant:*')) do
		if redis.call('type', key).ok ~= 'string' or redis.call('get', key) ~= '-' then
			found[#found + 1] = key
		end
	end
	return found`;

// Everything that a request may change: by table, by project, by key of Redis.
async function everything() {
	const tables = (await ours(`select table_name from information_schema.tables
		where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`)).flat();
	const rows = await ours(`${tables.map((t) => `select '${t}', to_jsonb(t)::text from ${t} t`)
		.join(' union all ')} order by 1, 2`);
	const keys = await new Promise((resolve) => execFile('redis-cli', ['-p', String(stack.redisPort),
		'eval', RECORDS, '0'], (error, out) => resolve(out.split('\n').sort())));
	return { rows, keys, projects: await stack.sql('select to_jsonb(p) from neon_standin.projects p order by 1') };
}

const requests = () => ({
	'POST /admin/keys': [['/admin/keys', { kind: 'service' }]],
	'DELETE /admin/keys/{id}': [[`/admin/keys/${keyId}`]],
	'POST /admin/tenants/{tenant}/keys': [['/admin/tenants/ready/keys', {}]],
	'POST /admin/tenants/{tenant}/tokens': [['/admin/tenants/ready/tokens', { user: 'mia' }]],
	'DELETE /admin/tenants/{tenant}/tokens': [['/admin/tenants/ready/tokens']],
	'PUT /admin/tenants/{tenant}': [['/admin/tenants/new', { plan: null }], ['/admin/tenants/failed', {}]],
	'PATCH /admin/tenants/{tenant}': [['/admin/tenants/ready',
		{ settings: { top_k: 3 }, compute: { maxCu: 2 } }]],
	'POST /admin/tenants/{tenant}/retry': [['/admin/tenants/failed/retry', {}]],
	'POST /admin/tenants/{tenant}/warm': [['/admin/tenants/ready/warm', {}], ['/admin/tenants/failed/warm', {}]],
	'POST /admin/tenants/{tenant}/suspend': [['/admin/tenants/ready/suspend', { reason: 'why' }]],
	'POST /admin/tenants/{tenant}/resume': [['/admin/tenants/asleep/resume', {}]],
	'DELETE /admin/tenants/{tenant}': [['/admin/tenants/ready', { reason: 'why' }], ['/admin/tenants/asleep']],
	'POST /admin/tenants/{tenant}/recreate': [['/admin/tenants/gone/recreate', {}]],
	'POST /admin/reconcile': [['/admin/reconcile', { remove: [`project/${orphan}`] }]],
	'POST /admin/reload': [['/admin/reload', undefined]],
	'POST /admin/reseal': [['/admin/reseal', {}]],
	'POST /admin/adopt': [['/admin/adopt', { catalogUrl: url('shop') }]],
	'POST /admin/tenants/{tenant}/adopt': [['/admin/tenants/new/adopt', { projectId }]],
});

// As the program's own table has them: one that nobody has thought of here fails this test.
function tableOfChanges() {
	const text = readFileSync(join(source, 'src/admin/admin_route.c'), 'utf8');
	return [...text.matchAll(/\{ "([A-Z]+)", "(\/[^"]*)", \w+,/g)].map(([, m, p]) => `${m} ${p}`)
		.filter((route) => !route.startsWith('GET '));
}

const ask = (route, [path, body], query) => gate.admin.ask(route.split(' ')[0], `${path}${query}`,
	body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const audits = () => gate.lines().filter((line) => line.event === 'admin.audit').length;

test('the requests here are those that there are', () => {
	assert.deepEqual(tableOfChanges().sort(), Object.keys(requests()).sort());
});

test('a dry run answers what would be done, and changes nothing', async () => {
	const [before, told] = [await everything(), audits()];
	for (const [route, list] of Object.entries(requests()))
		for (const one of list) {
			const answer = await ask(route, one, '?dryRun=true');
			assert.ok(answer.status < 300, `${route} ${one[0]}: ${answer.body}`);
			assert.deepEqual(await everything(), before, `${route} ${one[0]}`);
		}
	assert.equal(audits(), told);
});

test('a request that only nearly says so is refused, and changes nothing', async () => {
	const before = await everything();
	for (const query of ['?dryrun=true', '?dry_run=true', '?dryRun', '?dryRun=', '?dryRun=True', '?dryRun=1',
		'?dryRun=tru%', '?dryRun=%zz', '?dryRun=true&x=1', '?dryRun=false&dryRun=true', '?%64ryRun=true%'])
		for (const [route, list] of Object.entries(requests())) {
			const answer = await ask(route, list[0], query);
			assert.deepEqual([answer.status, answer.json.code], [400, 'invalid_field'],
				`${route}${query}: ${answer.body}`);
			assert.match(answer.json.detail, /dryRun/);
		}
	assert.deepEqual(await everything(), before);
});
