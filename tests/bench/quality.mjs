// SPDX-License-Identifier: MIT
// The program behind tests/bench/quality.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bm25 } from '../live/lib/bm25.mjs';
import { Stack } from '../live/lib/stack.mjs';

const { values: options } = parseArgs({ options: { json: { type: 'string' } } });
const TOP = 50;
const stack = new Stack('quality-bench');
const sets = process.env.TG_QUALITY;

const files = (folder, suffix) => readdirSync(folder, { recursive: true })
	.filter((name) => name.endsWith(suffix))
	.map((name) => [name, readFileSync(join(folder, name), 'utf8')]);

// Pages as { id, question, text }: the question is the page's description, and no part of its text.
function aiSdk() {
	return files(join(sets, 'ai/docs'), '.mdx').map(([id, whole]) => {
		const [head, front] = /^---\n([\s\S]*?)\n---\n/.exec(whole) ?? ['', ''];
		const description = /^description:\s*(.*)$/m.exec(front)?.[1];
		return { id, question: description?.replace(/^["']|["']$/g, ''), text: whole.slice(head.length) };
	});
}

function jestRules() {
	const mark = '<!-- end auto-generated rule header -->';
	return files(join(sets, 'eslint-plugin-jest/docs/rules'), '.md').map(([id, whole]) => ({ id,
		question: (/📝\s*(.*)/.exec(whole) ?? /^# (.*)/m.exec(whole))[1],
		text: whole.slice(whole.indexOf(mark) + mark.length) }));
}

// In parallel, a few at a time; results in order.
async function each(items, fn) {
	const results = [];
	let next = 0;
	await Promise.all(Array.from({ length: 8 }, async () => {
		while (next < items.length) {
			const at = next++;
			results[at] = await fn(items[at]);
		}
	}));
	return results;
}

function told(ranks) {
	const mean = (of) => ranks.reduce((sum, rank) => sum + of(rank), 0) / ranks.length;
	return { first: mean((rank) => Number(rank === 1)), four: mean((rank) => Number(rank > 0 && rank <= 4)),
		mrr: mean((rank) => rank > 0 ? 1 / rank : 0) };
}

async function measure(gate, name, pages) {
	const tenant = await gate.tenant(name);
	await each(pages, async ({ id, text }) => {
		const answer = await tenant.ingestText(text, { documentId: id });
		if (![200, 201].includes(answer.status))
			throw new Error(`${id}: ${answer.body}`);
	});
	const asked = pages.filter((page) => page.question);
	const row = { name, questions: asked.length };
	for (const mode of ['vector', 'text', 'hybrid'])
		row[mode] = told(await each(asked, async ({ id, question }) => {
			const answer = await tenant.post('/search', { query: question, mode, topK: TOP });
			return 1 + answer.json.results.findIndex((hit) => hit.documentId === id);
		}));
	const chunks = await each(pages, async ({ id }) => {
		const all = [];
		for (let cursor = ''; cursor !== undefined;) {
			const page = await tenant.get(`/documents/${encodeURIComponent(id)}/chunks?limit=100${cursor}`);
			all.push(...page.json.chunks.map((chunk) => ({ id, text: chunk.content })));
			cursor = page.json.nextCursor ? `&cursor=${page.json.nextCursor}` : undefined;
		}
		return all;
	});
	const flat = chunks.flat();
	row.chunks = flat.length;
	row['BM25 apart'] = told(asked.map(({ id, question }) =>
		1 + bm25(flat.map(({ text }) => text), question).slice(0, TOP)
			.findIndex(({ at }) => flat[at].id === id)));
	return row;
}

try {
	await stack.surroundings({ neon: false });
	const gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0 });
	const rows = [await measure(gate, 'ai', aiSdk()), await measure(gate, 'jest', jestRules())];
	console.log(`| set | way | first | first four | MRR |\n|---|---|---|---|---|`);
	for (const row of rows)
		for (const way of ['vector', 'text', 'hybrid', 'BM25 apart'])
			console.log(`| ${row.name}: ${row.questions} questions, ${row.chunks} chunks | ${way} | ` +
				`${['first', 'four', 'mrr'].map((what) => row[way][what].toFixed(3)).join(' | ')} |`);
	if (options.json)
		writeFileSync(options.json, JSON.stringify(rows, null, '\t'));
} finally {
	await stack.stop();
}
