// SPDX-License-Identifier: MIT
// A catalog that answers logins or statements with errors that pass: it is as good as away. Known
// keys go on, unknown ones hear 503 and the true reason, /readyz says so, and all is well by itself.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { Client } from './lib/client.mjs';
import { Proxy, pgError } from './lib/proxy.mjs';
import { freePort, until } from './lib/process.mjs';

const stack = new Stack('catalog-refuses'), main = new Stack('catalog-refuses-main');
const WAIT = 60000;

before(async () => {
	await stack.surroundings({ neon: false });
	await main.postgres();
	await main.sql('create database catalog');
});
after(async () => {
	await stack.stop();
	await main.stop();
});

// A gate whose catalog is found at that URL, with a known key, and its health listener.
async function gateAt(catalog_url) {
	const port = await freePort();
	const gate = await stack.tenantgate({ catalog_url, health_listen_port: port, key_cache_ttl: '1s',
		tenant_cache_ttl: '1s', tenant_redis_ttl: '1s', auth_failures_per_minute: 0,
		rate_limit_requests_per_minute: 0 });
	gate.doctor = new Client(`http://127.0.0.1:${port}`);
	gate.known = new Client(gate.url, { authorization: `Bearer ${await gate.key('--tenant', 'acme')}` });
	assert.equal((await gate.known.search('x')).status, 200);
	return gate;
}

const unknown = (gate) => new Client(gate.url, { authorization:
	`Bearer tg_23456789${Math.random().toString(36).replace(/[^a-z2-9]/g, '').replace(/[ilo]/g, 'x')
		.padEnd(4, 'x').slice(0, 4)}_${'a'.repeat(43)}` }).search('x');

// Each worker looks for itself.
const catalogIs = (gate, ill) => until(`the catalog is ${ill ? 'ill' : 'well'}`, async () => {
	for (let i = 0; i < 8; i++)
		if ((await gate.doctor.get('/readyz', { headers: { connection: 'close' } })).json.degraded
			.includes('catalog') !== ill)
			return false;
	return true;
}, WAIT);

async function holdsWhileAway(gate, reason) {
	await catalogIs(gate, true);
	for (let i = 0; i < 4; i++) {
		const answer = await unknown(gate);
		assert.equal(answer.status, 503, answer.body);
		assert.equal(answer.json.code, 'catalog_unavailable', answer.body);
		assert.ok(Number(answer.headers['retry-after']) >= 1);
		assert.doesNotMatch(answer.body, /catalog_pool_size|53300|clients/);
		assert.equal((await gate.known.search('x')).status, 200);
	}
	const open = await gate.anonymous.get('/readyz');
	assert.equal(open.status, 200);
	assert.equal(open.json.checks.catalog, 'ill');
	const { checks } = (await gate.doctor.get('/readyz')).json;
	assert.match(checks.catalog, reason);
}

async function isBack(gate) {
	await catalogIs(gate, false);
	await until('an unknown key is refused', async () => (await unknown(gate)).status === 401, WAIT);
	assert.equal((await gate.known.search('x')).status, 200);
}

test('a catalog without a connection free (53300)', async () => {
	const proxy = await new Proxy(main.pg.port).listen();
	const gate = await gateAt(main.pg.url('catalog').replace(`:${main.pg.port}/`, `:${proxy.port}/`));
	proxy.refuse(pgError('53300', 'sorry, too many clients already'));
	proxy.cut();
	await holdsWhileAway(gate, /has not answered for \d+ s; .*too many clients/);
	proxy.pass();
	await isBack(gate);
	await gate.program.stop();
	proxy.close();
});

test('a PgBouncer whose Postgres is gone', async () => {
	const pooler = await main.pgbouncer({ server_login_retry: 1 });
	const gate = await gateAt(pooler.url('catalog'));
	await main.pg.program.stop('SIGINT');
	await holdsWhileAway(gate, /has not answered for \d+ s/);
	await main.postgres();
	await isBack(gate);
	await gate.program.stop();
	await pooler.program.stop();
});

// The database's lock_timeout, which a login of ours puts off and a PgBouncer does not let it, makes
// a locked table an error (55P03) that passes.
test('a start while others hold the table of the environment waits, and says so', async () => {
	await (await stack.tenantgate({ catalog_url: main.pg.url('catalog') })).program.stop();
	await main.sql('alter database catalog set lock_timeout = 200');
	const pooler = await main.pgbouncer();
	const lock = main.program('lock', 'psql', ['-X', '-q', '-d', main.pg.url('catalog'), '-c',
		'begin; lock table public.installation in access exclusive mode; select pg_sleep(100000)']);
	await until('it is locked', async () => (await main.sql('select 1 from pg_locks where relation = ' +
		"'public.installation'::regclass and granted", 'catalog')).length > 0);
	const gate = await stack.tenantgate({ catalog_url: pooler.url('catalog') }, { wait: false });
	await gate.program.says(/"serve.environment_wait".*lock timeout/, WAIT);
	assert.equal((await gate.anonymous.get('/readyz')).status, 503);
	await main.sql('select pg_terminate_backend(pid) from pg_stat_activity where query like ' +
		"'begin; lock table%'");
	await lock.exit;
	await gate.program.says(/"serve.ready"/, WAIT);
	assert.equal((await gate.anonymous.get('/readyz')).status, 200);
	await gate.program.stop();
	await pooler.program.stop();
	await main.sql('alter database catalog reset lock_timeout');
});
