// SPDX-License-Identifier: MIT
// What tests/bench/fair prints: for each part an aligned table of what was measured, under it each
// target with its figure and whether it was met.
const number = (n, digits) => n === undefined || Number.isNaN(n) ? '' : n.toFixed(digits);

const columns = [
	['', (r) => `  ${r.what}`],
	['requests', (r) => number(r.requests, 0)],
	['a second', (r) => number(r.per_second, 0)],
	['failed', (r) => number(r.failed, 0)],
	['p50 ms', (r) => number(r.p50, 1)],
	['p99 ms', (r) => number(r.p99, 1)],
	['max ms', (r) => number(r.max, 0)],
	['logins', (r) => number(r.logins, 0)],
	['sessions', (r) => number(r.sessions, 0)],
];

function table(rows) {
	const lines = [columns.map(([title]) => title), ...rows.map((row) =>
		columns.map(([, cell]) => cell(row)))];
	const widths = columns.map((_, i) => Math.max(...lines.map((l) => l[i].length)));
	for (const line of lines)
		console.log(line.map((cell, i) => i === 0 ? cell.padEnd(widths[0]) :
			cell.padStart(widths[i] + 2)).join('').trimEnd());
}

// A part of the report: { title, rows, targets: [{ what, figure, bound, met }], notes }.
export class Part {
	constructor(title) {
		Object.assign(this, { title, rows: [], targets: [], notes: [] });
	}

	row(what, figures) {
		const row = { what, ...figures };
		this.rows.push(row);
		return row;
	}

	// figure <= bound, or >= with `least`; one that could not be measured is not met.
	target(what, figure, bound, { least = false, digits = 2 } = {}) {
		const met = Number.isFinite(figure) && (least ? figure >= bound : figure <= bound);
		this.targets.push({ what, figure, bound, met,
			text: `${number(figure, digits) || 'none'} (${least ? 'at least' : 'at most'} ` +
				`${number(bound, digits)})` });
	}

	note(text) {
		this.notes.push(text);
	}

	print() {
		console.log(`\n${this.title}`);
		table(this.rows);
		const width = Math.max(0, ...this.targets.map((t) => t.what.length));
		for (const { what, text, met } of this.targets)
			console.log(`  ${met ? 'met    ' : 'NOT MET'}  ${what.padEnd(width)}  ${text}`);
		for (const note of this.notes)
			console.log(`  note: ${note}`);
	}
}
