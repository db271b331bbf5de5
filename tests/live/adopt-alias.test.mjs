// SPDX-License-Identifier: MIT
// One database under several names is one tenant's: the database says itself whose it is.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { aliases, aliasNames, database, deleted, holdMark, listens, mark, markTable, refused,
	settings, works } from './lib/owner-mark.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('adopt-alias');
let names, gate, second, other;

before(async () => {
	names = await aliasNames();
	await stack.surroundings({ postgres: listens });
	await stack.sql('create database catalog_two');
	const all = { ...settings, dns_nameserver: names.at };
	gate = await stack.tenantgateWithAdmin(all);
	second = await stack.tenantgateWithAdmin(all);
	other = await stack.tenantgateWithAdmin({ ...all, environment: 'other',
		catalog_url: stack.pg.url('catalog_two') });
});
after(async () => {
	names.close();
	await stack.stop();
});

const adopt = (tenant, url, query = '', from = gate) =>
	from.admin.post(`/admin/tenants/${tenant}/adopt${query}`, { url });
const sql = (text) => stack.sql(text, 'catalog');
const row = async (tenant) => (await sql(`select state, project_id is not null, db_host is not null,
	db_password_sealed is not null, provider from tenants where tenant_id = '${tenant}'`))[0];
const rows = async () => Number((await sql('select count(*) from tenants'))[0][0]);
const audits = (from, tenant) => from.lines().filter((l) => l.event === 'admin.audit' && l.tenant === tenant);

