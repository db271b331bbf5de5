// SPDX-License-Identifier: MIT
// The program behind tests/bench/documents.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { until } from '../live/lib/process.mjs';
import { Stack } from '../live/lib/stack.mjs';
import { DIMENSIONS, EmbeddingServer, vectorOf } from './documents-model.mjs';
import { machine } from './report.mjs';

const { values: options } = parseArgs({ options: { large: { type: 'boolean' },
	quick: { type: 'boolean' }, json: { type: 'string' } } });
const run = promisify(execFile);
const QUESTIONS = 200;
const K = 10;
const stack = new Stack('documents-bench');
const rows = { ingest: [], search: [] };
let model, gate;

const say = (text) => process.stderr.write(`${text}\n`);
const seconds = async (fn) => {
	const began = performance.now();
	await fn();
	return (performance.now() - began) / 1000;
};
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const part = (numbers, p) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * p)];

// Seconds of processor that a process of Postgres has used: what others do on the machine changes it
// less than the time.
const processor = (stat) => {
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return (Number(fields[11]) + Number(fields[12])) / 100;
};
const ownProcessor = "select pg_read_file('/proc/self/stat')";

async function processorOf(b) {
	const pids = await stack.sql(`select pid from pg_stat_activity where datname = '${b.db}' and
		application_name = 'tenantgate'`);
	for (const [pid] of pids)
		b.used.set(pid, processor(readFileSync(`/proc/${pid}/stat`, 'utf8')));
	return [...b.used.values()].reduce((sum, one) => sum + one, 0);
}

// Passages of about 900 characters: one chunk each.
function text(from, count) {
	const filler = 'The river runs past the mill and the orchard, and then to the sea. '.repeat(13);
	return Array.from({ length: count }, (_, i) =>
		`This is passage ${from + i}. ${filler}`.slice(0, 900).trimEnd()).join('\n\n');
}

class Bench {
	static async make(name) {
		const b = new Bench();
		b.name = name;
		b.client = await gate.tenant(name);
		b.count = 0;
		b.used = new Map();
		await b.client.search('question 0', { topK: K });
		[[b.db]] = await stack.sql(`select db_name from tenants where tenant_id = '${name}'`, 'catalog');
		return b;
	}

	async indexed() {
		const [[to, merger, tail, rows]] = await stack.sql(`select indexed_to, coalesce(merger, ''),
			(select count(*) from chunk where tail and id > indexed_to),
			(select sum(chunks) from document) from retrieval`, this.db);
		return merger === '' && (Number(rows) <= 2500 || (Number(to) > 0 && Number(tail) <= 1000));
	}

	// One document of so many chunks: how long until its 201, and until its index.
	async ingest(count, { waits = true } = {}) {
		const body = text(this.count, count);
		const cpu = await processorOf(this);
		const began = performance.now();
		model.begin();
		const answer = await this.client.ask('POST', `/ingest?documentId=d${this.count}`,
			{ headers: { 'content-type': 'text/plain' }, body });
		if (answer.status !== 201)
			throw new Error(`ingest: ${answer.status} ${answer.body}`);
		if (answer.json.document.chunks !== count)
			throw new Error(`ingest: ${answer.body}`);
		const stored = (performance.now() - began) / 1000;
		const storedCpu = await processorOf(this) - cpu;
		this.count += count;
		if (waits)
			await until('it is indexed', () => this.indexed(), 900000);
		return { stored, embedding: model.seconds, storedCpu,
			indexed: (performance.now() - began) / 1000, indexedCpu: await processorOf(this) - cpu };
	}
}

