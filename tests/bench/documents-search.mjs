// SPDX-License-Identifier: MIT
// A search through tenantgate beside a bare statement's: the two take turns, so that neither finds
// the processor's caches in a better state than the other.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { built } from '../live/lib/stack.mjs';
import { DIMENSIONS, vectorOf } from './documents-model.mjs';

export const K = 10;

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const part = (numbers, p) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length * p)];

// Milliseconds of processor that a process has used, which others on the machine change less than
// the time. Linux counts nanoseconds where it schedules, else ticks of ten milliseconds.
export function processor(pid) {
	const exact = `/proc/${pid}/schedstat`;
	if (existsSync(exact))
		return Number(readFileSync(exact, 'utf8').split(' ')[0]) / 1e6;
	const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return 10 * (Number(fields[11]) + Number(fields[12]));
}

// The processes of Postgres that a tenant's connections have, with what those used that have gone.
export async function processorOf(stack, b) {
	const pids = await stack.sql(`select pid from pg_stat_activity where datname = '${b.db}' and
		application_name = 'tenantgate'`);
	for (const [pid] of pids)
		b.used.set(pid, processor(pid));
	return [...b.used.values()].reduce((sum, one) => sum + one, 0);
}

// So many questions of passages all over `total`, their vectors in a table of the tenant's database.
export async function makeQuestions(stack, b, total, count) {
	const numbers = Array.from({ length: count }, (_, i) => Math.floor(i * total / count));
	const values = numbers.map((n, i) => `(${i}, ${n}, '[${[...vectorOf(`question ${n}`)]
		.map((x) => x.toFixed(7)).join(',')}]')`);
	await stack.sql(`drop table if exists question;
		create table question (number int, passage int, v vector)`, b.db);
	for (let i = 0; i < values.length; i += 5)
		await stack.sql(`insert into question values ${values.slice(i, i + 5).join(',')}`, b.db);
	return numbers.map((passage, number) => ({ number, passage }));
}

// With the true nearest of each, among the chunks of that condition.
export async function nearest(stack, b, questions, where = 'true') {
	const found = await stack.sql(`select number, (select string_agg(key, ' ') from (select
		document_id || '/' || chunk_index as key from chunk where ${where} order by embedding <=> v
		limit ${K}) x) from question order by number`, b.db);
	return questions.map((one, i) => ({ ...one, keys: new Set(found[i][1].split(' ')) }));
}

// The settings and the statement of an index's scan alone, with as many candidates as a search of K
// has; of all chunks, where there is no index.
export async function bareOf(stack, b) {
	const [[to, name]] = await stack.sql('select indexed_to, index_name from retrieval', b.db);
	if (name === '')
		return ['-c jit=off -c max_parallel_workers_per_gather=0',
			`select id, embedding <=> $1 as d from chunk order by d limit ${K}`];
	return ['-c jit=off -c enable_seqscan=off -c hnsw.ef_search=100',
		`select id, embedding <=> $1::vector as d from chunk where not tail or id <= ${to}
		order by embedding::halfvec(${DIMENSIONS}) <=> $1::vector::halfvec(${DIMENSIONS}) limit ${K}`];
}

// tests/bench/bare_query.c.
export class BareQuery {
	static async start(stack, b, [settings, sql]) {
		const bare = new BareQuery();
		bare.child = spawn(built('tests/bench/bare_query'), [stack.pg.url(b.db), settings, sql],
			{ stdio: ['pipe', 'pipe', 'inherit'] });
		bare.lines = createInterface({ input: bare.child.stdout })[Symbol.asyncIterator]();
		bare.pid = (await bare.next()).split(' ')[1];
		return bare;
	}

	async next() {
		const { value, done } = await this.lines.next();
		if (done)
			throw new Error('bare_query ended');
		return value;
	}

	async ask(number) {
		this.child.stdin.write(`${number}\n`);
		return Number(await this.next());
	}

	stop() {
		this.child.stdin.end();
	}
}

async function search(b, { passage }, body) {
	const began = performance.now();
	const answer = await b.client.search(`question ${passage}`, { topK: K, ...body });
	const took = performance.now() - began;
	if (answer.status !== 200)
		throw new Error(`search: ${answer.status} ${answer.body}`);
	return { took, keys: answer.json.results.map((r) => `${r.documentId}/${r.chunk}`) };
}

// What part of the nearest was found, of so many answers to questions.
export function recallOf(answers, asked) {
	const nearest = new Map(asked.map(({ number, keys }) => [number, keys]));
	const wanted = answers.reduce((sum, { number }) => sum + nearest.get(number).size, 0);
	return answers.reduce((sum, { number, keys }) =>
		sum + keys.filter((key) => nearest.get(number).has(key)).length, 0) / wanted;
}

// Each question by a search and, half-way round the list, by the bare statement.
export async function ask({ stack, gate }, b, asked, bare, body = {}) {
	const before = gate.lines().length;
	const cpu = await processorOf(stack, b), bareCpu = processor(bare.pid);
	const total = [], bareTimes = [], answers = [];
	for (const [i, question] of asked.entries()) {
		const one = await search(b, question, body);
		total.push(one.took);
		answers.push({ number: question.number, keys: one.keys });
		bareTimes.push(await bare.ask(asked[(i + (asked.length >> 1)) % asked.length].number));
	}
	const times = gate.lines().slice(before).filter((l) => l.route === 'search')
		.map((l) => l.t_search);
	return { p50: median(times), p99: part(times, 0.99), request: median(total), answers,
		cpu: (await processorOf(stack, b) - cpu) / asked.length, bare: median(bareTimes),
		bareCpu: (processor(bare.pid) - bareCpu) / asked.length };
}

// The row of a table: searches with that body, the bare statement beside them.
export async function compare(bench, b, asked, statement, body) {
	const bare = await BareQuery.start(bench.stack, b, statement);
	try {
		await ask(bench, b, asked.slice(0, 20), bare, body);
		const measured = await ask(bench, b, asked, bare, body);
		return { ...measured, answers: [], recall: recallOf(measured.answers, asked),
			ratio: measured.p50 / measured.bare,
			cpuRatio: measured.cpu / measured.bareCpu };
	} finally {
		bare.stop();
	}
}
