// SPDX-License-Identifier: MIT
// Orphans, both ways: projects of this environment without a tenant, tenants whose project is gone,
// documents in one place only. What is named is removed, if it still is one, and nothing else.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('reconcile');
let gate, orphan, renamed;

const ours = (text) => stack.sql(text, 'catalog');
const standIn = (text) => stack.sql(text.replaceAll('projects', 'neon_standin.projects'));
const look = (query = '') => gate.admin.get(`/admin/reconcile${query}`);
const remove = (names, query = '') => gate.admin.post(`/admin/reconcile${query}`, { remove: names });
const state = async (id) => (await standIn(`select state from projects where id = '${id}'`))[0][0];
const projectOf = async (tenant) => (await ours(
	`select project_id from tenants where tenant_id = '${tenant}'`))[0][0];

async function project(fields = {}) {
	const made = await stack.neon.client.post('/api/v2/projects', { project: fields },
		{ authorization: `Bearer ${stack.neonKey}` });
	return made.json.project.id;
}
const noted = (tenant, environment) => ({ branch: { annotations: { tenantgate_tenant: tenant,
	...(environment ? { tenantgate_environment: environment } : {}) } } });

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgateWithAdmin();
	for (const tenant of ['ant', 'bee', 'cat'])
		assert.equal((await (await gate.tenant(tenant)).ingestText(`Of ${tenant}.`,
			{ documentId: 'd' })).status, 201);
});
after(() => stack.stop());

test('nothing is missing: nothing is named', async () => {
	const answer = await look();
	assert.equal(answer.status, 200, answer.body);
	assert.deepEqual(answer.json, { projectsSeen: 3, projectsWithoutTenant: [], tenantsWithoutProject: [] });
});

test('projects of this environment without a tenant, by annotation or by name; no other\'s', async () => {
	orphan = await project({ name: 'whatever', ...noted('dog', 'test') });
	await project({ name: 'theirs', ...noted('dog', 'prod') });
	await project({ name: 'nobody' });
	await project({ name: 'tg-test-old', ...noted('old') });	// as the first releases did
	await project({ name: 'tg-test-x', ...noted('other') });	// an old name of another tenant
	await project({ name: `tg-test-eel-${'0'.repeat(24)}` });	// digits that are of nobody
	const adopted = await project({ name: 'plain' });
	await until('it is ready', async () => await state(adopted) === 'ready');
	assert.equal((await gate.admin.post('/admin/tenants/fly/adopt', { projectId: adopted })).status, 200);
	assert.deepEqual((await look()).json.projectsWithoutTenant.map((p) => p.tenant).sort(), ['dog', 'old']);
	await ours("delete from vector_databases where user_id = 'fly'; delete from tenants where " +
		"tenant_id = 'fly'");
	renamed = adopted;
	const { projectsWithoutTenant: found } = (await look()).json;
	assert.deepEqual(found.map((p) => p.tenant).sort(), ['dog', 'fly', 'old']);
	assert.deepEqual(found.find((p) => p.tenant === 'dog'), { orphan: `project/${orphan}`,
		project: orphan, name: 'whatever', tenant: 'dog' });
});

test('one that is being made is none', async () => {
	await ours(`insert into users (user_id) values ('dog'); insert into tenants (tenant_id, provider,
		project_name, state, posted_at) values ('dog', 'neon', 'x', 'provisioning', now())`);
	assert.ok(!(await look()).json.projectsWithoutTenant.some((p) => p.tenant === 'dog'));
	const kept = await remove([`project/${orphan}`]);
	assert.deepEqual(kept.json, { removed: [], kept: [{ orphan: `project/${orphan}`,
		reason: 'It is no orphan now.' }] });
	await ours("delete from tenants where tenant_id = 'dog'");
});

test('a tenant whose project is gone at Neon', async () => {
	const id = await projectOf('bee');
	await standIn(`update projects set state = 'gone' where id = '${id}'`);
	assert.deepEqual((await look()).json.tenantsWithoutProject,
		[{ orphan: 'tenant/bee', tenant: 'bee', project: id }]);
	const kept = await remove(['tenant/bee']);
	assert.deepEqual(kept.json.kept.map((k) => k.orphan), ['tenant/bee']);
	assert.equal((await ours("select count(*) from tenants where tenant_id = 'bee'"))[0][0], '1');
	await standIn(`update projects set state = 'ready' where id = '${id}'`);
	assert.deepEqual((await look()).json.tenantsWithoutProject, []);
});

test('a list that is not whole removes nothing, and names nothing', async () => {
	for (const knobs of [{ unavailable: [await projectOf('cat')] },
		{ fail_next: [{ route: 'GET /projects', status: 403, times: 2 }] },
		{ fail_next: [{ route: 'GET /projects/{p}/branches', status: 403, times: 2 }] }]) {
		await stack.neonKnobs(knobs);
		const [seen, removed] = [await look(), await remove([`project/${orphan}`])];
		for (const answer of [seen, removed])
			assert.deepEqual([answer.status, answer.json.code], [502, 'neon_failed'], answer.body);
		assert.equal(await state(orphan), 'ready');
		await stack.neonKnobs();
	}
});

