// SPDX-License-Identifier: MIT
// tenantgatectl as an operator uses it: what it prints, how it ends, and where its key comes from.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build, source, Stack } from './lib/stack.mjs';

const stack = new Stack('tenantgatectl');
const program = join(build, 'tenantgatectl');
let gate;

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin();
});
after(() => stack.stop());

// Never throws: { code, out, err }.
function ctl(args, env = {}) {
	return new Promise((resolve) => execFile(program, args, { env: { PATH: process.env.PATH,
		LC_ALL: 'C.UTF-8', TENANTGATE_ADMIN_URL: gate.adminUrl, TENANTGATE_ADMIN_KEY: gate.adminKey,
		...env } }, (error, out, err) => resolve({ code: error ? error.code : 0, out, err })));
}

test('status: a line for each member, or JSON as the server says it', async () => {
	const shown = await ctl(['status']);
	assert.equal(shown.code, 0);
	assert.match(shown.out, /^environment +test$/m);
	assert.match(shown.out, /^phase +serving$/m);
	const json = await ctl(['--json', 'status']);
	assert.deepEqual(JSON.parse(json.out), (await gate.admin.get('/admin')).json);
});

test('the key comes from a file that nobody else can read', async () => {
	const file = join(stack.dir, 'admin.key');
	writeFileSync(file, `${gate.adminKey}\n`, { mode: 0o600 });
	const none = { TENANTGATE_ADMIN_KEY: '' };
	assert.equal((await ctl(['--key-file', file, 'status'], none)).code, 0);
	assert.equal((await ctl(['status'], { ...none, TENANTGATE_ADMIN_KEY_FILE: file })).code, 0);
	chmodSync(file, 0o644);
	const open = await ctl(['--key-file', file, 'status'], none);
	assert.equal(open.code, 2);
	assert.match(open.err, /chmod 600/);
	const absent = await ctl(['status'], none);
	assert.equal(absent.code, 2);
	assert.match(absent.err, /--key-file/);
});

test('what is no admin door, or knows no such path, is told so; a tenant that is not there is not', async () => {
	const hint = /is another door \(see admin_listen_port\), or a build that is older/;
	const door = await ctl(['tenant', 'list'], { TENANTGATE_ADMIN_URL: gate.url });
	assert.equal(door.code, 1);
	assert.match(door.err, hint);
	const absent = await ctl(['tenant', 'show', 'nobody']);
	assert.equal(absent.code, 1);
	assert.match(absent.err, /404 not_found/);
	assert.doesNotMatch(absent.err, hint);
});

test('it ends with 1 when it is refused, 3 without an answer, 2 for a wrong line', async () => {
	const refused = await ctl(['status'], { TENANTGATE_ADMIN_KEY: await gate.service() });
	assert.equal(refused.code, 1);
	assert.match(refused.err, /key create --admin.*\(403 forbidden, request \w+\)/);
	const away = await ctl(['status'], { TENANTGATE_ADMIN_URL: 'http://127.0.0.1:1' });
	assert.equal(away.code, 3);
	assert.match(away.err, /does not answer/);
	for (const line of [[], ['tenant'], ['tenant', 'show'], ['status', '--colour'], ['sing'],
		['--limit', 'x', 'status'], ['--url']])
		assert.equal((await ctl(line)).code, 2, line.join(' '));
	assert.equal((await ctl(['status'], { TENANTGATE_ADMIN_URL: '' })).code, 2);
});

test('what cannot be undone is not done unasked', async () => {
	const asked = await ctl(['tenant', 'delete', 'nobody']);
	assert.equal(asked.code, 2);
	assert.match(asked.err, /--yes/);
});

