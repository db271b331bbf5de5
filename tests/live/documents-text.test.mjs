// SPDX-License-Identifier: MIT
// The text of documents: small PDFs of one case each (pdf/cases, whose README says what must come
// of them), PDFs with a password, and what is said of those that have no text.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { built, source, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('documents-text');
const pdf = (name) => readFileSync(join(source, 'tests/live/pdf', `${name}.pdf`));
let gate, tenant, database;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ rate_limit_requests_per_minute: 0, embedding_dimensions: 64,
		embedding_send_dimensions: 'on' });
	tenant = await gate.tenant('reader');
	assert.equal((await tenant.ingestText('first', { documentId: 'first' })).status, 201);
	[[database]] = await stack.sql("select datname from pg_database where datname ~ '^tg_'");
});
after(() => stack.stop());

const post = (query, body, headers = {}) => tenant.ask('POST', `/ingest?${query}`, { body,
	headers: { 'content-type': 'application/pdf', ...headers } });

// What is stored of a document: its chunks, white space as one blank.
async function stored(id) {
	const rows = await stack.sql('select replace(content, chr(10), chr(32)), page from ' +
		`chunk where document_id = '${id}' order by chunk_index`, database);
	return { text: rows.map(([content]) => content).join(' ').replace(/\s+/g, ' '),
		pages: rows.map(([, page]) => Number(page)) };
}

function refused(answer, code, detail) {
	assert.equal(answer.status, 422, answer.body);
	assert.equal(answer.json.code, code);
	assert.match(answer.json.detail, detail);
}

const repaired = 'the repaired harbour text';
const japanese = '港の灯台は夜に光ります';
const texts = {
	'cjk-gb1-only': '港口的灯塔在夜里发光', 'cjk-jp1-only': japanese, 'cjk-ucs2': japanese,
	'cjk-kr-only': '항구의 등대는 밤에 빛난다', 'cjk-tw-only': '港口的燈塔在夜裡發光',
	'cjk-mixed-silent-loss': 'Quarterly report 2024 港口的灯塔在夜里发光 Total 42',
	'lone-surrogate': 'before\ufffdafter the harbour', 'math-surrogates': 'let 𝜋 be the harbour',
	'two-columns': 'The committee reviewed the annual report and approved the budget for the ' +
		'coming fiscal year.',
	'accent-pieces': 'CURSO CIÊNCIAS BIOLÓGICAS', 'tj-no-space-glyph':
		'This chapter deals with harbours', 'letter-spaced': /about a regression/,
	'fake-bold-overprint': 'Bold Heading normal text',
	'hyphenation': /^The harbour master keeps well-known information about state-of-the/,
	'invisible-ocr-layer': 'recognised words under a scan',
	'rotated-page': /upright words of the harbour/, 'huge-mediabox': repaired,
	'outside-cropbox': repaired,
	'two-columns-long': /^(left column line \d+ tells of the tide )+(right column [^l]*)+/,
	'wrong-startxref': repaired, 'leading-junk': repaired, 'trailing-junk': repaired,
	'cr-only': repaired, 'length-wrong': repaired, 'null-kid': repaired,
	'header-missing': repaired, 'version-weird': repaired, 'catalog-missing-type': repaired,
	'pages-missing-type': repaired,
};

for (const [name, text] of Object.entries(texts))
	test(`${name}: its text is stored`, async () => {
		const answer = await post(`documentId=${name}`, pdf(`cases/${name}`));
		assert.equal(answer.status, 201, answer.body);
		const found = await stored(name);
		if (text instanceof RegExp)
			assert.match(found.text, text);
		else
			assert.equal(found.text, text);
	});

test('a repaired PDF is stored with a warning, a good one without', async () => {
	const answer = await post('documentId=null-kid-2', pdf('cases/null-kid'));
	assert.deepEqual(answer.json.document.warnings,
		['The PDF has faults; some of its text may be missing.']);
	const good = await post('documentId=two-2', pdf('cases/two-columns'));
	assert.ok(!('warnings' in good.json.document), good.body);
});

test('a blank page is counted, and the last chunk is of the third', async () => {
	const answer = await post('documentId=three', pdf('cases/three-pages-2nd-blank'));
	assert.equal(answer.json.document.pages, 3);
	assert.deepEqual((await stored('three')).pages, [1, 3]);
});

