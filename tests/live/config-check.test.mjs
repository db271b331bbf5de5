// SPDX-License-Identifier: MIT
// tenantgate -t: all that a start would refuse, at once; what it would take and warns of; and that
// it leaves nothing behind.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from './lib/process.mjs';
import { programs, Stack } from './lib/stack.mjs';

const stack = new Stack('config-check');
const isRoot = process.getuid() === 0;

before(() => stack.surroundings({ neon: false }));
after(() => stack.stop());

// What no machine is too small for.
const modest = { max_client_conn: 100, extract_max_memory: '32MiB', max_ingest_memory: '128MiB' };

const check = (path) => new Promise((resolve) => {
	execFile(programs.tenantgate(), ['-t', '-c', path], (error, stdout, stderr) =>
		resolve({ code: error?.code ?? 0, stdout, lines: stderr.split('\n').filter((l) => l !== '') }));
});

// The lines of the findings of a key, by its line in the file.
const of = (result, path, key) => {
	const line = readFileSync(path, 'utf8').split('\n').findIndex((l) => l.startsWith(`${key} =`)) + 1;
	return result.lines.filter((l) => l.startsWith(`${path}:${line}: `));
};

test('a file that is fine: 0, beside the process that serves it too', async () => {
	const port = await freePort();
	const gate = await stack.tenantgate({ ...modest, listen_port: port });
	const result = await check(gate.path);
	assert.deepEqual(result, { code: 0, stdout: `${gate.path}: The configuration is fine.\n`, lines: [] });
	assert.equal((await gate.anonymous.get('/readyz')).status, 200);
	await gate.program.stop();
});

test('all findings at once, each with its line; the errors of the file among them', async () => {
	const taken = net.createServer().listen(0, '127.0.0.1');
	await new Promise((resolve) => taken.once('listening', resolve));
	writeFileSync(join(stack.dir, 'no.pem'), 'no certificate\n');
	const path = stack.conf({ ...modest, listen_port: taken.address().port, health_listen_port: 1,
		health_listen_addr: '192.0.2.1', admin_listen_port: 2, admin_listen_addr: 'localhost',
		user: 'no-such-user', log_file: join(stack.dir, 'none/log'), pid_file: stack.dir,
		ca_file: join(stack.dir, 'no.pem'), tenant_ca_file: join(stack.dir, 'none.pem'),
		extract_program: join(stack.dir, 'none/extract'), top_k: 'many',
		spool_dir: join(stack.dir, 'none'),
		redis_url: 'redis://user@h', dns_nameserver: 'name.example',
		catalog_url: `${stack.pg.url('catalog')}?sslrootcert=${stack.dir}/none.pem` });
	const result = await check(path);
	taken.close();
	assert.equal(result.code, 1);
	assert.equal(result.stdout, '');
	const expected = { top_k: /takes a number/, redis_url: /Redis URL|redis/i, dns_nameserver: /address/,
		user: /no such user/, log_file: /cannot be written \(No such file/,
		pid_file: /cannot be written \(Is a directory/, ca_file: /has no certificate/,
		tenant_ca_file: /cannot be read/, extract_program: /cannot be opened/,
		spool_dir: /No file can be made there \(No such file/,
		catalog_url: /none\.pem cannot be read/, listen_port: /in use/,
		health_listen_port: /Cannot listen on 192\.0\.2\.1/, admin_listen_port: /not a numeric/ };
	for (const [key, what] of Object.entries(expected)) {
		const found = of(result, path, key);
		assert.equal(found.length, 1, `${key}\n${result.lines.join('\n')}`);
		assert.match(found[0], what);
	}
	assert.equal(result.lines.length, Object.keys(expected).length, result.lines.join('\n'));
});

test('files are looked at as the user that will serve', { skip: !isRoot && 'needs root' }, async () => {
	const certificate = '/etc/ssl/certs/ca-certificates.crt';
	const copy = join(stack.dir, 'private.pem');
	writeFileSync(copy, readFileSync(certificate));
	const path = stack.conf({ ...modest, ca_file: copy });
	assert.equal((await check(path)).code, 0);
	chmodSync(copy, 0o600);
	const result = await check(path);
	assert.equal(result.code, 1);
	assert.match(of(result, path, 'ca_file')[0], /cannot be read \(Permission denied\)/);
	const rootless = await check(stack.conf({ ...modest, user: '' }));
	assert.equal(rootless.code, 1);
	assert.match(rootless.lines.join('\n'), /user must be set: serving as root is refused/);
});

test('nothing is left behind: no log, no pid file', async () => {
	const [log_file, pid_file] = ['a.log', 'a.pid'].map((name) => join(stack.dir, name));
	chmodSync(stack.dir, 0o777);
	assert.equal((await check(stack.conf({ ...modest, log_file, pid_file }))).code, 0);
	chmodSync(stack.dir, 0o755);
	assert.ok(!existsSync(log_file) && !existsSync(pid_file));
});

test('what contradicts itself is a warning and no error', async () => {
	const path = stack.conf({ ...modest, default_pool_size: 300, provision_lease: '5m' });
	const result = await check(path);
	assert.equal(result.code, 0);
	assert.match(result.stdout, /fine/);
	assert.equal(result.lines.length, 2);
	assert.match(of(result, path, 'default_pool_size')[0], /: Warning: .* more than max_server_conn/);
	assert.match(of(result, path, 'provision_lease')[0], /: Warning: .* more than provision_timeout/);
});

test('as many workers as there may be start; one more is refused before', async () => {
	const gate = await stack.tenantgate({ ...modest, workers: 256 });
	assert.equal((await gate.anonymous.get('/readyz')).status, 200);
	await gate.program.stop();
	const path = stack.conf({ ...modest, workers: 257 });
	const result = await check(path);
	assert.equal(result.code, 1);
	assert.match(of(result, path, 'workers')[0], /number from 0 to 256/);
});

test('a file that cannot be read: nothing is said of what it might have set', async () => {
	const path = join(stack.dir, 'none.conf');
	const { code, lines } = await check(path);
	assert.equal(code, 1);
	assert.equal(lines[0], `${path}: The file cannot be read: No such file or directory.`);
	assert.ok(lines.slice(1).every((l) => / must be set/.test(l) && !/user/.test(l)), lines.join('\n'));
});

test('an extractor that has no reader is told of: only PDFs want it', async () => {
	const program = join(stack.dir, 'no-reader');
	writeFileSync(program, '#!/bin/sh\necho "no reader here" >&2\nexit 65\n', { mode: 0o755 });
	const path = stack.conf({ ...modest, extract_program: program });
	const result = await check(path);
	assert.equal(result.code, 0);
	assert.equal(result.lines.length, 1, result.lines.join('\n'));
	assert.match(of(result, path, 'extract_program')[0], /: Warning: .* reads no PDF here \(/);
});
