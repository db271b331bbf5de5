// SPDX-License-Identifier: MIT
// A tenantgate that gets no large piece of memory: a document that needs one is refused with 503, and
// no other client notices. AddressSanitizer's allocator has the limit (an ulimit
// on address space does not work with it), so a build without it is passed over.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { programs, Stack } from './lib/stack.mjs';

const PIECE_MIB = 8;
const stack = new Stack('memory');
const sanitized = readFileSync(programs.tenantgate()).includes('__asan_init');
const skip = sanitized ? false : 'needs a build with AddressSanitizer';
let gate, lantern, kettle;

before(async () => {
	if (skip)
		return;
	await stack.surroundings({ neon: false });
	process.env.ASAN_OPTIONS = [process.env.ASAN_OPTIONS, 'allocator_may_return_null=1',
		`max_allocation_size_mb=${PIECE_MIB}`].filter(Boolean).join(':');
	gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0,
		embedding_batch_size: '64MiB', document_embedding_memory: '64MiB' });
	lantern = await gate.tenant('lantern');
	kettle = await gate.tenant('kettle');
	const small = await kettle.ingestText('The kettle whistles.', { documentId: 'k' });
	assert.equal(small.status, 201, small.body);
});
after(() => stack.stop());

// 2.7 MB of text have more than 3000 chunks; 2048 of them, the most of a call, have vectors of 12 MB.
const document = Array.from({ length: 36000 }, (_, i) =>
	`Lantern ${i} hangs over the door of the harbour office, and it is lit at dusk.\n\n`).join('');

function refused(answer) {
	assert.equal(answer.status, 503, answer.body);
	assert.equal(answer.headers['content-type'], 'application/problem+json');
	assert.equal(answer.json.code, 'overloaded');
	assert.match(answer.json.detail, /^There is no memory for .+\. Try again in a moment\.$/);
	assert.ok(answer.json.request_id.length > 0);
	assert.equal(answer.json.request_id, answer.headers['x-request-id']);
	assert.ok(Number(answer.headers['retry-after']) >= 1);
}

test('a document that there is no memory for is refused; a stream beside it goes on', { skip },
	async () => {
		const pid = gate.program.pid;
		await stack.knobs({ tokens: 30, token_delay_ms: 100 });
		const stream = await kettle.openChat('What does the kettle do?');
		assert.equal(stream.status, 200);
		const answer = await lantern.ask('POST', '/ingest?documentId=large', {
			headers: { 'content-type': 'text/plain' }, body: document });
		refused(answer);
		assert.match(answer.json.detail, /the model's answer/);
		assert.ok((await stream.text()).length > 0); // throws when it was cut
		await stack.knobs();
		assert.ok(!gate.program.ended, gate.program.tail());
		process.kill(pid, 0);
	});

test('a body that there is no memory for is refused', { skip }, async () => {
	refused(await lantern.ingestText('x'.repeat(9 << 20), { documentId: 'larger' }));
});

test('afterwards both tenants are served, and nothing was stored', { skip }, async () => {
	const found = await kettle.search('kettle');
	assert.equal(found.status, 200, found.body);
	assert.match(found.body, /whistles/);
	const none = await lantern.search('lantern');
	assert.equal(none.status, 200, none.body);
	assert.deepEqual(none.json.results, []);
	const small = await lantern.ingestText('The lantern is lit.', { documentId: 'large' });
	assert.equal(small.status, 201, small.body);
	assert.equal(gate.program.ended, undefined);
});
