// SPDX-License-Identifier: MIT
// What useChat of nine AI SDK versions makes of a long wait, of a model that reasons, of sources, of
// a refusal and of the question whether there is an answer to resume. The app's route between is
// the README's own.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { callChatApi as callChatApi4 } from '@ai-sdk/ui-utils';
import { callChatApi as callChatApi4first } from 'ui-utils4first';
import { callChatApi as callChatApi3 } from 'ui-utils3';
import * as late from 'ai';
import * as first from 'ai5first';
import * as six from 'ai6';
import * as sixFirst from 'ai6first';
import * as seven from 'ai7';
import * as sevenFirst from 'ai7first';
import { chunk, ModelServer, words } from './lib/model-server.mjs';
import { source, Stack } from './lib/stack.mjs';

const dataVersions = { '3.4.33': callChatApi3, '4.0.0': callChatApi4first, '4.3.19': callChatApi4 };
const uiVersions = { '5.0.0': first, '5.0.277': late, '6.0.0': sixFirst, '6.0.326': six,
	'7.0.0': sevenFirst, '7.0.173': seven };
const KEEPALIVE = { data: '\n\n', ui: ': keep-alive\n\n' };
const SENTENCE = /^[A-Z][^{}]+\.$/;
const stack = new Stack('clients-alive');
let gate, server, POST, headers;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0, model_url: server.url,
		stream_keepalive_interval: '50ms', chat_timeout: '2m' });
	const client = await gate.tenant('clients');
	headers = client.headers;
	for (const documentId of ['boat', 'horn']) {
		const answer = await client.ingestText(`The ${documentId} burns 19 litres an hour.`,
			{ documentId, title: `The ${documentId}` });
		assert.equal(answer.status, 201, answer.body);
	}
	POST = await readmeRoute();
});
after(async () => {
	await stack.stop();
	await server?.stop();
});
beforeEach(() => server.reset());

// The route of the README, for one form of stream.
async function readmeRoute(url = gate.url) {
	const [, code] = readFileSync(join(source, 'README.md'), 'utf8')
		.match(/```ts\n(\/\/ app\/api\/chat[^]*?)```/);
	const script = code.replace('export async function POST(request: Request)',
		'return async function POST(request)').replace('"ui"', 'form');
	const process = { env: { TENANTGATE_URL: url, TENANTGATE_KEY: await gate.service() } };
	return (form) => new Function('process', 'tenantOf', 'form', script)(process,
		async () => 'clients', form);
}

// fetch, for a page of that app; `onText` has what has come of each answer.
const appFetch = (form, onText = () => {}) => async (url, init) => {
	const answer = await POST(form)(new Request(url, init));
	if (!answer.ok)
		return answer;
	let text = '';
	const decoder = new TextDecoder();
	return new Response(answer.body.pipeThrough(new TransformStream({
		transform(piece, controller) {
			text += decoder.decode(piece, { stream: true });
			onText(text);
			controller.enqueue(piece);
		},
	})), { status: answer.status, headers: answer.headers });
};

// A model that reasons until the client has heard two keep-alives after that.
function thinks(form) {
	let open;
	const heard = new Promise((resolve) => {
		open = resolve;
	});
	server.chat = async (request, response) => {
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		response.write(chunk({ role: 'assistant', reasoning_content: 'Let me ' }) +
			chunk({ reasoning_content: 'see.' }));
		await heard;
		response.end(words('19', ' litres.').join(''));
	};
	return (text) => text.split(KEEPALIVE[form]).length > 3 && open();
}

const turn = (text) => ({ role: 'user', content: text, parts: [{ type: 'text', text }] });

// One call of what useChat of 3 and 4 calls: the answer, and useChat's data.
async function call(callChatApi, messages, { fetch, documentId = 'boat' } = {}) {
	const seen = { data: [] };
	const is = (value) => value?.role === 'assistant';
	await callChatApi({ api: 'http://app/api/chat', streamProtocol: 'data', streamMode: 'stream-data',
		fetch, body: { id: 'c', messages, documentId }, messages: [],
		abortController: () => new AbortController(), restoreMessagesOnFailure() {},
		onUpdate(update, data) {
			const list = Array.isArray(update) ? update : [update.message];
			seen.message = list.findLast(is) ?? seen.message;
			seen.data = data ?? update.data ?? seen.data;
		},
		onFinish(message) {
			seen.message = is(message) ? message : seen.message;
			seen.finished = true;
		}, onToolCall() {}, onResponse() {}, generateId: () => `m${Math.random()}`,
		lastMessage: messages.at(-1) });
	return seen;
}

