// SPDX-License-Identifier: MIT
// Logins to databases: what comes from whoever started us has no say, TLS is as the configuration
// says now, and roles whose settings would break our statements do not.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from './lib/certificates.mjs';
import { Stack } from './lib/stack.mjs';
import { freePort, takesConnections, until } from './lib/process.mjs';
import { scramVerifier } from './lib/scram.mjs';

const stack = new Stack('logins');
const password = randomBytes(12).toString('hex');
let certs, ca, env;

before(async () => {
	certs = mkdtempSync(join(tmpdir(), 'tg-logins-'));
	chmodSync(certs, 0o755);
	// Another folder than the stack's: Postgres, and the user that tenantgate becomes, read here.
	makeCertificates(certs);
	ca = join(certs, 'ca.pem');
	mkdirSync(join(certs, 'home/.postgresql'), { recursive: true });
	chmodSync(join(certs, 'home'), 0);
	// A home that may not be looked into is root's, after root was given up; the rest is what
	// libpq takes from the environment, each of it fatal to a login; and the proxies that libcurl
	// would ask for the models and Neon.
	const proxy = `http://127.0.0.1:${await freePort()}`;
	env = { HOME: join(certs, 'home'), PGSERVICE: 'nowhere', PGTARGETSESSIONATTRS: 'read-only',
		PGSSLCERT: '/root/none.crt', PGSSLKEY: '/root/none.key', PGSSLCRLDIR: '/root/none',
		PGSSLMINPROTOCOLVERSION: 'TLSv9', PGOPTIONS: '-c nonsense=1', PGHOSTADDR: '192.0.2.1',
		...Object.fromEntries(['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']
			.map((name) => [name, proxy])), no_proxy: '', NO_PROXY: '' };
	await stack.surroundings({ postgres: ['ssl=on', `ssl_cert_file=${join(certs, 'server.pem')}`,
		`ssl_key_file=${join(certs, 'server.key')}`] });
	await stack.sql(`create role cat superuser login password '${password}'`);
});
after(async () => {
	await stack.stop();
	rmSync(certs, { recursive: true, force: true });
});

const catalog = (query = '', port = stack.pg.port) =>
	`postgresql://cat:${password}@127.0.0.1:${port}/catalog${query}`;

// Ends the gate that is there, so that no connection of it is counted.
async function gateWith(changes, options) {
	if (stack.gate)
		await stack.gate.program.stop('SIGTERM');
	const key = stack.gate?.serviceKey;
	const gate = await stack.tenantgate({ catalog_url: catalog(), catalog_connect_timeout: '30s',
		...changes }, options);
	gate.serviceKey = key;
	return gate;
}

// [with TLS, without] of tenantgate's sessions.
const sessions = async () => (await stack.sql('select count(*) filter (where s.ssl), ' +
	'count(*) filter (where not s.ssl) from pg_stat_ssl s join pg_stat_activity a using (pid) ' +
	"where a.application_name = 'tenantgate' and a.usename like any (array['cat', 'neondb%'])"))
	[0].map(Number);

async function serves(gate, tenant, text = 'The boat burns 19 litres an hour.') {
	const client = await gate.tenant(tenant);
	const stored = await client.ingestText(text);
	assert.equal(stored.status, 201, stored.body);
	const found = await client.search(text);
	assert.equal(found.status, 200, found.body);
	assert.ok(found.body.includes(JSON.stringify(text)), found.body);
}

test('neither the home folder nor the environment has a say in where it goes, or how', async () => {
	const gate = await gateWith({ catalog_url: catalog('?sslmode=verify-full'),
		catalog_ca_file: ca, neon_sslmode: 'verify-full', tenant_ca_file: ca }, { env });
	await serves(gate, 'acme');
	const [encrypted, clear] = await sessions();
	assert.ok(encrypted >= 2, `${encrypted}`);
	assert.equal(clear, 0);
});

test('who offers TLS has it, without sslmode and with "prefer" and "allow"', async () => {
	for (const query of ['', '?sslmode=prefer', '?sslmode=allow']) {
		const gate = await gateWith({ catalog_url: catalog(query), neon_sslmode: 'prefer' },
			{ env });
		await serves(gate, 'acme');
		const [encrypted, clear] = await sessions();
		assert.ok(encrypted >= 2, `${query}: ${encrypted}`);
		assert.equal(clear, 0, query);
	}
});

test('the sslmode is the configuration\'s at each login', async () => {
	await serves(await gateWith({ neon_sslmode: 'disable' }), 'lantern');
	assert.ok((await sessions())[1] > 0);
	// Its row, and Redis, say "disable"; no CA of the system's has signed the certificate.
	let gate = await gateWith({ neon_sslmode: 'verify-full' });
	const refused = await (await gate.tenant('lantern')).search('boat');
	assert.equal(refused.status, 502, refused.body);
	assert.match(refused.json.detail, /safe connection/);
	await gate.program.says(/pool\.login_failed.*the certificate of .* is signed by an authority/);
	gate = await gateWith({ neon_sslmode: 'verify-full', tenant_ca_file: ca });
	await serves(gate, 'lantern');
	assert.deepEqual(await sessions().then(([encrypted]) => encrypted > 0), true);
});