test('a database that a tenant has is no other\'s, whatever name leads to it', async () => {
	const d = await database(stack, 'reef');
	const dry = await adopt('eel', d.url(), '?dryRun=true');
	assert.equal(dry.status, 200, dry.body);
	assert.deepEqual(await stack.sql("select to_regclass('tenantgate_owner') is null", 'reef'), [['t']]);
	const answer = await adopt('eel', d.url('ep-x.test'));
	assert.equal(answer.status, 200, answer.body);
	assert.deepEqual(await mark(stack, 'reef'), ['test/eel']);
	const had = await rows();
	const says = { 'ep-x.test': /another tenant's: eel/, 'ep-x-pooler.test': /another tenant's: eel/ };
	for (const host of [...aliases, 'EP-X.Test.'])
		refused(await adopt('ray', d.url(host), host === 'localhost' ? '?dryRun=true' : ''), 409,
			'conflict',
			says[host] ?? /(tenant's: eel|says that it is tenant eel's of environment test)/);
	assert.equal(await rows(), had, 'no row was written');
	await works(gate, 'eel');
	refused(await adopt('ray', d.url('localhost')), 409, 'conflict', /tenant eel's/);
	refused(await adopt('ray', d.url('ep-x-pooler.test'), '?takeOwnership=true'), 409, 'conflict',
		/another tenant's: eel/);
	assert.deepEqual(await mark(stack, 'reef'), ['test/eel']);
});

test('of two adoptions at once over two replicas, by two names, one is let in', async () => {
	const d = await database(stack, 'gulf');
	await markTable(stack, 'gulf');
	const held = await holdMark(stack, 'gulf');
	const both = Promise.all([adopt('cod', d.url('127.0.0.1'), '', gate),
		adopt('bass', d.url('localhost'), '', second)]);
	await held.waits(2);
	assert.deepEqual([(await row('cod'))[1], (await row('bass'))[1]], ['t', 't'], 'both rows have it');
	await held.release();
	const answers = await both;
	assert.deepEqual(answers.map((a) => a.status).sort(), [200, 409], answers.map((a) => a.body).join());
	const won = answers[0].status === 200 ? 'cod' : 'bass', lost = won === 'cod' ? 'bass' : 'cod';
	refused(answers.find((a) => a.status === 409), 409, 'conflict', new RegExp(`tenant ${won}'s`));
	assert.deepEqual(await mark(stack, 'gulf'), [`test/${won}`]);
	assert.deepEqual(await row(lost), ['failed', 'f', 'f', 'f', 'neon'], 'as before it was adopted for');
	assert.deepEqual(await sql(`select 1 from vector_databases where user_id = '${lost}'`), []);
	await works(gate, won);
	await works(gate, lost);
	assert.deepEqual(await stack.sql('select id from document', 'gulf'), [[won]]);
	assert.equal((await stack.projects(`tg-test-${lost}`)).length, 1, 'a database of its own');
});

test('a request of the loser\'s, before it has lost, gets nothing of the other\'s', async () => {
	const d = await database(stack, 'fjord');
	await markTable(stack, 'fjord');
	const held = await holdMark(stack, 'fjord',
		"insert into tenantgate_owner values (true, 'other', 'smelt', 'first')");
	const winning = adopt('smelt', d.url(), '', other);
	await held.waits(1);
	const losing = adopt('hake', d.url('localhost'));
	await held.waits(2);
	const client = await gate.tenant('hake');
	const asking = client.search('word');
	await held.waits(3);
	await held.release();
	assert.equal((await winning).status, 200);
	refused(await losing, 409, 'conflict', /tenant smelt's of environment other/);
	const asked = await asking;
	assert.deepEqual([asked.status, asked.json.code], [502, 'database_failed'], asked.body);
	assert.doesNotMatch(asked.body, /smelt/);
	assert.deepEqual(await stack.sql("select to_regclass('document') is null", 'fjord'), [['t']]);
	refused(await adopt('hake', d.url('localhost')), 409, 'conflict', /tenant smelt's/);
	assert.deepEqual(await row('hake'), ['failed', 'f', 'f', 'f', 'neon']);
	await works(other, 'smelt');
});

test('a mark that seemed a dead tenant\'s is not taken when that one has come back meanwhile', async () => {
	const d = await database(stack, 'sound');
	await markTable(stack, 'sound');
	await stack.sql("insert into tenantgate_owner values (true, 'test', 'ghost', 'then')", 'sound');
	assert.equal((await adopt('heir', d.url(), '?dryRun=true')).status, 200, 'it has no database');
	const held = await holdMark(stack, 'sound', "update tenantgate_owner set token = 'now'");
	const heirs = adopt('heir', d.url());
	await held.waits(1);
	await sql(`insert into users (user_id) values ('ghost'); insert into tenants (tenant_id, provider,
		state, project_name, project_id) values ('ghost', 'url', 'failed', 'x', 'url-of-sound')`);
	await held.release();
	refused(await heirs, 409, 'conflict', /tenant ghost's of environment test/);
	assert.deepEqual([await row('heir'), await mark(stack, 'sound')],
		[['failed', 'f', 'f', 'f', 'neon'], ['test/ghost']]);
	await sql("update tenants set project_id = null where tenant_id = 'ghost'");
	assert.equal((await adopt('heir', d.url())).status, 200);
	await works(gate, 'heir');
});

test('two rows that have one address: the mark says which, and the other is let go of', async () => {
	const d = await database(stack, 'delta');
	assert.equal((await adopt('first', d.url('ep-x.test'))).status, 200);
	assert.equal((await adopt('twin', d.url('localhost'), '?dryRun=true')).status, 409);
	await sql(`insert into users (user_id) values ('twin'); insert into tenants (tenant_id, provider,
		state, project_name, project_id, db_host, db_port, db_name, db_user, db_password_sealed,
		adopted_at) select 'twin', provider, state, 'x', 'url-x', 'ep-x-pooler.test', db_port, db_name,
		db_user, db_password_sealed, adopted_at from tenants where tenant_id = 'first'`);
	const again = await adopt('first', d.url('ep-x.test'));
	assert.deepEqual([again.status, again.json.again], [200, true], again.body);
	await works(gate, 'first');
	assert.deepEqual(await mark(stack, 'delta'), ['test/first']);
});

test('the names that Neon has for one endpoint are one, before anybody logs in', async () => {
	const d = await database(stack, 'ford');
	assert.equal((await adopt('dace', d.url())).status, 200);
	await sql(`update tenants set db_host = 'ep-cool-1.c-2.us-east-2.aws.neon.tech'
		where tenant_id = 'dace'`);
	for (const host of ['ep-cool-1.us-east-2.aws.neon.tech', 'EP-cool-1-pooler.US-east-2.aws.neon.tech',
		'ep-cool-1-pooler.c-2.us-east-2.aws.neon.tech.'])
		refused(await adopt('chub', d.url(host)), 409, 'conflict', /another tenant's: dace/);
	refused(await adopt('chub', d.url('ep-cool-2.us-east-2.aws.neon.tech')), 503, 'database_unavailable',
		/takes no login/);
	const [plan] = await sql(`set enable_seqscan = off; explain select 1 from tenants where
		pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.lower(pg_catalog.rtrim(db_host,
		'.')), '^([^.]+)-pooler[.]', '\\1.'), '^(ep-[^.]+)[.].*[.]neon[.]tech$', '\\1.neon.tech') = 'x'`);
	assert.match(plan[0], /tenants_address/);
});

test('a database that was provisioned is adopted by no URL, in no environment', async () => {
	await works(gate, 'plaice');
	const [[db]] = await sql("select db_name from tenants where tenant_id = 'plaice'");
	assert.deepEqual(await mark(stack, db), ['test/plaice']);
	for (const host of ['127.0.0.1', 'localhost', '127.0.0.2']) {
		const url = stack.pg.url(db).replace('127.0.0.1', host);
		refused(await adopt('sole', url), 409, 'conflict', /(tenant's: plaice|tenant plaice's)/);
		refused(await adopt('sole', url, '', other), 409, 'conflict',
			/tenant plaice's of environment test/);
	}
	assert.equal(await row('sole'), undefined);
});

test('of another environment: not before it was deleted there, or an operator says so', async () => {
	const d = await database(stack, 'cove');
	assert.equal((await adopt('crab', d.url())).status, 200);
	await works(gate, 'crab');
	refused(await adopt('crab', d.url(), '', other), 409, 'conflict', /tenant crab's of environment test/);
	await deleted(gate, 'crab');
	assert.deepEqual(await mark(stack, 'cove'), [], 'nobody\'s');
	assert.equal((await adopt('clam', d.url('localhost'), '', other)).status, 200);
	assert.deepEqual(await mark(stack, 'cove'), ['other/clam']);
	refused(await adopt('prawn', d.url()), 409, 'conflict', /tenant clam's of environment other/);
	const taken = await adopt('prawn', d.url(), '?takeOwnership=true');
	assert.deepEqual([taken.status, taken.json.takenFrom], [200, 'clam of other'], taken.body);
	assert.deepEqual(await mark(stack, 'cove'), ['test/prawn']);
	const [line] = audits(gate, 'prawn');
	assert.equal(line.after.takenFrom, 'clam of other');
	await works(gate, 'prawn');
	const lost = await (await other.tenant('clam')).search('word');
	assert.deepEqual([lost.status, lost.json.code], [502, 'database_failed'], lost.body);
	assert.doesNotMatch(lost.body, /prawn/, 'no tenant hears of another');
	assert.match(other.program.text(), /names tenant prawn of environment test/);
});

test('deleted, its database is the next one\'s; and where it was not told, too', async () => {
	const d = await database(stack, 'lagoon');
	assert.equal((await adopt('carp', d.url())).status, 200);
	await works(gate, 'carp');
	await deleted(gate, 'carp');
	assert.deepEqual(await mark(stack, 'lagoon'), []);
	assert.equal((await adopt('tench', d.url('localhost'))).status, 200);
	await works(gate, 'tench');
	await stack.sql("alter role lagoon password 'other'");
	await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'lagoon'");
	await deleted(gate, 'tench');
	assert.match(gate.program.text(), /database of tenant tench, .* still says that it is its/);
	assert.deepEqual(await mark(stack, 'lagoon'), ['test/tench']);
	await stack.sql("alter role lagoon password 'p-of-lagoon'");
	assert.equal((await adopt('roach', d.url('127.0.0.2'))).status, 200);
	assert.deepEqual(await mark(stack, 'lagoon'), ['test/roach']);
	await works(gate, 'roach');
});

test('what a build before laid has no mark: its tenant gets it, another only by an operator\'s word',
	async () => {
		const d = await database(stack, 'strait');
		assert.equal((await adopt('perch', d.url())).status, 200);
		await works(gate, 'perch');
		await stack.sql('drop table tenantgate_owner', 'strait');
		refused(await adopt('pike', d.url('localhost')), 409, 'conflict', /no mark of whose/);
		const again = await adopt('perch', d.url());
		assert.deepEqual([again.status, again.json.again], [200, true], again.body);
		assert.deepEqual(await mark(stack, 'strait'), ['test/perch']);

		await stack.sql('drop database if exists copy');
		await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'strait'");
		await until('it is copied', () => stack.sql('create database copy template strait owner strait')
			.then(() => true, () => false));
		refused(await adopt('zander', d.url('127.0.0.2'), '?takeOwnership=true'), 409, 'conflict',
			/no copy: it is tenant perch's very database/);
		const copy = d.url('localhost').replace(/strait$/, 'copy');
		refused(await adopt('zander', copy), 409, 'conflict', /tenant perch's.*a copy.*takeOwnership=true/);
		const taken = await adopt('zander', copy, '?takeOwnership=true');
		assert.deepEqual([taken.status, taken.json.takenFrom], [200, 'perch of test'], taken.body);
		await works(gate, 'zander');
		assert.deepEqual([await mark(stack, 'copy'), await mark(stack, 'strait')],
			[['test/zander'], ['test/perch']]);
	});

test('where Neon says that a database is, is looked at as a URL is', async () => {
	const made = (await stack.neon.client.post('/api/v2/projects', { project: {} },
		{ authorization: `Bearer ${stack.neonKey}` })).json.project;
	const standIn = (text) => stack.sql(`update neon_standin.projects set ${text} where id = '${made.id}'`);
	await until('it is ready', async () => (await stack.sql(`select state from neon_standin.projects
		where id = '${made.id}'`))[0][0] === 'ready');
	const project = () => gate.admin.post('/admin/tenants/whale/adopt', { projectId: made.id });
	for (const host of ['10.0.0.7', '169.254.169.254', '::ffff:10.0.0.7', 'inner.test']) {
		names.addresses.set('inner.test', '192.168.0.7');
		await standIn(`host = '${host.includes(':') ? `[${host}]` : host}'`);
		refused(await project(), 403, 'forbidden', /neither public nor in allowed_networks/);
	}
	assert.equal(await row('whale'), undefined);
	names.addresses.set('inner.test', '127.0.0.2');
	assert.equal((await project()).status, 200);
	const client = await works(gate, 'whale');
	names.addresses.set('inner.test', '192.168.0.7');
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity
		where datname = (select db from neon_standin.projects where id = '${made.id}')`);
	await until('no connection is left', async () => {
		const got = await client.search('word');
		return got.status === 502 && /may not connect to/.test(got.json.detail);
	});
});

test('a role that may not say there whose the database is gets none', async () => {
	const d = await database(stack, 'brook');
	await stack.sql("create role guest login password 'p'");
	const url = d.url().replace('brook:p-of-brook', 'guest:p');
	refused(await adopt('newt', url), 403, 'forbidden', /may create no tables in schema public/);
	assert.equal(await row('newt'), undefined);
	assert.equal((await adopt('toad', d.url())).status, 200);
	refused(await adopt('newt', url.replace('127.0.0.1', 'localhost')), 403, 'forbidden',
		/where that is another role's/);
	assert.equal(await row('newt'), undefined);
	await stack.sql('grant select on tenantgate_owner to guest', 'brook');
	await stack.sql('delete from tenantgate_owner', 'brook');
	await stack.sql(`update tenants set db_host = 'elsewhere', project_id = 'url-elsewhere' where tenant_id = 'toad';
		update vector_databases set vector_db_id = 'url-elsewhere' where user_id = 'toad'`, 'catalog');
	refused(await adopt('newt', url), 403, 'forbidden', /where that is another role's/);
	assert.deepEqual(await row('newt'), ['failed', 'f', 'f', 'f', 'neon']);
});
