// SPDX-License-Identifier: MIT
// Drawing in the page: a panel of a kind that Grafana has, with uPlot or as HTML. Run by the browser.
/* global uPlot, document */
const COLUMN = 1000 / 24, ROW = 27, GAP = 6;
const COLOURS = ['#2f7ed8', '#e8852b', '#3a9d5d', '#c8443f', '#8a63c9', '#17a2a8', '#b8860b', '#d1588f',
	'#5b6770', '#7cb342', '#6d8fd6', '#a8623a', '#009688', '#9c4dcc', '#c0a000', '#607d8b'];
const NAMED = { green: '#2c8a4b', orange: '#d9771e', red: '#c8342f', text: '#24292e', blue: '#2f7ed8' };

function element(parent, tag, className, text) {
	const made = document.createElement(tag);
	if (className)
		made.className = className;
	if (text !== undefined)
		made.textContent = text;
	parent.append(made);
	return made;
}

// ---- units: as the dashboard names them ----
const digits = (value) => String(Number(value.toPrecision(3)));

function scaled(value, steps, base) {
	let i = 0;
	while (i < steps.length - 1 && Math.abs(value) >= base) {
		value /= base;
		i++;
	}
	return `${digits(value)}${steps[i]}`;
}

const UNITS = {
	short: (v) => scaled(v, ['', ' K', ' Mil', ' Bil'], 1000),
	reqps: (v) => `${scaled(v, ['', 'K'], 1000)} req/s`,
	ops: (v) => `${scaled(v, ['', 'K'], 1000)} ops/s`,
	opm: (v) => `${scaled(v, ['', 'K'], 1000)} ops/m`,
	cps: (v) => `${scaled(v, ['', 'K'], 1000)} c/s`,
	percentunit: (v) => `${digits(v * 100)}%`,
	bytes: (v) => scaled(v, [' B', ' KiB', ' MiB', ' GiB'], 1024),
	Bps: (v) => scaled(v, [' B/s', ' kB/s', ' MB/s'], 1000),
	s(v) {
		const a = Math.abs(v);
		return v === 0 ? '0 s' : a < 1e-3 ? `${digits(v * 1e6)} µs` : a < 1 ? `${digits(v * 1e3)} ms` :
			a < 60 ? `${digits(v)} s` : a < 3600 ? `${digits(v / 60)} min` : `${digits(v / 3600)} h`;
	},
	bool_yes_no: (v) => v ? 'Yes' : 'No',
};

function unitOf(name) {
	if (!UNITS[name])
		throw new Error(`No unit ${name} here: add it to draw.js.`);
	return UNITS[name];
}

function colourOf(panel, value) {
	const steps = panel.fieldConfig.defaults.thresholds?.steps ??
		[{ color: 'green', value: null }, { color: 'red', value: 80 }];	// what Grafana takes
	const step = steps.filter((s) => s.value === null || value >= s.value).at(-1);
	return NAMED[step.color] ?? step.color;
}

const lastOf = (series) => series.values.filter((v) => v !== null).at(-1);

// What overrides by name or query say of a series: { unit, axisPlacement, ... }
function overridden(panel, series) {
	const found = panel.fieldConfig.overrides.filter(({ matcher: { id, options } }) =>
		id === 'byName' ? series.name === options :
			id === 'byRegexp' ? new RegExp(options.replace(/^\/|\/$/g, '')).test(series.name) :
				id === 'byFrameRefID' && series.refId === options);
	return Object.fromEntries(found.flatMap((o) => o.properties).map(({ id, value }) => [id, value]));
}

// ---- kinds of panels ----
function drawStat(panel, box) {
	const stats = element(box, 'div', 'stats');
	const isNamed = panel.options.textMode === 'value_and_name' || panel.series.length > 1;
	for (const series of panel.series) {
		const one = element(stats, 'div');
		if (isNamed)
			element(one, 'div', '', series.name);
		const value = lastOf(series);
		element(one, 'b', '', unitOf(panel.fieldConfig.defaults.unit)(value)).style.color =
			colourOf(panel, value);
	}
}

