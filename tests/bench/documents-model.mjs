// SPDX-License-Identifier: MIT
// A server of embeddings whose vectors are like a real model's: all share a mean, 300 topics, each
// section of 20 passages its own direction, and noise. A text's number in it ("passage 17") is all
// that its vector comes from; a question of that number is near to it. The same every time.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export const DIMENSIONS = 1536;
const TABLE = 1 << 17;

function random(seed) {
	let a = seed | 0;
	return () => {
		a = a + 0x6d2b79f5 | 0;
		let t = Math.imul(a ^ a >>> 15, 1 | a);
		t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
		return ((t ^ t >>> 14) >>> 0) / 4294967296;
	};
}

const gauss = new Float32Array(TABLE);
const uniform = random(1);
for (let i = 0; i < TABLE; i++)
	gauss[i] = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

// A direction of that name: a stretch of the table, which is long beside it.
function add(vector, weight, seed) {
	const next = random(seed);
	const from = Math.floor(next() * TABLE), step = 1 + 2 * Math.floor(next() * 1000);
	for (let i = 0; i < vector.length; i++)
		vector[i] += weight * gauss[(from + i * step) % TABLE];
}

export function vectorOf(text) {
	const [, word, digits] = /(passage|question) (\d+)/.exec(text) ?? [null, 'passage', '0'];
	const number = Number(digits);
	const section = Math.floor(number / 20);
	const vector = new Float32Array(DIMENSIONS);
	add(vector, 0.4, 7);
	add(vector, 0.5, 1000 + section % 300);
	add(vector, 0.5, 5000 + section);
	add(vector, 0.5, 1000000 + number);
	if (word === 'question')
		add(vector, 0.4, 9000000 + number);
	const length = Math.hypot(...vector);
	return vector.map((x) => x / length);
}

export class EmbeddingServer {
	static async start() {
		const server = new EmbeddingServer();
		server.http = createServer((q, r) => server.answer(q, r).catch(() => q.destroy()));
		await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
		server.url = `http://127.0.0.1:${server.http.address().port}/v1`;
		server.delay = 0;	// ms of each call, beside what its vectors take
		server.begin();
		return server;
	}

	// From the first question to the last answer since then.
	begin() {
		this.first = this.last = 0;
	}

	get seconds() {
		return (this.last - this.first) / 1000;
	}

	async answer(q, response) {
		const pieces = [];
		this.first ||= performance.now();
		for await (const piece of q)
			pieces.push(piece);
		const { input, model } = JSON.parse(Buffer.concat(pieces).toString());
		const texts = [input].flat();
		await sleep(this.delay);
		const data = texts.map((text, index) => ({ object: 'embedding', index,
			embedding: Buffer.from(vectorOf(text).buffer).toString('base64') }));
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(JSON.stringify({ object: 'list', model, data,
			usage: { prompt_tokens: texts.length, total_tokens: texts.length } }));
		this.last = performance.now();
	}

	stop() {
		this.http.close();
		this.http.closeAllConnections();
	}
}