test('a certificate that is not trusted ends a first contact at once, and last_error says it',
	async () => {
		const gate = await gateWith({ neon_sslmode: 'verify-full' });
		const answer = await (await gate.tenant('newcomer')).search('x');
		assert.equal(answer.status, 502, answer.body);
		assert.doesNotMatch(answer.json.detail, /being made|verify failed/);
		const [[state, why]] = await until('the failure is written', async () => {
			const rows = await stack.sql("select state, replace(last_error, e'\\n', ' ') from tenants where " +
				"tenant_id = 'newcomer' and last_error is not null", 'catalog');
			return rows.length > 0 && rows;
		});
		assert.equal(state, 'failed');
		assert.match(why, /the certificate of .* is signed by an authority/);
		assert.equal(gate.lines().filter((l) => l.event === 'pool.login_failed').length, 1);
		// Trusted, the same tenant is furnished.
		await serves(await gateWith({ neon_sslmode: 'verify-full', tenant_ca_file: ca }),
			'newcomer');
	});

const HOSTILE = ["search_path = 'pg_temp'", "statement_timeout = '1ms'", "lock_timeout = '1ms'",
	"datestyle = 'German'", "client_encoding = 'LATIN1'", 
	"idle_in_transaction_session_timeout = '1ms'", 'standard_conforming_strings = off',
	"bytea_output = 'escape'", "default_transaction_isolation = 'serializable'",
	'extra_float_digits = -15'];

async function alterRole(role, settings) {
	await stack.sql(settings.map((s) => `alter role "${role}" set ${s};`).join(' '));
}

test('what ALTER ROLE has set does not change our statements', async () => {
	const [[role]] = await stack.sql("select db_user from tenants where tenant_id = 'acme'",
		'catalog');
	await alterRole(role, HOSTILE);
	await alterRole('cat', HOSTILE);
	const gate = await gateWith({ neon_sslmode: 'prefer' });
	await serves(gate, 'acme', 'Das Boot verbraucht 19 Liter; ein ß und ein 船.');
	await serves(gate, 'later');
	await stack.sql('alter role cat reset all');
});

test('the catalog may be behind a PgBouncer, which takes no settings of a session', async () => {
	const port = await freePort();
	const ini = join(certs, 'pgbouncer.ini');
	writeFileSync(join(certs, 'users'), `"cat" "${password}"\n`, { mode: 0o644 });
	writeFileSync(ini, `[databases]\n* = host=127.0.0.1 port=${stack.pg.port}\n` +
		`[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\n` +
		`auth_type = scram-sha-256\nauth_file = ${join(certs, 'users')}\npool_mode = session\n`);
	const user = process.getuid() === 0 ? ['-u', 'nobody'] : [];
	const bouncer = stack.program('pgbouncer', '/usr/sbin/pgbouncer', [...user, ini]);
	await bouncer.says(/process up/);
	await takesConnections(port);
	await alterRole('cat', ["search_path = 'pg_temp'"]);
	const gate = await gateWith({ neon_sslmode: 'prefer', catalog_url: catalog('', port) });
	await bouncer.says(/unsupported startup parameter: options/);
	await serves(gate, 'bounced');
	assert.match(await gate.key('--service'), /^tg_/);
	await stack.sql('alter role cat reset all');
	await gate.program.stop('SIGTERM');
	stack.gate = undefined;
	await bouncer.stop('SIGTERM');
});

test('more rounds than max_scram_iterations are refused, in the clear and under TLS', async () => {
	await stack.sql(`alter role cat password '${scramVerifier(password, 6000)}'`);
	for (const query of ['?sslmode=disable', '?sslmode=require']) {
		const gate = await gateWith({ catalog_url: catalog(query), max_scram_iterations: 5000 },
			{ wait: false });
		await gate.program.says(
			/asks for 6000 iterations of SCRAM, and max_scram_iterations is 5000/);
	}
	const gate = await gateWith({ catalog_url: catalog('?sslmode=require'),
		max_scram_iterations: 6000, neon_sslmode: 'prefer' });
	gate.serviceKey = await gate.key('--service');
	await serves(gate, 'acme');
	await stack.sql(`alter role cat password '${password}'`);
});

test('a tenant that the other provider has made is refused with a reason', async () => {
	const gate = await gateWith({ provider: 'postgres',
		postgres_admin_url: stack.pg.url('postgres') });
	gate.serviceKey = await gate.key('--service');
	const answer = await (await gate.tenant('acme')).search('x');
	assert.equal(answer.status, 500, answer.body);
	assert.match(answer.json.detail, /another provider/);
	await serves(gate, 'of-the-cluster');
});

test('an attempt that was overtaken does not set the role\'s password', async () => {
	const gate = stack.gate;
	await serves(gate, 'overtaken');
	const [[role]] = await stack.sql("select db_user from tenants where tenant_id = 'overtaken'",
		'catalog');
	const digest = () => stack.sql(`select rolpassword from pg_authid where rolname = '${role}'`);
	const [[said]] = await stack.sql(`select shobj_description('${role}'::regrole, 'pg_authid')`);
	assert.match(said, /^tenantgate \d{13}$/);
	const before = await digest();
	// As if another had claimed the row, and set the password, while this attempt stood still.
	await stack.sql(`comment on role ${role} is 'tenantgate 9999999999999'`);
	await stack.sql("update tenants set state = 'failed', db_password_sealed = null where " +
		"tenant_id = 'overtaken'", 'catalog');
	await stack.cache.program.stop('SIGTERM');
	const replica = await stack.tenantgate({ provider: 'postgres', catalog_url: catalog(),
		postgres_admin_url: stack.pg.url('postgres'), redis_url: '' });
	replica.serviceKey = gate.serviceKey;
	const answer = await (await replica.tenant('overtaken')).search('x');
	assert.equal(answer.status, 503, answer.body);
	assert.match(answer.json.detail, /taken over/);
	assert.deepEqual(await digest(), before);
});
