// SPDX-License-Identifier: MIT
// tenantgate beside nginx, on one machine in one run. Both are before the same upstream, a model that
// answers 20 tokens: nginx passes its stream through; tenantgate authenticates the caller, finds
// the tenant's database, checks no limit, embeds the question, searches, asks the model and
// translates its stream.
//
//	node bench.mjs [--json FILE] [--only WORD]
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programs, Stack } from '../live/lib/stack.mjs';
import { Authority } from '../live/lib/tls.mjs';
import { measure } from './load.mjs';
import { startNginx } from './nginx.mjs';
import { compare, machine, print } from './report.mjs';

const TOKENS = 20;
const PAUSE_MS = 20;
const QUESTION = 'How high does the spring tide rise above the mean, and when is that?';
const TEXT = 'Spring tides come at new and full moon, when sun and moon pull along one line. ' +
	'They rise about a fifth above the mean tide. Neap tides come at the quarters. ';

function options() {
	const out = {};
	for (let i = 2; i < process.argv.length; i += 2) {
		const name = process.argv[i].replace(/^--/, '');
		if (!['json', 'only'].includes(name) || process.argv[i + 1] === undefined) {
			console.error('usage: bench.mjs [--json FILE] [--only WORD]');
			process.exit(2);
		}
		out[name] = process.argv[i + 1];
	}
	return out;
}

async function startGate(stack, changes) {
	const gate = await stack.tenantgate({ workers: 1, access_log: 'off',
		rate_limit_requests_per_minute: 0, rate_limit_key_requests_per_minute: 0, ...changes },
	{ wait: false });
	await gate.program.says(/"serve.ready"/);
	const url = changes.tls_certificate ? gate.url.replace('http:', 'https:') : gate.url;
	return { name: 'tenantgate', url, pid: gate.program.pid, gate };
}

// Five of each: one worker, one worker that writes an access log, two workers; one worker with TLS,
// by an EC key and by an RSA key.
async function startServers(stack) {
	const ca = new Authority(join(stack.dir, 'pki'));
	const ec = ca.issue('ec'), rsa = ca.issue('rsa', { kind: ['rsa:2048'] });
	const kinds = { one: {}, log: { access_log: 'on' }, two: { workers: 2 }, ec: { tls: ec },
		rsa: { tls: rsa } };
	const servers = { gate: {}, nginx: {} };
	for (const [kind, { tls, ...changes }] of Object.entries(kinds)) {
		servers.gate[kind] = await startGate(stack, { ...changes, ...tls && {
			tls_certificate: tls.certificate, tls_certificate_key: tls.key } });
		servers.nginx[kind] = await startNginx(stack, `nginx-${kind}`, {
			workers: changes.workers ?? 1, log: kind === 'log', tls });
	}
	return servers;
}

// What is asked of each side: bodies of one question, for the one its own route.
async function questions(stack, gate) {
	const file = (name, value) => {
		const path = join(stack.dir, name);
		writeFileSync(path, JSON.stringify(value));
		return path;
	};
	const messages = [{ role: 'user', content: QUESTION }];
	const type = 'Content-Type: application/json';
	return {
		gate: { method: 'POST', path: '/chat', body: file('chat.json', { messages }), headers: [
			type, `Authorization: Bearer ${await gate.service()}`, 'X-Tenant-Id: bench'] },
		nginx: { method: 'POST', path: '/chat', body: file('completions.json', {
			model: 'stand-in', stream: true, stream_options: { include_usage: true }, messages }),
			headers: [type] },
		health: { method: 'GET', path: '/healthz' },
	};
}

// Both sides answer a question with the whole stream, or there is nothing to measure.
async function rehearse(stack, servers) {
	const client = await servers.gate.one.gate.tenant('bench');
	const stored = await client.ingestText(TEXT.repeat(40), { documentId: 'tides', title: 'tides' });
	if (stored.status !== 201)
		throw new Error(`ingest: ${stored.status} ${stored.body}`);
	await stack.knobs({ tokens: TOKENS });
	const { status, body } = await client.chat(QUESTION);
	if (status !== 200 || body.trim().split(/\s+/).length !== TOKENS)
		throw new Error(`chat: ${status} ${body}`);
}

// nginx, tenantgate, nginx again: the two nginx rows say how noisy the machine was.
async function group(title, gate, nginx, asks, seconds, pause) {
	const rows = [];
	const row = async (server, it, ask) => rows.push({ server,
		...await measure(it, ask, seconds, pause) });
	await row('nginx', nginx, asks.nginx);
	await row('tenantgate', gate, asks.gate);
	await row('nginx again', nginx, asks.nginx);
	return { title, rows, ...compare(rows) };
}

async function groups(stack, { gate, nginx }, asks, only) {
	const health = { gate: asks.health, nginx: asks.health };
	const once = { ...asks.health, headers: ['Connection: close'] };
	const fresh = { gate: once, nginx: once };
	const burst = { tokens: TOKENS };
	const apart = { tokens: TOKENS, token_delay_ms: 5 };
	const list = [
		['POST /chat, 20 tokens at once, 1 worker', 'one', burst, asks, 6],
		['POST /chat, 20 tokens 5 ms apart, 1 worker', 'one', apart, asks, 8],
		['POST /chat, 20 tokens at once, 1 worker, access log', 'log', burst, asks, 5],
		['POST /chat, 20 tokens at once, 2 workers', 'two', burst, asks, 5],
		['POST /chat, 20 tokens 5 ms apart, 2 workers', 'two', apart, asks, 6],
		['GET /healthz, 1 worker', 'one', burst, health, 3],
		['GET /healthz, 2 workers', 'two', burst, health, 3],
		['GET /healthz, 1 worker, a connection each', 'one', burst, fresh, 3],
		['TLS: GET /healthz, 1 worker', 'ec', burst, health, 3],
		['TLS: POST /chat, 20 tokens at once, 1 worker', 'ec', burst, asks, 5],
		['TLS: POST /chat, 20 tokens 5 ms apart, 1 worker', 'ec', apart, asks, 6],
		['TLS: GET /healthz, 1 worker, a connection each, EC key', 'ec', burst, fresh, 4],
		['TLS: GET /healthz, 1 worker, a connection each, RSA-2048', 'rsa', burst, fresh, 4],
	];
	const out = [];
	for (const [title, kind, knobs, what, seconds] of list) {
		if (only && !title.includes(only))
			continue;
		await stack.knobs(knobs);
		out.push(await group(title, gate[kind], nginx[kind], what, seconds,
			knobs.token_delay_ms ? PAUSE_MS : 0));
	}
	return out;
}

function versions() {
	const say = (command, args) => execFileSync('sh', ['-c', `exec "$@" 2>&1`, 'sh', command,
		...args], { encoding: 'utf8' }).trim().split('\n')[0];
	return [say(programs.tenantgate(), ['--version']), say('nginx', ['-v'])];
}

const { json, only } = options();
const stack = new Stack('bench');
try {
	const report = { date: new Date().toISOString(), machine: machine(), versions: versions() };
	await stack.surroundings({ neon: false });
	const servers = await startServers(stack);
	await rehearse(stack, servers);
	report.groups = await groups(stack, servers, await questions(stack, servers.gate.one.gate),
		only);
	print(report);
	if (json)
		writeFileSync(json, `${JSON.stringify(report, null, '\t')}\n`);
} finally {
	await stack.stop();
}
