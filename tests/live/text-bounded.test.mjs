// SPDX-License-Identifier: MIT
// What a search by words reads where words are in most chunks: so much, and not more with more
// chunks, of all documents, of some, and of a user's own.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { build, Stack } from './lib/stack.mjs';

const stack = new Stack('text-bounded');
const DIMENSIONS = 4, DOCUMENTS = 5000, CHUNKS = 3, COMMON = 30;
const way = { exact: 0, exactSome: 2, text: 4, textSome: 5 };
const print = (...args) => execFileSync(join(build, 'tests/live/statement_print'), args.map(String),
	{ encoding: 'utf8' });
const ask = (text) => stack.sql(text, 'words');

// Words that nine chunks of ten have, but for one that is in every fiftieth, and one that is in three.
before(async () => {
	await stack.postgres(['autovacuum=off', 'shared_buffers=256MB']);
	await stack.sql('create database words');
	await ask(print('schema', DIMENSIONS));
	await ask(`select setseed(0.5);
		insert into document select 'd' || i, 't', 'f', 'text/plain', '{}', 's', 1, 0, ${CHUNKS}, now(),
			'owner' || i % 3 from generate_series(1, ${DOCUMENTS}) i;
		insert into chunk (document_id, chunk_index, content, embedding) select 'd' || d, i,
			(select string_agg('c' || w, ' ') from generate_series(1, ${COMMON}) w
				where random() < 0.9 and d > 0 and i >= 0) || case when d % 50 = 7 then ' seldom' else '' end ||
			case when d % 2000 = 3 and i = 0 then ' unique' else '' end,
			'[1,0,0,0]' from generate_series(1, ${DOCUMENTS}) d, generate_series(0, ${CHUNKS - 1}) i`);
	execFileSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', stack.pg.url('words'), '-f', '-'],
		{ input: `prepare keep as ${print('missing')};\n${"execute keep ('simple');\n".repeat(
			DOCUMENTS / 50 + 1)}`, stdio: ['pipe', 'ignore', 'inherit'] });
	assert.deepEqual(await ask('select sum(chunks) from text_segment'), [[String(DOCUMENTS * CHUNKS)]]);
});
after(() => stack.stop());

const nodesOf = (plan) => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
const settings = (generic) => `set enable_seqscan = off; set jit = off;
	set plan_cache_mode = force_${generic ? 'generic' : 'custom'}_plan;`;

// Rows of words, and of these what was taken apart.
async function read(sql, values, generic) {
	const rows = await ask(`${settings(generic)} prepare it as ${sql};
		explain (analyze, timing off, format json) execute it (${values})`);
	const [{ Plan }] = JSON.parse(rows.flat().join('\n'));
	const sum = (nodes) => nodes.reduce((all, n) => all + n['Actual Loops'] *
		(n['Actual Rows'] + (n['Rows Removed by Filter'] ?? 0)), 0);
	return { looked: sum(nodesOf(Plan).filter((n) => n['Relation Name'] === 'text_posting')),
		postings: sum(nodesOf(Plan).filter((n) => n['Node Type'] === 'ProjectSet')) };
}

const all = Array.from({ length: COMMON }, (_, i) => `c${i + 1}`).join(' ');
const questions = [['one that is in most', 'c1'], ['some', 'c1 c2 c3 seldom'], ['many', all],
	['many, and a rare one', `${all} seldom`], ['one that is in most, and the rarest', 'c1 unique']];
const few = Array.from({ length: 290 }, (_, i) => `'d${i * 17 + 1}'`);
const scopes = [['all documents', [], ''], ['one', ['ids'], ", array['d57']"],
	['few', ['ids'], `, array[${few}]`], ["few, a user's own", ['ids', 'own'], `, array[${few}]`],
	['a third', ['owner'], ", 'owner1'"], ["a third, a user's own", ['owner', 'own'], ", 'owner1'"]];

for (const statistics of ['no statistics', 'statistics'])
	for (const [where, words, given] of scopes)
		test(`${statistics}: of ${where}`, async () => {
			if (statistics === 'statistics')
				await ask('analyze');
			const some = words.length > 0;
			const text = print(some ? way.textSome : way.text, DIMENSIONS, 'none', 0, ...words);
			const hybrid = print(some ? way.exactSome : way.exact, DIMENSIONS, 'none', 0, 'hybrid', ...words);
			for (const [what, question] of questions)
				for (const generic of [true, false]) {
					const named = `${what}, ${generic ? 'any values' : 'its values'}`;
					const values = `'${question}', 10${given}`;
					for (const one of [await read(text, values, generic), await read(hybrid,
						`'[1,0,0,0]', 10, '${question}', 10${some ? ', 10000' : ''}${given}`, generic)]) {
						assert.ok(one.looked < 30000, `${named}: ${one.looked} rows of words`);
						assert.ok(one.postings < (/^few/.test(where) ? 16100 : 35000),
							`${named}: ${one.postings} postings`);
						if (where === 'one')
							assert.ok(one.postings < 200, `${named}: ${one.postings} postings`);
						else if (what === 'one that is in most')
							assert.ok(one.postings < 6100 && one.looked < 14000,
								`${named}: ${one.postings} postings, ${one.looked} rows`);
					}
					const found = await ask(`${settings(generic)} prepare it as ${text}; execute it (${values})`);
					assert.equal(found.length, where === 'one' ? CHUNKS : 10, named);
					if (/rarest/.test(what) && where === 'all documents')
						assert.ok(found.every((row, i) => i > 2 || / unique/.test(row.join())), named);
					if (/some|rare one/.test(what) && !/one|few/.test(where))
						assert.ok(found.every((row) => / seldom/.test(row.join())), named);
				}
		});
