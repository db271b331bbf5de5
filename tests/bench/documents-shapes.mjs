// SPDX-License-Identifier: MIT
// Searches among some documents, in each way that a request can say which: beside the exact statement
// over the same chunks, whose documents are written out in it.
import { compare, makeQuestions, nearest } from './documents-search.mjs';

const CHUNKS = 100;	// of a document
const QUESTIONS = 60;

const shapes = [
	{ what: 'one document', body: { documentId: 's1' }, is: "id = 's1'" },
	{ what: 'ten documents', body: { documentIds: Array.from({ length: 10 }, (_, i) => `s${2 * i}`) },
		is: `id in (${Array.from({ length: 10 }, (_, i) => `'s${2 * i}'`).join()})` },
	...[1, 30, 60].map((percent) => ({ what: `a filter, about ${percent} %`,
		body: { filter: { part: { lt: percent } } }, is: `(metadata->>'part')::int < ${percent}` })),
	{ what: 'an owner, a third', body: { ownerId: 'user1' }, is: "owner_id = 'user1'" },
];

// To so many chunks, in documents of a hundred.
async function grow(b, text, size) {
	for (; b.count < size; b.count += CHUNKS) {
		const i = b.count / CHUNKS;
		const answer = await b.client.post('/ingest', { documentId: `s${i}`,
			text: text(b.count, CHUNKS), metadata: { part: i * 37 % 100 } },
		{ 'x-user-id': `user${i % 3}` });
		if (answer.status !== 201 || answer.json.document.chunks !== CHUNKS)
			throw new Error(`ingest: ${answer.status} ${answer.body}`);
	}
}

// The rows of a table.
export async function shapeRows(bench, b, text, size) {
	const rows = [];
	await grow(b, text, size);
	await b.whenIndexed();
	const questions = await makeQuestions(bench.stack, b, size, QUESTIONS);
	for (const { what, body, is } of shapes) {
		const ids = (await bench.stack.sql(`select id from document where ${is}`, b.db)).flat();
		const where = `document_id = any ('{${ids.join()}}')`;
		const asked = await nearest(bench.stack, b, questions, where);
		rows.push({ count: b.count, what, matching: CHUNKS * ids.length,
			...await compare(bench, b, asked, ['-c jit=off -c max_parallel_workers_per_gather=0', `select id, embedding <=> $1 as d
				from chunk where ${where} order by d limit 10`], body) });
	}
	return rows;
}
