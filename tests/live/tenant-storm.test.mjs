// SPDX-License-Identifier: MIT
// Many hands on three tenants at once, on two replicas: made, changed, suspended, deleted and made
// anew while they are served. Nothing dies of it, nothing is owed for ever, nothing is left.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('tenant-storm');
const SETTINGS = { rate_limit_requests_per_minute: 0, provision_lease: '2s', provision_timeout: '20s',
	tenant_cache_ttl: '1s', neon_timeout: '2s' };	// a deletion waits for a creation's: three of these
const IDS = ['one', 'two', 'three'];
const HANDS = 8, TURNS = 70;
let gates;

before(async () => {
	await stack.surroundings();
	await stack.knobs({ token_delay_ms: 20 });
	await stack.neonKnobs({ operation_ms: 20, change_ms: 50 });
	gates = [await stack.tenantgateWithAdmin(SETTINGS), await stack.tenantgateWithAdmin(SETTINGS)];
	gates[1].serviceKey = await gates[0].service();
});
after(() => stack.stop());

// The same each time: what is random is how the hands meet.
let seed = 3;
function any(list) {
	seed = (seed * 1103515245 + 12345) % 2147483648;
	return list[Math.floor(seed / 65536) % list.length];
}

const orders = [['DELETE', ''], ['POST', '/recreate'], ['POST', '/recreate'], ['POST', '/suspend'],
	['POST', '/resume'], ['POST', '/resume'], ['POST', '/retry'], ['POST', '/warm'], ['PUT', '', {}],
	['GET', ''], ['GET', '/limits'], ['PATCH', '', { compute: { maxCu: 2 } }],
	['PATCH', '', { compute: { maxCu: 1 }, settings: { top_k: 3, system_prompt: 'Be brief.' } }],
	['PATCH', '', { compute: null }], ['PATCH', '', { settings: null }]];
const uses = [(t) => t.search('words'), (t) => t.chat('What?'), (t) => t.get('/documents'),
	(t) => t.ingestText('Words of it.', { documentId: any(['a', 'b', 'c']) }),
	(t) => t.ask('DELETE', `/documents/${any(['a', 'b', 'c'])}`)];

async function hand(answers) {
	for (let i = 0; i < TURNS; i++) {
		const [gate, id, isUse] = [any(gates), any(IDS), any([true, false, false])];
		const [method, path, body] = any(orders);
		const what = isUse ? any(uses) : null;
		const answer = await (isUse ? gate.tenant(id).then(what) :
			gate.admin.ask(method, `/admin/tenants/${id}${path}`, body === undefined ? {} : {
				headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }))
			.catch((error) => ({ status: 0, body: error.message }));
		answers.push([isUse ? 'use' : `${method} ${path}`, answer.status, answer.body]);
	}
}

const owed = () => stack.sql(`select tenant_id, end_order, end_error, neon_error from tenants where
	end_order is not null or (state = 'ready' and neon_wished is distinct from neon_applied)`, 'catalog');

test('nobody dies, and what is answered is an answer', async () => {
	const answers = [];
	await Promise.all(Array.from({ length: HANDS }, () => hand(answers)));
	for (const gate of gates)
		assert.ok(!gate.program.ended, gate.program.tail());
	// A stream that is cut at its tenant's end has no other form than that it is cut.
	const odd = answers.filter(([, status, body]) => status === 500 ||
		(status === 0 && !/^cut after/.test(body)));
	assert.deepEqual(odd, []);
	for (const wanted of [200, 202, 403, 409, 410])
		assert.ok(answers.some(([, status]) => status === wanted), `there was a ${wanted}`);
	await until('nothing is owed', async () => (await owed()).length === 0, 60000);
});

test('each tenant has one project, and each project a tenant; deleted, there are none', async () => {
	const tenants = async () => (await stack.sql(`select project_id from tenants where project_id is not null
		order by 1`, 'catalog')).flat();
	const projects = async () => (await stack.sql(`select id from neon_standin.projects
		where state <> 'gone' order by 1`)).flat();
	await until('all that is begun is there', async () => (await stack.sql(
		"select 1 from tenants where state = 'provisioning'", 'catalog')).length === 0, 60000);
	assert.deepEqual(await projects(), await tenants());
	for (const id of IDS)
		assert.ok([200, 202].includes((await gates[0].admin.ask('DELETE', `/admin/tenants/${id}`)).status));
	await until('nothing is owed', async () => (await owed()).length === 0, 60000);
	assert.deepEqual([await projects(), await tenants()], [[], []]);
	assert.deepEqual(await stack.sql('select count(*) from documents', 'catalog'), [['0']]);
	assert.deepEqual(await stack.sql(`select tenant_id from tenants where deleted_at is null`, 'catalog'), []);
});
