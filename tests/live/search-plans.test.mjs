// SPDX-License-Identifier: MIT
// Which way Postgres takes for each statement of a search, asked by EXPLAIN: the one that the
// statement was written for, at every size, with statistics and without, with a plan for its values
// and with one for any.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build, Stack } from './lib/stack.mjs';

const stack = new Stack('search-plans');
const DIMENSIONS = 1536;
const TAIL = 100;
// A number past them is a longer test's: TG_PLAN_SIZES.
const sizes = (process.env.TG_PLAN_SIZES ?? '40 2600 13500').split(' ').map(Number);
// One of each operator, and all of them joined.
const filters = ['{"a":1}', '{"a":{"in":[1,2]}}', '{"a":{"gte":1,"lt":3}}', '{"a":{"exists":false}}',
	'{"or":[{"a":{"ne":1}},{"not":{"b":{"gt":"x"}}}],"c":{"nin":[1]},"d":{"exists":true}}'];
const way = { exact: '0', index: '1', exactSome: '2', indexSome: '3' };

const print = (...args) => execFileSync(join(build, 'tests/live/statement_print'),
	args.map(String), { encoding: 'utf8' });

before(() => stack.postgres(['autovacuum=off', 'shared_buffers=256MB',
	'maintenance_work_mem=512MB', 'max_wal_size=4GB']));
after(() => stack.stop());

// Documents of 20 chunks each. Vectors are sums of two of a few, which are quick to make. M of the
// index leaves a tail.
async function fill(size) {
	const database = `chunks_${size}`;
	await stack.sql(`create database ${database}`);
	await stack.sql(print('schema', DIMENSIONS), database);
	await stack.sql(`insert into document select 'd' || i, 't', 'f', 'text/plain', '{}', 's', 1, 0, 20,
			now(), 'owner' || i % 3 from generate_series(1, ${Math.ceil(size / 20)}) i;
		create table few as select i, (select array_agg(random() - 0.5 + 0 * i * j)
			from generate_series(1, ${DIMENSIONS}) j)::vector as v
			from generate_series(0, ${Math.ceil(Math.sqrt(size)) - 1}) i;
		insert into chunk (document_id, chunk_index, content, embedding)
			select 'd' || 1 + (row_number() over () - 1) / 20, 0, repeat('A word. ', 120), a.v + b.v
			from few a, few b limit ${size};
		drop table few`, database);
	const covered = size > 2500 ? size - TAIL : 0;
	const index = covered > 0 ? `chunk_halfvec_${covered}` : '';
	if (covered > 0)
		await stack.sql(`create index ${index} on chunk using hnsw
			((embedding::halfvec(${DIMENSIONS})) halfvec_cosine_ops) with (ef_construction = 32)
			where (not tail or id <= ${covered});
			update retrieval set indexed_to = ${covered}, index_name = '${index}'`, database);
	return { database, covered, index };
}

function nodesOf(plan) {
	return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

const psql = promisify(execFile);

// The nodes of a statement's plan in a session as ours; pooled: in one that others have, too, where
// nothing is set but for the transaction.
async function nodes({ database, covered, index }, number, { generic, pooled, k = 10, words = [] }) {
	const vector = `(select embedding from chunk limit 1)`;
	const wanted = { ids: "array['d1','d2']", owner: "'owner1'", hybrid: "'a word', 10" };
	const filtered = `'["a", 1, "b", 1, "c", {"a": 1, "b": 2}, "d", ["x"]]'`;
	const given = words.filter((word) => word !== 'places').map((word) => wanted[word] ?? filtered);
	if (number === way.exactSome)	// behind the question's words
		given.splice(words.includes('hybrid') ? 1 : 0, 0, '10000');
	const values = [`'${(await stack.sql(`select ${vector}`, database))[0][0]}'`, String(k), ...given];
	const text = `set plan_cache_mode = force_${generic ? 'generic' : 'custom'}_plan;
		prepare it as ${print(number, DIMENSIONS, index || 'none', covered, ...words)};
		${print('local', number, k, ...pooled ? ['pooled'] : [])}
		explain (format json) execute it (${values.join(', ')});`;
	const { stdout } = await psql('psql', ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d',
		stack.pg.url(database), '-c', text],
	{ maxBuffer: 16 << 20, env: { ...process.env, PGOPTIONS: pooled ? '' : print('settings').trim() } });
	const [explained] = JSON.parse(stdout);
	assert.equal(explained.JIT, undefined);
	return nodesOf(explained.Plan);
}

