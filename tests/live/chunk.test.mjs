// SPDX-License-Identifier: MIT
// Our chunks against LangChain's own splitter, byte for byte: known texts, and random ones of a
// fixed seed. Texts hold no character outside the basic plane where a cut could fall inside it, for
// JavaScript cuts its two units apart there and we do not.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { RecursiveCharacterTextSplitter } from '@langchain/textsplitters';

const program = join(process.env.TG_BUILD ?? '.', 'tests/live/chunk_print');
const TEXTS = Number(process.env.CHUNK_TEXTS ?? 500);

function random(seed) {		// mulberry32
	return () => {
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

const words = ['a', 'tide', 'lantern', 'x'.repeat(37), 'é', 'ünder', '潮汐', '\u00a0', '\u3000',
	'\ufeff', '\u2028', '\u200b', '**', '#', '```', '---', '0.5', '\t', '\r\n', '\v', '\u1680',
	'"', '\\', '\u0085', 'z'.repeat(240)];
const gaps = [' ', ' ', ' ', '  ', '\n', '\n\n', '\n\n\n', '', '\n## ', '\n### ', '\n# ', '```\n\n',
	'\n\n***\n\n', '\n\n---\n\n', '\n\n___\n\n', '\n###### ', ' \n \n '];

function someText(rnd) {
	const pick = (list) => list[Math.floor(rnd() * list.length)];
	const length = Math.floor(rnd() ** 3 * 4000);
	let text = '';
	while (text.length < length)
		text += pick(words) + pick(gaps);
	return text;
}

function cases() {
	const rnd = random(20261123);
	const list = [];
	for (let i = 0; i < TEXTS; i++) {
		const size = rnd() < 0.3 ? 1000 : 1 + Math.floor(rnd() * 300);
		const overlap = Math.min(size - 1, rnd() < 0.3 ? 200 : Math.floor(rnd() * size));
		list.push({ size, overlap, how: rnd() < 0.5 ? 'text' : 'markdown', text: someText(rnd) });
	}
	return list;
}

async function theirs({ size, overlap, how, text }) {
	const options = { chunkSize: size, chunkOverlap: overlap };
	const splitter = how === 'markdown'
		? RecursiveCharacterTextSplitter.fromLanguage('markdown', options)
		: new RecursiveCharacterTextSplitter(options);
	return splitter.splitText(text);
}

function ours(list) {
	const parts = [];
	for (const { size, overlap, how, text } of list) {
		const bytes = Buffer.from(text);
		parts.push(Buffer.from(`${size} ${overlap} ${how} ${bytes.length}\n`), bytes);
	}
	const run = spawnSync(program, { input: Buffer.concat(parts), maxBuffer: 1 << 30 });
	assert.equal(run.status, 0, `${program}: ${run.error ?? run.stderr}`);
	return run.stdout.toString().split('\n').slice(0, -1).map((line) => JSON.parse(line));
}

test('chunks of known texts', () => {
	const known = [
		[1000, 200, 'x'.repeat(1000), ['x'.repeat(1000)]],
		[1000, 200, 'x'.repeat(1001), ['x'.repeat(1000), 'x'.repeat(201)]],
		[10, 3, 'a\n\n\nb\n\nccccccccccccc dd', ['a\n\n\nb', 'ccccccccc', 'ccccccc', 'dd']],
		[5, 1, '', []],
		[5, 1, ' \n\n ', []],
	];
	const got = ours(known.map(([size, overlap, text]) => ({ size, overlap, text, how: 'text' })));
	known.forEach(([, , , want], i) => assert.deepEqual(got[i], want, `text ${i}`));
});

test(`chunks of ${TEXTS} random texts are LangChain's`, async () => {
	const list = cases();
	const got = ours(list);
	assert.equal(got.length, list.length);
	for (const [i, one] of list.entries())
		assert.deepEqual(got[i], await theirs(one), `text ${i}: ${JSON.stringify(one)}`);
});

test('a character outside the basic plane counts two and stays whole', async () => {
	const text = '😀😀 tide '.repeat(400);	// never a word as long as a chunk: no cut inside
	const one = { size: 100, overlap: 20, how: 'text', text };
	assert.deepEqual(ours([one])[0], await theirs(one));
	const cut = ours([{ size: 3, overlap: 0, how: 'text', text: '😀😀😀' }])[0];
	assert.deepEqual(cut, ['😀', '😀', '😀']);
});
