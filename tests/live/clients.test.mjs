// SPDX-License-Identifier: MIT
// POST /chat called by what a web app's useChat calls: callChatApi of AI SDK 3 and 4 (data
// stream), the transports of 5, 6 and 7 (UI message stream; the first releases refuse a part with
// one key too many), and plain fetch (text).
//
// With TG_URL, TG_KEY and TG_DOC (and TG_TENANT for a service key) it uses a tenantgate that is
// running already and has that document; without, it starts its own.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { callChatApi } from '@ai-sdk/ui-utils';
import { callChatApi as callChatApi3 } from 'ui-utils3';
import * as late from 'ai';
import * as first from 'ai5first';
import * as six from 'ai6first';
import * as seven from 'ai7';
import { Stack } from './lib/stack.mjs';

const given = process.env.TG_URL !== undefined;
const question = process.env.TG_QUESTION ?? 'How many litres an hour does the boat burn?';
const stack = given ? null : new Stack('clients');
let api, headers, documentId;

before(async () => {
	if (given) {
		api = `${process.env.TG_URL}/chat`;
		headers = { authorization: `Bearer ${process.env.TG_KEY}` };
		if (process.env.TG_TENANT)
			headers['x-tenant-id'] = process.env.TG_TENANT;
		documentId = process.env.TG_DOC;
		return;
	}
	await stack.surroundings({ neon: false });
	const gate = await stack.tenantgate();
	const tenant = await gate.tenant('clients');
	const answer = await tenant.ingestText('The boat burns 19 litres an hour.\n\nIts "horn" is loud.',
		{ documentId: 'boat', title: 'The boat' });
	assert.equal(answer.status, 201, answer.body);
	api = `${gate.url}/chat`;
	headers = tenant.headers;
	documentId = 'boat';
});
after(() => stack?.stop());

async function knobs(values) {
	await stack.knobs(values);
	return () => stack.knobs();
}

function ask(messages, extra = {}) {
	const seen = { data: [], finish: null, errors: [] };
	const call = callChatApi({ api, headers, streamProtocol: 'data',
		body: { id: 'chat-1', messages, documentId },
		abortController: () => new AbortController(), restoreMessagesOnFailure() {},
		onResponse(response) {
			seen.protocol = response.headers.get('x-vercel-ai-data-stream');
		},
		onUpdate({ message, data }) {
			seen.message = message;
			seen.data = data ?? seen.data;
		},
		onFinish(message, options) {
			seen.message = message;
			seen.finish = options;
		},
		onToolCall() {}, generateId: () => 'm1', lastMessage: messages.at(-1), ...extra });
	return call.then(() => seen);
}

const turn = (text) => [{ role: 'user', content: text, parts: [{ type: 'text', text }] }];

test('AI SDK 4: data stream', async () => {
	const seen = await ask(turn(question));
	assert.equal(seen.protocol, 'v1');
	assert.equal(seen.message.role, 'assistant');
	assert.ok(seen.message.content.length > 0);
	assert.ok(seen.data.length > 0);
	assert.equal(seen.data[0].type, 'source');
	assert.equal(seen.data[0].documentId, documentId);
	assert.equal(seen.finish.finishReason, 'stop');
	assert.ok(seen.finish.usage.completionTokens > 0);
	assert.ok(seen.finish.usage.promptTokens > 0);
});

test('AI SDK 4: a second turn, the first answer sent back', async () => {
	const { message } = await ask(turn(question));
	const { message: second } = await ask([...turn(question), message, ...turn('And the horn?')]);
	assert.equal(second.role, 'assistant');
	assert.ok(second.content.length > 0);
});

test('AI SDK 4: an error in the middle is an error', { skip: given }, async () => {
	const back = await knobs({ error_after: 2 });
	await assert.rejects(ask(turn(question)), /chat model/);
	await back();
});

