// SPDX-License-Identifier: MIT
// Who asks hears something at least every stream_keepalive_interval, whatever the answer waits for:
// vectors, a database that wakes, a place among the streams, a model that thinks. What fails after
// that is told in the stream. An answer that says nothing says so, and what was left or cut is
// counted.
//
// Each wait is ended by the test, once it has heard enough.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { readDataStream, readUiStream } from './lib/client.mjs';
import { chunk, CUT, DONE, embeddingsOf, json, ModelServer, words } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { pgError, Proxy } from './lib/proxy.mjs';
import { Stack } from './lib/stack.mjs';

const FORMS = ['data', 'ui', 'text'];
const KEEPALIVE = { data: '\n', ui: ': keep-alive\n\n' };
const stack = new Stack('chat-alive');
let gate, quiet, proxy, server, client;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	proxy = await new Proxy(stack.pg.port).listen();
	server = await ModelServer.start();
	gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0, model_url: server.url,
		stream_keepalive_interval: '50ms', max_model_streams: 1, model_wait_timeout: '1h',
		server_login_retry: '1ms', chat_timeout: '2m',
		postgres_admin_url: `postgresql://postgres:${stack.pg.password}@127.0.0.1:` +
			`${proxy.port}/postgres` });
	quiet = await stack.tenantgate({ rate_limit_requests_per_minute: 0, model_url: server.url,
		stream_keepalive_interval: '50ms', stream_reasoning: 'off', chat_timeout: '2m' });
	client = await gate.tenant('alive');
	const answer = await client.ingestText('The boat burns 19 litres an hour.', { documentId: 'b' });
	assert.equal(answer.status, 201, answer.body);
});
after(async () => {
	proxy?.close();
	await stack.stop();
	await server?.stop();
});
beforeEach(() => server.reset());

// Something a test ends: await it, or call it.
function latch() {
	let open;
	const opened = new Promise((resolve) => {
		open = resolve;
	});
	return Object.assign(() => open(), { opened });
}

// An answer that is being read: what of it has come, and its end.
async function ask(form, { from = client, signal } = {}) {
	const answer = await from.openChat('How many litres?', { form, signal });
	const heard = { status: answer.status, headers: answer.headers, text: '', ended: false,
		isCut: false };
	answer.stream.on('data', (piece) => {
		heard.text += piece;
	});
	answer.stream.on('error', () => {
		heard.isCut = true;
	});
	answer.stream.on('close', () => {
		heard.ended = true;
	});
	return heard;
}

const ended = (heard) => until('the answer ends', () => heard.ended);

// Several keep-alives, one after another; of a text stream the head is all there is.
async function kept(heard, form, more = 3) {
	assert.equal(heard.status, 200);
	if (form === 'text')
		return;
	const silence = KEEPALIVE[form].repeat(more);
	await until(`keep-alives in ${JSON.stringify(heard.text)}`, () => heard.text.endsWith(silence));
}

function whole(heard, form, text) {
	assert.equal(heard.isCut, false);
	if (form === 'text')
		return assert.equal(heard.text, text);
	const at = (code) => heard.text.indexOf(code);
	if (form === 'data') {
		assert.ok(at('2:') >= 0 && at('2:') < at('0:'), heard.text);
		const { text: said, sources, finish } = readDataStream(heard.text);
		assert.equal(said, text);
		assert.equal(sources[0].documentId, 'b');
		return assert.ok(finish);
	}
	assert.ok(at('source-document') >= 0 && at('source-document') < at('text-start'), heard.text);
	const { parts, done } = readUiStream(heard.text.replaceAll(KEEPALIVE.ui, ''));
	assert.equal(done, true);
	assert.equal(parts.filter((p) => p.type === 'text-delta').map((p) => p.delta).join(''), text);
	assert.equal(parts[0].type, 'start');
}

// The failure as it is told in this form; a text stream is cut.
function broken(heard, form, pattern) {
	assert.equal(heard.status, 200);
	assert.equal(heard.isCut, form === 'text');
	if (form === 'data')
		assert.match(readDataStream(heard.text).error, pattern);
	if (form === 'ui')
		assert.match(readUiStream(heard.text.replaceAll(KEEPALIVE.ui, '')).parts.at(-1).errorText,
			pattern);
}

const accessLine = (heard) => until('the access log has it', () => gate.lines().find((l) =>
	l.event === 'access' && l.request_id === heard.headers['x-request-id']));

// How a model may think: what it sends before the wait.
const thoughts = {
	'without a response': null,
	'after its header': [],
	'with comments': [': OPENROUTER PROCESSING\n\n'],
	'with reasoning': [chunk({ role: 'assistant', reasoning_content: 'Let me see.' })],
};

