// SPDX-License-Identifier: MIT
// One row: wrk asks a server the same thing over 8 kept connections, and what that cost the
// server's own processes (its threads and its children, nobody else's) is read from /proc.
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = join(dirname(fileURLToPath(import.meta.url)), 'ask.lua');
const ticks = Number(execFileSync('getconf', ['CLK_TCK']));
export const connections = 8;

function family(pid) {
	const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
	return [pid, ...children.split(' ').filter((c) => c !== '').flatMap((c) => family(Number(c)))];
}

// utime + stime, in microseconds: to the nanosecond where the kernel keeps it so, else in ticks.
function processCpu(pid) {
	try {
		return readdirSync(`/proc/${pid}/task`).reduce((sum, tid) => sum + Number(
			readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]) / 1e3, 0);
	} catch {
		const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return (Number(fields[11]) + Number(fields[12])) * 1e6 / ticks;
	}
}

const cpu = (pid) => family(pid).reduce((sum, p) => sum + processCpu(p), 0);

async function wrk(server, ask, seconds, pause) {
	const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout',
		'10s', '-s', script, server.url + ask.path, '--', ask.method, ask.body ?? '-',
		String(pause), ...(ask.headers ?? [])]);
	return JSON.parse(stdout.trim().split('\n').at(-1));
}

// ask: { method, path, body (a file), headers }; pause: ms at most between an answer and the next
// request of its connection. Throws when an answer failed.
export async function measure(server, ask, seconds, pause = 0) {
	await wrk(server, ask, 1, pause);
	const before = cpu(server.pid);
	const got = await wrk(server, ask, seconds, pause);
	const used = cpu(server.pid) - before;
	if (got.failed > 0 || got.requests === 0)
		throw new Error(`${server.name} ${ask.path}: ${JSON.stringify(got)}`);
	return {
		requests: got.requests,
		per_second: got.requests / got.us * 1e6,
		p50_ms: got.p50 / 1e3,
		p99_ms: got.p99 / 1e3,
		cpu_us: used / got.requests,
		bytes: got.bytes / got.requests,
	};
}
