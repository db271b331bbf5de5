// SPDX-License-Identifier: MIT
// What an upload holds in memory is its text and a few vectors, however many chunks it has.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { ModelServer } from './lib/model-server.mjs';
import { cheapVectors, freed, highest, DIMENSIONS } from './lib/upload-memory.mjs';

const MIB = 1 << 20;
const CHUNK = 1000;
const stack = new Stack('documents-memory');
let server, gate, acme;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	cheapVectors(server);
	gate = await stack.tenantgate({ workers: 1, model_url: server.url,
		rate_limit_requests_per_minute: 0 }, freed());
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

async function held(bytes, mark) {
	const before = highest(gate.program.pid);
	const answer = await acme.ask('POST', `/ingest?documentId=${mark}`, { headers: {
		'content-type': 'text/plain' }, body: text(bytes, mark) });
	assert.equal(answer.status, 201, answer.body);
	assert.ok(answer.json.document.chunks > 0.9 * bytes / CHUNK, answer.body);
	return highest(gate.program.pid) - before;
}

test('6 MB of text: the text, and little more; not its 6,000 vectors', async () => {
	await held(MIB / 4, 'warm');
	const small = await held(2 * MIB, 'two');
	const large = await held(6 * MIB, 'six');
	// 37 MB of them.
	const vectors = 6 * MIB / CHUNK * DIMENSIONS * 4;
	assert.ok(small + large < 6 * MIB + vectors / 4, `${small / MIB} and ${large / MIB} MiB more`);
});