function drawBars(panel, box) {
	const bars = element(box, 'div', 'bars');
	const most = Math.max(...panel.series.map(lastOf));
	for (const series of [...panel.series].sort((a, b) => lastOf(b) - lastOf(a))) {
		element(bars, 'span', '', series.name);
		const bar = element(bars, 'div');
		bar.style.width = `${100 * lastOf(series) / most}%`;
		bar.style.background = colourOf(panel, lastOf(series));
		element(bars, 'span', '', unitOf(panel.fieldConfig.defaults.unit)(lastOf(series)));
	}
}

function legend(box, series) {
	const made = element(box, 'div', 'legend');
	for (const one of series) {
		const name = element(made, 'span');
		element(name, 'i').style.background = one.colour;
		name.append(one.name);
	}
	if (made.offsetHeight > box.clientHeight * 0.4)
		throw new Error(`The legend of "${box.firstChild.textContent}" leaves no room for its lines.`);
	return made;
}

const axis = { font: '10px DejaVu Sans', labelFont: '10px DejaVu Sans', stroke: '#4a4f55',
	grid: { stroke: '#e8eaec', width: 1 }, ticks: { show: false } };
const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
const timeAxis = { ...axis, size: 20, gap: 2, space: 45, incrs: [60, 120, 300, 600, 1800, 3600, 7200],
	values: (u, list) => list.map(clock) };
const powers = Array.from({ length: 60 }, (_, i) => 2 ** (i - 10));

const valueAxis = (unit, scale, side) => ({ ...axis, scale, side, gap: 3, space: 26,
	incrs: unit === 'bytes' ? powers : unit === 'bool_yes_no' ? [1] : undefined,
	size: (u, list) => 14 + 6.2 * Math.max(3, ...(list ?? []).map((text) => text.length)),
	values: (u, list) => list.map((v) => unitOf(unit)(v)),
	grid: side === 1 ? { show: false } : axis.grid });

function plotBox(box, legendBox) {
	const width = box.clientWidth;
	const height = box.clientHeight - 26 - (legendBox ? legendBox.offsetHeight : 4);
	const plot = document.createElement('div');
	box.insertBefore(plot, legendBox);
	return { plot, width, height };
}

// A value between two that are missing is no line: it is a point.
const alone = (values) => values.flatMap((v, i) => v !== null && (values[i - 1] ?? null) === null &&
	(values[i + 1] ?? null) === null ? [i] : []);

function stacked(series) {
	const sums = series[0].values.map(() => 0);
	return series.map((one) => one.values.map((v, i) => sums[i] += v ?? 0));
}

// uPlot's words for a series; of a stack the colour is the whole area's.
function lineOf(one, custom, isStacked) {
	return { stroke: one.colour, width: 1.3, spanGaps: false, dash: one.own['custom.lineStyle']?.dash,
		scale: one.own['custom.axisPlacement'] === 'right' ? 'right' : 'y',
		points: custom.showPoints === 'never' ? { show: false } :
			{ show: true, size: 4, fill: one.colour, filter: () => alone(one.values) },
		fill: isStacked ? one.colour : custom.fillOpacity > 0 ? `${one.colour}33` : undefined,
		paths: custom.lineInterpolation === 'stepAfter' ? uPlot.paths.stepped({ align: 1 }) : undefined };
}

function drawLines(panel, box) {
	const { custom, unit, min, max } = panel.fieldConfig.defaults;
	const isStacked = custom.stacking?.mode === 'normal';
	const series = panel.series.map((one, i) => ({ ...one, colour: COLOURS[i % COLOURS.length],
		own: overridden(panel, one) }));
	const { plot, width, height } = plotBox(box, legend(box, series));
	const ys = isStacked ? stacked(series) : series.map((one) => one.values);
	const lines = series.map((one) => lineOf(one, custom, isStacked));
	// The highest of a stack first: each next one is drawn over the lower part of it.
	if (isStacked)
		[lines, ys].forEach((list) => list.reverse());
	const axes = [timeAxis, valueAxis(unit, 'y', 3)];
	const right = series.find((one) => one.own['custom.axisPlacement'] === 'right');
	if (right)
		axes.push(valueAxis(right.own.unit ?? unit, 'right', 1));
	const range = (u, low, high) => [min ?? low, max ?? (high > 0 ? high * 1.05 : 1)];
	new uPlot({ width, height, padding: [6, right ? 0 : 8, 0, 0], legend: { show: false },
		cursor: { show: false }, scales: { x: { time: true }, y: { range }, right: { range } }, axes,
		series: [{}, ...lines] }, [panel.times, ...ys], plot);
}

