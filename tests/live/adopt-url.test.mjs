// SPDX-License-Identifier: MIT
// Any Postgres becomes a tenant's by its URL, which leads where the operator allows it and nowhere
// else, at each login.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { Names } from './lib/names.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('adopt-url');
const ALLOWED = { allowed_networks: '127.0.0.1/32', server_connect_timeout: '2s' };
let names, gate;

before(async () => {
	names = await new Names().listen();
	await stack.surroundings();
	gate = await stack.tenantgateWithAdmin({ ...ALLOWED, dns_nameserver: names.at });
});
after(async () => {
	names.close();
	await stack.stop();
});

const adopt = (tenant, body, query = '', from = gate) =>
	from.admin.post(`/admin/tenants/${tenant}/adopt${query}`, body);
const row = async (tenant) => (await stack.sql(`select state, provider, project_id, attempts,
	db_password_sealed is not null from tenants where tenant_id = '${tenant}'`, 'catalog'))[0];
const audits = (tenant) => gate.lines().filter((l) => l.event === 'admin.audit' && l.tenant === tenant);
const refused = (answer, status, code, says) => {
	assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.body);
	assert.match(answer.json.detail, says);
};

// A database with a role of its own, which is no provider's.
async function database(db, password = 'hunter2-of-' + db) {
	await stack.sql(`create role ${db} login password '${password}'`);
	await stack.sql(`create database ${db} owner ${db}`);
	await stack.sql('create extension if not exists vector', db);
	return { db, password, url: (host = '127.0.0.1', more = '') =>
		`postgresql://${db}:${password}@${host}:${stack.pg.port}/${db}${more}` };
}

const works = async (tenant, word, from = gate) => {
	const client = await from.tenant(tenant);
	const stored = await client.ingestText(`The word is ${word}.`, { documentId: word });
	assert.equal(stored.status, 201, stored.body);
	assert.match((await client.search('word')).body, new RegExp(word));
};