test('what is named goes, if it is an orphan at that moment; what is not named stays', async () => {
	const ant = await projectOf('ant');
	const names = [`project/${ant}`, `project/${orphan}`, 'project/none'];
	const dry = await remove(names, '?dryRun=true');
	assert.deepEqual(dry.json.removed, [`project/${orphan}`]);
	assert.equal(await state(orphan), 'ready');
	const answer = await remove(names);
	assert.equal(answer.status, 200, answer.body);
	assert.deepEqual([answer.json.removed, answer.json.kept.map((k) => k.orphan)],
		[[`project/${orphan}`], [`project/${ant}`, 'project/none']]);
	assert.deepEqual([await state(orphan), await state(ant), await state(renamed)],
		['gone', 'ready', 'ready']);
	const lines = gate.lines().filter((l) => l.event === 'admin.audit' && l.action === 'orphan.remove');
	assert.deepEqual(lines.map((l) => l.before), [{ project: orphan, name: 'whatever', tenant: 'dog' }]);
	assert.deepEqual((await remove([`project/${orphan}`])).json.removed, [], 'it is gone already');
	for (const body of [[], ['x'], [7], 'project/x', Array(201).fill('project/x')])
		assert.equal((await remove(body)).status, 400);
	assert.match((await (await gate.tenant('ant')).search('Of')).body, /Of ant/);
});

test('one that gets a tenant in the middle of a removal stays', async () => {
	const [one, two] = [await project(noted('gnu', 'test')), await project(noted('hog', 'test'))];
	for (const id of [one, two])
		await until('it is ready', async () => await state(id) === 'ready');
	const calls = async () => (await stack.neon.client.get('/_stats')).json
		.requests['DELETE /projects/{p}'] ?? 0;
	const were = await calls();
	await stack.neonKnobs({ delay_ms: 30000, delay_route: 'DELETE /projects/{p}' });
	const answer = remove([`project/${one}`, `project/${two}`]);
	await until('the first is being deleted', async () => await calls() > were);
	await ours(`insert into users (user_id) values ('hog'); insert into tenants (tenant_id, provider,
		project_name, state, project_id) values ('hog', 'neon', 'x', 'failed', '${two}')`);
	await stack.neonKnobs();
	assert.deepEqual((await answer).json, { removed: [`project/${one}`], kept: [{
		orphan: `project/${two}`, reason: 'It has a tenant by now.' }] });
	assert.deepEqual([await state(one), await state(two)], ['gone', 'ready']);
});

test('one that is being removed cannot be adopted meanwhile; a removal that was killed is taken over',
	async () => {
		const [one, two] = [await project(noted('iva', 'test')), await project(noted('jan', 'test'))];
		for (const id of [one, two])
			await until('it is ready', async () => await state(id) === 'ready');
		const adopt = (tenant, projectId) => gate.admin.post(`/admin/tenants/${tenant}/adopt`,
			{ projectId });
		const calls = async () => (await stack.neon.client.get('/_stats')).json
			.requests['DELETE /projects/{p}'] ?? 0;
		const were = await calls();
		await stack.neonKnobs({ delay_ms: 30000, delay_route: 'DELETE /projects/{p}' });
		const answer = remove([`project/${one}`]);
		await until('it is being deleted', async () => await calls() > were);
		const refused = await adopt('iva', one);
		assert.deepEqual([refused.status, refused.json.code], [409, 'conflict'], refused.body);
		assert.match(refused.json.detail, /being removed/);
		await stack.neonKnobs();
		assert.deepEqual((await answer).json.removed, [`project/${one}`]);
		const claims = () => ours("select user_id from users where user_id like 'removing/%'");
		assert.deepEqual(await claims(), []);

		const left = (ago) => ours(`insert into users (user_id, created_at) values ('removing/${two}',
			now() - interval '${ago}'); insert into vector_databases (vector_db_id, user_id) values
			('${two}', 'removing/${two}')`);
		await left('1 minute');
		assert.equal((await adopt('jan', two)).status, 409);
		await stack.neonKnobs({ fail_next: [{ route: 'DELETE /projects/{p}', status: 403, times: 1 }] });
		assert.equal((await remove([`project/${two}`])).status, 502);
		assert.deepEqual(await claims(), [], 'what Neon refuses is released');
		await left('2 hours');
		assert.equal((await adopt('jan', two)).status, 200);
		assert.deepEqual([await claims(), await state(two)], [[], 'ready']);
	});

test('documents in one place only', async () => {
	const [[db]] = await ours("select db_name from tenants where tenant_id = 'cat'");
	await ours("insert into documents (user_id, document_id, title, file_name, status, sha256) values " +
		"('cat', 'listed', 't', '', 'ready', 'x')");
	await stack.sql("insert into document (id, title, file_name, mime_type, metadata, sha256, bytes, " +
		"pages, chunks) values ('stored', 't', '', 'text/plain', '{}', 'y', 1, 0, 0)", db);
	const answer = await look('?tenant=cat');
	assert.deepEqual(answer.json, { tenant: 'cat', storedNotListedCount: 1, storedNotListed: ['stored'],
		listedNotStoredCount: 1, listedNotStored: ['listed'] }, answer.body);
	assert.equal((await look('?tenant=nobody')).status, 404);
	assert.equal((await look('?tenant=no%20tenant')).status, 400);
});
