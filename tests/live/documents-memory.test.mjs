// SPDX-License-Identifier: MIT
// What an upload holds in memory is its text and a few vectors, however many chunks it has.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Stack } from './lib/stack.mjs';
import { ModelServer } from './lib/model-server.mjs';

const MIB = 1 << 20;
const CHUNK = 1000;
const DIMENSIONS = 1536;
const stack = new Stack('documents-memory');
let server, gate, acme;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	// Vectors of no meaning, which cost the test nothing.
	const vectors = Array.from({ length: 64 }, (_, i) => Buffer.from(Float32Array.from(
		{ length: DIMENSIONS }, (_, k) => Math.sin(i * 7919 + k)).buffer).toString('base64'));
	server.embeddings = (request, response) => {
		server.requests.length = 0;
		const items = [request.body.input].flat().map((text, index) => '{"object":"embedding",' +
			`"index":${index},"embedding":"${vectors[text.length * 31 % 64]}"}`);
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(`{"data":[${items.join(',')}]}`);
	};
	// Freed memory is to be free: AddressSanitizer keeps it for a while.
	gate = await stack.tenantgate({ workers: 1, model_url: server.url,
		rate_limit_requests_per_minute: 0 }, { env: { ASAN_OPTIONS: [process.env.ASAN_OPTIONS,
		'quarantine_size_mb=1:thread_local_quarantine_size_kb=16:' +
		'allocator_release_to_os_interval_ms=0'].filter(Boolean).join(':') } });
	acme = await gate.tenant('acme');
});
after(async () => {
	await stack.stop();
	await server.stop();
});

const text = (bytes, mark) => {
	let all = '';
	for (let i = 0; all.length < bytes; i++)
		all += `${mark} ${i}: ${`the kettle number ${i} whistles. `.repeat(40).slice(0, CHUNK - 60)}\n\n`;
	return all.slice(0, bytes);
};

// The most that was resident since the last reset (proc(5), clear_refs).
const highest = () => Number(/VmHWM:\s+(\d+) kB/.exec(
	readFileSync(`/proc/${gate.program.pid}/status`, 'utf8'))[1]) * 1024;

async function held(bytes, mark) {
	const before = highest();
	const answer = await acme.ask('POST', `/ingest?documentId=${mark}`, { headers: {
		'content-type': 'text/plain' }, body: text(bytes, mark) });
	assert.equal(answer.status, 201, answer.body);
	assert.ok(answer.json.document.chunks > 0.9 * bytes / CHUNK, answer.body);
	return highest() - before;
}

test('6 MB of text: the text, and little more; not its 6,000 vectors', async () => {
	await held(MIB / 4, 'warm');
	const small = await held(2 * MIB, 'two');
	const large = await held(6 * MIB, 'six');
	// 37 MB of them.
	const vectors = 6 * MIB / CHUNK * DIMENSIONS * 4;
	assert.ok(small + large < 6 * MIB + vectors / 4, `${small / MIB} and ${large / MIB} MiB more`);
});