test('PDFs without text: each its code and its sentence', async () => {
	for (const name of ['image-only', 'cases/image-only'])
		refused(await post('', pdf(name)), 'document_no_text', /pictures and no text/);
	refused(await post('', pdf('cases/blank')), 'document_empty', /hold no text/);
	for (const name of ['no-xref', 'root-missing', 'truncated-trailer'])
		refused(await post('', pdf(`cases/${name}`)), 'document_broken', /not a PDF that can/);
	for (const name of ['count-negative', 'count-zero', 'count-too-many'])
		refused(await post('', pdf(`cases/${name}`)), 'document_broken', /list of pages/);
	refused(await post('', pdf('cases/undefined-operator')), 'document_broken', /damaged/);
});

const folded = {
	'ligature': 'financial office efficient', 'hebrew-visual': 'שלום עולם עורך דין',
	'controls-as-spaces': 'Overview of the harbour model',
	'nul-tounicode': /^before ?after the harbour$/, // poppler itself drops a NUL
};

for (const [name, text] of Object.entries(folded))
	test(`${name}: what is not seen, or is no letter, is not stored`, async () => {
		assert.equal((await post(`documentId=${name}`, pdf(`cases/${name}`))).status, 201);
		const found = (await stored(name)).text;
		if (text instanceof RegExp)
			assert.match(found, text);
		else
			assert.equal(found, text);
	});

test('the same of a text, and of no other characters', async () => {
	const text = 'e\ufb03cient o\ufb00 s\u00adoft \u202bשלום\u202c a\x00b\x1bc \ufb13 ﬦ é';
	const answer = await post('documentId=folded', Buffer.from(text), {
		'content-type': 'text/plain' });
	assert.equal(answer.status, 201, answer.body);
	assert.equal((await stored('folded')).text, 'efficient off soft שלום a b c \ufb13 ﬦ é');
	const same = await post('documentId=folded', Buffer.from(text), {
		'content-type': 'text/plain' });
	assert.equal(same.status, 200, same.body); // the digest is of what was sent
	const json = await tenant.ingestText('one\x00two \ufb01n', { documentId: 'nul' });
	assert.equal(json.status, 201, json.body);
	assert.equal((await stored('nul')).text, 'one two fin');
});

test('every case is tested', () => {
	const own = ['image-only', 'blank', 'no-xref', 'root-missing', 'truncated-trailer',
		'count-negative', 'count-zero', 'count-too-many', 'undefined-operator',
		'three-pages-2nd-blank', ...Object.keys(folded)];
	assert.deepEqual(readdirSync(join(source, 'tests/live/pdf/cases'))
		.filter((name) => name.endsWith('.pdf')).map((name) => name.slice(0, -4)).sort(),
	[...own, ...Object.keys(texts)].sort());
});

// A program in the extractor's place, which writes and complains as a reader without its tables.
test('what the reader complains of is told; where most is lost, refused', async () => {
	const other = await stack.tenantgate({ embedding_dimensions: 64, embedding_send_dimensions: 'on', extract_program:
		built('tests/live/complaining_reader') });
	const client = await other.tenant('reader');
	const send = (body) => client.ask('POST', '/ingest', { body, headers: { 'content-type':
		'application/pdf' } });
	const some = await send('some');
	assert.equal(some.status, 201, some.body);
	assert.match(some.json.document.warnings[0], /Chinese, Japanese or Korean.*poppler-data/);
	await until('it is logged', () => other.lines().some((l) => l.event === 'extract.language'));
	refused(await send('all'), 'document_no_text', /poppler-data/);
	refused(await send('pages'), 'document_broken', /most of its text/);
	await other.program.stop();
});

test('a password opens a PDF; none and a wrong one are told apart', async () => {
	const bytes = pdf('encrypted');
	refused(await post('', bytes), 'document_encrypted', /send its password/);
	refused(await post('password=wrong', bytes), 'document_password', /does not open/);
	const form = new FormData();
	form.append('file', new Blob([bytes], { type: 'application/pdf' }), 'sealed.pdf');
	form.append('documentId', 'sealed');
	form.append('password', 'lantern');
	const response = await fetch(`${gate.url}/ingest`, { method: 'POST', body: form,
		headers: tenant.headers });
	assert.equal(response.status, 201, await response.clone().text());
	assert.match((await stored('sealed')).text, /Nobody reads this without the word/);
	assert.equal((await post('documentId=sealed-2&password=lantern', bytes)).status, 201);
	assert.equal((await post(`password=${'x'.repeat(33)}`, bytes)).status, 400);
	// Neither logged nor stored.
	assert.doesNotMatch(gate.program.text(), /password=lantern|"lantern"/);
	const rows = await stack.sql("select document::text from document where id = 'sealed'", database);
	assert.doesNotMatch(rows[0][0], /lantern/);
});

