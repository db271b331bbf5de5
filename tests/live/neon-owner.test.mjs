// SPDX-License-Identifier: MIT
// Whose a project is: several environments on one account of Neon's, projects of one name, those of
// the first releases, and a creation whose response is lost. Nobody reads another's database.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Lossy } from './lib/lossy.mjs';
import { backToVersion } from './lib/catalog-history.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('neon-owner');
const gates = {};
const environments = { prod: 'catalog', 'prod-eu': 'catalog_eu' };

before(async () => {
	await stack.surroundings();
	await stack.sql('create database catalog_eu');
	for (const [environment, catalog] of Object.entries(environments))
		gates[environment] = await stack.tenantgate({ environment,
			catalog_url: stack.pg.url(catalog), neon_timeout: '2s', provision_lease: '2s' });
});
after(() => stack.stop());

const projectOf = async (environment, tenant) => (await stack.sql(
	`select project_id from tenants where tenant_id = '${tenant}'`, environments[environment]))[0]?.[0];
const neon = (text) => stack.sql(text.replaceAll('projects', 'neon_standin.projects'));

// As after the loss of a catalog's row: nothing is known of the tenant but what Neon knows.
async function lose(environment, tenant) {
	await stack.sql(`delete from users where user_id = '${tenant}'`, environments[environment]);
	await stack.sql(`delete from tenants where tenant_id = '${tenant}'`, environments[environment]);
	await forget(environment, tenant);
}

// The workers' caches and Redis': by a new process.
async function forget(environment, tenant) {
	const changes = { environment, catalog_url: stack.pg.url(environments[environment]),
		neon_timeout: '2s', provision_lease: '2s' };
	await gates[environment].program.stop();
	await stack.sql('select 1');
	const key = gates[environment].serviceKey;
	await redis('DEL', `tg:tenant:${environment}:${tenant}`);
	gates[environment] = await stack.tenantgate(changes);
	gates[environment].serviceKey = key;
}

async function redis(...words) {
	const { execFile } = await import('node:child_process');
	return new Promise((resolve, reject) => execFile('redis-cli', ['-p', String(stack.cache.port),
		...words], (error, out) => (error ? reject(error) : resolve(out))));
}

const client = (environment, tenant) => gates[environment].tenant(tenant);

// The tenant stores one document that only it knows.
async function store(environment, tenant, word) {
	const answer = await (await client(environment, tenant)).ingestText(
		`The secret word of this tenant is ${word}.`, { documentId: word });
	assert.equal(answer.status, 201, answer.body);
}

async function found(environment, tenant) {
	const answer = await (await client(environment, tenant)).search('secret word');
	assert.equal(answer.status, 200, answer.body);
	return JSON.stringify(answer.json);
}

// Made by a first release: the old name, and no environment among the annotations.
const age = (environment, tenant, id) => neon(`update projects set name = 'tg-${environment}-${tenant}',
	annotations = annotations - 'tenantgate_environment' where id = '${id}'`);

test('prod with eu-acme and prod-eu with acme have a project each', async () => {
	await store('prod', 'eu-acme', 'heron');
	await store('prod-eu', 'acme', 'magpie');
	assert.notEqual(await projectOf('prod', 'eu-acme'), await projectOf('prod-eu', 'acme'));
	assert.match(await found('prod', 'eu-acme'), /heron/);
	assert.doesNotMatch(await found('prod', 'eu-acme'), /magpie/);
	assert.match(await found('prod-eu', 'acme'), /magpie/);
	assert.doesNotMatch(await found('prod-eu', 'acme'), /heron/);
	const [[notes]] = await neon(`select annotations ->> 'tenantgate_environment' || ' ' ||
		(annotations ->> 'tenantgate_tenant') from projects
		where id = '${await projectOf('prod-eu', 'acme')}'`);
	assert.equal(notes, 'prod-eu acme');
});

test('an old name is found by the environment that gave it, and by no other', async () => {
	const heron = await projectOf('prod', 'eu-acme');
	await age('prod', 'eu-acme', heron);
	await lose('prod-eu', 'acme');
	await neon(`update projects set state = 'gone' where name like 'tg-prod-eu-acme-%'`);
	await store('prod-eu', 'acme', 'jackdaw');
	assert.doesNotMatch(await found('prod-eu', 'acme'), /heron/);
	assert.notEqual(await projectOf('prod-eu', 'acme'), heron);
	await lose('prod', 'eu-acme');
	assert.match(await found('prod', 'eu-acme'), /heron/);
	assert.equal(await projectOf('prod', 'eu-acme'), heron);
});

