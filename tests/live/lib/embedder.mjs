// SPDX-License-Identifier: MIT
// A model server for tests of ingest: it counts what it is asked to embed, and can be made to hold
// its answers.
//
//	const embedder = new Embedder(server);
//	embedder.hold(2);	// calls after the next two wait
//	await embedder.holds(4);	// until so many wait
//	embedder.release();
import { embeddingsOf, json } from './model-server.mjs';
import { until } from './process.mjs';

export class Embedder {
	constructor(server) {
		this.server = server;
		this.reset();
	}

	// From now on only texts that begin with the mark count, and wait: a request of before may come
	// late.
	reset(mark = '') {
		this.mark = mark;
		this.texts = [];	// all that were asked for
		this.calls = [];	// how many in each request
		this.answered = 0;	// calls, and their texts
		this.embedded = 0;
		this.waiting = [];
		this.free = Infinity;
		this.server.embeddings = (request, response) => this.play(request, response);
	}

	async play(request, response) {
		const input = [request.body.input].flat();
		if (!input[0].startsWith(this.mark))
			return json(response, 200, embeddingsOf(request.body));
		this.calls.push(input.length);
		this.texts.push(...input);
		if (this.free-- <= 0)
			await new Promise((resolve) => this.waiting.push(resolve));
		if (response.destroyed)
			return;
		json(response, 200, embeddingsOf(request.body));
		this.answered++;
		this.embedded += input.length;
	}

	hold(after = 0) {
		this.free = after;
	}

	holds(count) {
		return until(`${count} calls wait`, () => this.waiting.length >= count);
	}

	release() {
		this.free = Infinity;
		for (const resolve of this.waiting.splice(0))
			resolve();
	}
}

// So many paragraphs of a chunk each, of which no two are the same.
export const paragraphs = (n, what) => Array.from({ length: n }, (_, i) =>
	`${what} ${i}: ${`The kettle number ${i} whistles at noon. `.repeat(22)}`.trim());