// What Postgres itself takes to have the same rows in a bare table beside those of before, and an
// index of all of them: the least of two ways, an index that is made of all, or one of those of before
// that the new ones are copied into, one by one (taken from a part of them).
async function floor(b, count) {
	const old = b.count - count, sample = Math.min(count, 1000);
	const file = (name) => join(stack.dir, `${name}.copy`);
	const psql = async (...commands) => {
		const { stdout } = await run('psql', ['-X', '-q', '-A', '-t', '-d', stack.pg.url(b.db), '-v',
			'ON_ERROR_STOP=1', ...[...commands, ownProcessor].flatMap((c) => ['-c', c])]);
		return processor(stdout.trim().split('\n').at(-1));
	};
	const timed = async (fn) => {
		let cpu;
		return [await seconds(async () => { cpu = await fn(); }), cpu];
	};
	const columns = 'document_id, chunk_index, page, content, embedding, hash, tail';
	const write = (name, part) => psql(`\\copy (select ${columns} from chunk order by id ${part}) to
		'${file(name)}' with (format binary)`.replaceAll('\n', ' '));
	const read = (name) => psql(`\\copy bare.chunk (${columns}) from '${file(name)}' (format binary)`);
	await write('old', `limit ${old}`);
	await write('new', `offset ${old}`);
	await write('sample', `offset ${old} limit ${sample}`);
	await psql('create schema bare', `create table bare.chunk (like public.chunk including storage
		including defaults) with (toast_tuple_target = 8160)`,
	'create index on bare.chunk (document_id, chunk_index)', 'create index on bare.chunk (id)');
	if (old > 0)
		await read('old');
	const create = ["set maintenance_work_mem = '256MB'", 'set max_parallel_maintenance_workers = 0',
		`create index vectors on bare.chunk using hnsw ((embedding::halfvec(${DIMENSIONS}))
			halfvec_cosine_ops)`];
	let into = [Infinity, Infinity], way = 'new';
	if (old > 2500) {
		await psql(...create);
		into = (await timed(() => read('sample'))).map((one) => one * count / sample);
		await psql('drop index bare.vectors', 'truncate bare.chunk');
		await read('old');
	}
	const [copy, copyCpu] = await timed(() => read('new'));
	let [index, indexCpu] = await timed(() => psql(...create));
	if (into[0] < copy + index)
		[way, index, indexCpu] = ['into', into[0] - copy, into[1] - copyCpu];
	await psql('drop schema bare cascade');
	return { copy, index, copyCpu, indexCpu, way };
}

async function ingestRow(b, count, kind) {
	say(`${kind} of ${count} chunks`);
	const took = await b.ingest(count);
	const bare = await floor(b, count);
	rows.ingest.push({ kind, count, ...took, ...bare,
		copyRatio: (took.stored - took.embedding) / bare.copy,
		indexRatio: (took.indexed - took.embedding) / (bare.copy + bare.index),
		cpuRatio: took.indexedCpu / (bare.copyCpu + bare.indexCpu) });
}

// The questions' vectors in a table of the tenant's database, and what is nearest to each.
async function questions(b, total) {
	const numbers = Array.from({ length: QUESTIONS }, (_, i) => Math.floor(i * total / QUESTIONS));
	const values = numbers.map((n) => `(${n}, '[${[...vectorOf(`question ${n}`)].map((x) => x.toFixed(7)).join(',')}]')`);
	await stack.sql('drop table if exists question; create table question (n int, v vector)', b.db);
	for (let i = 0; i < values.length; i += 5)
		await stack.sql(`insert into question values ${values.slice(i, i + 5).join(',')}`, b.db);
	const nearest = await stack.sql(`set enable_indexscan = off; select n, (select
		string_agg(key, ' ') from (select document_id || '/' || chunk_index as key from chunk
		order by embedding <=> v limit ${K}) x) from question`, b.db);
	return nearest.map(([n, keys]) => ({ n: Number(n), keys: new Set(keys.split(' ')) }));
}

// In the server, without a client, a network or the documents' rows: an index's scan alone.
async function bareSearch(b) {
	const [[to, name]] = await stack.sql('select indexed_to, index_name from retrieval', b.db);
	const query = name === ''
		? `select id, embedding <=> q.v as d from chunk order by d limit ${K}`
		: `select id, embedding <=> q.v as d from chunk where not tail or id <= ${to} order by
			embedding::halfvec(${DIMENSIONS}) <=> q.v::halfvec(${DIMENSIONS}) limit ${K}`;
	const [[before], [ms], [after]] = await stack.sql(`${ownProcessor}; set enable_seqscan = ${name === '' ? 'on' : 'off'}; set jit = off;
		set hnsw.ef_search = 100;
		create or replace function pg_temp.bare() returns float language plpgsql as $$ declare
			q record; r record; t timestamptz; times float[]; begin
			for q in select v from question loop
				t := clock_timestamp();
				for r in ${query} loop end loop;
				times := times || extract(epoch from clock_timestamp() - t)::float;
			end loop;
			return (select percentile_cont(0.5) within group (order by x) from unnest(times) x);
		end $$;
		select 1000 * pg_temp.bare(); ${ownProcessor}`, b.db);
	return { bare: Number(ms),
		bareCpu: 1000 * (processor(after) - processor(before)) / QUESTIONS };
}

// One after the other; the search's own time is in the access log.
async function ask(b, asked) {
	const before = gate.lines().length;
	const cpu = await processorOf(b);
	let found = 0, wanted = 0;
	const total = [];
	for (const { n, keys } of asked) {
		const began = performance.now();
		const answer = await b.client.search(`question ${n}`, { topK: K });
		total.push(performance.now() - began);
		if (answer.status !== 200)
			throw new Error(`search: ${answer.status} ${answer.body}`);
		wanted += keys.size;
		found += answer.json.results.filter((r) => keys.has(`${r.documentId}/${r.chunk}`)).length;
	}
	const times = gate.lines().slice(before).filter((l) => l.route === 'search').map((l) => l.t_search);
	return { cpu: 1000 * (await processorOf(b) - cpu) / asked.length, p50: median(times), p99: part(times, 0.99), request: median(total),
		recall: found / wanted };
}