// A cell a bucket and a time: of counts up to a bound, those that are in it alone.
function drawHeat(panel, box) {
	const bounds = panel.series.map((one) => ({ le: one.labels.le === '+Inf' ? Infinity :
		Number(one.labels.le), values: one.values })).sort((a, b) => a.le - b.le);
	const cells = bounds.map((one, i) => one.values.map((v, t) =>
		Math.max(0, (v ?? 0) - (i > 0 ? bounds[i - 1].values[t] ?? 0 : 0))));
	const used = cells.map((row, i) => row.some((v) => v > 0.01) ? i : -1).filter((i) => i >= 0);
	const [from, to] = [Math.max(0, used[0] - 1), Math.min(bounds.length - 1, used.at(-1) + 1)];
	const most = Math.max(...cells.flat());
	const step = panel.times[1] - panel.times[0];
	const { plot, width, height } = plotBox(box, null);
	const draw = (u) => {
		for (let i = from; i <= to; i++)
			cells[i].forEach((v, t) => {
				if (v <= 0.01)
					return;
				const x = u.valToPos(panel.times[t] - step, 'x', true), y = u.valToPos(i + 1, 'y', true);
				const w = u.valToPos(panel.times[t], 'x', true) - x, h = u.valToPos(i, 'y', true) - y;
				u.ctx.fillStyle = `rgba(190, 80, 10, ${0.12 + 0.88 * v / most})`;
				u.ctx.fillRect(x + 0.5, y + 0.5, w - 1, h - 1);
			});
	};
	const label = (i) => i < 1 ? '0 s' : !Number.isFinite(bounds[i - 1].le) ? 'Inf' :
		unitOf(panel.options.yAxis.unit)(bounds[i - 1].le);
	new uPlot({ width, height, padding: [6, 8, 0, 0], legend: { show: false }, cursor: { show: false },
		scales: { x: { time: true }, y: { range: [from, to + 1] } }, hooks: { draw: [draw] },
		axes: [timeAxis, { ...axis, size: 46, gap: 3, splits: () => Array.from(
			{ length: Math.floor((to + 1 - from) / 2) + 1 }, (_, i) => from + 2 * i),
		values: (u, list) => list.map(label) }],
		series: [{}, { show: false }] }, [panel.times, panel.times.map(() => from)], plot);
}

const KINDS = { stat: drawStat, bargauge: drawBars, timeseries: drawLines, heatmap: drawHeat };

// Draws what lies between two rows of the grid; the caption stands below. Returns the height.
function drawPanels(panels, caption) {
	const grid = document.getElementById('grid');
	grid.replaceChildren();
	const top = Math.min(...panels.map((p) => p.gridPos.y));
	const below = (y) => (y - top) * ROW + GAP;
	for (const panel of panels) {
		const { x, y, w, h } = panel.gridPos;
		const box = element(grid, 'div', panel.type === 'row' ? 'row' : 'panel');
		Object.assign(box.style, { left: `${x * COLUMN + GAP / 2}px`, top: `${below(y)}px`,
			width: `${w * COLUMN - GAP}px`, height: `${h * ROW - GAP}px` });
		element(box, 'div', panel.type === 'row' ? '' : 'title', panel.title);
		if (panel.type === 'row')
			continue;
		if (panel.series.length === 0)
			element(box, 'div', 'none', panel.fieldConfig.defaults.noValue ?? 'No data');
		else
			KINDS[panel.type](panel, box);
	}
	const end = below(Math.max(...panels.map((p) => p.gridPos.y + p.gridPos.h)));
	const words = element(grid, 'div', 'caption', caption);
	words.style.top = `${end}px`;
	grid.style.height = `${end + words.offsetHeight}px`;
}

function drawTerminal(command, text, caption) {
	document.getElementById('grid').replaceChildren();
	const terminal = document.getElementById('terminal');
	terminal.style.display = 'block';
	const frame = element(terminal, 'div', 'terminal');
	element(frame, 'div', 'bar', command);
	element(frame, 'pre', '', text);
	element(terminal, 'div', 'caption', caption);
}