const scansOf = (all, table) => all.filter((n) => n['Relation Name'] === table);
const usedFor = (all, table) => new Set(all.map((n) => n['Index Name'])
	.filter((name) => name?.startsWith(table)));

// The documents of what was found, one after another by their ids.
function documentsById(all) {
	const joined = scansOf(all, 'document').filter((n) => n.Alias === 'd');
	assert.deepEqual(joined.map((n) => n['Index Name']), ['document_pkey']);
}

// The chunks that were found, one after another; all are read once, for their distances.
function chunksById(all) {
	const [found, ...others] = scansOf(all, 'chunk')
		.filter((n) => n['Index Name'] === 'chunk_pkey' && /^\(id = /.test(n['Index Cond']));
	assert.ok(found);
	assert.equal(others.length, 0);
	assert.equal(scansOf(all, 'chunk').length, 2);
}

// The tail is read by an index of ids, whichever; its sketches, if there are any, are all read.
// others: what searching by words uses.
function byTheIndex(all, { index }, sketches, others = []) {
	const used = usedFor(all, 'chunk_');
	assert.ok(used.delete(index));
	assert.ok(used.size > 0);
	assert.deepEqual([...used].filter((name) => !['chunk_tail', 'chunk_pkey', ...others].includes(name)), []);
	assert.equal(readsAllChunks(all), false);
	const [scan, ...more] = scansOf(all, 'chunk_sketch');
	assert.equal(scan?.['Node Type'], sketches ? 'Seq Scan' : undefined);
	assert.equal(more.length, 0);
}

const readsAllChunks = (all) => scansOf(all, 'chunk').some((n) => n['Node Type'] === 'Seq Scan');

for (const size of sizes)
	test(`${size} chunks`, async (t) => {
		const at = await fill(size);
		for (const statistics of ['no statistics', 'statistics']) {
			if (statistics === 'statistics')
				await stack.sql('analyze', at.database);
			for (const words of [[], ['hybrid'], ['ids'], ['owner'], ['hybrid', 'ids'], filters.slice(-1)])
				await t.test(`${statistics}, through a pooler: ${words.join(' ') || 'all'}`, async () => {
					const some = words.some((word) => word !== 'hybrid');
					const one = await nodes(at, some ? way.exactSome : way.exact, { pooled: true, words });
					assert.deepEqual([...usedFor(one, 'chunk_halfvec')], []);
					assert.ok(scansOf(one, 'chunk').length <= 3, JSON.stringify(one));
				});
			for (const generic of [false, true]) {
				// All of them once a size: a filter is not what the way depends on.
				const filtering = (statistics === 'statistics' && generic ? filters : filters.slice(-1))
					.map((filter) => ['ids', 'owner', filter].slice(filter === filters[0] ? 0 : 2));
				const plan = generic ? 'a plan for any values' : 'a plan for its values';
				await t.test(`${statistics}, ${plan}: exact`, async () => {
					const all = await nodes(at, way.exact, { generic });
					assert.deepEqual([...usedFor(all, 'chunk_halfvec')], []);
					chunksById(all);
					documentsById(all);
				});
				await t.test(`${statistics}, ${plan}: some documents`, async () => {
					for (const words of [['ids'], ['owner'], ['ids', 'owner'], ...filtering]) {
						const all = await nodes(at, way.exactSome, { generic, words });
						assert.deepEqual([...usedFor(all, 'chunk_')].sort(),
							['chunk_document', 'chunk_pkey']);
						chunksById(all);
						assert.equal(readsAllChunks(all), false);
						documentsById(all);
					}
				});
				if (at.covered === 0)
					continue;
				for (const k of [10, 100])
					await t.test(`${statistics}, ${plan}: the index, k ${k}`, async () => {
						const all = await nodes(at, way.index, { generic, k });
						byTheIndex(all, at, true);
						documentsById(all);
						byTheIndex(await nodes(at, way.index, { generic, k, words: ['places'] }), at, false);
						byTheIndex(await nodes(at, way.index, { generic, k, words: ['hybrid'] }), at, true,
							['chunk_document']);
					});
				await t.test(`${statistics}, ${plan}: the index, some documents`, async () => {
					for (const words of [['ids'], ['owner'], ['ids', 'owner'], ...filtering]) {
						const all = await nodes(at, way.indexSome, { generic, words });
						assert.ok(usedFor(all, 'chunk_halfvec').has(at.index));
					}
				});
			}
		}
	});