test('a project whose annotations name another tenant is not adopted', async () => {
	await store('prod', 'victim', 'wren');
	const wren = await projectOf('prod', 'victim');
	await neon(`update projects set name = 'tg-prod-thief' where id = '${wren}'`);
	assert.doesNotMatch(await found('prod', 'thief'), /wren/);
	assert.notEqual(await projectOf('prod', 'thief'), wren);
});

// Looked at until the row's pause is over: the failure is told again meanwhile.
async function refusedThen(tenant, mend) {
	const answer = await (await client('prod', tenant)).search('secret word');
	assert.equal(answer.status, 502, answer.body);
	assert.equal(answer.json.code, 'neon_failed');
	assert.match(answer.json.detail, /none is chosen\. Ask the operator/);
	assert.doesNotMatch(answer.body, /local-/);
	assert.ok(Number(answer.headers['retry-after']) >= 1);
	const again = await (await client('prod', tenant)).search('secret word');
	assert.equal(again.status, 503, again.body);
	assert.match(again.json.detail, /none is chosen/);
	assert.doesNotMatch(again.body, /local-/);
	const [[state, why]] = await stack.sql(`select state, replace(last_error, E'\\n', ' ') from tenants
		where tenant_id = '${tenant}'`, 'catalog');
	assert.equal(state, 'failed');
	assert.match(why, /local-/);
	assert.ok(gates.prod.lines().some((line) => line.event === 'neon.duplicates' &&
		line.level === 'error' && line.message.includes(`tenant ${tenant} `)));
	await mend();
	await stack.sql(`update tenants set not_before = null where tenant_id = '${tenant}'`, 'catalog');
	await until(`${tenant} is served`, async () =>
		(await (await client('prod', tenant)).search('secret word')).status === 200);
}

test('two projects that name one tenant: a failure that is shown, until people settle it', async () => {
	await store('prod', 'twice', 'swift');
	const swift = await projectOf('prod', 'twice');
	await neon(`insert into projects select 'local-copy' as id, name, region_id, pg_version, role, db,
		password, endpoint_id, branch_id, annotations, host, port, state,
		created_at - interval '1 day' from projects where id = '${swift}'`);
	await lose('prod', 'twice');
	await refusedThen('twice', () => neon("update projects set state = 'gone' where id = 'local-copy'"));
	assert.equal(await projectOf('prod', 'twice'), swift);
	assert.match(await found('prod', 'twice'), /swift/);
});

test('a project of the name that does not say whose it is: the same', async () => {
	await store('prod', 'mute', 'crane');
	const crane = await projectOf('prod', 'mute');
	const [[notes]] = await neon(`select annotations from projects where id = '${crane}'`);
	await neon(`update projects set annotations = '{}' where id = '${crane}'`);
	await lose('prod', 'mute');
	await refusedThen('mute', () => neon(`update projects set annotations = '${notes}' where id = '${crane}'`));
	assert.match(await found('prod', 'mute'), /crane/);
});

test('of two projects the one that the row names is right', async () => {
	await store('prod', 'named', 'plover');
	const plover = await projectOf('prod', 'named');
	await neon(`insert into projects select 'local-older' as id, name, region_id, pg_version, role, db,
		password, endpoint_id, branch_id, annotations, host, port, state,
		created_at - interval '1 day' from projects where id = '${plover}'`);
	await stack.sql(`update tenants set state = 'failed', db_password_sealed = null
		where tenant_id = 'named'`, 'catalog');
	await forget('prod', 'named');
	assert.match(await found('prod', 'named'), /plover/);
	assert.equal(await projectOf('prod', 'named'), plover);
});

test('the reply of a creation is lost without a byte: it is sent once', async (t) => {
	const lossy = await new Lossy(stack.neon.url).open();
	t.after(() => lossy.close());
	const gate = await stack.tenantgate({ environment: 'prod', workers: 1, neon_timeout: '2s',
		neon_api_url: `${lossy.url}/api/v2` });
	gate.serviceKey = await gates.prod.service();
	lossy.lose = (request) => request.method === 'POST';
	const tenant = await gate.tenant('once');
	await until('served', async () => (await tenant.search('x')).status === 200);
	assert.equal(lossy.lose, null);
	assert.equal(lossy.requests.filter((r) => r.startsWith('POST')).length, 1,
		lossy.requests.join('\n'));
	assert.ok(lossy.requests[0].startsWith('GET') && lossy.connections < lossy.requests.length,
		'connections are kept');
	assert.equal((await stack.projects('tg-prod-once')).length, 1);
	await gate.program.stop();
});

