// SPDX-License-Identifier: MIT
// TLS towards models, Neon's API and the collector of traces: whoever is not the one that the
// configuration names gets no byte of ours, and the log says why. Each has a name, which the name
// server of the configuration is asked for.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeFaults, makeCertificates } from './lib/certificates.mjs';
import { Collector } from './lib/collector.mjs';
import { Names } from './lib/names.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';
import { CUTS, faultsOf, PLAIN, STALLS, TlsPeer } from './lib/tls-peer.mjs';

const stack = new Stack('tls-https');
const KEY = 'sk-hunter2-of-the-model', NEON_KEY = 'napi-test-key';
let folder, caFile, gate, beside, names, collector, peers = {};

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'tg-https-'));
	chmodSync(folder, 0o755);
	makeCertificates(folder);
	const certificates = makeFaults(folder, 'DNS:model.test,DNS:neon.test,DNS:collector.test,DNS:spare.test');
	caFile = join(folder, 'ca.pem');
	names = await new Names().listen();
	collector = await Collector.start();
	await stack.surroundings({ redis: false });
	peers.model = await TlsPeer.start({ certificates, port: stack.model.port });
	peers.neon = await TlsPeer.start({ certificates, port: stack.neon.port });
	for (const name of ['collector', 'spare'])
		peers[name] = await TlsPeer.start({ certificates, port: Number(new URL(collector.url).port) });
	for (const name of Object.keys(peers))
		names.addresses.set(`${name}.test`, '127.0.0.1');
	const at = (name) => `https://${name}.test:${peers[name].at}`;
	const settings = { ca_file: caFile, dns_nameserver: names.at,
		model_url: `${at('model')}/v1`, model_api_key: KEY, model_connect_timeout: '1s',
		neon_api_url: `${at('neon')}/api/v2`, neon_timeout: '1s', allowed_networks: '127.0.0.1',
		rate_limit_requests_per_minute: 0 };
	gate = await stack.tenantgate({ ...settings, otlp_url: at('collector') });
	await gate.service();
	// Its traces go another way, so that half of the waits between tries are at the same time.
	beside = await stack.tenantgate({ ...settings, otlp_url: at('spare') });
	beside.serviceKey = gate.serviceKey;
	const frog = await gate.tenant('frog');
	assert.equal((await frog.ingestText('The lily is white.')).status, 201);
});
after(async () => {
	await stack.stop();
	await Promise.all([...Object.values(peers), collector].map((peer) => peer.stop()));
	names.close();
	rmSync(folder, { recursive: true, force: true });
});

const WORDS = {
	[STALLS]: /connect in time|No connection was made in time, its TLS included/,
	[PLAIN]: /the server does not speak TLS there/,
	[CUTS]: /SSL_connect|SSL_ERROR_SYSCALL|unexpected eof|reset/,
};

// Each mode in turn, and then the good one, which is used again.
async function inEachMode(peer, host, event, ask, secrets) {
	for (const [mode, pattern] of Object.entries({ ...faultsOf(host, caFile), ...WORDS })) {
		const from = gate.program.text().length;
		peer.mode = mode;
		peer.dropAll();
		await until(`"${event}" says ${pattern}`, async () => {
			await ask(mode);
			return gate.program.text().slice(from).split('\n').some((line) =>
				line.includes(`"${event}"`) && pattern.test(line));
		});
		nothingWasTold(peer, mode, secrets);
		assert.equal((await gate.anonymous.get('/healthz')).status, 200);
		peer.mode = 'good';
		await ask('good');
	}
	assert.ok(peer.heardIn('good').some(({ text }) => text.includes(secrets[0])));
}

function nothingWasTold(peer, mode, secrets) {
	const notes = peer.heardIn(mode);
	assert.ok(notes.length > 0, `${mode}: it was connected to`);
	for (const { raw, text } of notes) {
		assert.equal(text, '', mode);
		for (const secret of [...secrets, 'POST ', 'GET '])
			assert.ok(!raw.includes(secret), `${mode}: ${secret}`);
	}
}

describe('TLS outwards by HTTPS', { concurrency: true }, () => {
	test('who is not the model gets neither key nor text', async () => {
		const frog = await gate.tenant('frog');
		await inEachMode(peers.model, 'model.test', 'model.failed', async (mode) => {
			const answer = await frog.search(`lily ${mode} ${Math.random()}`);
			assert.doesNotMatch(answer.body, /certificate of|CA file/);
			if (mode === 'good')
				assert.equal(answer.status, 200, answer.body);
			else
				assert.ok([502, 504].includes(answer.status), answer.body);
		}, [KEY]);
	});

	test('who is not Neon\'s API gets no key, and no project is made there', async () => {
		const creations = new Map();
		await inEachMode(peers.neon, 'neon.test', 'neon.trouble', async (mode) => {
			if (mode !== 'good' && !creations.has(mode))
				creations.set(mode, (await gate.tenant(`newt-${mode.toLowerCase()}`))
					.search('lily', { mode: 'text' }));
		}, [NEON_KEY]);
		for (const answer of await Promise.all(creations.values()))
			assert.doesNotMatch(answer.body, /certificate of|CA file/);
		// Which was tried until it was Neon's again.
		const last = await creations.get(CUTS);
		assert.equal(last.status, 200, last.body);
	});

	// The log has one line a minute of it, of the first mode.
	async function tracesInEachMode(from, name, [first, ...others]) {
		const peer = peers[name], frog = await from.tenant('frog');
		for (const mode of [first, ...others]) {
			peer.mode = mode;
			peer.dropAll();
			await until(`${mode}: it was connected to`, async () => {
				await frog.search('lily', { mode: 'text' });
				return peer.heardIn(mode).length > 0;
			});
			if (mode === first)
				await from.program.says(new RegExp(
					`trace.dropped.*${faultsOf(`${name}.test`, caFile)[mode].source}`));
		}
		peer.mode = 'good';
		await until('traces are taken again', async () => {
			await frog.search('lily', { mode: 'text' });
			return peer.heardIn('good').some(({ text }) => text.includes('resourceSpans'));
		});
		for (const mode of [first, ...others])
			nothingWasTold(peer, mode, ['resourceSpans']);
	}

	test('who is not the collector gets no traces', () =>
		Promise.all([tracesInEachMode(gate, 'collector', ['expired', 'otherName', STALLS, PLAIN]),
			tracesInEachMode(beside, 'spare', ['commonName', 'unknownCa', 'selfSigned', CUTS])]));
});

test('each name was asked of the configuration\'s name server', () => {
	for (const name of ['model.test', 'neon.test', 'collector.test'])
		assert.ok(names.asked.includes(name), name);
});
