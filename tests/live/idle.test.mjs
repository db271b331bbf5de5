// SPDX-License-Identifier: MIT
// A process that nobody asks anything hardly wakes: what it does on its own is its beat and its
// pings at Redis. And it is awake at once.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { sleep, until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('idle');
let gate, lantern;

// Readiness is not asked for: who does is looked after for a minute.
before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: 2 }, { wait: false });
	await gate.program.says(/"serve.ready"/);
	lantern = await gate.tenant('lantern');
	assert.equal((await lantern.ingestText('One two three.', { documentId: 'x' })).status, 201);
});
after(() => stack.stop());

// How often a thread of the process has gone to sleep: as often it was woken.
function sleeps() {
	const tasks = `/proc/${gate.program.pid}/task`;
	return readdirSync(tasks).map((thread) => {
		const status = readFileSync(`${tasks}/${thread}/status`, 'utf8');
		return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)[1]);
	}).reduce((sum, n) => sum + n, 0);
}

// A second in which there are hardly any comes once what the document began is done.
test('an idle process hardly wakes: 2 times a second', async () => {
	const seconds = 12;
	let last = sleeps();
	await until('it has nothing left to do', async () => {
		await sleep(3000);
		const now = sleeps(), was = last;
		last = now;
		return now - was <= 12;
	});
	const before = sleeps();
	await sleep(seconds * 1000);
	const each = (sleeps() - before) / seconds;
	console.log(`# ${each.toFixed(2)} a second`);
	assert.ok(each <= 2.5, `${each} a second`);
});

test('what rests is there when it is wanted: a pool that must log in anew', async () => {
	await stack.sql('select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() ' +
		"and backend_type = 'client backend'");
	const { results } = (await until('an answer', async () => {
		const answer = await lantern.search('two');
		return answer.status === 200 && answer;
	})).json;
	assert.equal(results[0].content, 'One two three.');
});
