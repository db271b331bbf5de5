// SPDX-License-Identifier: MIT
//	node pictures.mjs MINUTES FOLDER
// The stack, its load, and the pictures of it; see run.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Collector } from '../../tests/live/lib/collector.mjs';
import { startServer, until } from '../../tests/live/lib/process.mjs';
import { programs, source, Stack } from '../../tests/live/lib/stack.mjs';
import { panelsWithData } from './dashboard.mjs';
import { Load, NEAR, SETTINGS, TOLD } from './load.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const SCRAPE = 5;	// seconds between two scrapes

// A picture begins at the row of that title.
const PICTURES = { traffic: 'Now', pools: 'Pools', models: 'Models', process: 'Provisioning' };

// contrib/prometheus' own configuration, with this stack's addresses and a shorter interval.
async function startPrometheus(stack, gates) {
	const key = join(stack.dir, 'prometheus.key');
	writeFileSync(key, gates[0].adminKey, { mode: 0o600 });
	const text = readFileSync(join(source, 'contrib/prometheus/prometheus.yml'), 'utf8')
		.replace(/- tenantgate\.rules\.yml/, `- ${join(source, 'contrib/prometheus/tenantgate.rules.yml')}`)
		.replace(/scrape_interval: .*/, `scrape_interval: ${SCRAPE}s`)
		.replace(/credentials_file: .*/, `credentials_file: ${key}`)
		.replace(/targets: .*/, `targets: [${gates.map((gate) => new URL(gate.adminUrl).host)}]`);
	const file = join(stack.dir, 'prometheus.yml');
	writeFileSync(file, text);
	const { port } = await startServer((at) => stack.program('prometheus', 'prometheus',
		[`--config.file=${file}`, `--storage.tsdb.path=${join(stack.dir, 'tsdb')}`,
			`--web.listen-address=127.0.0.1:${at}`]), /Server is ready to receive web requests/);
	return `http://127.0.0.1:${port}`;
}

// `tenantgatectl top` on a terminal of its own, until its screen is whole; what stands there then.
async function screenOfTop(stack, gate) {
	const tmux = (...args) => execFileSync('tmux', ['-S', join(stack.dir, 'tmux'), ...args],
		{ encoding: 'utf8', env: { ...process.env, TENANTGATE_ADMIN_URL: gate.adminUrl,
			TENANTGATE_ADMIN_KEY_FILE: join(stack.dir, 'prometheus.key') } });
	tmux('-f', '/dev/null', 'new-session', '-d', '-x', '84', '-y', '48', `'${programs.ctl()}' --interval 5 top`);
	try {
		const screen = await until('top has shown a whole screen', () => {
			const text = tmux('capture-pane', '-p');
			return /LOUDEST TENANTS[^]*?\n\S+ +[1-9]/.test(text) && /^chat_answer|^chat /m.test(text) && text;
		});
		return screen.trimEnd();
	} finally {
		tmux('kill-server');
	}
}

function aboutTheRun(minutes, prometheusVersion) {
	const system = /PRETTY_NAME="(.*)"/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
	const day = new Date().toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric',
		timeZone: 'UTC' });
	const machine = `${cpus().length} cores of an ${cpus()[0].model.trim()}, shared with other work, ${system}`;
	return { run: `${day}, ${machine}. Two replicas, stand-ins for Neon's API and for models, ` +
		`${minutes} minutes of load: ${TOLD}.`,
	dashboard: 'Drawn by contrib/pictures with uPlot from contrib/grafana/tenantgate.json and what ' +
		`Prometheus ${prometheusVersion} answered (scraped every ${SCRAPE} s); this is not Grafana. Times: UTC.` };
}

// The panels of each picture: those from its first row to the next picture's.
function divided(panels) {
	const starts = Object.entries(PICTURES).map(([name, row]) => {
		const at = panels.findIndex((panel) => panel.type === 'row' && panel.title === row);
		if (at < 0)
			throw new Error(`The dashboard has no row ${row} any more: see PICTURES.`);
		return [name, at];
	});
	return starts.map(([name, at], i) => [name, panels.slice(at, starts[i + 1]?.[1])]);
}

async function draw(folder, panels, top, about) {
	const browser = await require('playwright-core').chromium.launch({
		executablePath: process.env.TG_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
	try {
		const page = await browser.newPage({ viewport: { width: 1000, height: 1400 }, deviceScaleFactor: 1.25 });
		page.on('pageerror', (error) => { throw error; });
		await page.setContent(readFileSync(join(here, 'page.html'), 'utf8'));
		const uplot = dirname(require.resolve('uplot'));
		await page.addStyleTag({ path: join(uplot, 'uPlot.min.css') });
		await page.addScriptTag({ path: join(uplot, 'uPlot.iife.min.js') });
		await page.addScriptTag({ path: join(here, 'draw.js') });
		for (const [name, some] of divided(panels)) {
			await page.evaluate(([list, caption]) => globalThis.drawPanels(list, caption),
				[some, `${about.run} ${about.dashboard}`]);
			await page.locator('#grid').screenshot({ path: join(folder, `dashboard-${name}.png`) });
		}
		await page.evaluate(([text, caption]) => globalThis.drawTerminal('$ tenantgatectl --interval 5 top', text,
			caption), [top, `One replica's screen, as it stood in tmux. ${about.run}`]);
		await page.locator('#terminal').screenshot({ path: join(folder, 'top.png') });
	} finally {
		await browser.close();
	}
}

// Everything, into the folder; resolves to what was drawn.
export async function takePictures(minutes, folder) {
	const stack = new Stack('pictures');
	const collector = await Collector.start();
	try {
		await stack.surroundings();
		const far = await stack.standIn('far-model', programs.modelApi(), []);
		await stack.knobs(NEAR);
		const settings = { ...SETTINGS, otlp_url: collector.url, trace_sample: 20,
			'model near': { url: `${stack.model.url}/v1` }, 'model far': { url: `${far.url}/v1` } };
		const gates = [await stack.tenantgateWithAdmin(settings), await stack.tenantgateWithAdmin(settings)];
		const prometheus = await startPrometheus(stack, gates);
		const { data } = await (await fetch(`${prometheus}/api/v1/status/buildinfo`)).json();
		const load = new Load(stack, gates, far);
		await load.begin();
		let top;
		const start = Math.ceil(Date.now() / 1000);
		await load.run(60 * minutes, async () => { top = await screenOfTop(stack, gates[0]); });
		if (load.errors.length > 20)
			throw new Error(`${load.errors.length} calls failed; the first: ${load.errors[0]}`);
		const end = Math.floor(Date.now() / 1000);
		const panels = await panelsWithData(prometheus, end, { seconds: Math.floor((end - start) / SCRAPE) *
			SCRAPE, step: SCRAPE, scrape: SCRAPE });
		await draw(folder, panels, top, aboutTheRun(minutes, data.version));
		return { panels, top };
	} finally {
		await stack.stop();
		await collector.stop();
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const [minutes, folder] = process.argv.slice(2);
	const { panels } = await takePictures(Number(minutes), folder);
	for (const panel of panels)
		if (panel.type !== 'row' && panel.series.length === 0)
			console.log(`nothing to show in "${panel.title}"`);
}
