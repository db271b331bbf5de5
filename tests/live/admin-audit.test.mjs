// SPDX-License-Identifier: MIT
// Each change by the admin door is one line of the audit, also when its client leaves while it is
// under way. The routes are those of the table itself: one that changes something and is not among
// the cases here fails.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PASSWORD, tools } from './lib/app-catalog.mjs';
import { until } from './lib/process.mjs';
import { built, Stack } from './lib/stack.mjs';

const stack = new Stack('admin-audit');
const [OLD, NEW] = [0, 1].map(() => randomBytes(32).toString('hex'));
const SETTINGS = { seal_keys: `${NEW},${OLD}`, allowed_networks: '127.0.0.1', neon_timeout: '60s' };
let gate, holder;

before(async () => {
	await stack.surroundings();
	await stack.sql(`create role app login password '${PASSWORD}'`);
	const first = await stack.tenantgate({ ...SETTINGS, seal_keys: `${OLD},${NEW}` });
	await first.program.stop();
	gate = await stack.tenantgateWithAdmin(SETTINGS);
	await ours(`create function halts() returns trigger language plpgsql as 'begin
		perform pg_advisory_xact_lock_shared(81); return coalesce(new, old); end'`);
});
after(async () => {
	holder?.kill('SIGKILL');
	await stack.stop();
});

const ours = (text) => stack.sql(text, 'catalog');
const { appCatalog, project, url } = tools(stack, () => gate);
const audits = () => gate.lines().filter((l) => l.event === 'admin.audit');
const json = (value) => ({ headers: { 'content-type': 'application/json' },
	body: JSON.stringify(value) });

async function tenant(id, state = 'ready') {
	const made = await gate.admin.ask('PUT', `/admin/tenants/${id}`, json({}));
	assert.equal(made.status, 202, made.body);
	await until('it is made', async () => (await ours(`select 1 from tenants where
		tenant_id = '${id}' and state = 'ready'`)).length === 1, 20000);
	if (state !== 'ready')
		await ours(`update tenants set state = '${state}' where tenant_id = '${id}'`);
}

// A change goes on behind its answer.
const nothingGoesOn = () => until('nothing is under way', async () =>
	(await gate.admin.get('/admin/flows')).json.flows.every((f) =>
		!/^(admin_(?!flows)|tenant_(end|attempt|wish)$)/.test(f.handler)));

// ---- what holds a change while it is under way ----

const locks = async (granted) => (await ours(`select 1 from pg_locks where locktype = 'advisory'
	and objid = 81 and granted = ${granted}`)).length;

// Statements that do this to the table.
const statement = (what, table) => async () => {
	await ours(`create trigger halts before ${what} on ${table} for each row execute function halts()`);
	holder = stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url('catalog'),
		'-c', 'select pg_advisory_lock(81)', '-c', 'select pg_sleep(100000)']);
	await until('the lock is held', async () => await locks(true) === 1);
	return {
		waits: () => until('the statement waits', async () => await locks(false) > 0),
		release: async () => {
			await ours("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' " +
				'and objid = 81');
			await holder.exit;
			await ours(`drop trigger halts on ${table}`);
		},
	};
};

// Neon's answer to a route.
const call = (route) => async () => {
	const asked = async () => (await stack.neon.client.get('/_stats')).json.requests?.[route] ?? 0;
	const were = await asked();
	await stack.neonKnobs({ delay_ms: 600000, delay_route: route });
	return {
		waits: () => until('Neon is asked', async () => await asked() > were),
		release: () => stack.neonKnobs(),
	};
};

// The reading of the configuration: it includes a file that does not end.
const reading = async () => {
	const was = readFileSync(gate.path, 'utf8'), endless = join(stack.dir, 'endless.conf');
	execFileSync('mkfifo', ['-m', '644', endless]);
	writeFileSync(gate.path, `${was}%include ${endless}\n`);
	let end;
	return {
		// Nobody can write to it before somebody reads.
		waits: () => until('it is read', () => {
			try {
				end = openSync(endless, constants.O_WRONLY | constants.O_NONBLOCK);
				return true;
			} catch {
				return false;
			}
		}),
		release: async () => {
			writeFileSync(gate.path, was);
			closeSync(end);
		},
	};
};

function sealed(text, context) {	// as base/seal.h says it, with the old key
	const nonce = randomBytes(12);
	const cipher = createCipheriv('aes-256-gcm', Buffer.from(OLD, 'hex'), nonce);
	cipher.setAAD(Buffer.from(context));
	const box = Buffer.concat([cipher.update(text), cipher.final()]);
	const id = createHash('sha256').update(Buffer.from(OLD, 'hex')).digest().subarray(0, 4);
	return 'tgs1.' + Buffer.concat([id, nonce, box, cipher.getAuthTag()]).toString('base64url');
}

