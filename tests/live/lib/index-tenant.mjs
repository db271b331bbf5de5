// SPDX-License-Identifier: MIT
// A tenant whose chunks come and go by the thousand, and what becomes of its index.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { sleep, until } from './process.mjs';

// Few dimensions: what is looked at is which chunks are found, not how well. One connection: what is
// done behind the requests keeps none of them waiting.
export const settings = { workers: 2, rate_limit_requests_per_minute: 0, embedding_dimensions: 8,
	embedding_send_dimensions: 'on', log_level: 'debug',
	default_pool_size: 1, query_wait_timeout: '3s' };

// Another replica, of the same keys.
export async function another(stack, gate, changes = {}) {
	const next = await stack.tenantgate({ ...settings, ...changes });
	next.serviceKey = await gate.service();
	return next;
}

const holders = new Set();

// What a failed test has left open.
export function endHolders() {
	for (const child of holders)
		child.kill('SIGKILL');
}

// It has some documents whose text finds them, and a database of its own.
export class IndexTenant {
	static async make(stack, gate, name, needles = 3, dimensions = settings.embedding_dimensions) {
		const t = new IndexTenant();
		t.dimensions = dimensions;
		t.stack = stack;
		t.gate = gate;
		t.name = name;
		t.client = await gate.tenant(name);
		t.needles = [];
		for (let i = 0; i < needles; i++)
			await t.put(`${name} needle ${i}`);
		[[t.db]] = await stack.sql(`select db_name from tenants where tenant_id = '${name}'`, 'catalog');
		return t;
	}

	// A document of one chunk; chunks have changed, so the index is looked at.
	async put(text) {
		const answer = await this.client.ingestText(text, { documentId: text.replaceAll(' ', '-') });
		assert.equal(answer.status, 201, answer.body);
		this.needles.push(text);
	}

	// What a document says of itself.
	async indexed(id) {
		const { total, indexed } = (await this.client.get(`/documents/${id}/chunks?limit=1`)).json;
		return { total, indexed };
	}

	sql(text) {
		return this.stack.sql(text, this.db);
	}

	// Chunks that no question is near to, in a document of that id.
	async fill(count, id = 'hay') {
		await this.sql(`insert into document (id, title, file_name, mime_type, sha256, bytes, pages,
				chunks) values ('${id}', '', '', 'text/plain', 'x', 1, 0, ${count});
			insert into chunk (document_id, chunk_index, content, embedding)
				select '${id}', i, 'hay', (select array_agg(random() - 0.5 + 0 * (i + g))
				from generate_series(1, ${this.dimensions}) g)::vector from generate_series(1, ${count}) i`);
	}

	async state() {
		const [[to, name, merger, tail, rows, indexes]] = await this.sql(`select indexed_to,
			index_name, coalesce(merger, ''), (select count(*) from chunk where tail and
			id > indexed_to), (select count(*) from chunk), (select json_agg(json_build_array(
			relname, case when indisvalid then 't' else 'f' end, i.oid) order by relname)
			from pg_index x join pg_class i on i.oid = indexrelid
			where indrelid = 'chunk'::regclass and relname ~ '^chunk_(halfvec|vector|embedding)')
			from retrieval`);
		return { to: Number(to), name, merger, tail: Number(tail), rows: Number(rows),
			indexes: JSON.parse(indexes || '[]') };
	}

	// Nobody is at work, and the one index is the published one.
	async settled(what, accepts = () => true, ms = 20000) {
		let last;
		await until(what, async () => {
			await sleep(50); // a look is a process
			last = await this.state();
			return last.merger === '' && last.indexes.length === (last.name === '' ? 0 : 1) &&
				last.indexes.every(([name, valid]) => name === last.name && valid === 't') &&
				accepts(last);
		}, ms).catch((error) => {
			const events = this.gate.lines().filter((line) => line.event !== 'access').slice(-15);
			throw new Error([error.message, ...[last, ...events].map(JSON.stringify)].join('\n'));
		});
		return last;
	}

	async findsAll(client = this.client) {
		for (const needle of this.needles) {
			const answer = await client.search(needle, { topK: 3 });
			assert.equal(answer.status, 200, answer.body);
			assert.equal(answer.json.results[0]?.content, needle, answer.body);
			assert.equal(answer.json.results.length, 3);
		}
	}

	// Those of the given chunks that the index alone does not find.
	async missed(where) {
		const { to, name } = await this.state();
		const settings = 'set enable_seqscan = off; set jit = off; set hnsw.ef_search = 400;';
		const query = `select c.id from chunk c where (not tail or id <= ${to}) and ${where} and id <>
			(select n.id from chunk n where (not n.tail or n.id <= ${to}) order by
			n.embedding::halfvec(8) <=> c.embedding::halfvec(8) limit 1)`;
		const plan = (await this.sql(`${settings} explain ${query}`)).flat().join('\n');
		assert.ok(plan.includes(`Index Scan using ${name} on chunk n`), plan);
		return (await this.sql(`${settings} ${query}`)).flat();
	}

	// Holds a transaction open that has done so, idle, until what it gives is called.
	async hold(statements) {
		const name = `hold${Math.random()}`;
		const child = spawn('psql', ['-X', '-q', '-d', this.stack.pg.url(this.db)],
			{ stdio: ['pipe', 'ignore', 'inherit'] });
		const exit = new Promise((resolve) => child.once('exit', resolve));
		holders.add(child);
		child.stdin.write(`set application_name = '${name}'; begin; ${statements};\n`);
		await until('it is held', async () => (await this.stack.sql(`select 1 from pg_stat_activity where
			application_name = '${name}' and state = 'idle in transaction'`)).length > 0);
		return async (end = 'rollback') => {
			child.stdin.end(`${end};\n`);
			await exit;
		};
	}

	waits(pattern) {
		return until(`${pattern} waits`, async () => (await this.stack.sql(`select 1 from pg_stat_activity
			where datname = '${this.db}' and state = 'active' and wait_event_type = 'Lock' and
			query ~ '^${pattern}'`)).length > 0);
	}

	// Its lease would last for a minute.
	async leaseEnds() {
		await this.sql("update retrieval set merger_until = now() where merger <> ''");
	}
}
