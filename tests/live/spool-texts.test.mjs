// SPDX-License-Identifier: MIT
// A large text lies on the disk until it is read: in memory is what becomes of it, and two MiB,
// whatever its charset is, and whether it is taken or not.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ModelServer } from './lib/model-server.mjs';
import { cheapVectors, form, freed, resident } from './lib/upload-memory.mjs';
import { programs, Stack } from './lib/stack.mjs';

const MIB = 1 << 20;
const TEXT = 3 * MIB, TEXT_MAX = 4 * MIB;
const sanitized = readFileSync(programs.tenantgate()).includes('__asan_init');
const chunks = {};	// of each text, whatever it was sent in
const stack = new Stack('spool-texts');
let server, gate, acme;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	server = await ModelServer.start();
	cheapVectors(server);
	gate = await stack.tenantgate({ workers: 1, model_url: server.url, max_document_text: `${TEXT_MAX}B`,
		chunk_size: 8000, chunk_overlap: 0, rate_limit_requests_per_minute: 0 }, freed());
	acme = await gate.tenant('acme');
	// What the first large ones make grow stays.
	assert.equal((await acme.ingestText(text(TEXT, 'first'), { documentId: 'first' })).status, 201);
	const second = await acme.ask('POST', '/ingest?documentId=second', { headers: {
		'content-type': 'text/plain' }, body: text(TEXT, 'second') });
	assert.equal(second.status, 201, second.body);
});
after(async () => {
	await stack.stop();
	await server.stop();
});

// So many bytes of UTF-8 at the most, and letters of all kinds that the charset has.
function text(bytes, letters) {
	const lines = [];
	for (let i = 0, length = 0; length < bytes; i++) {
		lines.push(`${letters} ${i}: ${'the kettle whistles at the harbour. '.repeat(20)}\n`);
		length += Buffer.byteLength(lines.at(-1));
	}
	return lines.slice(0, -1).join('');
}
const encode = (charset, from) => execFileSync('iconv', ['-f', 'UTF-8', '-t', charset],
	{ input: from, maxBuffer: 1 << 30 });

const whole = text(TEXT, 'Äé');
const japanese = text(TEXT, '港の湯沸かし');
const chinese = text(TEXT, '港口的水壶在响Äᠠ');
const russian = text(1.2 * MIB, 'тчшщ '.repeat(300));
const tooMuch = text(14 * MIB, 'Äé');
const plain = (charset) => `text/plain${charset ? `; charset=${charset}` : ''}`;
const inForm = (bytes) => form([{ name: 'file', fileName: 'a.txt', type: 'text/plain', bytes }]);
const utf16 = (from) => Buffer.from(`\ufeff${from}`, 'utf16le');

// What is sent, made when it is sent; and the text that becomes of it.
const taken = {
	'UTF-8': [whole, () => ({ type: plain(), body: Buffer.from(whole) })],
	'UTF-8 that is cleaned': [whole, () => ({ type: plain(), body: Buffer.from(`\u00ad${whole}`) })],
	'UTF-8 in a form': [whole, () => inForm(Buffer.from(whole))],
	'JSON': [whole, () => ({ type: 'application/json', body: JSON.stringify({ text: whole }) })],
	'UTF-16': [whole, () => ({ type: plain(), body: utf16(whole) })],
	'UTF-16 in a form': [whole, () => inForm(utf16(whole))],
	'latin-1, declared': [whole, () => ({ type: plain('iso-8859-1'),
		body: Buffer.from(whole, 'latin1') })],
	'latin-1, guessed': [whole, () => ({ type: plain(), body: Buffer.from(whole, 'latin1') })],
	'Shift_JIS': [japanese, () => ({ type: plain('shift_jis'), body: encode('CP932', japanese) })],
	'ISO-2022-JP': [japanese, () => ({ type: plain(), body: encode('ISO-2022-JP', japanese) })],
	'GB18030': [chinese, () => ({ type: plain('gb18030'), body: encode('GB18030', chinese) })],
	'UTF-8 that was declared as Thai, of which more would become': [russian, () => ({
		type: plain('windows-874'), body: Buffer.from(russian) })],
};
const refused = {
	'UTF-8': [0, () => ({ type: plain(), body: Buffer.from(tooMuch) })],
	'latin-1': [TEXT_MAX, () => ({ type: plain(), body: Buffer.from(tooMuch, 'latin1') })],
	'UTF-16': [TEXT_MAX, () => ({ type: plain(), body: utf16(tooMuch.slice(0, 7 * MIB)) })],
};

// MiB. AddressSanitizer marks each eight bytes in one, and keeps what was freed for a while.
const more = (bytes) => 2 + (sanitized ? bytes / MIB / 8 + 3 : 0);

async function isBounded(bytes, { type, body }) {
	const found = await resident(gate.program.pid, () => acme.ask('POST', '/ingest', {
		headers: { 'content-type': type }, body }));
	const figures = `${(bytes / MIB).toFixed(1)} MiB of text: ` + ['own', 'file', 'all'].map((name) =>
		`${name} ${found[name].toFixed(1)}`).join(', ');
	if (process.env.FIGURES)
		console.log(`# ${figures}`);
	assert.ok(found.all < bytes / MIB + more(bytes), figures);
	assert.ok(found.file < 1, figures);
	return found.answer;
}

for (const [name, [becomes, make]] of Object.entries(taken))
	test(`${name}: it is in memory once, and two MiB`, async () => {
		const answer = await isBounded(Buffer.byteLength(becomes), make());
		assert.equal(answer.status, 201, answer.body);
		const { document } = answer.json;
		chunks[becomes] ??= document.chunks;
		assert.equal(document.chunks, chunks[becomes]);
		assert.equal(document.warnings, undefined);
	});

for (const [name, [bytes, make]] of Object.entries(refused))
	test(`14 MiB of ${name} are too much: what was made of them until then, and two MiB`, async () => {
		const answer = await isBounded(bytes, make());
		assert.equal(answer.status, 422, answer.body);
		assert.equal(answer.json.code, 'document_limit');
	});