// ---- a case a route: what is asked (the path's parameter, the body), and what holds it ----

const cases = {
	'POST /admin/keys': async () => ({ body: { kind: 'service' }, hold: statement('insert', 'api_keys'),
		is: (line) => assert.match(line.after.id, /^\w{12}$/) }),
	'POST /admin/tenants/{tenant}/keys': async () => ({ id: 'ann', body: {},
		hold: statement('insert', 'api_keys'), tenant: 'ann' }),
	'DELETE /admin/keys/{id}': async () => ({ hold: statement('update', 'api_keys'),
		id: (await gate.admin.post('/admin/keys', { kind: 'service' })).json.key.id,
		is: (line) => assert.deepEqual([line.before.state, line.after.state], ['active', 'revoked']) }),
	// Made in one turn of the loop, so there is no middle in which its client could leave.
	'POST /admin/tenants/{tenant}/tokens': async () => {
		await tenant('moe');
		return { id: 'moe', body: { user: 'mia' }, hold: null, tenant: 'moe', outcome: 'done',
			is: (line) => assert.deepEqual([line.before, line.after.user], [null, 'mia']) };
	},
	'DELETE /admin/tenants/{tenant}/tokens': async () => {
		await tenant('ned');
		return { id: 'ned', hold: statement('update', 'tenants'), tenant: 'ned' };
	},
	'PUT /admin/tenants/{tenant}': async () => ({ id: 'bea', body: { name: 'Bea' },
		hold: statement('insert', 'tenants'), tenant: 'bea',
		is: (line) => assert.deepEqual([line.before, line.after.name], [null, 'Bea']) }),
	'PATCH /admin/tenants/{tenant}': async () => {
		await tenant('cid');
		return { id: 'cid', body: { settings: { top_k: 7 } }, hold: statement('update', 'tenants'),
			tenant: 'cid', is: (line) => assert.deepEqual([line.before.settings, line.after.settings],
				[{}, { top_k: 7 }]) };
	},
	'POST /admin/tenants/{tenant}/retry': async () => {
		await tenant('dan', 'failed');
		return { id: 'dan', hold: statement('update', 'tenants'), tenant: 'dan',
			is: (line) => assert.deepEqual([line.before.state, line.after.state],
				['failed', 'provisioning']) };
	},
	'POST /admin/tenants/{tenant}/warm': async () => {
		await ours("insert into users (user_id) values ('eva'); insert into tenants (tenant_id, " +
			"provider, project_name, state) values ('eva', 'neon', 'x', 'failed')");
		return { id: 'eva', hold: call('POST /projects'), tenant: 'eva' };
	},
	'POST /admin/tenants/{tenant}/suspend': async () => {
		await tenant('fay');
		return { id: 'fay', body: { reason: 'unpaid' }, hold: statement('update', 'tenants'),
			tenant: 'fay', is: (line) => assert.deepEqual([line.before.state, line.after.state,
				line.after.reason], ['ready', 'suspended', 'unpaid']) };
	},
	'POST /admin/tenants/{tenant}/resume': async () => {
		await tenant('gil');
		await gate.admin.post('/admin/tenants/gil/suspend', {});
		return { id: 'gil', body: {}, hold: statement('update', 'tenants'), tenant: 'gil' };
	},
	'DELETE /admin/tenants/{tenant}': async () => {
		await tenant('hal');
		return { id: 'hal', hold: call('DELETE /projects/{p}'), tenant: 'hal', outcome: 'done',
			is: (line) => assert.deepEqual([line.before.state, line.after.state, line.after.owed],
				['ready', 'deleting', 'delete']) };
	},
	'POST /admin/tenants/{tenant}/recreate': async () => {
		await tenant('ida');
		await gate.admin.ask('DELETE', '/admin/tenants/ida');
		return { id: 'ida', hold: statement('delete', 'users'), tenant: 'ida' };
	},
	'POST /admin/reconcile': async () => {
		const made = await stack.neon.client.post('/api/v2/projects', { project: { name: 'lost',
			branch: { annotations: { tenantgate_tenant: 'joe', tenantgate_environment: 'test' } } } },
		{ authorization: `Bearer ${stack.neonKey}` });
		const { id } = made.json.project;
		return { body: { remove: [`project/${id}`] }, hold: call('DELETE /projects/{p}'),
			is: (line) => assert.deepEqual(line.before, { project: id, name: 'lost', tenant: 'joe' }) };
	},
	'POST /admin/reload': async () => ({ hold: reading }),
	'POST /admin/reseal': async () => {
		await ours(`insert into users (user_id) values ('kim'); insert into tenants (tenant_id, provider,
			project_name, state, db_password_sealed, updated_at) values ('kim', 'neon', 'p', 'failed',
			'${sealed('secret', 'tenant:kim')}', now() - interval '1 hour')`);
		return { hold: statement('update', 'tenants') };
	},
	'POST /admin/adopt': async () => {
		await appCatalog('shop', "insert into users (user_id, email) values ('usr_one', 'a@example.com')");
		return { body: { catalogUrl: url('shop') }, hold: statement('insert', 'users'),
			is: (line) => assert.equal(line.after.copiedNow, 0) };
	},
	'POST /admin/tenants/{tenant}/adopt': async () => {
		const { id } = await project();
		return { id: 'lou', body: { projectId: id }, hold: statement('insert', 'tenants'), tenant: 'lou',
			is: (line) => assert.equal(line.after.source, id) };
	},
};