test('a redirect is not followed, and an answer that is no JSON is told as that', async () => {
	const keys = [];
	const server = createServer((q, r) => {
		keys.push([q.url, q.headers.authorization]);
		if (q.url === '/admin')
			r.writeHead(307, { location: '/elsewhere' }).end();
		else
			r.writeHead(200).end('<html>');
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const url = `http://127.0.0.1:${server.address().port}`;
	assert.equal((await ctl(['status'], { TENANTGATE_ADMIN_URL: url })).code, 3);
	assert.deepEqual(keys.map(([path]) => path), ['/admin']);
	const page = await ctl(['status'], { TENANTGATE_ADMIN_URL: `${url}/page` });
	assert.equal(page.code, 3);
	assert.match(page.err, /no JSON/);
	server.close();
});

test('a terminal obeys nothing that is in an answer', async () => {
	const server = createServer((q, r) => r.writeHead(200).end(JSON.stringify({
		environment: '\u001b]0;owned\u0007', '\u001b[2J': 'x', list: [{ name: '\u009b31m' }] })));
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const shown = await ctl(['status'],
		{ TENANTGATE_ADMIN_URL: `http://127.0.0.1:${server.address().port}` });
	server.close();
	assert.equal(shown.code, 0);
	assert.doesNotMatch(shown.out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

test('long work: its last line is the answer; one that breaks off, or ends in a problem, is told', async () => {
	let lines = [];
	const server = createServer((q, r) => {
		assert.equal(q.headers.accept, 'application/x-ndjson');
		r.writeHead(200, { 'content-type': 'application/x-ndjson' });
		r.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const url = { TENANTGATE_ADMIN_URL: `http://127.0.0.1:${server.address().port}` };
	lines = [{ passwords: 9, resealed: 4 }, { passwords: 9, resealed: 9, done: true }];
	const whole = await ctl(['reseal'], url);
	assert.equal(whole.code, 0, whole.err);
	assert.match(whole.out, /^resealed +9$/m);
	assert.doesNotMatch(whole.out, /4/);
	lines = [{ passwords: 9, resealed: 4 }];
	const broken = await ctl(['reseal'], url);
	assert.deepEqual([broken.code, broken.out], [3, '']);
	assert.match(broken.err, /broke off/);
	lines = [{ passwords: 9 }, { error: { status: 409, code: 'conflict', detail: 'Not all can.' } }];
	const refused = await ctl(['reseal'], url);
	assert.equal(refused.code, 1);
	assert.match(refused.err, /Not all can\. \(409 conflict/);
	server.close();
});

test('each command answers at a real door: what there is of a tenant that was never seen', async () => {
	for (const line of [['tenant', 'list'], ['pools'], ['flows'], ['shares'], ['config'], ['usage'],
		['key', 'list'], ['reseal', '--dry-run'], ['tenant', 'create', 'walk', 'plan=null', '--dry-run']]) {
		const shown = await ctl(line);
		assert.equal(shown.code, 0, `${line.join(' ')}: ${shown.err}`);
		assert.ok(shown.out.length > 1, line.join(' '));
	}
	for (const line of [['tenant', 'show', 'walk'], ['limits', 'walk'], ['tenant', 'receipt', 'walk'],
		['tenant', 'suspend', 'walk'], ['tenant', 'resume', 'walk'], ['tenant', 'retry', 'walk'],
		['tenant', 'delete', 'walk', '--yes', '--reason', 'gone']])
		assert.equal((await ctl(line)).code, 1, line.join(' '));
});

test('help has each command, and a command its own options', async () => {
	const help = await ctl(['--help']);
	assert.equal(help.code, 0);
	assert.match(help.out, /^ +tenant list \[options\] +/m);
	const own = await ctl(['tenant', 'list', '--help']);
	assert.equal(own.code, 0);
	assert.match(own.out, /--prefix TEXT/);
	assert.match((await ctl(['--version'])).out, /^tenantgatectl \d/);
});

test('bash completes commands and options', async () => {
	const script = `source ${source}/contrib/completion/tenantgatectl.bash
complete_line() { COMP_LINE="${program} $*"; COMP_POINT=\${#COMP_LINE}; _tenantgatectl; echo "\${COMPREPLY[*]}"; }
complete_line ten
complete_line tenant su
complete_line tenant list --pre
complete_line nothing x`;
	const { out } = await new Promise((resolve) => execFile('bash', ['-c', script],
		(error, text) => resolve({ out: text })));
	assert.deepEqual(out.split('\n').slice(0, 4), ['tenant', 'suspend', '--prefix', '']);
});
