// SPDX-License-Identifier: MIT
// Bodies of megabytes: no turn of a loop computes longer than worker.long_turn allows, and other
// clients are answered meanwhile. What a body is made of decides how much work it is, not only its
// size.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const MIB = 1 << 20;
const stack = new Stack('large-bodies');
let gate, large, words;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0,
		max_document_size: '24MiB', max_chat_body: '10MiB', max_chunks_per_document: 100000 });
	large = await gate.tenant('large');
	words = sentence.repeat(Math.ceil(24 * MIB / sentence.length));
	const warm = await large.ingestText('The harbour is lit at dusk.', { documentId: 'warm' });
	assert.equal(warm.status, 201, warm.body);
});
after(() => stack.stop());

const sentence = 'A lantern hangs over the door of the harbour office, and it is lit at dusk.\n\n';

const json = (path, body) => large.ask('POST', path, {
	headers: { 'content-type': 'application/json' }, body });
const raw = (id, type, body) => large.ask('POST', `/ingest?documentId=${id}`, {
	headers: { 'content-type': type }, body });

// The request's response; /healthz is asked all the while. Meanwhile no turn was too long.
async function beside(name, request) {
	const before = gate.lines().filter((line) => line.event === 'worker.long_turn').length;
	let done = false, asked = 0, worst = 0;
	const answer = request().finally(() => { done = true; });
	while (!done) {
		const began = performance.now();
		assert.equal((await gate.anonymous.get('/healthz')).status, 200);
		worst = Math.max(worst, performance.now() - began);
		asked++;
	}
	const long = gate.lines().filter((line) => line.event === 'worker.long_turn').slice(before);
	const got = await answer;
	console.log(name, got.status, got.json?.detail ?? '', 'asked', asked, 'worst', worst.toFixed(1), long.map((l) => l.detail ?? l.message ?? JSON.stringify(l)));
	return got;
}

function keys(bytes) {
	const members = [];
	for (let i = 0, n = 0; n < bytes; i++) {
		members.push(`"k${i}":${i % 10}`);
		n += members.at(-1).length + 1;
	}
	return members.join(',');
}

test('all', async () => {
	const meta = keys(9.5 * MIB);
	await beside('meta', () => json('/ingest', `{"text":"x","metadata":{${meta}}}`));
	await beside('meta 99k', () => json('/ingest', `{"text":"x","metadata":{${keys(1.1 * MIB)}}}`));
	await beside('numbers', () => json('/chat', `{"messages":[${'1234567,'.repeat(9 * MIB / 8)}1]}`));
	await beside('numbers search', () => json('/search', `{"query":[${'1234567,'.repeat(9 * MIB / 8)}1]}`));
	await beside('text search', () => json('/search', `{"query":"${words.slice(0, 9 * MIB).replaceAll('\n', ' ')}"}`));
	await beside('text chat', () => json('/chat', JSON.stringify({ messages: [{ role: 'user', content: words.slice(0, 9 * MIB) }] })));
	await beside('U+2028 chat', () => json('/chat', JSON.stringify({ messages: [{ role: 'user', content: '\u2028'.repeat(3 * MIB) }] })));
	await beside('text ingest', () => json('/ingest', JSON.stringify({ text: words.slice(0, 9 * MIB) })));
	await beside('raw', () => raw('raw', 'text/plain', words.slice(0, 20 * MIB)));
	await beside('again', () => raw('raw', 'text/plain', words.slice(0, 20 * MIB)));
	await beside('short lines', () => raw('lines', 'text/plain', ('word '.repeat(30) + '\n\n').repeat(20000)));
	await beside('not utf8', () => raw('bad', 'text/plain', Buffer.concat([Buffer.from(words.slice(0, 20 * MIB)), Buffer.from([0xff])])));
	const form = new FormData();
	form.append('file', new Blob([words.slice(0, 20 * MIB)], { type: 'text/plain' }), 'a.txt');
	const r = new Response(form);
	const bytes = Buffer.from(await r.arrayBuffer());
	await beside('form', () => raw('form', r.headers.get('content-type'), bytes));
	for (const l of gate.lines().filter((l) => l.event === 'worker.long_turn')) console.log(JSON.stringify(l));
});