const routes = execFileSync(built('tests/live/route_print'), { encoding: 'utf8' }).trim().split('\n')
	.map((line) => line.split(' '));

test('each route that changes something names an action, and has a case here', () => {
	for (const [method, path, action] of routes)
		assert.equal(action !== '-', method !== 'GET', `${method} ${path}`);
	const changing = routes.filter((r) => r[2] !== '-').map(([method, path]) => `${method} ${path}`);
	assert.deepEqual(changing.sort(), Object.keys(cases).sort());
});

const of = (line, action) => line.action === action;

for (const [method, pattern, action] of routes.filter((r) => r[2] !== '-')) {
	test(`${method} ${pattern}: a client that leaves in the middle`, async () => {
		const made = await cases[`${method} ${pattern}`]();
		const path = pattern.replace(/\{\w+\}/, made.id);
		const before = audits().filter((l) => of(l, action)).length;
		const mine = () => audits().filter((l) => of(l, action)).slice(before);
		const ask = (query = '', options = {}) => gate.admin.ask(method, path + query,
			{ ...(made.body ? json(made.body) : {}), ...options });

		const dry = await ask('?dryRun=true');
		assert.ok(dry.status < 300, dry.body);
		// A statement of what went before would be held, too, and taken for the request's.
		await nothingGoesOn();
		const held = await made.hold?.();
		assert.deepEqual(mine(), [], 'no line for the dry run');
		const leaves = new AbortController();
		const cut = ask('', { signal: leaves.signal }).then((a) => a.body, () => 'cut');
		if (held) {
			await held.waits();
			assert.deepEqual(mine(), [], 'nor before the end');
			leaves.abort();
			assert.equal(await cut, 'cut');
		}
		await cut;
		await until('its line is there', () => mine().length > 0);
		await held?.release();
		// Before lines are counted.
		await nothingGoesOn();
		const lines = mine();
		assert.equal(lines.length, 1, JSON.stringify(lines));
		const [line] = lines;
		assert.deepEqual([line.key, line.outcome, line.tenant],
			[gate.adminKey.split('_')[1], made.outcome ?? 'unknown', made.tenant]);
		if (line.outcome === 'unknown')
			assert.equal(line.code, 'client_gone');
		made.is?.(line);
	});
}

test('what is refused before anything was started has no line', async () => {
	const before = audits().length;
	for (const [method, path, body] of [['POST', '/admin/keys', { kind: 'nobody' }],
		['DELETE', '/admin/keys/000000000000'], ['PATCH', '/admin/tenants/nobody', { plan: 'x' }],
		['POST', '/admin/tenants/nobody/suspend', {}], ['DELETE', '/admin/tenants/nobody'],
		['POST', '/admin/tenants/nobody/warm'], ['POST', '/admin/tenants/ann/adopt', {}]])
		assert.ok((await gate.admin.ask(method, path, body ? json(body) : {})).status >= 400, path);
	assert.equal(audits().length, before);
});

test('what the main database refuses has failed, with its code', async () => {
	await ours(`create function refuses() returns trigger language plpgsql as
		'begin raise exception ''not today''; end'; create trigger refuses before update on tenants
		for each row execute function refuses()`);
	const before = audits().length;
	assert.equal((await gate.admin.post('/admin/tenants/cid/suspend', {})).status, 503);
	await ours('drop trigger refuses on tenants');
	const [line, ...more] = audits().slice(before);
	assert.deepEqual([line.action, line.outcome, line.code, more.length],
		['tenant.suspend', 'failed', 'catalog_unavailable', 0]);
});
