// SPDX-License-Identifier: MIT
// The figures as an aligned table, under the name of the machine that made them.
import { readFileSync } from 'node:fs';
import os from 'node:os';

export function machine() {
	const cpus = os.cpus();
	const [, name] = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
	return { cpu: cpus[0].model, cores: cpus.length, memory_gib: Math.round(os.totalmem() / 2 ** 30),
		system: name ?? os.type(), kernel: os.release(), load: os.loadavg()[0] };
}

const mean = (numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

// tenantgate's CPU a request over nginx's, of one group of rows; and how far the nginx rows of the
// group are from one another.
export function compare(rows) {
	const nginx = rows.filter((r) => r.server.startsWith('nginx')).map((r) => r.cpu_us);
	const gate = rows.find((r) => r.server === 'tenantgate');
	return { ratio: gate ? gate.cpu_us / mean(nginx) : null,
		noise: (Math.max(...nginx) - Math.min(...nginx)) / mean(nginx) };
}

const columns = [
	['', (r) => `  ${r.server}`],
	['requests/s', (r) => r.per_second.toFixed(0)],
	['p50 ms', (r) => r.p50_ms.toFixed(2)],
	['p99 ms', (r) => r.p99_ms.toFixed(2)],
	['bytes', (r) => r.bytes.toFixed(0)],
	['CPU us/request', (r) => r.cpu_us.toFixed(1)],
];

export function print({ date, machine: m, versions, groups }) {
	const lines = [[...columns.map(([title]) => title), 'x nginx']];
	for (const { title, rows, ratio } of groups) {
		lines.push([title]);
		for (const row of rows)
			lines.push([...columns.map(([, cell]) => cell(row)),
				row.server === 'tenantgate' && ratio ? ratio.toFixed(2) : '']);
	}
	const full = lines.filter((l) => l.length > 1);
	const widths = full[0].map((_, i) => Math.max(...full.map((l) => l[i].length)));
	console.log(`${date}  ${m.cpu}, ${m.cores} cores, ${m.memory_gib} GiB, ${m.system}, ` +
		`Linux ${m.kernel}, load ${m.load.toFixed(2)} at the start`);
	console.log(`${versions.join(', ')}\n`);
	for (const line of lines)
		console.log(line.map((cell, i) => i === 0 ? cell.padEnd(widths[0]) :
			cell.padStart(widths[i] + 2)).join('').trimEnd());
}