// Texts in other charsets, made by iconv(1); each long enough for a guess.
const french = 'Le phare du vieux port éclaire la jetée où les pêcheurs réparent leurs filets. ' +
	'Après la tempête, la façade était abîmée; le maître-maçon a commencé hier. ';
const russian = 'Маяк в старой гавани горит всю ночь, и рыбаки чинят свои сети у причала. ';
const charsets = {
	french: ['ISO-8859-1', 'ISO-8859-15', 'WINDOWS-1252'],
	russian: ['WINDOWS-1251', 'KOI8-R', 'ISO-8859-5', 'IBM866'],
	greek: ['ISO-8859-7', 'WINDOWS-1253'], hebrew: ['WINDOWS-1255'],
	arabic: ['WINDOWS-1256', 'ISO-8859-6'], thai: ['TIS-620'],
	japanese: ['SHIFT_JIS', 'EUC-JP', 'ISO-2022-JP'], chinese: ['GB18030', 'GBK'],
	taiwanese: ['BIG5'], korean: ['EUC-KR'],
	polish: ['ISO-8859-2', 'WINDOWS-1250'],
};
const samples = {
	french, russian,
	greek: 'Ο φάρος στο παλιό λιμάνι φωτίζει όλη τη νύχτα και οι ψαράδες επισκευάζουν τα δίχτυα. ',
	hebrew: 'המגדלור בנמל הישן מאיר כל הלילה והדייגים מתקנים את הרשתות שלהם ליד הרציף. ',
	arabic: 'المنارة في الميناء القديم تضيء طوال الليل والصيادون يصلحون شباكهم عند الرصيف. ',
	thai: 'ประภาคารที่ท่าเรือเก่าส่องแสงตลอดคืนและชาวประมงซ่อมแหของพวกเขาที่ท่าเรือ ',
	japanese: '古い港の灯台は一晩中光り、漁師たちは桟橋で網を直しています。今日は風が強いです。',
	chinese: '老港口的灯塔整夜发光，渔民们在码头修补渔网。今天的风很大，船都没有出海。',
	taiwanese: '老港口的燈塔整夜發光，漁民們在碼頭修補漁網。今天的風很大，船都沒有出海。',
	korean: '오래된 항구의 등대는 밤새도록 빛나고 어부들은 부두에서 그물을 고치고 있습니다. ',
	polish: 'Latarnia w starym porcie świeci całą noc, a rybacy naprawiają sieci przy nabrzeżu. ' +
		'Źle się dzieje, gdy wiatr wieje od zachodu; łódź już odpłynęła. ',
};

function encoded(text, charset) {
	return execFileSync('iconv', ['-f', 'UTF-8', '-t', charset], { input: text });
}

for (const [language, names] of Object.entries(charsets))
	for (const charset of names)
		test(`${language} in ${charset}: declared, and guessed`, async () => {
			const text = samples[language].repeat(4).trim();
			const bytes = encoded(text, charset);
			for (const type of [`text/plain; charset=${charset.toLowerCase()}`, 'text/plain']) {
				const answer = await post('documentId=charset', bytes, { 'content-type': type });
				assert.equal(answer.status, 201, `${type}: ${answer.body}`);
				assert.equal((await stored('charset')).text, text, type);
				await tenant.ingestText('another', { documentId: 'charset' });
			}
		});

test('UTF-16 and UTF-32, with a mark, declared, and without', async () => {
	const text = russian.trim();
	for (const charset of ['UTF-16', 'UTF-32'])
		for (const end of ['LE', 'BE'])
			for (const [type, mark] of [['text/plain', '\ufeff'], ['text/markdown', '\ufeff'],
				[`text/plain; charset="${charset}${end}"`, '']]) {
				const bytes = encoded(mark + text, charset + end);
				const answer = await post('documentId=wide', bytes, { 'content-type': type });
				assert.ok([200, 201].includes(answer.status), `${charset}${end} ${type}: ` +
					answer.body);
				assert.equal((await stored('wide')).text, text);
				await tenant.ingestText('another', { documentId: 'wide' });
			}
	const plain = await post('documentId=wide', encoded('The tide turns at noon.', 'UTF-16LE'),
		{ 'content-type': 'text/plain' });
	assert.equal(plain.status, 201, plain.body);
	assert.equal((await stored('wide')).text, 'The tide turns at noon.');
});

