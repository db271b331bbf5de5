// SPDX-License-Identifier: MIT
// What counting costs a chat: instructions under callgrind, of all and of the functions that count:
// with what they call, or, where that is counted already, without (self).
//
//	TG_BUILD=BUILD node tests/bench/price.mjs [CHATS]
//
// BUILD: one without sanitizers. Ends with 1 when metrics, or usage, take more than 1 % of a chat. (A
// tenant without quotas: with some, they are in the one script that limits are.)
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programs, Stack } from '../live/lib/stack.mjs';

const METRICS = ['flow_counts_add', 'loudest_add', 'meter_add', 'self gen_ai_ended', 'self gen_ai_add',
	'self gen_ai_piece', 'self meter_count', 'self request_count_decision',
	'self request_count_decisions', 'self request_count_end', 'self request_count_tokens'];
const TRACES = ['request_trace_begin', 'request_trace_end', 'request_asker', 'server_timing_put'];
const USAGE = ['request_count_usage', 'request_note_prompt', 'request_note_answer', 'request_note_vectors',
	'usage_write', 'usage_written'];
const MOST = 0.01;
const FEW = 5;

const chats = Number(process.argv[2] ?? 50);
const folder = mkdtempSync(join(tmpdir(), 'price-'));

// The program under callgrind.
function wrap(program) {
	const path = join(folder, 'tenantgate');
	writeFileSync(path, `#!/bin/sh
[ "$1" = -c ] || exec '${program}' "$@"
exec valgrind -q --tool=callgrind --callgrind-out-file='${folder}/callgrind.%p' '${program}' "$@"
`);
	chmodSync(folder, 0o777);
	chmodSync(path, 0o755);
	return path;
}

// { function: instructions, calls included }, and all: of the process that did most, for others are
// forked from it.
function read() {
	return readdirSync(folder).map((name) => join(folder, name))
		.filter((path) => path.includes('/callgrind.') && statSync(path).size > 0).map(readOne).sort((a, b) => b.all - a.all)[0];
}

function readOne(out) {
	const found = {};
	for (const inclusive of ['yes', 'no']) {
		const text = execFileSync('callgrind_annotate', [`--inclusive=${inclusive}`,
			'--threshold=100', out], { encoding: 'utf8', maxBuffer: 1 << 28 });
		const number = (s) => Number(s.replaceAll(',', ''));
		found.all = number(text.match(/([\d,]+)[^\n]*PROGRAM TOTALS/)[1]);
		for (const [, n, name] of text.matchAll(/^\s*([\d,]+)[^:\n]*? \S*?:(\w+)(?:'\d+)? \[/gm))
			found[inclusive === 'yes' ? name : `self ${name}`] ??= number(n);
	}
	rmSync(out);
	return found;
}

const program = programs.tenantgate();
programs.tenantgate = () => wrap(program);

// All that a process does from its start to its end, with so many chats.
async function run(count) {
	const stack = new Stack(`price-${count}`);
	try {
		await stack.surroundings({ neon: false });
		const gate = await stack.tenantgate({ workers: 1 });
		for (const name of readdirSync(folder)) // made by root, written by another user
			chmodSync(join(folder, name), name.startsWith('callgrind.') ? 0o666 : 0o755);
		const tenant = await gate.tenant('acme');
		await tenant.ingestText('The tank holds ninety litres of fuel, in two halves.');
		for (let i = 0; i < count; i++)
			await tenant.chat('How much fuel does the tank hold?');
		await gate.program.stop();
	} finally {
		await stack.stop();
	}
	return read();
}

const shares = {};
try {
	const few = await run(FEW), many = await run(FEW + chats);
	const each = (name) => ((many[name] ?? 0) - (few[name] ?? 0)) / chats;
	for (const [title, names] of [['metrics', METRICS], ['usage', USAGE], ['traces', TRACES]]) {
		const all = names.reduce((sum, name) => sum + each(name), 0);
		shares[title] = all / each('all');
		console.log(`${title}: ${(100 * all / each('all')).toFixed(2)} % of ` +
			`${Math.round(each('all'))} instructions a chat`);
		for (const name of names)
			console.log(`  ${name.padEnd(32)} ${String(Math.round(each(name))).padStart(8)}`);
	}
} finally {
	rmSync(folder, { recursive: true, force: true });
}
const isLow = (share) => share > 0 && share <= MOST;
process.exitCode = isLow(shares.metrics) && isLow(shares.usage) ? 0 : 1;
