// SPDX-License-Identifier: MIT
// Searches of a token that has its user's own documents alone, in each mode, beside the same searches
// of all documents by the same words: the two take turns. Its documents are a third of all; their
// words are counted for it in those alone.
import { Client } from '../live/lib/client.mjs';
import { K, makeQuestions, median, processorOf } from './documents-search.mjs';

const QUESTIONS = 60, BLOCK = 10;
// Words that each passage has, and one that is in the passage alone.
const words = (passage) => `question ${passage}, where the river runs past the mill`;

async function tokenOf({ gate }, b, user) {
	const made = await b.client.post('/tokens', { user, scopes: ['own', 'search'] });
	if (made.status !== 201)
		throw new Error(`tokens: ${made.status} ${made.body}`);
	return new Client(gate.url, { authorization: `Bearer ${made.json.token}` });
}

// Milliseconds of each search, and what they took of Postgres's processor.
async function block({ stack, gate }, b, client, questions, mode) {
	const before = gate.lines().length, cpu = await processorOf(stack, b);
	for (const { passage } of questions) {
		const answer = await client.search(words(passage), { topK: K, mode });
		// By words that all chunks have but one, only that one is found.
		if (answer.status !== 200 || answer.json.results.length === 0)
			throw new Error(`search: ${answer.status} ${answer.body}`);
	}
	return { cpu: await processorOf(stack, b) - cpu, times: gate.lines().slice(before)
		.filter((l) => l.route === 'search').map((l) => l.t_search) };
}

// The rows of a table; the tenant's documents are there already (documents-shapes.mjs).
export async function ownRows(bench, b, size) {
	const questions = await makeQuestions(bench.stack, b, size, QUESTIONS);
	const own = await tokenOf(bench, b, 'user1');
	const [[matching]] = await bench.stack.sql(
		"select sum(chunks) from document where owner_id = 'user1'", b.db);
	const rows = [];
	for (const mode of ['vector', 'text', 'hybrid']) {
		const sides = [own, b.client].map((client) => ({ client, times: [], cpu: 0 }));
		for (const { client } of sides)
			await block(bench, b, client, questions.slice(0, BLOCK), mode);
		for (let from = 0; from < QUESTIONS; from += BLOCK)
			for (const side of sides) {
				const one = await block(bench, b, side.client, questions.slice(from, from + BLOCK), mode);
				side.times.push(...one.times);
				side.cpu += one.cpu / QUESTIONS;
			}
		const [some, all] = sides;
		rows.push({ count: b.count, mode, matching: Number(matching), p50: median(some.times),
			all: median(all.times), ratio: median(some.times) / median(all.times), cpu: some.cpu,
			allCpu: all.cpu, cpuRatio: some.cpu / all.cpu });
	}
	return rows;
}
