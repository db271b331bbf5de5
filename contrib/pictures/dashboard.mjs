// SPDX-License-Identifier: MIT
// The dashboard of contrib/grafana as data: its panels' expressions with the variables set, and what
// Prometheus answers to them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { source } from '../../tests/live/lib/stack.mjs';

export const dashboard = JSON.parse(readFileSync(join(source, 'contrib/grafana/tenantgate.json'), 'utf8'));

// seconds: the time that is shown; step: between two points; scrape: between two scrapes. As
// Grafana's data source for Prometheus has them: a rate over at least four scrapes.
function variables({ seconds, step, scrape }) {
	const chosen = dashboard.templating.list.filter((v) => v.type === 'query')
		.map((v) => [v.name, v.includeAll ? v.allValue : v.current.value]);
	return Object.entries({ __rate_interval: `${Math.max(step + scrape, 4 * scrape)}s`,
		__interval: `${step}s`, __range: `${seconds}s`, ...Object.fromEntries(chosen) });
}

const fill = (text, values) => values.reduce((filled, [name, value]) =>
	filled.replaceAll(`$${name}`, value), text);

function nameOf(legend, labels) {
	return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '').trim();
}

async function ask(prometheus, path, parameters) {
	const answer = await fetch(`${prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
	const body = await answer.json();
	if (body.status !== 'success')
		throw new Error(`${parameters.query}: ${body.error}`);
	return body.data.result;
}

// Series of a target: [{ name, labels, values }], a value or null for each time.
async function seriesOf(prometheus, target, times, values) {
	const query = fill(target.expr, values);
	const named = (one, list) => ({ refId: target.refId, labels: one.metric,
		name: nameOf(target.legendFormat, one.metric), values: list });
	if (target.instant)
		return (await ask(prometheus, 'query', { query, time: times.at(-1) }))
			.map((one) => named(one, [Number(one.value[1])]));
	const found = await ask(prometheus, 'query_range', { query, start: times[0], end: times.at(-1),
		step: times[1] - times[0] });
	return found.map((one) => {
		const at = new Map(one.values.map(([time, value]) => [time, Number(value)]));
		return named(one, times.map((time) => Number.isFinite(at.get(time)) ? at.get(time) : null));
	});
}

// All panels with what they show, over the seconds before `end`: { title, type, gridPos, times,
// series, ... } as the dashboard has the rest.
export async function panelsWithData(prometheus, end, { seconds, step, scrape }) {
	const values = variables({ seconds, step, scrape });
	const times = [];
	for (let time = end - seconds; time <= end; time += step)
		times.push(time);
	return Promise.all(dashboard.panels.map(async (panel) => ({ ...panel,
		title: fill(panel.title, values), times,
		series: (await Promise.all((panel.targets ?? []).map((target) =>
			seriesOf(prometheus, target, times, values)))).flat() })));
}
