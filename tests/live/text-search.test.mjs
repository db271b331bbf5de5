// SPDX-License-Identifier: MIT
// Searches by words: the statements themselves, in a database of the tenants' schema, against BM25
// written apart; what becomes of words when documents go; how Postgres goes about it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build, Stack } from './lib/stack.mjs';
import { bm25 } from './lib/bm25.mjs';

const stack = new Stack('text-search');
const DIMENSIONS = 4;
const way = { exact: 0, index: 1, exactSome: 2, indexSome: 3, text: 4, textSome: 5 };

const print = (...args) => execFileSync(join(build, 'tests/live/statement_print'),
	args.map(String), { encoding: 'utf8' });
const statement = (number, ...words) => print(number, DIMENSIONS, 'none', 0, ...words);
const literal = (text) => `'${text.replaceAll("'", "''")}'`;

before(() => stack.postgres(['autovacuum=off', 'shared_buffers=256MB', 'fsync=off']));
after(() => stack.stop());

// As one script, for some are longer than an argument may be. The rows of all its statements.
const script = (text, db) => execFileSync('psql', ['-X', '-A', '-t', '-q', '-F', '\t', '-v',
	'ON_ERROR_STOP=1', '-d', stack.pg.url(db), '-f', '-'], { input: text, encoding: 'utf8',
	maxBuffer: 16 << 20, stdio: 'pipe' });

const database = async (name) => {
	await stack.sql(`create database ${name}`);
	await stack.sql(print('schema', DIMENSIONS), name);
	return name;
};

// Documents of some chunks each; vectors as chunks are numbered.
async function add(db, documents, language = 'simple') {
	const rows = Object.entries(documents);
	const chunks = rows.flatMap(([id, texts]) => texts.map((text, i) =>
		`(${literal(id)}, ${i}, ${literal(text)}, '[1,${i},0,0]')`));
	script(`
		insert into document values ${rows.map(([id, texts]) => `(${literal(id)}, 't', 'f',
			'text/plain', '{}', 's', 1, 0, ${texts.length})`)};
		insert into chunk (document_id, chunk_index, content, embedding) values ${chunks};
		prepare keep as ${print('store')};
		${rows.map(([id]) => `execute keep ('${language}', ${literal(id)});`).join('')}`, db);
}

// What is found by each of several questions: a list of [document, chunk, score], in their order.
function rowsOfEach(db, sql, questions) {
	const found = script(`set enable_seqscan = off; set jit = off; prepare it as ${sql};
		${questions.map((values) => `\n\\echo next question\nexecute it (${values});`).join('')}`, db);
	return found.split('next question\n').slice(1).map((one) => one.split('\n')
		.map((line) => line.split('\t')).filter((row) => row[0])
		.map((row) => [row[0], Number(row[5]), 1 - Number(row[7])]));
}

const rows = (db, sql, values) => rowsOfEach(db, sql, [values])[0];
const eachByWords = (db, questions, k = 10) => rowsOfEach(db, statement(way.text),
	questions.map((question) => `${literal(question)}, ${k}`));
const eachByWordsOf = (db, questions, ids, k = 10) => rowsOfEach(db, statement(way.textSome, 'ids'),
	questions.map((question) => `${literal(question)}, ${k}, array[${ids.map(literal)}]`));
const byWords = (db, question, k) => eachByWords(db, [question], k)[0];
const byWordsOf = (db, question, ids, k) => eachByWordsOf(db, [question], ids, k)[0];
const byBoth = (db, question, vector, k = 10) => rows(db, statement(way.exact, 'hybrid'),
	`'${vector}', 40, ${literal(question)}, ${k}`);

// The same numbers each time.
function chance(seed) {
	let state = seed;
	return () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
}

// Words as in a language: the n-th is there 1/n as often as the first.
function randomText(random, vocabulary, length) {
	return Array.from({ length }, () =>
		`w${Math.floor(vocabulary ** random())}`).join(' ');
}

function near(found, wanted, documents) {
	const flat = Object.entries(documents).flatMap(([id, texts]) => texts.map((_, i) => [id, i]));
	assert.equal(found.length, Math.min(wanted.length, found.length));
	found.forEach(([id, index, score], i) => {
		assert.ok(Math.abs(score - wanted[i].score) < 1e-9, `row ${i}: ${score}, ${wanted[i].score}`);
		const at = flat.findIndex(([d, n]) => d === id && n === index);
		assert.ok(wanted.some((w) => w.at === at && Math.abs(w.score - score) < 1e-9));
	});
}