test('a part of a form has a charset of its own', async () => {
	const form = new FormData();
	form.append('file', new Blob([encoded(french, 'ISO-8859-1')],
		{ type: 'text/plain; charset=iso-8859-1' }), 'phare.txt');
	form.append('documentId', 'phare');
	const response = await fetch(`${gate.url}/ingest`, { method: 'POST', body: form,
		headers: tenant.headers });
	assert.equal(response.status, 201);
	assert.equal((await stored('phare')).text, french.trim());
});

test('a few broken bytes are told; what is no text is refused', async () => {
	const bytes = Buffer.concat([Buffer.from(russian), Buffer.from([0xff, 0x20, 0xe2, 0x82])]);
	const answer = await post('documentId=few', bytes, { 'content-type': 'text/plain' });
	assert.equal(answer.status, 201, answer.body);
	assert.match(answer.json.document.warnings[0], /U\+FFFD/);
	assert.match((await stored('few')).text, /причала\. \ufffd \ufffd$/);
	for (const body of [randomBytes(4096), Buffer.alloc(4096),
		Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, ...randomBytes(2000)])]) {
		const none = await post('', body, { 'content-type': 'text/plain' });
		assert.equal(none.status, 422, none.body);
	}
});

test('limits: both are said to the client, the key to the operator', async () => {
	const gate2 = await stack.tenantgate({ max_document_size: '300KiB', max_document_text: '100KiB',
		embedding_dimensions: 64, embedding_send_dimensions: 'on',
		rate_limit_requests_per_minute: 0 });
	const client = await gate2.tenant('reader');
	const send = (body, headers = {}) => client.ask('POST', '/ingest', { body, headers: {
		'content-type': 'text/plain', ...headers } });
	const cause = async (answer) => {
		const line = () => gate2.lines().find((l) => l.event === 'access' &&
			l.request_id === answer.headers['x-request-id']);
		await until('logged', line);
		return line().cause;
	};
	// Just past the size; past the body's ceiling too, declared and in chunks.
	for (const [size, headers] of [[307201, {}], [600000, {}],
		[600000, { 'transfer-encoding': 'chunked' }]]) {
		const answer = await send('x '.repeat(size / 2) + 'x', headers);
		assert.equal(answer.status, 413, answer.body);
		assert.match(answer.json.detail, /may have 307200 bytes, and 102400 of text;/);
		assert.match(await cause(answer), /max_document_size/);
	}
	const text = await send('x '.repeat(60000));
	assert.equal(text.status, 422, text.body);
	assert.equal(text.json.code, 'document_limit');
	assert.match(text.json.detail, /more than 102400 bytes of text/);
	assert.match(await cause(text), /max_document_text/);
	assert.equal((await send('x '.repeat(51200))).status, 201);
	await gate2.program.stop();
});

test('a text of the full 10 MiB is stored, in as many chunks as it has', async () => {
	const line = 'The light over the harbour is lit at dusk and goes out at dawn, every day.\n';
	const text = line.repeat(Math.floor((10 << 20) / line.length));
	const answer = await post('documentId=full', text, { 'content-type': 'text/plain' });
	assert.equal(answer.status, 201, answer.body);
	assert.ok(answer.json.document.chunks > 12000, answer.body);
	const [[count, last]] = await stack.sql('select count(*), max(chunk_index) + 1 from chunk ' +
		"where document_id = 'full'", database);
	assert.deepEqual([Number(count), Number(last)], Array(2).fill(answer.json.document.chunks));
});

test('many short sections have many chunks', async () => {
	const section = (i) => `# A${i}\n\n## B\n\n### C\n\n${'word '.repeat(260)}\n\n`;
	const text = Array.from({ length: 300 }, (_, i) => section(i)).join('');
	const answer = await post('documentId=sections', text, { 'content-type': 'text/markdown' });
	assert.equal(answer.status, 201, answer.body);
	assert.ok(answer.json.document.chunks > 600, answer.body);
});