test('the route has a sentence too where a proxy between refuses', async () => {
	const proxy = createServer((q, r) => r.writeHead(502).end('<html>502 Bad Gateway</html>'));
	await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
	const route = await readmeRoute(`http://127.0.0.1:${proxy.address().port}`);
	const answer = await route('ui')(new Request('http://app/api/chat', { method: 'POST',
		body: '{}' }));
	proxy.close();
	assert.equal(answer.status, 502);
	assert.match(await answer.text(), SENTENCE);
});

for (const [version, callChatApi] of Object.entries(dataVersions)) {
	test(`AI SDK ${version}: keep-alives, and reasoning that it does not see`, async () => {
		const fetch = appFetch('data', thinks('data'));
		const { message, finished } = await call(callChatApi, [turn('How many?')], { fetch });
		assert.equal(message.role, 'assistant');
		assert.equal(message.content, '19 litres.');
		assert.equal(finished, true);
		assert.equal(message.reasoning, undefined);
	});

	test(`AI SDK ${version}: each answer has its own sources`, async () => {
		const fetch = appFetch('data');
		const one = await call(callChatApi, [turn('How many?')], { fetch });
		assert.deepEqual(one.message.annotations.map((a) => [a.type, a.documentId]),
			[['source', 'boat']]);
		assert.deepEqual(one.data.map((a) => a.documentId), ['boat']);
		const two = await call(callChatApi, [turn('How many?'), one.message, turn('And the horn?')],
			{ fetch, documentId: 'horn' });
		assert.deepEqual(two.message.annotations.map((a) => [a.type, a.documentId]),
			[['source', 'horn']]);
		assert.equal(two.message.content, 'Hello there.');
	});

	test(`AI SDK ${version}: an error is a sentence`, async () => {
		await assert.rejects(call(callChatApi, [], { fetch: appFetch('data') }), (error) => {
			assert.match(error.message, SENTENCE);
			return true;
		});
		server.chat = [chunk({ content: 'Nine' })];
		await assert.rejects(call(callChatApi, [turn('How many?')], { fetch: appFetch('data') }),
			(error) => {
				assert.match(error.message, SENTENCE);
				assert.match(error.message, /chat model/);
				return true;
			});
	});
}

const uiTurn = (id, text) => ({ id, role: 'user', parts: [{ type: 'text', text }] });

// One call of what useChat of 5 and later calls, and the message it makes of the answer.
async function transported({ DefaultChatTransport, readUIMessageStream }, messages, fetch) {
	const transport = new DefaultChatTransport({ api: 'http://app/api/chat', fetch,
		body: { documentId: 'boat' } });
	const stream = await transport.sendMessages({ chatId: 'c', messages, messageId: undefined,
		trigger: 'submit-message', abortSignal: undefined });
	const errors = [];
	let message = null;
	for await (const m of readUIMessageStream({ stream, onError: (error) => errors.push(error) }))
		message = m;
	return { errors, message };
}

for (const [version, sdk] of Object.entries(uiVersions)) {
	test(`AI SDK ${version}: keep-alives and reasoning`, async () => {
		const { errors, message } = await transported(sdk, [uiTurn('m1', 'How many?')],
			appFetch('ui', thinks('ui')));
		assert.deepEqual(errors, []);
		assert.equal(message.role, 'assistant');
		const said = message.parts.filter((p) => p.type === 'text' || p.type === 'reasoning');
		assert.deepEqual(said.map(({ type, text, state }) => ({ type, text, state })), [
			{ type: 'reasoning', text: 'Let me see.', state: 'done' },
			{ type: 'text', text: '19 litres.', state: 'done' }]);
		// What it keeps comes back with the next question.
		server.reset();
		const next = await transported(sdk, [uiTurn('m1', 'How many?'), { ...message, id: 'm2' },
			uiTurn('m3', 'And now?')], appFetch('ui'));
		assert.deepEqual(next.errors, []);
		assert.ok(server.chats()[0].body.messages.some((m) => m.role === 'assistant' &&
			m.content === '19 litres.'));
	});

	test(`AI SDK ${version}: an error is a sentence`, async () => {
		await assert.rejects(transported(sdk, [], appFetch('ui')), (error) => {
			assert.match(error.message, SENTENCE);
			return true;
		});
		server.chat = [chunk({ content: 'Nine' })];
		const { errors } = await transported(sdk, [uiTurn('m1', 'How many?')], appFetch('ui'));
		assert.match(errors[0].message, SENTENCE);
		assert.match(errors[0].message, /chat model/);
	});

	test(`AI SDK ${version}: there is nothing to resume`, async () => {
		const transport = new sdk.DefaultChatTransport({ api: `${gate.url}/chat`, headers });
		assert.equal(await transport.reconnectToStream({ chatId: 'c 1' }), null);
	});
}