test('scores are those of BM25 written apart', async () => {
	const random = chance(7), documents = {};
	for (let d = 0; d < 60; d++)
		documents[`d${d}`] = Array.from({ length: 1 + Math.floor(random() * 30) }, () =>
			randomText(random, 400, 20 + Math.floor(random() * 100)));
	documents.long = Array.from({ length: 300 }, () => randomText(random, 400, 60)); // segments
	const db = await database('ranks');
	await add(db, documents);
	const texts = Object.values(documents).flat();
	const questions = Array.from({ length: 30 }, (_, q) => randomText(random, 400, 1 + q % 7));
	for (const [i, found] of eachByWords(db, questions).entries()) {
		const wanted = bm25(texts, questions[i]);
		assert.equal(found.length, Math.min(10, wanted.length), questions[i]);
		near(found, wanted, documents);
	}
	assert.deepEqual(byWords(db, 'w9999 nothing'), []);
});

test('among some documents: what those have, however common the words are elsewhere', async () => {
	const all = byWords('ranks', 'w1 w2 w3', 100);
	const [first] = byWordsOf('ranks', 'w1 w2 w3', ['d3', 'd4', 'none']);
	assert.ok(['d3', 'd4'].includes(first[0]));
	const some = byWordsOf('ranks', 'w1 w2 w3', [...new Set(all.map(([id]) => id))], 20);
	assert.deepEqual(some, all.slice(0, 20));
	assert.deepEqual(byWordsOf('ranks', 'w1 w2', ['none']), []);
});

test('a document that goes takes its words along, and one that is replaced', async () => {
	const db = await database('goes');
	await add(db, { a: ['zebra giraffe', 'zebra'], b: ['giraffe'], c: ['okapi'] });
	const count = async () => (await stack.sql(`select
		(select count(*) from text_posting), (select count(*) from text_segment),
		(select sum(chunks) from text_segment)`, db))[0].map(Number);
	assert.deepEqual(await count(), [4, 3, 4]);
	await stack.sql("delete from document where id = 'a'", db);
	assert.deepEqual(await count(), [2, 2, 2]);
	assert.deepEqual(byWords(db, 'zebra'), []);
	near(byWords(db, 'giraffe okapi'), bm25(['giraffe', 'okapi'], 'giraffe okapi'),
		{ b: ['giraffe'], c: ['okapi'] });
	await stack.sql(`update chunk set content = 'tapir' where document_id = 'b';
		prepare keep as ${print('store')}; execute keep ('simple', 'b')`, db);
	assert.deepEqual(byWords(db, 'giraffe'), []);
	assert.deepEqual((byWords(db, 'tapir')).map(([id]) => id), ['b']);
	assert.deepEqual(await count(), [2, 2, 2]);
});

// A document on its way: what a build does to stage it, and then to make it whole.
const words = (texts) => `array[${texts.map(literal)}]`;
const stageWords = (db, attempt, texts) => script(`prepare stage as ${print('stage')};
	${Array.from({ length: Math.ceil(texts.length / 128) }, (_, part) => `execute stage ('simple',
		'${attempt}', ${128 * part}, ${words(texts.slice(128 * part, 128 * part + 128))});`)
		.join('')}`, db);
const makeWhole = (db, attempt, id, texts) => script(`begin;
	insert into document as row values ('${id}', 't', 'f', 'text/plain', '{}', 's', 1, 0,
		${texts.length}) on conflict (id) do update set chunks = excluded.chunks,
		created_at = row.created_at + interval '1s';
	delete from chunk where document_id = '${id}';
	insert into chunk (document_id, chunk_index, content, embedding)
		values ${texts.map((text, i) => `('${id}', ${i}, ${literal(text)}, '[1,${i},0,0]')`)};
	prepare take as ${print('take')}; execute take ('simple', '${attempt}', '${id}');
	commit`, db).trim();

