// SPDX-License-Identifier: MIT
// contrib/gdb/tenantgate.py on a live process and on a core: flows that hang are in its table.
// Without gdb, or where it may not attach, nothing is run and nothing counted.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { built, source, Stack } from './lib/stack.mjs';

const script = join(source, 'contrib/gdb/tenantgate.py');
const program = built('tests/live/flow_hang');
const stack = new Stack('gdb');
const hanging = stack.program('flow_hang', program, []);
await hanging.says(/hanging/);

function gdb(...args) {
	const done = spawnSync('gdb', ['-nx', '-batch', ...args], { encoding: 'utf8', timeout: 240000,
		env: { ...process.env, DEBUGINFOD_URLS: '' } });
	return `${done.stdout}\n${done.stderr}`;
}
const attached = (...args) => gdb('-x', script, '-p', String(hanging.pid), ...args);

function unavailable() {
	if (spawnSync('gdb', ['--version']).error)
		return 'gdb is not installed';
	const said = gdb('-p', String(hanging.pid), '-ex', 'python print("attached")');
	return /^attached$/m.test(said) && !/not permitted/.test(said) ? null :
		'gdb may not attach to a process, or has no Python';
}

// Four flows: a parent and its child on each of two workers.
function assertTable(said) {
	const rows = [...said.matchAll(/^(\d+) +(\S+) +(\S+) +(\S+) +(\S+) +(\d+) +(\d+) +0x[\da-f]+$/gm)]
		.map((match) => match.slice(1));
	assert.deepEqual(rows.map((row) => row.slice(0, 5)), [
		['0', 'hangs', 'hang', 'call', 'waiting'], ['0', 'hangs', 'inner', 'ask', 'waiting'],
		['1', '-', 'hang', 'call', 'waiting'], ['1', '-', 'inner', 'ask', 'waiting'],
	], said);
	for (const [, , , , , age, inStep] of rows)
		assert.ok(Number(age) >= Number(inStep) && Number(age) < 600000, said);
	assert.match(said, /^4 flows on 2 workers$/m);
}

function declare() {
	test('tg-flows of a live process', () => assertTable(attached('-ex', 'tg-flows')));

	test('tg-flows of one kind', () => {
		const output = attached('-ex', 'tg-flows inner', '-ex', 'tg-flows none');
		assert.match(output, /^2 flows on 2 workers$/m);
		assert.match(output, /^0 flows on 2 workers$/m);
	});

	test('tg-flows of a core', () => {
		const core = join(stack.dir, 'core');
		const made = gdb('-p', String(hanging.pid), '-ex', `gcore ${core}`);
		assert.ok(existsSync(core), made);
		assertTable(gdb('-x', script, program, core, '-ex', 'tg-flows'));
	});

	test('a field that is not there is named', () => assert.match(attached('-ex',
		'python field(workers()[0], "flows", "no_such_field")'),
	/has no field no_such_field/));

	test('without a process there is an error', () =>
		assert.match(gdb('-x', script, '-ex', 'tg-flows'), /there is no process and no core/));
}

const why = unavailable();
if (why === null) {
	after(() => stack.stop());
	declare();
} else {
	await stack.stop();
	console.log(`TAP version 13\n1..0\n# not run: ${why}`);
}