test('a URL: as it is told, and its password can be told anew', async () => {
	const d = await database('pond');
	refused(await adopt('frog', { url: d.url().replace(d.password, 'wrong') }), 502, 'database_failed',
		/takes no login/);
	assert.equal(await row('frog'), undefined);
	const answer = await adopt('frog', { url: d.url() });
	assert.deepEqual([answer.status, answer.json.host, answer.json.database], [200, '127.0.0.1', 'pond'],
		answer.body);
	const [, provider, source] = await row('frog');
	assert.equal(provider, 'url');
	assert.match(source, /^url-[0-9a-f]{24}$/);
	assert.deepEqual(await stack.sql("select 1 from pg_class where relname = 'document'", 'pond'), []);
	await works('frog', 'lily');
	assert.deepEqual(await stack.sql('select id from document', 'pond'), [['lily']]);

	await stack.sql("alter role pond password 'other-than-before'");
	const renewed = await adopt('frog', { url: d.url().replace(d.password, 'other-than-before') });
	assert.deepEqual([renewed.status, renewed.json.again], [200, true], renewed.body);
	await works('frog', 'reed');
	refused(await adopt('toad', { url: d.url().replace(d.password, 'other-than-before') }), 409,
		'conflict', /another tenant's: frog/);
	const log = gate.program.text();
	for (const secret of [d.password, 'other-than-before', 'wrong@'])
		assert.ok(!log.includes(secret), secret);
	assert.equal(audits('frog').length, 2);
});

test('a URL that may not be: files, sockets, several hosts, our own main database', async () => {
	const d = await database('moor');
	const cases = [
		[d.url('127.0.0.1', '?sslrootcert=/etc/passwd'), 400, 'invalid_field', /sslrootcert/],
		[d.url('127.0.0.1', '?hostaddr=10.0.0.1'), 400, 'invalid_field', /hostaddr/],
		[d.url('127.0.0.1', '?service=x'), 400, 'invalid_field', /service/],
		[d.url('127.0.0.1', '?host=10.0.0.1,127.0.0.1'), 400, 'invalid_field', /several hosts/],
		[`postgresql://a:b@127.0.0.1:1,10.0.0.1:2/c`, 400, 'invalid_field', /several hosts|bad port/],
		['postgresql://a:b@%2Fvar%2Frun/c', 400, 'invalid_field', /Unix socket/],
		['postgresql://a@127.0.0.1/c', 400, 'invalid_field', /password/],
		['http://a:b@127.0.0.1/c', 400, 'invalid_field', /postgresql:\/\//],
		[stack.pg.url('catalog'), 409, 'conflict', /tenantgate's own/],
	];
	for (const [url, status, code, says] of cases)
		refused(await adopt('newt', { url }), status, code, says);
	refused(await adopt('newt', {}), 400, 'invalid_field', /either/);
	refused(await adopt('newt', { url: d.url(), projectId: 'x' }), 400, 'invalid_field', /either/);
	refused(await adopt('newt', { uri: d.url() }), 400, 'invalid_field', /no field/);
	assert.equal(await row('newt'), undefined);
});

test('an address that is neither public nor allowed is refused, however it is written', async () => {
	names.addresses.set('inner.test', '10.0.0.7');
	names.addresses.set('two.test', ['127.0.0.1', '127.0.0.3']);
	for (const host of ['10.0.0.1', '127.0.0.2', '169.254.169.254', '192.168.1.1', '172.20.0.1',
		'100.64.0.1', '0.0.0.0', '224.0.0.1', '[::1]', '[::ffff:10.0.0.1]', '[::ffff:a9fe:a9fe]',
		'[fe80::1]', '[fd00::1]', '[ff02::1]', '[::]', '[64:ff9b::7f00:1]', '[64:ff9b:1::7f00:1]',
		'[2002:7f00:1::1]', '[2001:0:7f00:1::1]', '[::127.0.0.1]', 'inner.test', 'two.test'])
		refused(await adopt('hare', { url: `postgresql://a:b@${host}:5432/c` }), 403, 'forbidden',
			/neither public nor in allowed_networks/);
	// What other libraries take for an address is a name here, which nobody has.
	for (const host of ['127.2', '2130706434', '0x7f000002', '0177.0.0.2'])
		refused(await adopt('hare', { url: `postgresql://a:b@${host}:5432/c` }), 503,
			'database_unavailable', /takes no login/);
	assert.equal(await row('hare'), undefined);
});

test('a name that leads elsewhere later leads nowhere; and back again it serves', async () => {
	const d = await database('tide');
	names.addresses.set('db.test', '127.0.0.1');
	const answer = await adopt('crab', { url: d.url('db.test') });
	assert.equal(answer.status, 200, answer.body);
	await works('crab', 'shell');

	let reached = 0;
	const trap = net.createServer((socket) => {
		reached++;
		socket.destroy();
	});
	await new Promise((done) => trap.listen(stack.pg.port, '127.0.0.2', done));
	names.addresses.set('db.test', '127.0.0.2');
	trap.unref();	// a failure below ends the file
	const client = await gate.tenant('crab');
	// What goes on behind a request may log in anew by the address that is remembered for a moment.
	await until('no connection is left', async () => {
		await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'tide'");
		const got = await client.search('word');
		return got.status === 502 && got.json.code === 'database_failed' &&
			/may not connect to/.test(got.json.detail);
	});
	assert.equal(reached, 0, 'nothing was sent there');
	assert.match(gate.program.text(), /the address 127\.0\.0\.2 is neither public nor in allowed_net/);
	names.addresses.set('db.test', '127.0.0.1');
	await until('it is served again', async () => (await client.search('word')).status === 200);
	trap.close();

	const strict = await stack.tenantgateWithAdmin({ ...ALLOWED, allowed_networks: '10.0.0.0/8',
		dns_nameserver: names.at });
	strict.serviceKey = gate.serviceKey;
	const there = await (await strict.tenant('crab')).search('word');
	assert.deepEqual([there.status, there.json.code], [502, 'database_failed'],
		'what was adopted is kept to what is allowed now');
	await works('cow', 'meadow', strict);	// the stand-in's own machine
});

test('a tenant of a URL that is deleted leaves the database as it is, with either provider', async () => {
	await stack.sql('create database catalog_two');
	const own = await stack.tenantgateWithAdmin({ ...ALLOWED, provider: 'postgres', environment: 'own',
		postgres_admin_url: stack.pg.url('postgres'), catalog_url: stack.pg.url('catalog_two') });
	for (const [from, tenant] of [[gate, 'dodo'], [own, 'moa']]) {
		const d = await database(tenant);
		assert.equal((await adopt(tenant, { url: d.url() }, '', from)).status, 200);
		await works(tenant, 'feather', from);
		assert.ok((await from.admin.ask('DELETE', `/admin/tenants/${tenant}`)).status < 300);
		let receipt;
		await until('the deletion is over', async () => {
			receipt = (await from.admin.get(`/admin/tenants/${tenant}/receipt`)).json;
			return receipt.state === 'deleted' || receipt.finishedAt;
		});
		assert.deepEqual(await stack.sql('select id from document', tenant), [['feather']],
			JSON.stringify(receipt));
		assert.match(JSON.stringify(receipt), new RegExp(tenant));
		refused(await adopt(tenant, { url: d.url() }, '', from), 409, 'conflict', /has a database/);
	}
	await own.program.stop();
});
