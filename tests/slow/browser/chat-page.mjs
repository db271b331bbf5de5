// SPDX-License-Identifier: MIT
// What the tests with a Chromium share: the page's script, a Chromium, and what stands on the page.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../live/lib/process.mjs';

const folder = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(folder, 'package.json'));

export async function pageScript() {
	const built = await require('esbuild').build({ entryPoints: [join(folder, 'page.mjs')],
		bundle: true, write: false, format: 'iife', define: { 'process.env.NODE_ENV': '"production"' } });
	return built.outputFiles[0].text;
}

// Of a web app's server: the page, or its script.
export function sendPage(q, r, script) {
	r.writeHead(200, { 'content-type': q.url === '/page.js' ? 'text/javascript' : 'text/html' });
	r.end(q.url === '/page.js' ? script : '<!doctype html><meta charset="utf-8">' +
		'<title>chat</title><div id="root"></div><script src="/page.js"></script>');
}

export const launchChromium = () => require('playwright-core').chromium.launch({
	executablePath: process.env.TG_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });

export class ChatPage {
	constructor(page) {
		this.page = page;
	}

	shown(selector) {
		return this.page.locator(selector).allInnerTexts();
	}

	async status() {
		return (await this.shown('#status'))[0];
	}

	// Of the last answer.
	async last(selector) {
		return (await this.page.locator('.assistant').last().locator(selector).allInnerTexts()).join('');
	}

	async say(text) {
		await this.page.fill('#text', text);
		await this.page.click('#send');
	}

	async ended(as = 'ready') {
		await until(`the status is ${as}`, async () => (await this.status()) === as, 20000);
	}
}
