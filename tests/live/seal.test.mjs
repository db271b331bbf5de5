// SPDX-License-Identifier: MIT
// The keys that seal passwords: a foreign one is refused, and one replaces another while all serve.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { programs, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('seal');
const key = () => randomBytes(32).toString('hex');
const [OLD, NEW] = [key(), key()];
let serviceKey;

before(() => stack.surroundings({ neon: false }));
after(() => stack.stop());

async function replica(seal_keys, changes = {}) {
	const gate = await stack.tenantgate({ seal_keys, tenant_cache_ttl: '0s', ...changes });
	if (serviceKey)
		gate.serviceKey = serviceKey;
	serviceKey = await gate.service();
	return gate;
}

// One that does not start: its exit code and its log.
async function refused(seal_keys, changes = {}) {
	const program = stack.program('tenantgate', programs.tenantgate(),
		['-c', stack.conf({ seal_keys, ...changes })]);
	const { code } = await program.exit;
	return { code, text: program.text() };
}

const sealed = async (db = 'catalog') => Object.fromEntries(await stack.sql('select tenant_id, ' +
	'left(db_password_sealed, 10) from tenants where db_password_sealed is not null', db));

async function makes(gate, id) {
	const answer = await (await gate.tenant(id)).ingestText(`The word of ${id} is lantern.`);
	assert.equal(answer.status, 201, answer.body);
}

async function finds(gate, id) {
	const answer = await (await gate.tenant(id)).search('lantern');
	assert.equal(answer.status, 200, `${id}: ${answer.body}`);
	assert.match(answer.body, new RegExp(`The word of ${id} `));
}

test('a key that opens nothing is refused at the start, and nothing was sealed with it', async () => {
	const gate = await replica(OLD);
	for (const id of ['a-1', 'a-2', 'a-3'])
		await makes(gate, id);
	const rows = await sealed();
	const got = await refused(key());
	assert.equal(got.code, 1, got.text);
	assert.match(got.text, /open none of the passwords in the catalog.*Add that key/);
	assert.doesNotMatch(got.text, /serve\.ready/);
	assert.deepEqual(await sealed(), rows);
	await finds(gate, 'a-1');
	await gate.program.stop();
});

// Each step as an operator makes it: the next replica is started and asked, then the one before it
// ends. At every moment both are asked for every tenant, and each makes one.
test('old; old,new; new,old; new: no request fails, on either replica of a step', async () => {
	const steps = [OLD, `${OLD},${NEW}`, `${NEW},${OLD}`, NEW];
	const ids = ['a-1', 'a-2', 'a-3'];
	const first = (await sealed())['a-1'];
	let before = await replica(steps[0]);

	for (const [i, keys] of steps.slice(1).entries()) {
		const next = await replica(keys);
		for (const gate of [before, next]) {
			if (i < 2) {
				const id = `b-${ids.length}`;
				await makes(gate, id);
				ids.push(id);
			}
			for (const id of ids) {
				await finds(before, id);
				await finds(next, id);
			}
		}
		if (i === 1) {
			// What the one before has written since then the other seals anew, a while later.
			const made = ids.at(-2);
			await until(`${made} is sealed anew`, async () =>
				(await sealed())[made] === (await sealed())[ids.at(-1)], 150000);
		}
		await before.program.stop();
		for (const id of ids)
			await finds(next, id);
		before = next;
	}
	const last = await sealed();
	assert.equal(new Set(Object.values(last)).size, 1);
	assert.notEqual(last['a-1'], first, 'sealed with the new key');
	assert.deepEqual(Object.keys(last).sort(), [...ids].sort());
	await before.program.stop();
});

test('a key that becomes the first unannounced: what is sealed stays, other replicas go on',
	async () => {
		await stack.sql('create database jump');
		const place = { catalog_url: stack.pg.url('jump'), redis_url: '' };
		const THIRD = key();
		const shared = serviceKey;
		serviceKey = null;
		const gate = await replica(OLD, place);
		await makes(gate, 'e-1');
		// Announced, but then a replica starts that cannot read it: no longer.
		await (await replica(`${OLD},${NEW}`, place)).program.stop();
		await (await replica(OLD, place)).program.stop();
		const rows = await sealed('jump');
		for (const first of [NEW, THIRD]) {
			const jumped = await replica(`${first},${OLD}`, place);
			await finds(jumped, 'e-1');
			await finds(gate, 'e-1');
			assert.deepEqual(await sealed('jump'), rows);
			await jumped.program.stop();
		}
		const got = await refused(NEW, place);
		assert.equal(got.code, 1, got.text);
		await gate.program.stop();
		serviceKey = shared;
	});

test('what is made beside the first replica that has the new key first is sealed anew, too',
	async () => {
		await stack.sql('create database empty');
		const place = { catalog_url: stack.pg.url('empty'), redis_url: '' };
		const shared = serviceKey;
		serviceKey = null;
		const before = await replica(`${OLD},${NEW}`, place);
		const next = await replica(`${NEW},${OLD}`, place); // finds nothing to seal
		await makes(before, 'f-1');
		await makes(next, 'f-2');
		await until('it is sealed anew', async () => {
			const rows = await sealed('empty');
			return rows['f-1'] === rows['f-2'];
		}, 60000);
		await before.program.stop();
		await finds(next, 'f-1');
		await next.program.stop();
		const last = await replica(NEW, place);
		await finds(last, 'f-1');
		await last.program.stop();
		serviceKey = shared;
	});

test('hundreds of rows, and one that is spoiled: all others are sealed anew before it is ready',
	async () => {
		await stack.sql('create database many');
		const catalog_url = stack.pg.url('many');
		const gate = await replica(OLD, { catalog_url, redis_url: '' });
		gate.serviceKey = null;
		await makes(gate, 'c-1');
		await gate.program.stop();
		// Copies of another tenant's password do not open: they are left as they are.
		await stack.sql('insert into users (user_id) select \'d-\' || i from generate_series(1, 333) i; ' +
			'insert into tenants (tenant_id, provider, state, project_name, db_password_sealed) ' +
			"select 'd-' || i, 'postgres', 'failed', 'p', t.db_password_sealed " +
			"from generate_series(1, 333) i, tenants t where t.tenant_id = 'c-1'", 'many');
		const was = (await sealed('many'))['c-1'];
		await (await replica(`${OLD},${NEW}`, { catalog_url, redis_url: '' })).program.stop();
		const next = await replica(`${NEW},${OLD}`, { catalog_url, redis_url: '' });
		const rows = await sealed('many');
		assert.notEqual(rows['c-1'], was);
		assert.equal(Object.values(rows).filter((prefix) => prefix === was).length, 333);
		assert.match(next.program.text(), /"1 passwords in the catalog were sealed anew/);
		await next.program.stop();
		// Some open, some do not: it serves those that do, and says which do not.
		const some = await replica(NEW, { catalog_url, redis_url: '' });
		assert.match(some.program.text(), /lacks the key of 333 passwords/);
		await some.program.stop();
	});

test('a catalog that takes no writes: the passwords stay as they are, and it serves', async () => {
	const rows = await sealed();
	await stack.sql('alter database catalog set default_transaction_read_only = on');
	const gate = await replica(`${OLD},${NEW}`);
	await finds(gate, 'a-1');
	assert.deepEqual(await sealed(), rows);
	assert.match(gate.program.text(), /tenant\.seal_kept/);
	await gate.program.stop();
});