test('AI SDK 3: data stream', async () => {
	const seen = {};
	await callChatApi3({ api, headers, streamMode: 'stream-data', streamProtocol: 'data',
		body: { messages: [{ role: 'user', content: question }], documentId }, messages: [],
		restoreMessagesOnFailure() {},
		onUpdate(merged, data) {
			seen.messages = merged;
			seen.data = data;
		},
		onFinish(message, options) {
			seen.finish = options ?? message;
		}, generateId: () => 'm1' });
	assert.equal(seen.messages.at(-1).role, 'assistant');
	assert.ok(seen.messages.at(-1).content.length > 0);
	assert.equal(seen.data[0].documentId, documentId);
	assert.ok(seen.finish);
});

// All parts as they came, and the message they make.
async function transported({ DefaultChatTransport, readUIMessageStream }, messages) {
	const transport = new DefaultChatTransport({ api, headers, body: { documentId } });
	const stream = await transport.sendMessages({ chatId: 'chat-1', messages, messageId: undefined,
		trigger: 'submit-message', abortSignal: undefined });
	const parts = [], errors = [];
	const tap = new TransformStream({ transform(part, controller) {
		parts.push(part);
		controller.enqueue(part);
	} });
	let message = null;
	for await (const m of readUIMessageStream({ stream: stream.pipeThrough(tap),
		onError: (error) => errors.push(error) }))
		message = m;
	return { parts, errors, message };
}

const uiTurn = (id, text) => ({ id, role: 'user', parts: [{ type: 'text', text }] });
const textOf = (message) => message.parts.filter((p) => p.type === 'text').map((p) => p.text).join('');

for (const [name, sdk] of Object.entries({ '5.0.0': first, '5 late': late, '6.0.0': six,
	'7 late': seven })) {
	test(`AI SDK ${name}: UI message stream`, async () => {
		const { parts, errors, message } = await transported(sdk, [uiTurn('m1', question)]);
		assert.deepEqual(errors, []);
		assert.equal(message.role, 'assistant');
		assert.ok(textOf(message).length > 0);
		const sources = message.parts.filter((p) => p.type === 'source-document');
		assert.ok(sources.length > 0);
		assert.ok(!message.parts.some((p) => p.type === 'data-sources'), 'it is transient');
		const data = parts.find((p) => p.type === 'data-sources').data;
		assert.equal(data.length, sources.length);
		assert.equal(data[0].documentId, documentId);
		assert.ok(data[0].score > 0);
		assert.ok(parts.findIndex((p) => p.type === 'source-document') <
			parts.findIndex((p) => p.type === 'text-start'), 'sources come first');
		assert.equal(message.metadata.finishReason, 'stop');
		assert.ok(message.metadata.usage.outputTokens > 0);
	});

	test(`AI SDK ${name}: a second turn, the first answer sent back`, async () => {
		const one = uiTurn('m1', question);
		const { message } = await transported(sdk, [one]);
		const { errors, message: second } = await transported(sdk,
			[one, { ...message, id: 'm2' }, uiTurn('m3', 'And the horn?')]);
		assert.deepEqual(errors, []);
		assert.ok(textOf(second).length > 0);
	});

	test(`AI SDK ${name}: an error in the middle is an error`, { skip: given }, async () => {
		const back = await knobs({ error_after: 2 });
		const { errors, message } = await transported(sdk, [uiTurn('m1', question)]);
		assert.ok(errors.some((e) => /chat model/.test(String(e))), String(errors));
		assert.ok(message === null || message.role === 'assistant');
		await back();
	});
}

test('plain fetch: text', async () => {
	const answer = await fetch(api, { method: 'POST', headers: { ...headers,
		'content-type': 'application/json', 'x-tenantgate-stream': 'text' },
		body: JSON.stringify({ messages: [{ role: 'user', content: question }], documentId }) });
	const text = await answer.text();
	assert.equal(answer.status, 200, text);
	assert.match(answer.headers.get('content-type'), /^text\/plain; charset=utf-8$/);
	assert.ok(text.length > 0);
	assert.ok(!/^[0-9a-f]:/.test(text));
});