// One that may end before it listens.
const start = (changes) => stack.program('tenantgate', programs.tenantgate(), ['-c', stack.conf(changes)]);

test('a catalog of another environment is refused at the start, with what to do', async () => {
	const program = start({ environment: 'stage' });
	assert.equal((await program.exit).code, 1);
	assert.match(program.text(), /catalog is of environment prod, and this is stage/);
	assert.match(program.text(), /Set catalog_url .* or environment to prod/);
	assert.deepEqual(await stack.sql('select environment from installation', 'catalog'), [['prod']]);
	assert.equal((await (await client('prod', 'eu-acme')).search('x')).status, 200);
});

// Its listener is open before the catalog has been looked at, and that may take a while.
test('until that is known nobody is served, and no tenant is made', async (t) => {
	const held = stack.sql('begin; lock table installation; select pg_sleep(100000); commit',
		'catalog').catch(() => null);
	await until('locked', async () => (await stack.sql(`select 1 from pg_locks where granted and
		relation = 'installation'::regclass and mode = 'AccessExclusiveLock'`, 'catalog')).length > 0);
	const gate = await stack.tenantgate({ environment: 'stage' }, { wait: false });
	gate.serviceKey = gates.prod.serviceKey;
	const answers = [];
	while (!gate.program.ended)
		for (const tenant of ['eu-acme', 'newcomer']) {
			const answer = await (await gate.tenant(tenant)).search('secret word').catch(() => null);
			if (answer !== null)
				answers.push(answer);
			if (answers.length === 12)
				await stack.sql('select pg_terminate_backend(pid) from pg_stat_activity where ' +
					"query like 'begin; lock table installation%'");
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	await held;
	t.diagnostic(`${answers.length} answers`);
	assert.ok(answers.length > 10);
	for (const answer of answers) {
		assert.equal(answer.status, 503, answer.body);
		assert.equal(answer.json.code, 'catalog_unavailable');
		assert.ok(Number(answer.headers['retry-after']) >= 1);
	}
	assert.equal(await projectOf('prod', 'newcomer'), undefined);
	assert.equal((await gate.program.exit).code, 1);
});

test('two environments that start at once on a new catalog: one has it', async () => {
	await stack.sql('create database catalog_race');
	const racers = ['red', 'blue', 'red', 'blue'].map((environment) =>
		start({ environment, catalog_url: stack.pg.url('catalog_race'), workers: 1 }));
	const [[winner]] = await until('claimed', async () => {
		const rows = await stack.sql('select environment from installation', 'catalog_race')
			.catch(() => []);
		return rows.length > 0 && rows;
	});
	for (const [i, environment] of ['red', 'blue', 'red', 'blue'].entries()) {
		if (environment === winner) {
			await racers[i].says(/"serve.ready"/);
			await racers[i].stop();
		} else {
			assert.equal((await racers[i].exit).code, 1);
		}
	}
});

test('a catalog from before has the environment that made its projects', async () => {
	await stack.sql('create database catalog_old');
	const first = await stack.tenantgate({ environment: 'old', catalog_url: stack.pg.url('catalog_old') });
	await (await first.tenant('made')).search('x');
	await first.program.stop();
	await stack.sql(`${backToVersion(3)};
		update tenants set project_name = 'tg-old-made'`, 'catalog_old');
	const other = start({ environment: 'new', catalog_url: stack.pg.url('catalog_old') });
	assert.equal((await other.exit).code, 1);
	const again = await stack.tenantgate({ environment: 'old', catalog_url: stack.pg.url('catalog_old') });
	again.serviceKey = await first.service();
	assert.equal((await (await again.tenant('made')).search('x')).status, 200);
});

test('a tenant whose row is gone is looked up again, and finds its documents', async () => {
	await store('prod', 'deleted', 'stork');
	const stork = await projectOf('prod', 'deleted');
	await stack.sql("delete from users where user_id = 'deleted'", 'catalog');
	const tenant = await client('prod', 'deleted');
	const statuses = [];
	await until('stored', async () => {
		const answer = await tenant.ingestText('More of it.', { documentId: 'more' });
		statuses.push(answer.status);
		if (answer.status === 503)
			assert.equal(answer.headers['retry-after'], '1');
		else
			assert.equal(answer.status, 201, answer.body);
		return answer.status === 201;
	});
	assert.ok(statuses.includes(503), 'the cached record was used first');
	assert.ok(statuses.length <= 3, statuses.join(' '));
	assert.equal(await projectOf('prod', 'deleted'), stork);
	assert.match(await found('prod', 'deleted'), /stork/);
});
