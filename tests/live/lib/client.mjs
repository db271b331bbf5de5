// SPDX-License-Identifier: MIT
// A client of tenantgate (and of the stand-ins), on node:http so that every header of a response and
// the time of every piece is seen.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { basename } from 'node:path';

export class Client {
	constructor(url, headers = {}) {
		this.url = new URL(url);
		this.headers = headers;
	}

	// Resolves when the header is there: { status, headers, stream, text(), json() }. `from`: the
	// address to come from.
	open(method, path, { headers = {}, body, signal, from } = {}) {
		return new Promise((resolve, reject) => {
			const request = http.request({ host: this.url.hostname, port: this.url.port, method,
				path, headers: { ...this.headers, ...headers }, signal, localAddress: from,
				agent: false });
			request.on('error', reject);
			request.on('response', (answer) => {
				answer.setEncoding('utf8');
				resolve({ status: answer.statusCode, headers: answer.headers, stream: answer,
					request, text: () => collect(answer),
					json: async () => JSON.parse(await collect(answer)) });
			});
			request.end(body);
		});
	}

	// The whole response: { status, headers, body, json } (json null when the body is none).
	async ask(method, path, options) {
		const answer = await this.open(method, path, options);
		const body = await answer.text();
		let json = null;
		try {
			json = JSON.parse(body);
		} catch {
			// not every response is JSON
		}
		return { status: answer.status, headers: answer.headers, body, json };
	}

	get(path, options) {
		return this.ask('GET', path, options);
	}

	post(path, value, headers = {}) {
		return this.ask('POST', path, { headers: { 'content-type': 'application/json',
			...headers }, body: typeof value === 'string' ? value : JSON.stringify(value) });
	}

	ingestFile(file, { id, headers = {}, signal } = {}) {
		const bytes = readFileSync(file);
		const query = `?title=${encodeURIComponent(basename(file))}` +
			(id ? `&documentId=${encodeURIComponent(id)}` : '');
		return this.ask('POST', `/ingest${query}`, { headers: {
			'content-type': 'application/pdf', 'content-length': bytes.length, ...headers },
			body: bytes, signal });
	}

	ingestText(text, fields = {}) {
		return this.post('/ingest', { text, ...fields });
	}

	search(query, fields = {}) {
		return this.post('/search', { query, ...fields });
	}

	// POST /chat, open: the words are still coming. form: 'data' | 'ui' | 'text'.
	openChat(question, { form = 'text', fields = {}, headers = {}, signal } = {}) {
		return this.open('POST', '/chat', { signal, headers: { 'content-type':
			'application/json', 'x-tenantgate-stream': form, ...headers }, body:
			JSON.stringify({ messages: [{ role: 'user', content: question }], ...fields }) });
	}

	async chat(question, options) {
		const answer = await this.openChat(question, options);
		return { status: answer.status, headers: answer.headers, body: await answer.text() };
	}
}

function collect(stream) {
	return new Promise((resolve, reject) => {
		let text = '';
		stream.on('data', (piece) => {
			text += piece;
		});
		stream.on('end', () => resolve(text));
		stream.on('aborted', () => reject(new Error(`cut after ${text.length} characters`)));
		stream.on('error', reject);
	});
}

// AI SDK data stream v1: lines `code:json` -> { text, sources, finish, error }.
export function readDataStream(body) {
	const out = { text: '', sources: [], finish: null, error: null };
	for (const line of body.split('\n').filter((l) => l !== '')) {
		const code = line.slice(0, line.indexOf(':'));
		const value = JSON.parse(line.slice(code.length + 1));
		if (code === '0')
			out.text += value;
		else if (code === '2')
			out.sources.push(...value.filter((v) => v.type === 'source'));
		else if (code === 'd')
			out.finish = value;
		else if (code === '3')
			out.error = value;
	}
	return out;
}

// UI message stream v1: server-sent events, `[DONE]` last.
export function readUiStream(body) {
	const events = body.split('\n\n').filter((e) => e !== '').map((e) => e.replace(/^data: /, ''));
	return { done: events.at(-1) === '[DONE]',
		parts: events.filter((e) => e !== '[DONE]').map((e) => JSON.parse(e)) };
}
