// SPDX-License-Identifier: MIT
// A project of Neon's that is there already becomes a tenant's.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('adopt');
let gate;

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgateWithAdmin();
});
after(() => stack.stop());

const adopt = (tenant, body, query = '', from = gate) =>
	from.admin.post(`/admin/tenants/${tenant}/adopt${query}`, body);
const row = async (tenant) => (await stack.sql(`select state, provider, project_id, attempts,
	db_password_sealed is not null from tenants where tenant_id = '${tenant}'`, 'catalog'))[0];
const standIn = (text) => stack.sql(text.replaceAll('projects', 'neon_standin.projects'));
const audits = (tenant) => gate.lines().filter((l) => l.event === 'admin.audit' && l.tenant === tenant);
const name = async (id) => (await standIn(`select name from projects where id = '${id}'`))[0][0];
const refused = (answer, status, code, says) => {
	assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.body);
	assert.match(answer.json.detail, says);
};

// As the reference application makes it, or somebody in the console.
async function project(fields = {}) {
	const made = await stack.neon.client.post('/api/v2/projects', { project: fields },
		{ authorization: `Bearer ${stack.neonKey}` });
	const { id } = made.json.project;
	await until('it is ready', async () => (await standIn(
		`select state from projects where id = '${id}'`))[0][0] === 'ready');
	const [[db, role]] = await standIn(`select db, role from projects where id = '${id}'`);
	return { id, db, role };
}

const works = async (tenant, word, from = gate) => {
	const client = await from.tenant(tenant);
	const stored = await client.ingestText(`The word is ${word}.`, { documentId: word });
	assert.equal(stored.status, 201, stored.body);
	assert.match((await client.search('word')).body, new RegExp(word));
};

test('a project: looked at, written down and named; touched at the first contact alone', async () => {
	const p = await project();
	await stack.sql(`create table mine as select 7 as seven`, p.db);
	const dry = await adopt('fox', { projectId: p.id }, '?dryRun=true');
	assert.equal(dry.status, 200, dry.body);
	assert.equal(await row('fox'), undefined);
	assert.equal(await name(p.id), p.id);
	assert.equal(audits('fox').length, 0);

	const answer = await adopt('fox', { projectId: p.id });
	assert.deepEqual([answer.status, answer.json.id, answer.json.source, answer.json.database,
		answer.json.again, answer.json.effective], [200, 'fox', p.id, p.db, false, 'now'], answer.body);
	assert.match(answer.json.projectName, /^tg-test-fox-[0-9a-f]{24}$/);
	assert.equal(await name(p.id), answer.json.projectName);
	assert.deepEqual(await row('fox'), ['failed', 'neon', p.id, '0', 't']);
	assert.deepEqual(await stack.sql("select relname from pg_class where relkind = 'r' and " +
		"relnamespace = 'public'::regnamespace order by 1", p.db), [['mine'], ['tenantgate_owner']],
		'nothing is changed in it');
	assert.deepEqual(await stack.sql('select environment, tenant_id from tenantgate_owner', p.db),
		[['test', 'fox']]);
	const [line] = audits('fox');
	assert.deepEqual([line.action, line.before.projectName, line.after.projectName],
		['tenant.adopt', p.id, answer.json.projectName]);

	await works('fox', 'lantern');
	assert.deepEqual(await stack.sql('select id from document', p.db), [['lantern']]);
	assert.deepEqual(await stack.sql('select seven from mine', p.db), [['7']]);
	assert.equal((await stack.projects('tg-test-fox')).length, 1, 'none was made');
	const again = await adopt('fox', { projectId: p.id });
	assert.deepEqual([again.status, again.json.again], [200, true], again.body);
	await works('fox', 'beacon');
});

test('a project that is another tenant\'s, another environment\'s, or not there', async () => {
	const p = await project();
	assert.equal((await adopt('hen', { projectId: p.id })).status, 200);
	refused(await adopt('owl', { projectId: p.id }), 409, 'conflict', /another tenant's.*name says so/);
	await standIn(`update projects set name = 'plain' where id = '${p.id}'`);
	refused(await adopt('owl', { projectId: p.id }), 409, 'conflict', /another tenant's: hen/);
	const theirs = await project({ branch: { annotations: { tenantgate_environment: 'prod',
		tenantgate_tenant: 'owl' } } });
	refused(await adopt('owl', { projectId: theirs.id }), 409, 'conflict', /annotation says so/);
	const ours = await project({ branch: { annotations: { tenantgate_environment: 'test',
		tenantgate_tenant: 'ewe' } } });
	refused(await adopt('owl', { projectId: ours.id }), 409, 'conflict', /annotation says so/);
	assert.equal((await adopt('ewe', { projectId: ours.id })).status, 200);
	const old = await project({ name: 'tg-prod-owl', branch: { annotations: {
		tenantgate_tenant: 'owl' } } });
	refused(await adopt('owl', { projectId: old.id }), 409, 'conflict', /annotation says so/);
	refused(await adopt('owl', { projectId: 'no-such-project' }), 404, 'not_found', /Look at the id/);
	refused(await adopt('owl', { projectId: '../users/me' }), 400, 'invalid_field', /by its id/);
	assert.equal(await row('owl'), undefined);
});

test('a tenant that has a database gets no other; neither does one for which it is being made',
	async () => {
		await works('cow', 'meadow');
		const p = await project();
		refused(await adopt('cow', { projectId: p.id }), 409, 'conflict', /Tenant cow has a database/);
		refused(await adopt('fox', { projectId: p.id }), 409, 'conflict', /Tenant fox has a database/);
		assert.equal(await name(p.id), p.id);
		await stack.sql(`insert into users (user_id) values ('elk'); insert into tenants (tenant_id,
			provider, project_name, state, posted_at) values ('elk', 'neon', 'x', 'failed', now())`,
		'catalog');
		refused(await adopt('elk', { projectId: p.id }), 409, 'conflict', /Tenant elk has a database/);
	});

test('of ten adoptions of one project at once one is let in', async () => {
	const p = await project();
	const answers = await Promise.all(Array.from({ length: 10 }, (_, i) =>
		adopt(`crowd-${i}`, { projectId: p.id })));
	const statuses = answers.map((a) => a.status).sort();
	assert.deepEqual(statuses, [200, ...Array(9).fill(409)]);
	assert.equal((await stack.sql(`select count(*) from tenants where project_id = '${p.id}'`,
		'catalog'))[0][0], '1');
});

test('a tenant that comes in the middle of its adoption keeps what was made for it', async () => {
	const p = await project();
	const calls = async () => (await stack.neon.client.get('/_stats')).json
		.requests['GET /projects/{p}/connection_uri'] ?? 0;
	const were = await calls();
	await stack.neonKnobs({ delay_ms: 30000, delay_route: 'GET /projects/{p}/connection_uri' });
	const answer = adopt('yak', { projectId: p.id });
	await until('its address is asked for', async () => await calls() > were);
	await works('yak', 'pasture');
	await stack.neonKnobs();
	refused(await answer, 409, 'conflict', /Tenant yak has a database/);
	assert.equal(await name(p.id), p.id);
	await works('yak', 'meadow');
});