for (const form of FORMS) {
	for (const [how, first] of Object.entries(thoughts)) {
		test(`${form}: the model thinks ${how}`, async () => {
			const said = latch();
			server.chat = async (request, response) => {
				if (first) {
					response.writeHead(200, { 'content-type': 'text/event-stream' });
					response.flushHeaders();
					first.forEach((piece) => response.write(piece));
				}
				await said.opened;
				if (!first)
					return server.play(words('19', ' litres.'), response);
				response.end(words('19', ' litres.').join(''));
			};
			const heard = await ask(form);
			await kept(heard, form);
			said();
			await ended(heard);
			whole(heard, form, '19 litres.');
			const parts = heard.text.match(/reasoning-\w+/g);
			if (form === 'ui' && how === 'with reasoning')
				assert.deepEqual(parts, ['reasoning-start', 'reasoning-delta', 'reasoning-end']);
			else
				assert.equal(parts, null);
			assert.equal(heard.text.includes('Let me see.'), parts !== null);
		});
	}

	test(`${form}: between two words`, async () => {
		const said = latch();
		server.chat = async (request, response) => {
			response.writeHead(200, { 'content-type': 'text/event-stream' });
			response.write(chunk({ content: '19' }));
			await said.opened;
			response.end(words(' litres.').join(''));
		};
		const heard = await ask(form);
		await until('the first word', () => heard.text.includes('19'));
		await kept(heard, form);
		said();
		await ended(heard);
		whole(heard, form, '19 litres.');
	});

	test(`${form}: while vectors are made`, async () => {
		const made = latch();
		server.embeddings = async (request, response) => {
			await made.opened;
			json(response, 200, embeddingsOf(request.body));
		};
		const heard = await ask(form);
		await kept(heard, form);
		made();
		await ended(heard);
		whole(heard, form, 'Hello there.');
	});

	test(`${form}: while the database wakes`, async () => {
		proxy.hold();
		proxy.cut();
		const heard = await ask(form);
		await kept(heard, form);
		assert.equal(server.chats().length, 0);
		proxy.pass();
		await ended(heard);
		whole(heard, form, 'Hello there.');
	});

	test(`${form}: the database refuses after the head`, async () => {
		proxy.hold();
		proxy.cut();
		const heard = await ask(form);
		await kept(heard, form);
		const sleeping = proxy.held;
		proxy.held = null;
		proxy.refuse(pgError('3D000', 'database "tg_secret" does not exist'));
		sleeping.forEach((socket) => proxy.turnAway(socket, proxy.answer));
		await ended(heard);
		proxy.pass();
		broken(heard, form, /database is not there\./);
		assert.doesNotMatch(heard.text, /3D000|tg_secret/);
		assert.equal((await accessLine(heard)).ended_by, 'error');
		await until('the database is served again', async () =>
			(await client.search('litres')).status === 200);
	});

	test(`${form}: the model fails after the head`, async () => {
		const failed = latch();
		server.chat = async (request, response) => {
			await failed.opened;
			json(response, 500, { error: { message: 'CUDA out of memory' } });
		};
		const heard = await ask(form);
		await kept(heard, form);
		failed();
		await ended(heard);
		broken(heard, form, /chat model/);
		assert.doesNotMatch(heard.text, /CUDA/);
	});

	test(`${form}: while another answer has the only place`, async () => {
		const over = latch();
		server.chat = async (request, response) => {
			if (server.chats().length === 1)
				await over.opened;
			await server.play(words('Hello', '.'), response);
		};
		const first = await ask(form);
		const second = await ask(form, { from: await gate.tenant('alive') });
		await kept(second, form);
		assert.equal(server.chats().length, 1);
		over();
		await ended(first);
		await ended(second);
		whole(second, form, 'Hello.');
	});

	test(`${form}: an answer of tool calls alone, and an empty one, say so`, async () => {
		server.chat = [chunk({ role: 'assistant', content: null, tool_calls: [{ index: 0, id: 'c',
			type: 'function', function: { name: 'look', arguments: '{}' } }] }),
			chunk({}, 'tool_calls'), DONE];
		const asked = await ask(form);
		await ended(asked);
		whole(asked, form,
			'The model asked for a tool, and there is none here. Ask in other words.');
		server.chat = [chunk({ role: 'assistant', content: '' }), chunk({}, 'stop'), DONE];
		const empty = await ask(form);
		await ended(empty);
		whole(empty, form, 'The model has given an empty answer. Ask again, or in other words.');
	});
}

