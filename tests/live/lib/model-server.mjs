// SPDX-License-Identifier: MIT
// A stand-in for servers that call themselves OpenAI-compatible: it plays what a test scripts, byte
// by byte. Until then it answers as OpenAI does. contrib/devstack/model-api is the other stand-in,
// for what needs a model that finds and quotes passages.
//
//	const server = await ModelServer.start();
//	gate = await stack.tenantgate({ model_url: server.url });
//	server.chat = [event({ choices: [{ delta: { content: 'Hel' } }] }), 30, CUT];
//	server.chat = (request, response) => ...;	// or all by hand
//	server.requests					// { path, headers, body }, in order
import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export const DONE = 'data: [DONE]\n\n';
export const CUT = Symbol('the connection is cut');
export const STALL = Symbol('nothing more, until the client leaves');

export const event = (json) => `data: ${typeof json === 'string' ? json : JSON.stringify(json)}\n\n`;
// One chunk of an answer as OpenAI sends it.
export const chunk = (delta, finish = null, more = {}) => event({ id: 'chatcmpl-1',
	object: 'chat.completion.chunk', created: 1, model: 'm',
	choices: [{ index: 0, delta, finish_reason: finish }], ...more });
// A whole answer of these words.
export const words = (...texts) => [chunk({ role: 'assistant', content: '' }),
	...texts.map((content) => chunk({ content })), chunk({}, 'stop'), DONE];

// Of length 1, the same for the same text.
export function vectorOf(text, dimensions = 1536) {
	const vector = new Array(dimensions).fill(0);
	for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text]) {
		const hash = createHash('sha256').update(word).digest();
		vector[hash.readUInt32LE(0) % dimensions] += hash[4] & 1 ? 1 : -1;
		vector[hash.readUInt32LE(8) % dimensions] += 1;
	}
	const length = Math.hypot(...vector) || 1;
	return vector.map((x) => x / length);
}

export function embeddingsOf(body, { floats = body.encoding_format !== 'base64' } = {}) {
	const texts = [body.input].flat();
	return { object: 'list', model: body.model,
		data: texts.map((text, index) => {
			const vector = vectorOf(text, body.dimensions ?? 1536);
			return { object: 'embedding', index, embedding: floats ? vector
				: Buffer.from(Float32Array.from(vector).buffer).toString('base64') };
		}),
		usage: { prompt_tokens: texts.length, total_tokens: texts.length } };
}

export const json = (response, status, value, headers = {}) => {
	response.writeHead(status, { 'content-type': 'application/json', ...headers });
	response.end(typeof value === 'string' ? value : JSON.stringify(value));
};

export class ModelServer {
	static async start(options = {}) {
		const server = new ModelServer();
		server.http = createServer(options, (q, r) => server.answer(q, r).catch(() => q.destroy()));
		// Node's own five seconds end a connection now and then as it is taken for the next request.
		server.http.keepAliveTimeout = 60000;
		await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
		server.http.unref();	// a test that failed before stop() must not hold its file open
		server.url = `http://127.0.0.1:${server.http.address().port}/v1`;
		return server;
	}

	constructor() {
		this.reset();
	}

	reset() {
		this.requests = [];
		this.chat = words('Hello', ' there', '.');
		this.rerank = (request, response) => json(response, 404, { error: { message: 'none' } });
		this.embeddings = (request, response) => json(response, 200, embeddingsOf(request.body));
	}

	async answer(q, response) {
		const pieces = [];
		for await (const piece of q)
			pieces.push(piece);
		const text = Buffer.concat(pieces).toString();
		const request = { path: q.url, headers: q.headers, text,
			body: text === '' ? undefined : JSON.parse(text) };
		this.requests.push(request);
		const { pathname } = new URL(q.url, this.url);
		const play = pathname.endsWith('/embeddings') ? this.embeddings
			: pathname.endsWith('/rerank') ? this.rerank : this.chat;
		if (typeof play === 'function')
			return play(request, response);
		return this.play(play, response);
	}

	// Strings and buffers are sent, each in a write of its own; numbers are milliseconds to wait.
	async play(script, response, headers = { 'content-type': 'text/event-stream' }) {
		response.writeHead(200, headers);
		response.flushHeaders();
		for (const part of script) {
			if (response.destroyed)
				return;
			if (part === CUT)
				return response.destroy();
			if (part === STALL)
				return;
			if (typeof part === 'number')
				await sleep(part);
			else
				await new Promise((sent) => response.write(part, sent));
		}
		response.end();
	}

	chats() {
		return this.requests.filter((request) => request.path.includes('/chat/completions'));
	}

	async stop() {
		this.http.closeAllConnections();
		await new Promise((resolve) => this.http.close(resolve));
	}
}
