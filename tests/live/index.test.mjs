// SPDX-License-Identifier: MIT
// The index of a tenant's vectors: made past some thousand chunks, merged into, made anew, by one
// replica, whatever is killed meanwhile; and what is stored is found all the time, what is deleted
// never.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('index');
const settings = { workers: 2, rate_limit_requests_per_minute: 0, embedding_dimensions: 8,
	embedding_send_dimensions: 'on' };
const holders = new Set();
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate(settings);
});
after(() => {
	for (const child of holders)
		child.kill('SIGKILL');
	return stack.stop();
});

async function another() {
	const next = await stack.tenantgate(settings);
	next.serviceKey = await gate.service();
	return next;
}

// A tenant with some documents whose text finds them, and a database of its own.
class Tenant {
	static async make(name, needles = 5) {
		const t = new Tenant();
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

	sql(text) {
		return stack.sql(text, this.db);
	}

	// Chunks that no question is near to, in a document of that id.
	async fill(count, id = 'hay') {
		await this.sql(`insert into document (id, title, file_name, mime_type, sha256, bytes, pages,
				chunks) values ('${id}', '', '', 'text/plain', 'x', 1, 0, ${count});
			insert into chunk (document_id, chunk_index, content, embedding)
				select '${id}', i, 'hay', (select array_agg(random() - 0.5 + 0 * (i + g))
				from generate_series(1, 8) g)::vector from generate_series(1, ${count}) i`);
	}

	async state() {
		const [[to, name, merger]] = await this.sql(
			"select indexed_to, index_name, coalesce(merger, '') from retrieval");
		const indexes = await this.sql(`select relname, indisvalid, i.oid from pg_index x
			join pg_class i on i.oid = indexrelid where indrelid = 'chunk'::regclass and
			relname ~ '^chunk_(halfvec|vector|embedding)' order by 1`);
		const [[tail, rows]] = await this.sql(
			`select count(*) filter (where tail and id > ${to}), count(*) from chunk`);
		return { to: Number(to), name, merger, indexes, tail: Number(tail), rows: Number(rows) };
	}

	// Nobody is at work, and the one index is the published one.
	async settled(what, accepts = () => true, ms = 20000) {
		let last;
		await until(what, async () => {
			last = await this.state();
			return last.merger === '' && last.indexes.length === (last.name === '' ? 0 : 1) &&
				last.indexes.every(([name, valid]) => name === last.name && valid === 't') &&
				accepts(last);
		}, ms).catch((error) => {
			throw new Error(`${error.message}\n${JSON.stringify(last)}\n${gate.program.text().split('\n')
				.filter((line) => !line.includes('"access"')).slice(-15).join('\n')}`);
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
		const { to } = await this.state();
		return (await this.sql(`set enable_seqscan = off; set jit = off; set hnsw.ef_search = 400;
			select c.id from chunk c where (not tail or id <= ${to}) and ${where} and id <>
				(select n.id from chunk n where (not n.tail or n.id <= ${to}) order by
				n.embedding::halfvec(8) <=> c.embedding::halfvec(8) limit 1)`)).flat();
	}

	// Holds a transaction open that has done so, idle, until it is called.
	async hold(statements) {
		const name = `hold${Math.random()}`;
		const child = spawn('psql', ['-X', '-q', '-d', stack.pg.url(this.db)],
			{ stdio: ['pipe', 'ignore', 'inherit'] });
		const exit = new Promise((resolve) => child.once('exit', resolve));
		holders.add(child);
		child.stdin.write(`set application_name = '${name}'; begin; ${statements};\n`);
		await until('it is held', async () => (await stack.sql(`select 1 from pg_stat_activity where
			application_name = '${name}' and state = 'idle in transaction'`)).length > 0);
		return async () => {
			child.stdin.end();
			await exit;
		};
	}

	waits(pattern) {
		return until(`${pattern} waits`, async () => (await stack.sql(`select 1 from pg_stat_activity
			where datname = '${this.db}' and state = 'active' and wait_event_type = 'Lock' and
			query ~ '^${pattern}'`)).length > 0);
	}

	// Its lease would last for a minute.
	async leaseEnds() {
		await this.sql("update retrieval set merger_until = now() where merger <> ''");
	}
}

const built = (...gates) => gates.flatMap((g) => g.lines().filter((l) => l.event === 'index.built'));

// The server has noticed that its client is gone.
function ended(t) {
	return until('its connections end', async () => (await stack.sql(`select 1 from pg_stat_activity
		where datname = '${t.db}' and application_name = 'tenantgate' and query ~
		'^(CREATE|DROP|WITH kept|UPDATE public.retrieval)' and state = 'active'`)).length === 0);
}

test('few chunks have no index; past 2,500 it is made, and what comes later is merged', async () => {
	const t = await Tenant.make('grows');
	await t.fill(2400);
	await t.put('grows a');
	assert.equal((await t.settled('nothing is made')).name, '');
	await t.findsAll();
	await t.fill(200, 'more');
	await t.put('grows b');
	const first = await t.settled('there is an index', (s) => s.name !== '');
	assert.match(first.name, /^chunk_halfvec_\d+$/);
	assert.equal(first.tail, 0);
	assert.deepEqual(await t.sql('select index_rows, index_bytes > 0 from retrieval'),
		[[String(first.rows), 't']]);
	await t.findsAll();
	// So many are left in the tail; a document of few chunks is not.
	await t.fill(850, 'tail');
	await t.put('grows c');
	assert.equal((await t.settled('the tail stays')).tail, 850);
	await t.fill(1200, 'later');
	await t.put('grows d');
	const second = await t.settled('it is made anew', (s) => s.to > first.to);
	assert.equal(second.tail, 0);
	await t.fill(1050, 'last');
	await t.put('grows e');
	const third = await t.settled('it is merged', (s) => s.tail < 200);
	assert.equal(third.name, second.name);
	assert.ok(Number((await t.sql('select count(*) from chunk where not tail'))[0][0]) >= 1000);
	await t.findsAll();
	assert.ok((await t.missed('id % 25 = 0')).length < third.rows / 25 / 20);
});

test('searches go on and find all while it is built and merged', async () => {
	const t = await Tenant.make('reads');
	await t.fill(4000);
	const release = await t.hold('insert into document select \'held\', title, file_name, mime_type, ' +
		"metadata, sha256, bytes, pages, 1 from document limit 1; insert into chunk (document_id, " +
		"chunk_index, content, embedding) select 'held', 0, 'held', embedding from chunk limit 1");
	await t.put('reads a');
	await t.waits('CREATE INDEX CONCURRENTLY');
	await t.findsAll();
	await t.put('reads b');
	assert.equal((await t.client.ask('DELETE', '/documents/reads-needle-0')).status, 204);
	t.needles.shift();
	await t.findsAll();
	let done = false;
	const reader = (async () => {
		let rounds = 0;
		for (; !done; rounds++)
			await t.findsAll();
		return rounds;
	})();
	await release();
	await t.settled('there is an index', (s) => s.name !== '');
	await t.fill(1100, 'later');
	await t.put('reads c');
	await t.settled('it is merged', (s) => s.tail < 1001);
	done = true;
	assert.ok(await reader > 0);
	await t.findsAll();
	const gone = await t.client.search('reads needle 0', { topK: 10 });
	assert.ok(gone.json.results.every((r) => r.content !== 'reads needle 0'));
});

test('rows that took their ids before a build, and are committed after it, are found', async () => {
	const t = await Tenant.make('late');
	await t.fill(3000);
	const ids = (await t.sql("select nextval('chunk_id_seq') from generate_series(1, 3)")).flat();
	await t.put('late a');
	const { to, name } = await t.settled('there is an index', (s) => s.name !== '');
	assert.ok(ids.every((id) => Number(id) < to));
	// The needle's chunk comes again, with one of those ids.
	await t.sql(`update chunk set id = ${ids[0]} where content = 'late a'`);
	await t.sql(`update chunk set id = ${ids[1]} where content = 'late needle 1'`);
	assert.deepEqual(await t.sql(`select tail from chunk where id in (${ids[0]}, ${ids[1]})`),
		[['t'], ['t']]);
	await t.findsAll();
	assert.deepEqual(await t.missed(`id in (${ids[0]}, ${ids[1]})`), []);
	assert.equal((await t.state()).name, name);
});

test('a new index comes when a fifth is deleted; with few chunks left there is none', async () => {
	const t = await Tenant.make('dies');
	await t.fill(2000, 'a');
	await t.fill(700, 'b');
	await t.fill(1000, 'c');
	await t.put('dies a');
	const first = await t.settled('there is an index', (s) => s.name !== '');
	await t.sql("delete from document where id = 'b'");
	await t.put('dies b');
	assert.equal((await t.settled('it stays')).name, first.name);
	await t.sql("delete from chunk where document_id = 'c' and chunk_index <= 200; " +
		"update document set chunks = 800 where id = 'c'");
	await t.put('dies c');
	const second = await t.settled('it is made anew', (s) => s.name !== first.name);
	assert.equal(second.tail, 0);
	await t.findsAll();
	assert.equal((await t.client.ask('DELETE', '/documents/dies-needle-1')).status, 204);
	t.needles = t.needles.filter((n) => n !== 'dies needle 1');
	await t.sql("delete from document where id = 'a'");
	await t.put('dies d');
	const third = await t.settled('there is none', (s) => s.name === '');
	assert.equal(third.to, 0);
	await t.findsAll();
	await t.fill(2000, 'again');
	await t.put('dies e');
	await t.settled('there is one again', (s) => s.name !== '');
	await t.findsAll();
});

test('one that was made before, of all chunks, stays until there is another', async () => {
	const t = await Tenant.make('before');
	await t.fill(3000);
	await t.sql('create index chunk_embedding on chunk using hnsw (embedding vector_cosine_ops)');
	const release = await t.hold('lock table chunk in row exclusive mode');
	await t.put('before a');
	await t.waits('CREATE INDEX CONCURRENTLY');
	assert.ok((await t.state()).indexes.some(([name]) => name === 'chunk_embedding'));
	await t.findsAll();
	await release();
	await t.settled('there is the new one alone', (s) => s.name !== '');
	await t.findsAll();
});

test('two replicas: one builds', async () => {
	const t = await Tenant.make('both');
	const other = await another();
	const there = await other.tenant('both');
	const was = built(gate, other).length;
	await t.fill(4000);
	await Promise.all([t.put('both a'), there.ingestText('both b', { documentId: 'b' }),
		t.put('both c'), there.ingestText('both d', { documentId: 'd' })]);
	await t.settled('there is an index', (s) => s.name !== '');
	await other.program.stop();
	assert.equal(built(gate, other).length - was, 1);
	await t.findsAll();
});

// What is killed is in the middle of a step, which a lock holds there; another goes on.
async function killed(name, { rows = 3000, prepare = async () => {}, hold, waits,
	endsLater = false }) {
	const t = await Tenant.make(name);
	await t.fill(rows);
	await prepare(t);
	const victim = await another();
	const release = await hold(t);
	const there = await victim.tenant(name);
	assert.equal((await there.ingestText(`${name} v`, { documentId: 'v' })).status, 201);
	t.needles.push(`${name} v`);
	await waits(t);
	victim.program.kill('SIGKILL');
	await victim.program.exit;
	if (!endsLater)
		await ended(t);
	await release();
	await ended(t);
	const left = await t.state();
	assert.notEqual(left.merger, '', 'the lease is the dead one\'s');
	await t.findsAll();
	await t.leaseEnds();
	await t.put(`${name} w`);
	const end = await t.settled('another has gone on', (s) => s.name !== '' && s.tail < 1001);
	await t.findsAll();
	return { left, end };
}

test('killed while it builds: what is left is dropped, and made again', async () => {
	const { left, end } = await killed('kbuild', {
		hold: (t) => t.hold('lock table chunk in row exclusive mode'),
		waits: (t) => t.waits('CREATE INDEX CONCURRENTLY'),
	});
	assert.equal(left.name, '');
	assert.ok(left.indexes.every(([, valid]) => valid === 'f'));
	assert.equal(left.indexes.length, 1);
	assert.notEqual(end.indexes[0][2], left.indexes[0][2]);
});

test('killed before it publishes: the index is published, and not built again', async () => {
	let endWriter, endReader;
	const { left, end } = await killed('kpublish', {
		hold: async (t) => {
			endWriter = await t.hold('lock table chunk in row exclusive mode');
			return () => endReader();
		},
		waits: async (t) => {
			await t.waits('CREATE INDEX CONCURRENTLY');
			endReader = await t.hold('select from retrieval for update');
			await endWriter();
			await t.waits('UPDATE public.retrieval');
		},
		endsLater: true,
	});
	assert.equal(left.name, '');
	assert.equal(left.indexes[0][1], 't');
	assert.deepEqual(end.indexes, left.indexes);
});

test('killed while it drops the old one: that is dropped', async () => {
	const { left, end } = await killed('kdrop', {
		prepare: async (t) => {
			await t.put('kdrop a');
			await t.settled('there is an index', (s) => s.name !== '');
			await t.fill(3000, 'more');
		},
		hold: (t) => t.hold('select from chunk limit 1'), // keeps no build
		waits: (t) => t.waits('DROP INDEX CONCURRENTLY'),
	});
	assert.notEqual(left.name, '');
	assert.equal(left.indexes.length, 2);
	assert.equal(end.name, left.name);
});

test('killed while it merges: others go on', async () => {
	const { left, end } = await killed('kmerge', {
		rows: 4000,
		prepare: async (t) => {
			await t.put('kmerge a');
			await t.settled('there is an index', (s) => s.name !== '');
			await t.fill(1250, 'more');
			await t.sql(`create function stays() returns trigger language plpgsql as $$ begin
				if new.id % 300 = 0 then perform pg_advisory_xact_lock_shared(9); end if;
				return new; end $$;
				create trigger stays before update on chunk for each row execute function stays()`);
		},
		hold: (t) => t.hold('select pg_advisory_xact_lock(9)'),
		waits: (t) => t.waits('WITH kept'),
		endsLater: true,
	});
	assert.ok(left.tail > 1000);
	assert.equal(end.name, left.name);
});

test('a database that is asleep is not woken for it', async () => {
	const t = await Tenant.make('sleeps');
	await t.fill(3000);
	await stack.sql(`alter database "${t.db}" with allow_connections false`);
	await stack.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${t.db}'`);
	for (let i = 0; i < 5; i++)
		assert.equal((await t.client.get('/documents')).status, 200);
	assert.ok(!stack.pg.program.text().includes(`"${t.db}" is not currently accepting connections`));
	await stack.sql(`alter database "${t.db}" with allow_connections true`);
	await t.put('sleeps a');
	await t.settled('there is an index', (s) => s.name !== '');
});
