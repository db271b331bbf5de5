// SPDX-License-Identifier: MIT
// BM25 as its definition has it, with k1 and b as text_statement.c, over plain words: what the
// SQL is compared with.
const K1 = 1.2, B = 0.3;

const wordsOf = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

function counted(words) {
	const times = new Map();
	for (const word of words)
		times.set(word, (times.get(word) ?? 0) + 1);
	return times;
}

// Scores as parts of what all of the question's words could give; best first, those above 0.
export function bm25(texts, question) {
	const chunks = texts.map((text) => {
		const words = wordsOf(text);
		return { times: counted(words), length: words.length };
	});
	const average = chunks.reduce((sum, c) => sum + c.length, 0) / chunks.length;
	const idf = new Map([...new Set(wordsOf(question))].map((word) => {
		const df = chunks.filter((c) => c.times.has(word)).length;
		return [word, Math.log(1 + (chunks.length - df + 0.5) / (df + 0.5))];
	}));
	const most = (K1 + 1) * [...idf.values()].reduce((a, b) => a + b, 0);
	return chunks.map((c, at) => {
		let score = 0;
		for (const [word, weight] of idf) {
			const tf = c.times.get(word) ?? 0;
			score += weight * tf * (K1 + 1) / (tf + K1 * (1 - B + B * c.length / average));
		}
		return { at, score: score / most };
	}).filter(({ score }) => score > 0).sort((a, b) => b.score - a.score || a.at - b.at);
}
