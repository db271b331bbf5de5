// SPDX-License-Identifier: MIT
// A catalog that is not as the example application's migrations leave it: what cannot be copied is
// skipped with its reason, and all that can be is copied; nothing in it stops the run for good.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { PASSWORD, tools } from './lib/app-catalog.mjs';
import { Stack } from './lib/stack.mjs';

const stack = new Stack('adopt-hostile');
let gate;

before(async () => {
	await stack.surroundings();
	await stack.sql(`create role app login password '${PASSWORD}'`);
	gate = await stack.tenantgateWithAdmin({ allowed_networks: '127.0.0.1' });
});
after(() => stack.stop());

const { adopt, ours } = tools(stack, () => gate);

// With the columns that are read, and nothing that says what may be in them.
async function looseCatalog(db, text, number = 'integer') {
	await stack.sql(`create database ${db}`);
	await stack.sql(`
		create table users (id ${number}, user_id text, name text, email text, avatar_url text,
			created_at timestamptz);
		create table documents (id ${number}, document_id text, user_id ${number}, title text,
			file_name text, created_at timestamptz);
		create table vector_databases (vector_db_id text, user_id ${number});
		${text};
		grant select on all tables in schema public to app`, db);
}

const byReason = (run, kind) => Object.fromEntries(run.last.reasons.filter((r) => r.kind === kind)
	.map((r) => [r.reason.split(' ').slice(0, 4).join(' '), r.count]));

test('ids that are there twice, not at all, or are longer than any index takes', async () => {
	await looseCatalog('loose', `
		insert into users (id, user_id, name) values (1, null, null), (2, null, 'n'), (3, '', null),
			(4, repeat('x', 9000), null), (5, repeat('x', 9001), null), (6, 'usr_twice', 'First'),
			(7, 'usr_twice', 'Second');
		insert into users values (8, 'usr_fine', repeat('n', 100000), E'\\x1b[2J', repeat('u', 100000), 'infinity');
		insert into vector_databases values (null, 8), (repeat('p', 9000), 8), ('../../x', 8),
			('p1', 1), ('p2', 4);
		insert into documents (id, document_id, user_id, title) values (1, null, 8, null),
			(2, null, 8, 't'), (3, '', 8, null), (4, repeat('d', 9000), 8, null),
			(5, repeat('d', 9001), 8, null), (6, 'doc_twice', 8, 'First'),
			(7, 'doc_twice', 8, 'Second'), (9, 'doc_twice', 6, 'Of another');
		insert into documents values (8, 'doc_fine', 8, repeat('t', 100000), repeat('f', 100000),
			'-infinity')`);
	const run = await adopt('loose');
	assert.equal(run.status, 200, run.body);
	assert.equal(run.last.done, true, run.body);
	assert.deepEqual(run.last.copied, { users: 2, projects: 0, documents: 3 });
	assert.deepEqual(await ours("select user_id, left(name, 6) from users order by 1"),
		[['usr_fine', 'nnnnnn'], ['usr_twice', 'First']]);
	assert.deepEqual(await ours('select user_id, document_id, left(title, 5) from documents order by 1, 2'),
		[['usr_fine', 'doc_fine', 'ttttt'], ['usr_fine', 'doc_twice', 'First'],
			['usr_twice', 'doc_twice', 'Of an']]);
	assert.equal(Object.keys(byReason(run, 'user')).length, 2, run.body);
	assert.ok(run.lines.filter((l) => l.skipped?.kind === 'user').length >= 5, 'each is told');
	assert.ok(run.lines.filter((l) => l.skipped?.kind === 'document').length >= 5, 'each is told');
	const again = await adopt('loose');
	assert.deepEqual([again.status, again.last.copiedNow, again.last.copied], [200, 0, run.last.copied]);
});

test('more than a page can hold, in one row of it', async () => {
	await looseCatalog('huge', `
		insert into users select i, 'usr_' || repeat('x', 1000000) from generate_series(1, 100) i;
		insert into users values (101, 'usr_last');
		insert into vector_databases select repeat('p', 1000000), i from generate_series(1, 100) i;
		insert into documents select i, repeat('d', 1000000), 101 from generate_series(1, 100) i;
		insert into documents values (101, 'doc_last', 101)`);
	const run = await adopt('huge');
	assert.equal(run.status, 200, run.body.slice(0, 1000));
	assert.deepEqual(run.last.copied, { users: 1, projects: 0, documents: 1 });
});

test('numbers that are none of a serial end the run as the catalog\'s fault, not as ours', async () => {
	for (const [db, number, value] of [['wide', 'numeric', '1e30'], ['broken', 'numeric', '0.5'],
		['nothing', 'float8', "'NaN'"]]) {
		await looseCatalog(db, `insert into users values (${value}, 'usr_number')`, number);
		for (const query of ['', '?dryRun=true']) {
			const run = await adopt(db, { query });
			const why = run.last.error ?? run.last;
			assert.deepEqual([why.status, why.code], [400, 'invalid_field'], `${db}: ${run.body}`);
			assert.match(why.detail, /no serials/);
		}
	}
	assert.deepEqual(await ours("select * from users where user_id = 'usr_number'"), []);
});
