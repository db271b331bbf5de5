// SPDX-License-Identifier: MIT
// The program behind tests/bench/documents.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { until } from '../live/lib/process.mjs';
import { Stack } from '../live/lib/stack.mjs';
import { DIMENSIONS, EmbeddingServer } from './documents-model.mjs';
import { ask, bareOf, BareQuery, compare, K, makeQuestions, median, nearest, processorOf, recallOf }
	from './documents-search.mjs';
import { bookPdf } from '../live/lib/heavy-pdf.mjs';
import { copyRow } from './documents-copy.mjs';
import { ownRows } from './documents-own.mjs';
import { shapeRows } from './documents-shapes.mjs';
import { machine } from './report.mjs';

const { values: options } = parseArgs({ options: { large: { type: 'boolean' },
	quick: { type: 'boolean' }, sizes: { type: 'string' }, 'no-quality': { type: 'boolean' }, json: { type: 'string' } } });
const run = promisify(execFile);
const QUESTIONS = 200;
const stack = new Stack('documents-bench');
const rows = { ingest: [], search: [], shapes: [], own: [], pdf: [] };
let model, gate, settings;

const say = (text) => process.stderr.write(`${text}\n`);
const seconds = async (fn) => {
	const began = performance.now();
	await fn();
	return (performance.now() - began) / 1000;
};
// Seconds of processor that psql's own process of Postgres has used.
const ownProcessor = "select pg_read_file('/proc/self/stat')";
const ownSeconds = (stat) => {
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return (Number(fields[11]) + Number(fields[12])) / 100;
};

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

	// Seconds.
	async processor() {
		return await processorOf(stack, this) / 1000;
	}

	async indexed() {
		const [[to, merger, tail, rows]] = await stack.sql(`select indexed_to, coalesce(merger, ''),
			(select count(*) from chunk where tail and id > indexed_to),
			(select sum(chunks) from document) from retrieval`, this.db);
		return merger === '' && (Number(rows) <= 2500 || (Number(to) > 0 && Number(tail) <= 100));
	}

	// How many chunks are compared beside the index.
	async tail() {
		return Number((await stack.sql(`select count(*) from chunk c, retrieval where tail and
			c.id > indexed_to`, this.db))[0][0]);
	}

	whenIndexed() {
		return until('it is indexed', () => this.indexed(), 900000);
	}

	// From the 201 on its words are there: those of its last chunk, too.
	async isComplete(count) {
		const found = await this.client.search(`${this.count + count - 1}`, { mode: 'text', topK: 1 });
		if (found.json.results[0]?.chunk !== count - 1)
			throw new Error(`its words are not there: ${found.body}`);
	}

	// One document of so many chunks: how long until its 201, and until its index.
	async ingest(count, { waits = true } = {}) {
		const body = text(this.count, count);
		const cpu = await this.processor();
		const began = performance.now();
		model.begin();
		const answer = await this.client.ask('POST', `/ingest?documentId=d${this.count}`,
			{ headers: { 'content-type': 'text/plain' }, body });
		if (answer.status !== 201)
			throw new Error(`ingest: ${answer.status} ${answer.body}`);
		if (answer.json.document.chunks !== count)
			throw new Error(`ingest: ${answer.body}`);
		const stored = (performance.now() - began) / 1000;
		const storedCpu = await this.processor() - cpu;
		await this.isComplete(count);
		this.count += count;
		if (waits)
			await this.whenIndexed();
		return { stored, embedding: model.seconds, storedCpu,
			indexed: (performance.now() - began) / 1000, indexedCpu: await this.processor() - cpu };
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
		return ownSeconds(stdout.trim().split('\n').at(-1));
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

async function ingestRow(b, count, kind, ingest = () => b.ingest(count)) {
	say(`${kind} of ${count} chunks`);
	const took = await ingest();
	const bare = await floor(b, count);
	rows.ingest.push({ kind, count, ...took, ...bare,
		copyRatio: (took.stored - took.embedding) / bare.copy,
		indexRatio: (took.indexed - took.embedding) / (bare.copy + bare.index),
		cpuRatio: took.indexedCpu / (bare.copyCpu + bare.indexCpu) });
}

// A first load, too, but of rows that an app has in that database.
async function copyOf(from) {
	const to = await Bench.make('copied');
	const other = await stack.tenantgate(settings);
	other.serviceKey = await gate.service();
	const looks = await other.tenant('copied');
	await ingestRow(to, from.count, "copy of an app's table", () => copyRow(run, { stack }, from, to, looks));
	await other.program.stop();
}

// In the server, in a loop: without a client, a network, the documents' rows, or anything else that
// is in the processor's caches.
async function loopSearch(b) {
	const [settings, sql] = await bareOf(stack, b);
	const set = settings.replaceAll(/-c (\S+)=(\S+)/g, 'set $1 = $2;');
	const [[ms]] = await stack.sql(`${set}
		create or replace function pg_temp.bare() returns float language plpgsql as $$ declare
			q record; r record; t timestamptz; times float[]; begin
			for q in select v from question loop
				t := clock_timestamp();
				for r in ${sql.replaceAll('$1', 'q.v')} loop end loop;
				times := times || extract(epoch from clock_timestamp() - t)::float;
			end loop;
			return (select percentile_cont(0.5) within group (order by x) from unnest(times) x);
		end $$;
		select 1000 * pg_temp.bare()`, b.db);
	return Number(ms);
}

async function searchRow(b, what) {
	say(`search of ${b.count} chunks, ${what}`);
	const asked = await nearest(stack, b, await makeQuestions(stack, b, b.count, QUESTIONS));
	const row = await compare({ stack, gate }, b, asked, await bareOf(stack, b));
	rows.search.push({ count: b.count, what, ...row, loop: await loopSearch(b) });
}

// As many questions as it takes, while an index is merged into.
async function searchMerging(b, count) {
	const asked = await makeQuestions(stack, b, b.count + count, QUESTIONS);
	say(`search while ${count} chunks are merged`);
	const bare = await BareQuery.start(stack, b, await bareOf(stack, b));
	await b.ingest(count, { waits: false });
	const all = { p50: [], p99: [], request: [], bare: [] };
	const answers = [];
	while (!await b.indexed()) {
		const from = answers.length % QUESTIONS;
		const one = await ask({ stack, gate }, b, asked.slice(from, from + 20), bare);
		answers.push(...one.answers);
		for (const [key, list] of Object.entries(all))
			list.push(one[key]);
	}
	bare.stop();
	const p50 = median(all.p50), alone = median(all.bare);
	rows.search.push({ count: b.count, what: 'while it is merged', p50, p99: Math.max(...all.p99),
		request: median(all.request), bare: alone, ratio: p50 / alone,
		recall: recallOf(answers, await nearest(stack, b, asked)), cpu: NaN, bareCpu: NaN, cpuRatio: NaN,
		loop: NaN });
}

// A provider's calls take a second, say.
async function pdfRow(pages) {
	say(`a PDF of ${pages} pages`);
	const client = await gate.tenant('reader');
	await client.ingestText('A first text.');
	const body = bookPdf(pages);
	model.delay = 1000;
	model.begin();
	const stored = await seconds(async () => {
		const answer = await client.ask('POST', '/ingest',
			{ headers: { 'content-type': 'application/pdf' }, body });
		if (answer.status !== 201 || answer.json.document.pages !== pages)
			throw new Error(`ingest: ${answer.status} ${answer.body}`);
		rows.pdf.push({ pages, count: answer.json.document.chunks });
	});
	Object.assign(rows.pdf.at(-1), { embedding: model.seconds, stored, ratio: stored / model.seconds });
	model.delay = 0;
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
	settings = { model_url: model.url, rate_limit_requests_per_minute: 0,
		max_document_text: '128MiB', max_document_size: '128MiB', max_ingest_memory: '2GiB',
		ingest_timeout: '30m', chunk_size: 1000, chunk_overlap: 0 };
	gate = await stack.tenantgate(settings);
	const sizes = options.sizes?.split(',').map(Number) ??
		(options.quick ? [10000] : [10000, 13500, 30000, ...(options.large ? [100000] : [])]);
	const grown = await Bench.make('grown');
	const shaped = await Bench.make('shaped');
	await grown.ingest(41);
	await searchRow(grown, 'no index');
	await grown.ingest(2400 - grown.count);
	await searchRow(grown, 'no index');
	rows.shapes.push(...await shapeRows({ stack, gate }, shaped, text, grown.count));
	for (const size of sizes) {
		await ingestRow(grown, size - grown.count, 'later load');
		await searchRow(grown, 'indexed');
		say(`searches among some documents of ${size} chunks`);
		rows.shapes.push(...await shapeRows({ stack, gate }, shaped, text, size));
		say(`searches of a user's own documents of ${size} chunks`);
		rows.own.push(...await ownRows({ stack, gate }, shaped, size));
	}
	if (options.large)
		await copyOf(grown);
	await searchMerging(grown, 2000);
	await grown.ingest(80);
	await searchRow(grown, `indexed, ${await grown.tail()} behind it`);
	await pdfRow(300);
	for (const size of options.sizes || options.quick ? sizes.slice(0, 1) : [10000, 30000])
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
table('A PDF: seconds. 201: until it is ready. Each call of the model takes one.',
	[['pages', 'pages', 0], ['chunks', 'count', 0], ['model', 'embedding', 2], ['201', 'stored', 2],
		['x model', 'ratio', 2]], rows.pdf);
table('Search: milliseconds of the median. bare: a prepared query of an index alone, by a client, in ' +
	'turn with the searches. CPU: of Postgres, of one. loop: the bare one again and again in the server.',
[['chunks', 'count', 0], ['', 'what'], ['search', 'p50', 2], ['p99', 'p99', 2],
	['request', 'request', 2], ['bare', 'bare', 2], ['x bare', 'ratio', 2],
	['CPU', 'cpu', 2], ['bare', 'bareCpu', 2], ['x CPU', 'cpuRatio', 2],
	['recall@10', 'recall', 3], ['loop', 'loop', 2]], rows.search);
table('Search among some documents: the same. exact: all distances of those documents\' chunks, ' +
	'by a client that knows which they are.',
[['chunks', 'count', 0], ['', 'what'], ['of them', 'matching', 0], ['search', 'p50', 2],
	['p99', 'p99', 2], ['exact', 'bare', 2], ['x exact', 'ratio', 2], ['CPU', 'cpu', 2],
	['exact', 'bareCpu', 2], ['recall@10', 'recall', 3]], rows.shapes);
table('Search of a token that has its user\'s own documents alone, a third: the same. all: the same ' +
	'searches of all documents, in turn with those.',
[['chunks', 'count', 0], ['', 'mode'], ['of them', 'matching', 0], ['own', 'p50', 2], ['all', 'all', 2],
	['x all', 'ratio', 2], ['CPU', 'cpu', 2], ['all', 'allCpu', 2], ['x CPU', 'cpuRatio', 2]], rows.own);
if (options.json)
	writeFileSync(options.json, JSON.stringify({ machine: about, ...rows }, null, '\t'));