async function searchRow(b, what) {
	say(`search of ${b.count} chunks, ${what}`);
	const asked = await questions(b, b.count);
	await ask(b, asked.slice(0, 20));
	const measured = await ask(b, asked);
	const bare = await bareSearch(b);
	rows.search.push({ count: b.count, what, ...measured, ...bare, ratio: measured.p50 / bare.bare,
		cpuRatio: measured.cpu / bare.bareCpu });
}

// As many questions as it takes, while an index is merged into.
async function searchMerging(b, count) {
	const asked = await questions(b, b.count);
	say(`search while ${count} chunks are merged`);
	await b.ingest(count, { waits: false });
	const all = { p50: [], p99: [], request: [], recall: [] };
	while (!await b.indexed()) {
		const one = await ask(b, asked.slice(0, 20));
		for (const [key, list] of Object.entries(all))
			list.push(one[key]);
	}
	const bare = await bareSearch(b);
	const p50 = median(all.p50);
	rows.search.push({ count: b.count, what: 'while it is merged', p50, p99: Math.max(...all.p99),
		request: median(all.request), recall: NaN, cpu: NaN, cpuRatio: NaN, ...bare,
		ratio: p50 / bare.bare });
}

function table(title, columns, list) {
	const lines = [columns.map(([name]) => name), ...list.map((row) =>
		columns.map(([, key, digits]) => typeof row[key] === 'number' ? row[key].toFixed(digits)
			: String(row[key])))];
	const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
	console.log(`\n${title}`);
	for (const line of lines)
		console.log(line.map((cell, i) => cell.padStart(widths[i])).join('  '));
}

async function main() {
	model = await EmbeddingServer.start();
	await stack.surroundings({ neon: false, postgres: ['max_wal_size=4GB'] });
	gate = await stack.tenantgate({ model_url: model.url, rate_limit_requests_per_minute: 0,
		max_document_text: '128MiB', max_document_size: '128MiB', max_ingest_memory: '2GiB',
		ingest_timeout: '30m', chunk_size: 1000, chunk_overlap: 0 });
	const sizes = options.quick ? [10000] : [10000, 13500, 30000, ...(options.large ? [100000] : [])];
	const grown = await Bench.make('grown');
	await grown.ingest(2400);
	await searchRow(grown, 'no index');
	for (const size of sizes) {
		await ingestRow(grown, size - grown.count, 'later load');
		await searchRow(grown, 'indexed');
	}
	await searchMerging(grown, 2000);
	for (const size of options.quick ? [10000] : [10000, 30000])
		await ingestRow(await Bench.make(`first-${size}`), size, 'first load');
}

const about = machine();
await main().finally(async () => {
	model?.stop();
	await stack.stop();
});
console.log(`${about.cpu}, ${about.cores} cores, load ${about.load.toFixed(1)} at the start`);
table('Ingest: seconds. x COPY: what the 201 took beyond the model, of a bare COPY. x all: what it ' +
	'took until it was indexed beyond the model, of COPY and an index of all chunks, whichever way is ' +
	'shorter: new, or into the one of before. CPU: of Postgres, the same.',
[['', 'kind'], ['chunks', 'count', 0], ['model', 'embedding', 2], ['201', 'stored', 2],
	['indexed', 'indexed', 2], ['COPY', 'copy', 2], ['index', 'index', 2], ['', 'way'],
	['x COPY', 'copyRatio', 2], ['x all', 'indexRatio', 2], ['CPU', 'indexedCpu', 2],
	['COPY', 'copyCpu', 2], ['index', 'indexCpu', 2], ['x CPU', 'cpuRatio', 2]], rows.ingest);
table('Search: milliseconds of the median. bare: an index alone, in the server. CPU: of Postgres, a ' +
	'search.',
	[['chunks', 'count', 0], ['', 'what'], ['search', 'p50', 2], ['p99', 'p99', 2],
		['request', 'request', 2], ['bare', 'bare', 2], ['x bare', 'ratio', 2],
		['CPU', 'cpu', 2], ['bare', 'bareCpu', 2], ['x CPU', 'cpuRatio', 2],
		['recall@10', 'recall', 3]], rows.search);
if (options.json)
	writeFileSync(options.json, JSON.stringify({ machine: about, ...rows }, null, '\t'));
