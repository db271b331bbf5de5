// SPDX-License-Identifier: MIT
// The C programs of this folder (test_NAME.c) against a real Postgres and a real Redis: each of
// their own tests counts by itself. TG_PROGRAMS names some of them, with blanks between; else all.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, source, Stack } from './lib/stack.mjs';

const wanted = process.env.TG_PROGRAMS?.split(' ');
const programs = readdirSync(join(source, 'tests/live')).filter((f) => /^test_.*\.c$/.test(f))
	.map((f) => basename(f, '.c')).filter((name) => wanted?.includes(name) ?? true);
const limit = 1000 * Number(process.env.TG_LIVE_SECONDS ?? 600) - 10000;
// It waits for more than a minute, most of the time for nothing: so it runs beside the others, with
// servers of its own.
const LONG = 'test_tenant';
const stack = new Stack('programs'), apart = new Stack('programs-apart');
let early;

before(async () => {
	for (const one of [stack, apart]) {
		await one.postgres();
		// Hashed anew, with as many rounds as elsewhere: test_pg_logins is of what logins cost.
		await one.sql(`alter role postgres password '${one.pg.password}'`);
		await one.redis();
	}
	if (programs.includes(LONG))
		early = run(LONG, apart);
});
after(async () => {
	await stack.stop();
	await apart.stop();
});

function run(name, { pg, cache } = stack) {
	const env = { ...process.env, CMOCKA_MESSAGE_OUTPUT: 'TAP', srcdir: source,
		TEST_PG: pg.conninfo, TEST_PG_URL: pg.url('postgres'),
		TEST_REDIS: `127.0.0.1:${cache.port}` };
	return new Promise((resolve) => {
		execFile(join(build, 'tests/live', name), { env, cwd: build, maxBuffer: 16 << 20, timeout: limit },
			(error, stdout, stderr) => resolve({ error, stdout, stderr }));
	});
}

programs.sort((a, b) => (a === LONG) - (b === LONG));
for (const name of programs) {
	test(name, async (t) => {
		const { error, stdout, stderr } = await (name === LONG ? early : run(name));
		const plan = /^1\.\.(\d+)$/m.exec(stdout);
		const said = [...stdout.matchAll(/^(not )?ok \d+ - (.*)$/gm)];
		for (const [, not, title] of said)
			await t.test(title, () => assert.ok(!not && !/# *SKIP/.test(title),
				`${stdout}\n${stderr}`));
		assert.ok(plan, `no plan: ${error}\n${stdout}\n${stderr}`);
		assert.equal(said.length, Number(plan[1]), `${stdout}\n${stderr}`);
		assert.equal(error, null, `${error}\n${stderr}`);
	});
}