test('words that are staged count for nothing before their document is whole, and then as all others',
	async () => {
		const random = chance(11), texts = (n) => Array.from({ length: n }, () =>
			randomText(random, 400, 20 + Math.floor(random() * 60)));
		const documents = { early: texts(40), late: texts(3) }, large = texts(300);
		const db = await database('staged');
		await add(db, documents);
		const questions = Array.from({ length: 20 }, (_, q) => randomText(random, 400, 1 + q % 7));
		const holds = (known) => {
			const found = eachByWords(db, questions);
			const among = eachByWordsOf(db, questions, Object.keys(known));
			for (const [i, question] of questions.entries()) {
				const wanted = bm25(Object.values(known).flat(), question);
				assert.equal(found[i].length, Math.min(10, wanted.length), question);
				near(found[i], wanted, known);
				assert.deepEqual(among[i], found[i]);
			}
		};
		stageWords(db, 'one', large);
		stageWords(db, 'one', large.slice(0, 128)); // sent twice, for its answer was lost
		stageWords(db, 'dead', texts(200));
		const size = () => stack.sql('select count(*), sum(cardinality(postings)) from text_posting', db);
		const staged = await size();
		holds(documents);
		assert.equal(makeWhole(db, 'one', 'large', large), '300');
		assert.deepEqual(await size(), staged, 'no posting is written for it');
		holds({ ...documents, large });
		assert.deepEqual(byWordsOf(db, questions[0], ['early']), (byWords(db, questions[0],
			100)).filter(([id]) => id === 'early').slice(0, 10));
		assert.deepEqual(await stack.sql(`select count(*), count(distinct attempt) from text_staged`, db),
			[['2', '1']]);
		// By another, and again by its ids: the words of before are hidden, and go with the attempt's,
		// or at once.
		const other = texts(150);
		stageWords(db, 'two', other);
		holds({ ...documents, large });
		assert.equal(makeWhole(db, 'two', 'large', other), '150');
		holds({ ...documents, large: other });
		assert.deepEqual(await stack.sql(`select attempt, sum(chunks) from text_staged group by 1
			order by 1`, db), [['dead', '200'], ['two', '300']]);
		script(`prepare forget as ${print('forget')}; execute forget ('two')`, db);
		holds({ ...documents, large: other });
		await stack.sql(`prepare keep as ${print('store')}; execute keep ('simple', 'large')`, db);
		holds({ ...documents, large: other });
		await stack.sql("delete from document where id = 'large'", db);
		holds(documents);
		assert.deepEqual(await stack.sql(`select count(distinct segment), (select count(*) from
			text_segment) from text_posting`, db), [['4', '2']]);
	});

test('a document that a build without places has replaced is not found by the places of before',
	async () => {
		const db = await database('before');
		stageWords(db, 'one', ['heron', 'stork']);
		const languages = () => stack.sql('select name from text_language', db);
		assert.deepEqual(await languages(), [], 'nor is a question put in its language');
		assert.equal(makeWhole(db, 'one', 'bird', ['heron', 'stork']), '2');
		assert.deepEqual(await languages(), [['simple']]);
		assert.deepEqual((byWords(db, 'stork')).map(([id, i]) => [id, i]), [['bird', 1]]);
		await stack.sql(`update document set created_at = created_at + interval '1s';
			update chunk set content = 'boat ' || chunk_index`, db);
		assert.deepEqual(byWords(db, 'stork'), []);
		assert.deepEqual(await rows(db, statement(way.text, 'before'), "'stork', 10"), []);
		// One whose words are there by places is done again by that build, which knows none.
		makeWhole(db, 'none', 'bird', ['crane']);
		assert.deepEqual(await stack.sql(`prepare fill as ${print('missing')}; execute fill ('simple')`,
			db), [['0']]);
		assert.deepEqual(await stack.sql(`select count(*) from document where text_at is null or
			text_at <> created_at`, db), [['1']]);
	});

test('documents whose words are missing are found, and get them once', async () => {
	const db = await database('missing');
	await add(db, { a: ['heron'], b: ['crane'] });
	await stack.sql(`insert into document values ('old', 't', 'f', 'text/plain', '{}', 's', 1, 0, 1);
		insert into chunk (document_id, chunk_index, content, embedding)
			values ('old', 0, 'stork', '[1,0,0,0]');
		delete from chunk where document_id = 'b';
		update document set created_at = now() + interval '1s' where id = 'b';
		insert into chunk (document_id, chunk_index, content, embedding)
			values ('b', 0, 'ibis', '[1,0,0,0]')`, db); // as a build of before replaces one
	assert.deepEqual(byWords(db, 'stork ibis'), []);
	const fill = async () => (await stack.sql(`prepare fill as ${print('missing')};
		execute fill ('simple')`, db)).at(-1)[0];
	assert.equal(await fill(), '2');
	assert.equal(await fill(), '0');
	assert.deepEqual((byWords(db, 'stork')).map(([id]) => id), ['old']);
	assert.deepEqual((byWords(db, 'ibis crane')).map(([id]) => id), ['b']);
	assert.equal((await stack.sql('select count(*) from text_segment', db))[0][0], '3');
	// They are looked for behind many a request, and not among all documents.
	const [looked] = plans(db, [{ sql: print('missing'), values: "'simple'", generic: true }]);
	assert.ok(looked.some((n) => n['Index Name'] === 'document_wordless'), JSON.stringify(looked));
});

