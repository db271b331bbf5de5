// SPDX-License-Identifier: MIT
// Words of documents that have none yet are kept of all their chunks, also of those that come while
// the statement is under way.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { endHolders, IndexTenant, settings } from './lib/index-tenant.mjs';
import { build, Stack } from './lib/stack.mjs';

const stack = new Stack('text-owed');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate(settings);
});
after(() => {
	endHolders();
	return stack.stop();
});

const keeping = execFileSync(join(build, 'tests/live/statement_print'), ['missing'],
	{ encoding: 'utf8' });

test('a chunk that comes between the beginning of the statement and its lock is found by its words',
	async () => {
		const t = await IndexTenant.make(stack, gate, 'owed', 1);
		await t.fill(20);
		// A policy makes each row of the scan wait, behind the snapshot and before the lock.
		await t.sql(`create role keeper; grant all on all tables in schema public to keeper;
			grant all on all sequences in schema public to keeper;
			create function waits() returns boolean language plpgsql as $$ begin
				perform pg_advisory_lock_shared(42); perform pg_advisory_unlock_shared(42);
				return true; end $$;
			alter table document enable row level security;
			create policy slow on document using (waits())`);
		const keep = () => t.sql(`set role keeper; prepare keep as ${keeping}; execute keep('english')`);
		const release = await t.hold('select pg_advisory_lock(42)');
		const kept = keep();
		await t.waits('set role keeper');
		await t.sql(`update document set chunks = 21 where id = 'hay';
			insert into chunk (document_id, chunk_index, content, embedding)
			select 'hay', 20, 'straw', embedding from chunk where chunk_index = 1`);
		await release();
		assert.deepEqual(await kept, [['0']]);
		assert.deepEqual(await keep(), [['1']]);
		assert.deepEqual(await t.sql("select chunks from text_posting where lexeme = 'straw'"), [['1']]);
	});
