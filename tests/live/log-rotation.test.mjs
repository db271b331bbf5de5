// SPDX-License-Identifier: MIT
// The log by SIGHUP: a file that was renamed is left at once and for good, no line is lost, and
// where the new one cannot be opened the log says so and goes on in the old one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync,
	writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, until } from './lib/process.mjs';
import { Gate, programs, Stack } from './lib/stack.mjs';

const NOBODY = 65534;
const stack = new Stack('log-rotation');
const isRoot = process.getuid() === 0;
let folder, log, gate;

const lines = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '').split('\n').filter((line) => line !== '')
	.map((line) => JSON.parse(line));
const ids = (path) => lines(path).filter((line) => line.request_id?.startsWith('r-'))
	.map((line) => line.request_id);
let serial = 0;
const request = () => gate.anonymous.get('/documents', { headers: { 'x-request-id': `r-${++serial}` } });
const hup = async (path, event) => {
	const had = lines(path).filter((line) => line.event === event).length;
	gate.program.kill('SIGHUP');
	await until(event, () => lines(path).filter((line) => line.event === event).length > had);
};

before(async () => {
	await stack.surroundings({ neon: false });
	const closed = join(stack.dir, 'closed'); // to the user that serves: root opens it
	folder = join(closed, 'log');
	mkdirSync(folder, { recursive: true });
	chmodSync(closed, 0o700);
	log = join(folder, 'tenantgate.log');
	if (isRoot)
		chownSync(folder, NOBODY, NOBODY);
	const port = await freePort();
	const program = stack.program('tenantgate', programs.tenantgate(),
		['-c', stack.conf({ log_file: log, listen_port: port })]);
	gate = new Gate(program, port);
	await until('it is ready', async () =>
		(await gate.anonymous.get('/readyz').catch(() => null))?.status === 200);
});
after(() => stack.stop());

test('a rename and SIGHUP while it is written: no line is lost, none is late in the old file', async () => {
	let over = false;
	const askers = Array.from({ length: 4 }, async () => {
		while (!over)
			await request();
	});
	for (let i = 1; i <= 3; i++) {
		renameSync(log, `${log}.${i}`);
		gate.program.kill('SIGHUP');
		await until('the new file is there', () => existsSync(log) &&
			lines(log).some((line) => line.event === 'log.reopened'));
	}
	over = true;
	await Promise.all(askers);
	const old = [1, 2, 3].flatMap((i) => ids(`${log}.${i}`));
	const all = [...old, ...ids(log)];
	assert.equal(all.length, serial, 'each once');
	assert.deepEqual(new Set(all), new Set(Array.from({ length: serial }, (_, i) => `r-${i + 1}`)));
	await request();
	assert.equal(ids(log).at(-1), `r-${serial}`);
	assert.equal([1, 2, 3].flatMap((i) => ids(`${log}.${i}`)).length, old.length);
});

test("in a folder of root's: a file that was made for it is taken, else it says so and goes on", {
	skip: !isRoot && 'only root can make such a folder' }, async () => {
	chownSync(folder, 0, 0);
	renameSync(log, `${log}.4`);
	await hup(`${log}.4`, 'log.reopen');
	const said = lines(`${log}.4`).find((line) => line.event === 'log.reopen');
	assert.match(said.message, /Permission denied.*old file is still written/);
	await request();
	assert.equal(ids(`${log}.4`).at(-1), `r-${serial}`);
	writeFileSync(log, '', { mode: 0o640 });
	chownSync(log, NOBODY, NOBODY);
	await hup(log, 'log.reopened');
	await request();
	assert.equal(ids(log).at(-1), `r-${serial}`);
	assert.notEqual(ids(`${log}.4`).at(-1), `r-${serial}`);
});

test('a pipe that nobody reads is no log, and holds nobody up', async () => {
	const kept = `${log}.5`;
	renameSync(log, kept);
	execFileSync('mkfifo', ['-m', '666', log]);
	await hup(kept, 'log.reopen');
	assert.match(lines(kept).filter((line) => line.event === 'log.reopen').at(-1).message,
		/No such device or address.*old file is still written/);
	await request();
	assert.equal(ids(kept).at(-1), `r-${serial}`);
	rmSync(log);
});

test('a folder that was removed and made again has the next file', async () => {
	const kept = `${folder}.away`;
	if (isRoot)
		chmodSync(join(stack.dir, 'closed'), 0o755);
	renameSync(folder, kept);
	rmSync(kept, { recursive: true });
	mkdirSync(folder);
	chmodSync(folder, 0o777);
	await hup(log, 'log.reopened');
	await request();
	assert.equal(ids(log).at(-1), `r-${serial}`);
});