test('words are taken as their language has them; a question in all that there are', async () => {
	const db = await database('languages');
	await add(db, { en: ['The runners were running over bridges'] }, 'english');
	await add(db, { de: ['Die Häuser standen neben den Brücken'] }, 'german');
	await add(db, { zh: ['港口开放时间 港口'] }, 'simple');
	const ids = async (question) => (byWords(db, question)).map(([id]) => id);
	assert.deepEqual(await ids('the run'), ['en']);
	assert.deepEqual(await ids('ein Haus an der Brücke'), ['de']);
	assert.deepEqual(await ids('the of and'), []);
	// A question's words count once, though each language has made its own of them.
	const [[, , score]] = byWords(db, 'run bridge');
	assert.ok(score > 0.3, `${score}`);
	assert.deepEqual(await ids('港口开放时间'), ['zh']); // what is between blanks, and no part of it
	assert.deepEqual(await ids('开放'), []);
});

test('two that store the same words at a time do not wait for each other', async () => {
	const db = await database('together');
	await add(db, { first: ['the same words'] });
	const rows = (id) => `insert into document values ('${id}', 't', 'f', 'text/plain', '{}', 's', 1, 0, 1);
		insert into chunk (document_id, chunk_index, content, embedding)
			values ('${id}', 0, 'the same words', '[1,0,0,0]');
		prepare keep as ${print('store')}; execute keep ('simple', '${id}');`;
	const other = spawn('psql', ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d', stack.pg.url(db)],
		{ stdio: ['pipe', 'pipe', 'inherit'] });
	const says = once(other.stdout, 'data');
	other.stdin.write(`begin; ${rows('a')}\n`);
	await says;
	script(`set lock_timeout = '10s'; ${rows('b')}`, db);
	assert.deepEqual((byWords(db, 'same')).map(([id]) => id), ['b', 'first']);
	other.stdin.end('commit;\n');
	await once(other, 'exit');
	assert.deepEqual((byWords(db, 'same')).map(([id]) => id), ['a', 'b', 'first']);
});

test('a question that means harm is words, or none', async () => {
	const db = await database('harm');
	await add(db, { a: ["it's a <-> b & !c | (d) x:*B \\ back'slash"], b: ['plain'] });
	const ids = async (question) => (byWords(db, question)).map(([id]) => id);
	for (const question of ["'", "''", '\\', '& | ! <->', ':*', '()', '!plain', "a' & 'b", '<1>'])
		byWords(db, question);
	assert.deepEqual(await ids('!plain'), ['b']);
	assert.deepEqual(await ids('plain & nothing'), ['b']);
	assert.deepEqual(await ids("'; drop table chunk; --"), []);
	assert.deepEqual(await ids("back'slash"), ['a']);
	const long = Array.from({ length: 2500 }, (_, i) => `v${i}`).join(' ');
	assert.deepEqual(await ids(`plain ${long}`), ['b']);
	await add(db, { long: [`${'y'.repeat(5000)} ${'z'.repeat(2040)} short`] });
	assert.deepEqual(await ids('short'), ['long']);
});

test('by both: the ranks of both, and the vector alone where no word is known', async () => {
	const db = await database('two');
	const documents = {};
	for (let i = 0; i < 8; i++)
		documents[`d${i}`] = [i === 5 ? 'walrus walrus' : i === 6 ? 'walrus seal puffin' : 'puffin'];
	await add(db, documents);
	await stack.sql(`update chunk set embedding =
		('[1,' || substr(document_id, 2) || ',0,0]')::vector`, db);
	const [first, second] = byBoth(db, 'walrus', '[1,6,0,0]');
	assert.deepEqual([first[0], second[0]], ['d5', 'd6']);
	assert.ok(Math.abs(first[2] - (85 / 2 + 15 / 4) / 50) < 1e-9, `${first[2]}`);
	const [only] = byBoth(db, 'Nashorn', '[1,3,0,0]');
	assert.deepEqual([only[0], Math.round(only[2] * 1000)], ['d3', 150]);
	assert.equal((byBoth(db, 'Nashorn', '[1,3,0,0]', 8)).length, 8);
	assert.equal((byBoth(db, 'walrus', '[1,6,0,0]', 1)).length, 1);
});