test('a client that leaves while the model thinks costs no more', async () => {
	const closed = latch();
	server.chat = (request, response) => response.on('close', closed);
	const leave = new AbortController();
	const heard = await ask('ui', { signal: leave.signal });
	await kept(heard, 'ui');
	leave.abort();
	await closed.opened;
	const line = await accessLine(heard);
	assert.equal(line.status, 499);
	assert.equal(line.ended_by, 'client');
	assert.equal(line.tokens_out, 0);
	assert.equal(server.chats().length, 1);
});

test('what a client left, or a server cut, is counted', async () => {
	const closed = latch();
	server.chat = (request, response) => {
		response.on('close', closed);
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		response.write(chunk({ content: 'One' }) + chunk({ content: ' two' }) +
			chunk({ content: ' three' }));
	};
	const leave = new AbortController();
	const left = await ask('data', { signal: leave.signal });
	await until('three words', () => left.text.includes('three'));
	leave.abort();
	await closed.opened;
	assert.equal((await accessLine(left)).tokens_out, 3);

	server.chat = [chunk({ content: 'One' }), chunk({ content: ' two' }), CUT];
	const cut = await ask('data');
	await ended(cut);
	broken(cut, 'data', /chat model/);
	assert.equal((await accessLine(cut)).tokens_out, 2);

	server.chat = [chunk({ content: 'One' }, null,
		{ usage: { prompt_tokens: 70, completion_tokens: 40, total_tokens: 110 } }), CUT];
	const told = await ask('data');
	await ended(told);
	const line = await accessLine(told);
	assert.equal(line.tokens_out, 40);
	assert.equal(line.tokens_in, 71); // and the question's own, for its vector
});

test('reasoning can be left out', async () => {
	const said = latch();
	server.chat = async (request, response) => {
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		response.write(chunk({ reasoning_content: 'Let me see.' }));
		await said.opened;
		response.end(words('Hello.').join(''));
	};
	const heard = await ask('ui', { from: await quiet.tenant('quiet') });
	await kept(heard, 'ui');
	said();
	await ended(heard);
	assert.doesNotMatch(heard.text, /reasoning|Let me see/);
	assert.match(heard.text, /Hello\./);
});

test('keep-alives do not pile up for a client that does not read', async () => {
	const from = await quiet.tenant('quiet');
	const said = latch();
	const much = chunk({ content: 'x'.repeat(8000) }).repeat(1000);
	server.chat = async (request, response) => {
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		if (server.chats().length === 1)
			response.write(much + much);
		await said.opened;
		response.end(words('Hello.').join(''));
	};
	const stalled = await from.openChat('How many litres?', { form: 'ui' });
	const other = await ask('ui', { from });
	await kept(other, 'ui', 40);
	said();
	const text = await stalled.text();
	assert.ok(text.length > 16e6);
	// From the first word on: how long that takes is the machine's.
	const beside = text.slice(text.indexOf('text-start')).split(KEEPALIVE.ui).length;
	assert.ok(beside < 20, String(beside));
});

// U+0085, which a title may have, is six bytes in JSON where it was two.
test('the most sources, with the longest names, are whole in each form', async () => {
	const long = (bytes) => 'é'.repeat(bytes / 2);
	const form = new FormData();
	form.set('documentId', '"'.repeat(128));
	form.set('title', '\\'.repeat(512));
	form.set('file', new Blob([Array.from({ length: 9000 }, (_, i) => `word${i}`).join(' ')],
		{ type: 'text/plain' }), long(254));
	const stored = await fetch(`${quiet.url}/ingest`, { method: 'POST', body: form,
		headers: (await quiet.tenant('long')).headers });
	assert.equal(stored.status, 201, await stored.text());
	for (const kind of ['data', 'ui']) {
		const { body } = await (await quiet.tenant('long')).chat('word1', { form: kind,
			fields: { topK: 100 } });
		assert.ok(body.length > 250000, `${body.length} bytes`);
		const sources = kind === 'data' ? readDataStream(body).sources
			: readUiStream(body.replaceAll(KEEPALIVE.ui, '')).parts
				.find((p) => p.type === 'data-sources').data;
		assert.equal(sources.length, 100);
		assert.equal(sources[99].fileName, long(254));
	}
});

test('there is never an answer to resume', async () => {
	const { status, body, headers } = await client.get('/chat/c%201/stream');
	assert.equal(status, 204);
	assert.equal(body, '');
	assert.equal(headers['content-type'], undefined);
	assert.equal((await gate.anonymous.get('/chat/c/stream')).status, 401);
	const wrong = await client.post('/chat/c/stream', {});
	assert.equal(wrong.status, 405);
	assert.equal(wrong.headers.allow, 'GET');
});
