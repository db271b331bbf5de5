// SPDX-License-Identifier: MIT
// Model streams and embedding calls are shared among tenants: what one of them hangs up leaves the
// others theirs. One worker, so that all of it meets in one loop.
import { test, before, after, afterEach } from 'node:test';
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';
import { within } from './lib/crowd.mjs';

const STREAMS = 16;
const EMBEDDINGS = 8;

// Of hundreds of requests at once.
class Leave extends AbortController {
	constructor() {
		super();
		setMaxListeners(0, this.signal);
	}
}

const stack = new Stack('fair-streams');
let gate, noisy, quiet;
let leave = new Leave();

before(async () => {
	await stack.surroundings({ neon: false });
	// No wait of the model's ends by itself in here: what hangs, hangs.
	gate = await stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0,
		max_model_streams: STREAMS, max_embedding_calls: EMBEDDINGS,
		max_upstream_conn: STREAMS + EMBEDDINGS, model_first_byte_timeout: '10m',
		model_idle_timeout: '10m', chat_timeout: '10m' });
	noisy = await gate.tenant('noisy');
	quiet = await gate.tenant('quiet');
	for (const tenant of [noisy, quiet]) {
		const stored = await tenant.ingestText('The kettle whistles.', { documentId: 'k' });
		assert.equal(stored.status, 201, stored.body);
	}
});
after(() => stack.stop());

// Whatever a test has left hanging goes, and the model is well again.
afterEach(async () => {
	leave.abort();
	leave = new Leave();
	await stack.knobs();
	await until('no stream is left', async () => (await stack.modelStats()).active_streams === 0);
});

const headers = { 'content-type': 'application/json' };
const hang = (n, path, value) => {
	for (let i = 0; i < n; i++)
		noisy.open('POST', path, { headers, body: JSON.stringify(value), signal: leave.signal })
			.catch(() => null);
};

const question = { messages: [{ role: 'user', content: 'When does the kettle whistle?' }] };

// Only a program that makes the quiet one wait for the hung ones needs the time of within().
const searchQuietly = (times) => Promise.all(Array.from({ length: times }, () =>
	within(20000, (signal) => quiet.ask('POST', '/search', { headers, signal,
		body: '{"query":"kettle"}' }).then((answer) => answer.status, (error) => error.name))));

// The first word of a chat; then the client goes.
const firstWord = () => within(20000, async (signal) => {
	const answer = await quiet.openChat('When?', { signal });
	const word = await new Promise((resolve) => {
		answer.stream.on('error', (error) => resolve(error.name));
		answer.stream.once('data', resolve);
	});
	return { status: answer.status, word };
});

async function streamsOf(n) {
	hang(n, '/chat', question);
	await until('the streams hang', async () =>
		(await stack.modelStats()).active_streams >= STREAMS / 2);
}

test("200 hung streams of one tenant: another's searches are answered", async () => {
	await stack.knobs({ tokens: 20, stall_after: 1 });
	await streamsOf(200);
	for (let i = 0; i < 5; i++)
		assert.deepEqual(await searchQuietly(4), [200, 200, 200, 200]);
});

test("200 hung streams of one tenant: another's chat has its first word", async () => {
	await stack.knobs({ tokens: 20, stall_after: 1 });
	await streamsOf(200);
	for (let i = 0; i < 5; i++) {
		const { status, word } = await firstWord();
		assert.equal(status, 200);
		assert.match(word, /^[\w-]/);
	}
});

test('the model never has more streams than max_model_streams; one tenant has 0.7 of them',
	async () => {
		await stack.knobs({ tokens: 20, stall_after: 1 });
		await streamsOf(100);
		await until('one tenant has its part', async () =>
			(await stack.modelStats()).active_streams >= 0.7 * STREAMS);
		// Whoever would be let in too many is by now: these came after all of them.
		await searchQuietly(20);
		const { active_streams: streams } = await stack.modelStats();
		assert.ok(streams < STREAMS, `${streams} streams of one tenant, of ${STREAMS}`);
	});

test("100 hung embedding calls of one tenant: another's call reaches the model", async () => {
	await stack.knobs({ stall_embeddings: 1 });
	let asked = (await stack.modelStats()).embeddings;
	hang(100, '/search', { query: 'kettle' });
	await until('the calls hang', async () =>
		(await stack.modelStats()).embeddings >= asked + EMBEDDINGS / 2);
	asked = -1;
	await until('the noisy one has what it gets', async () => {
		const before = asked;
		({ embeddings: asked } = await stack.modelStats());
		return asked === before;
	});
	quiet.ask('POST', '/search', { headers, body: '{"query":"kettle"}', signal: leave.signal })
		.catch(() => null);
	await until("the quiet one's call arrives", async () =>
		(await stack.modelStats()).embeddings > asked);
});

test('when the noisy one leaves, its places are free at once', async () => {
	await stack.knobs({ tokens: 20, stall_after: 1 });
	await streamsOf(200);
	leave.abort();
	leave = new Leave();
	await stack.knobs({ tokens: 5 });
	await until('no stream is left', async () => (await stack.modelStats()).active_streams === 0);
	const answers = await Promise.all(Array.from({ length: 2 * STREAMS }, () =>
		noisy.chat('When does the kettle whistle?')));
	assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
});