function nodesOf(plan) {
	return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

// The nodes of each statement's plan, of all in one session; asked: { sql, values, generic, analyze }.
function plans(db, asked) {
	const text = script(`set enable_seqscan = off; set jit = off;
		${asked.map(({ sql, values, generic, analyze }, i) => `
		set plan_cache_mode = force_${generic ? 'generic' : 'custom'}_plan;
		prepare it_${i} as ${sql};
		explain (format json${analyze ? ', analyze' : ''}) execute it_${i} (${values});
		\\echo ====`).join('')}\n`, db);
	return text.split('====\n').slice(0, -1).map((one) => nodesOf(JSON.parse(one)[0].Plan));
}

// Chunks of words of which some are in most. A number past them is a longer test's: TG_PLAN_SIZES.
for (const size of (process.env.TG_PLAN_SIZES ?? '40 2600 13500').split(' ').map(Number))
	test(`${size} chunks: words are read in the order of their index, and not all of them`, async (t) => {
		const db = await database(`plans_${size}`);
		script(`insert into document select 'd' || i, 't', 'f', 'text/plain', '{}', 's', 1,
				0, 20 from generate_series(1, ${size / 20}) i;
			insert into chunk (document_id, chunk_index, content, embedding)
				select 'd' || 1 + i / 20, i % 20, (select string_agg('w' || (200 ^ random())::int, ' ')
					from generate_series(1, 30) where i = i) || ' rare' || i / 40, '[1,0,0,1]'
				from generate_series(0, ${size - 1}) i;
			prepare keep(text, text) as ${print('store')};
			do $$ begin for i in 1..${size / 20} loop
				execute format('execute keep (''simple'', %L)', 'd' || i); end loop; end $$`, db);
		const question = "'w1 w2 w3 w4 w5 rare0'";
		// An index that covers all but the last.
		const covered = size - 100, index = `chunk_halfvec_${covered}`;
		if (size > 2500)
			script(`create index ${index} on chunk using hnsw
				((embedding::halfvec(${DIMENSIONS})) halfvec_cosine_ops)
				where (not tail or id <= ${covered})`, db);
		const forms = {
			words: [statement(way.text), `${question}, 10`],
			'words of some': [statement(way.textSome, 'ids'), `${question}, 10, array['d1','d2']`],
			'words of own': [statement(way.textSome, 'ids', 'own'), `${question}, 10, array['d1','d2']`],
			both: [statement(way.exact, 'hybrid'), `'[1,0,0,0]', 40, ${question}, 10`],
			'both of some': [statement(way.exactSome, 'hybrid', 'ids'),
				`'[1,0,0,0]', 40, ${question}, 10, 10000, array['d1','d2']`],
			'both of own': [statement(way.exactSome, 'hybrid', 'ids', 'own'),
				`'[1,0,0,0]', 40, ${question}, 10, 10000, array['d1','d2']`],
		};
		if (size > 2500)
			Object.assign(forms, {
				'both by the index': [print(way.index, DIMENSIONS, index, covered, 'hybrid'),
					`'[1,0,0,0]', 40, ${question}, 10`],
				'both by the index, of some': [print(way.indexSome, DIMENSIONS, index, covered, 'hybrid',
					'ids'), `'[1,0,0,0]', 40, ${question}, 10, array['d1','d2']`],
			});
		for (const statistics of ['no statistics', 'statistics']) {
			if (statistics === 'statistics')
				await stack.sql('vacuum analyze', db);
			const asked = Object.entries(forms).flatMap(([name, [sql, values]]) =>
				[false, true].map((generic) => ({ name, sql, values, generic })));
			const found = plans(db, asked);
			for (const [i, { name, generic }] of asked.entries())
				await t.test(`${statistics}, ${generic ? 'any values' : 'its values'}: ${name}`, () => {
					const all = found[i];
					const postings = all.filter((n) => n['Relation Name'] === 'text_posting');
					assert.ok(postings.length >= 3);
					for (const node of postings)
						assert.match(node['Node Type'], statistics === 'statistics' ?
							/^Index Only Scan$/ : /^(Index (Only )?|Bitmap Heap )Scan$/);
					assert.deepEqual(new Set(all.map((n) => n['Index Name'])
						.filter((n) => n?.startsWith('text_posting'))), new Set(['text_posting_lexeme']));
					if (name === 'both by the index')
						assert.ok(all.some((n) => n['Index Name'] === index));
					for (const node of all.filter((n) => n.Alias === 'd'))
						assert.notEqual(node['Node Type'], 'Seq Scan');
				});
		}
		const [sql, values] = forms.words;
		const [all] = plans(db, [{ sql, values, generic: true, analyze: true }]);
		const read = all.filter((n) => n['Node Type'] === 'ProjectSet')
			.reduce((sum, n) => sum + n['Actual Rows'] * n['Actual Loops'], 0);
		assert.ok(read > 0 && read < 30000, `${read} postings`);
		const [[id]] = byWords(db, 'w1 w2 rare0');
		assert.match(id, /^d[12]$/);
	});
