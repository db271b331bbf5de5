// SPDX-License-Identifier: MIT
// Rules, dashboard and the pages beside them speak of what there is: each expression is one, each
// metric is on the page, each alarm has its entry, each error code its line.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programs, sample, source, Stack } from './lib/stack.mjs';

const run = promisify(execFile);
const stack = new Stack('alarms');
const prometheus = (name) => join(source, 'contrib/prometheus', name);
const read = (path) => readFileSync(join(source, path), 'utf8');
const rules = read('contrib/prometheus/tenantgate.rules.yml');
const runbook = read('contrib/prometheus/RUNBOOK.md');
const operating = read('contrib/OPERATING.md');
const dashboard = JSON.parse(read('contrib/grafana/tenantgate.json'));
const alarms = [...rules.matchAll(/^ +- alert: (\w+)$/gm)].map((m) => m[1]);
const panels = dashboard.panels.filter((panel) => panel.type !== 'row');
const targets = panels.flatMap((panel) => panel.targets);
const entries = Object.fromEntries(runbook.split(/^## /m).slice(1)
	.map((entry) => [entry.split('\n', 1)[0], entry]));
let types;	// of each metric on the page

before(async () => {
	await stack.surroundings({ neon: false });
	const gate = await stack.tenantgateWithAdmin();
	const tenant = await gate.tenant('acme');
	await tenant.ingestFile(sample);
	await tenant.post('/search', { query: 'fuel' });
	const { body } = await gate.admin.get('/metrics');
	types = new Map([...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((m) => [m[1], m[2]]));
});
after(() => stack.stop());

const promtool = (...args) => run('promtool', args)
	.then(({ stdout }) => ({ code: 0, said: stdout }))
	.catch((error) => ({ code: error.code, said: `${error.stdout}${error.stderr}` }));

// A file of rules with these expressions, of which promtool says whether each is one.
function checkExpressions(name, expressions) {
	const file = join(stack.dir, name);
	writeFileSync(file, JSON.stringify({ groups: [{ name, rules: expressions.map((expr, i) =>
		({ record: `expression:${i}`, expr })) }] }));
	return promtool('check', 'rules', file);
}

// Of a histogram the page names the family, and an expression one of its three series.
function isOnPage(name) {
	const [, family, series] = /^(.*?)(_bucket|_sum|_count)?$/.exec(name);
	return types.has(name) ? types.get(name) !== 'histogram' :
		series !== undefined && types.get(family) === 'histogram';
}

const metricsIn = (text) => new Set(text.match(/(?<![\w:])(?:tenantgate|process)_\w+/g));

test('promtool takes the rules, and each alarm goes off and is silent as its tests say', async () => {
	const checked = await promtool('check', 'rules', prometheus('tenantgate.rules.yml'));
	assert.equal(checked.code, 0, checked.said);
	const tested = await promtool('test', 'rules', prometheus('tenantgate.test.yml'));
	assert.equal(tested.code, 0, tested.said);
	const cases = read('contrib/prometheus/tenantgate.test.yml');
	const named = (what) => [...cases.matchAll(new RegExp(`name: '(\\w+) ${what}'`, 'g'))].map((m) => m[1]);
	assert.deepEqual(named('goes off').sort(), [...alarms].sort());
	assert.deepEqual(named('is silent').sort(), [...alarms].sort());
	assert.equal(cases.match(/exp_labels/g).length, alarms.length);
	assert.equal(cases.match(/exp_alerts: \[\]/g).length, alarms.length);
	const scrape = await promtool('check', 'config', '--syntax-only', prometheus('prometheus.yml'));
	assert.equal(scrape.code, 0, scrape.said);
});

test('each metric of rules and dashboard is on a real page; the dashboard shows all of it', () => {
	const shown = metricsIn(targets.map((target) => target.expr).join('\n'));
	// What Prometheus reckons itself is no metric of ours, nor are our names of files and groups.
	const used = metricsIn([...rules.matchAll(/^ +(?:expr: )?(?!- |#|summary|runbook|record|alert).*$/gm)]
		.map((m) => m[0]).join('\n'));
	assert.ok(used.size > 20 && shown.size > 40, `${used.size} ${shown.size}`);
	assert.deepEqual([...used, ...shown].filter((name) => !isOnPage(name)), []);
	const families = new Set([...shown].map((name) =>
		types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')));
	assert.deepEqual([...types.keys()].filter((name) => !families.has(name)), []);
	assert.ok(!isOnPage('tenantgate_nothing_total') && !isOnPage('tenantgate_overhead_seconds'));
});

test('each label that an expression selects by is one of its metric\'s, as README has them', () => {
	const labels = Object.fromEntries([...read('README.md')
		.matchAll(/^\| `((?:tenantgate|process)_\w+)` \| (.*?) \|/gm)].map(([, name, told]) =>
		[name, told.replace('provider, operation, model', '`gen_ai_request_model`, `gen_ai_operation_name`')]));
	const selectors = [...`${rules}${targets.map((target) => target.expr).join('\n')}`
		.matchAll(/(?<![\w:])((?:tenantgate|process)_\w+?)(?:_bucket|_sum|_count)?\{(.*?)\}/g)];
	assert.ok(selectors.length > 80, `${selectors.length}`);
	for (const [selector, family, chosen] of selectors)
		for (const [, label] of chosen.matchAll(/(\w+)(?:=~?|!~|!=)"/g))
			assert.ok(['instance', 'job'].includes(label) || labels[family].includes(`\`${label}\``), selector);
});

test('each expression of the dashboard is one, and each panel chooses source and replica', async () => {
	const expressions = targets.map((target) => target.expr.replaceAll(/\$(__\w+)/g, '5m'));
	const checked = await checkExpressions('dashboard', expressions);
	assert.equal(checked.code, 0, checked.said);
	assert.notEqual((await checkExpressions('broken', ['rate(tenantgate_requests_total[5m]'])).code, 0);
	for (const target of targets)
		assert.ok(target.datasource.uid === '${datasource}' && target.expr.includes('instance=~"$instance"'),
			target.expr);
	const variables = dashboard.templating.list.map((variable) => variable.name);
	for (const [, name] of JSON.stringify(dashboard.panels).matchAll(/\$\{?([a-z]\w*)/g))
		assert.ok(variables.includes(name), name);
	const ids = dashboard.panels.map((panel) => panel.id);
	assert.equal(new Set(ids).size, ids.length);
});

test('panels are drawn as they ought to be: colours, empty ones, intervals', () => {
	for (const { title, type, fieldConfig: { defaults }, targets: asked } of panels) {
		// Without these a value over 80 is red, whatever it is.
		if (type === 'stat' || type === 'bargauge')
			assert.ok(defaults.thresholds?.steps.length > 0, title);
		// What ought not to be is not drawn at 0; then the panel says what that means.
		if (asked.every(({ expr }) => expr.endsWith('> 0')))
			assert.ok(defaults.noValue && defaults.custom.showPoints === 'auto', title);
		// One interval has a sample, of which there is no rate.
		assert.ok(!asked.some(({ expr }) => /\$__interval/.test(expr)), title);
		assert.ok(asked.length === 1 || asked.every(({ legendFormat }) => legendFormat !== ''), title);
	}
});

test('no panel lies on another', () => {
	const taken = new Set();
	for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
		assert.ok(x + w <= 24, title);
		for (let row = y; row < y + h; row++)
			for (let column = x; column < x + w; column++) {
				assert.ok(!taken.has(`${row}/${column}`), title);
				taken.add(`${row}/${column}`);
			}
	}
});

test('each alarm has severity, summary and an entry of the runbook, and each entry is an alarm\'s', () => {
	assert.ok(alarms.length > 15);
	assert.deepEqual(Object.keys(entries), alarms);
	for (const rule of rules.split(/^ +- alert: /m).slice(1)) {
		const name = rule.split('\n', 1)[0];
		assert.match(rule, /severity: (critical|warning) \}/, name);
		assert.match(rule, /summary: '.*\.'\n/, name);
		assert.ok(rule.includes(`runbook: contrib/prometheus/RUNBOOK.md#${name.toLowerCase()}\n`), name);
		const [, commands] = /^```sh\n([^]*?)^```$/m.exec(entries[name]);
		assert.equal(commands.trim().split('\n').length, 3, name);
	}
});

test('settings and commands of the pages are there, and are as they say: reload or restart', async () => {
	const keys = new Map([...read('conf/tenantgate.conf.sample').matchAll(/^# (.*)\n#?(\w+) =/gm)]
		.map(([, about, key]) => [key, about.includes('[restart]') ? 'restart' : 'reload']));
	const told = [...runbook.matchAll(/`(\w+)`\s+\((\w+)\)/g)];
	assert.ok(told.length > 30);
	for (const [, key, change] of told)
		assert.equal(change, keys.get(key), key);
	const { stdout } = await run(programs.ctl(), ['--help']);
	const commands = [...stdout.matchAll(/^ {2}([a-z]+(?: [a-z]+)?)(?= {2}| [A-Z[])/gm)].map((m) => m[1]);
	for (const [, said] of `${runbook}${operating}`.matchAll(/tenantgatectl (?:--[a-z-]+ )?([a-z]+(?: [a-z]+)?)/g))
		assert.ok(commands.includes(said) || commands.includes(said.split(' ')[0]), said);
	const events = [...runbook.matchAll(/`([a-z]+\.[a-z_]+)`/g)].map((m) => m[1])
		.filter((name) => !name.endsWith('.md') && !name.endsWith('.yml'));
	const { stdout: known } = await run('grep', ['-rhoE', '"[a-z]+\\.[a-z_]+"', join(source, 'src')]);
	for (const event of events)
		assert.ok(known.includes(`"${event}"`), event);
	const statements = [...`${runbook}${operating}`.matchAll(/SELECT \w+, [^";]*?(?=["';]?$)/gm)].map((m) => m[0]);
	assert.ok(statements.length >= 3);
	for (const statement of statements)
		await stack.sql(statement, 'catalog');
});

test('each error code has its line, with its status', () => {
	const codes = [...read('include/tenantgate/base/err.h').matchAll(/X\(ERR_\w+,\s*(\d+),\s*"(\w+)"/g)]
		.map(([, status, code]) => `${code} ${status}`).filter((line) => line !== 'ok 200').sort();
	const told = [...operating.matchAll(/^\| `(\w+)` \| (\d+) \| .{10,} \|$/gm)]
		.map(([, code, status]) => `${code} ${status}`).sort();
	assert.ok(codes.length > 50);
	assert.deepEqual(told, codes);
});
