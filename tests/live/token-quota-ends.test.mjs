// SPDX-License-Identifier: MIT
// What is not used of a quota comes back, whatever ends a request, and a kill too.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { chunk, CUT, json, STALL, words } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { bare, chat, quotaStack, settings } from './lib/quota-stack.mjs';

const q = quotaStack('token-quota-ends');

// n requests, so many at a time.
async function crowd(n, width, ask) {
	let next = 0;
	await Promise.all(Array.from({ length: width }, async () => {
		for (let i = next++; i < n; i = next++)
			await ask(i);
	}));
}

test('a thousand aborts, cuts and failures: all comes back, and no token is lost', async () => {
	const clients = await q.tenant('returns', 'all');
	const one = chunk({ content: 'Beech ' });
	q.server.chat = [one, STALL];
	await crowd(1000, 40, async (i) => {
		const gone = new AbortController();
		const answer = await clients[i % 2].openChat('What?', { fields: bare, signal: gone.signal });
		assert.equal(answer.status, 200);
		answer.stream.on('error', () => {});
		gone.abort();
	});
	q.server.chat = [one, 5, CUT];
	await crowd(1000, 40, async (i) => {
		const answer = await clients[i % 2].openChat('What?', { fields: bare, form: 'ui' });
		assert.equal(answer.status, 200);
		assert.match(await answer.text(), /"type":"error"/);
	});
	q.server.chat = (request, response) => json(response, 400, { error: { message: 'No.' } });
	await crowd(1000, 40, async (i) =>
		assert.equal((await chat(clients[i % 2])).status, 502));
	await q.isFree('returns');
	// What was asked is spent, the failures apart; and the usage says the same.
	const { used } = q.counters('returns');
	assert.ok(used >= 2000, String(used));
	await until('the usage is the same', async () => Number((await q.stack.sql('select sum(input_tokens + ' +
		"output_tokens) from tenant_usage where tenant_id = 'returns'", 'catalog'))[0][0]) === used);
});

test('a lease is renewed while its stream lives; a killed process gives back by itself', async () => {
	const gate = await q.stack.tenantgate({ ...settings, model_url: q.server.url, quota_lease: '2s' });
	gate.serviceKey = await q.gates[0].service();
	const [dying, other] = await q.tenant('killed', 'one', [gate, q.gates[0]]);
	const key = 'tg:limit:test:leases:killed';
	const ends = () => Number(q.redis('zrange', key, '0', '-1', 'withscores').split('\n')[1]);
	q.server.chat = [chunk({ content: 'Beech.' }), STALL];
	const answer = await dying.openChat('What?', { fields: bare, signal: q.leave.signal });
	assert.equal(answer.status, 200);
	answer.stream.on('error', () => {});
	const began = ends();
	await until('it is renewed for longer than it had', () => ends() > began + 2000);
	assert.equal((await chat(other)).status, 429);
	gate.program.kill('SIGKILL');
	q.server.chat = words('Beech.');
	await until('its lease is over', async () => (await chat(other)).status === 200);
	await q.isFree('killed');
});
