// SPDX-License-Identifier: MIT
// tenantgatectl before a door that lies, hangs or is another's: what it prints, sends and ends with.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from './lib/process.mjs';
import { build, source, Stack } from './lib/stack.mjs';

const stack = new Stack('ctl-hostile');
const program = join(build, 'tenantgatectl');
const asked = [];	// { method, path, query, body }
let answer, door, url;

before(async () => {
	door = createServer((request, response) => {
		let body = '';
		request.on('data', (piece) => body += piece).on('end', () => {
			const [path, query] = request.url.split('?');
			const one = { method: request.method, path, query: new URLSearchParams(query), body };
			asked.push(one);
			const json = answer(one);
			if (json !== undefined)
				response.writeHead(200).end(typeof json === 'string' ? json : JSON.stringify(json));
		});
	});
	await new Promise((resolve) => door.listen(0, '127.0.0.1', resolve));
	url = `http://127.0.0.1:${door.address().port}`;
});
after(async () => {
	door.closeAllConnections();
	door.close();
	await stack.stop();
});

const environment = (more) => ({ PATH: process.env.PATH, LC_ALL: 'C.UTF-8', TENANTGATE_ADMIN_URL: url,
	TENANTGATE_ADMIN_KEY: 'tg_x', ...more });
const ended = (child) => new Promise((resolve) => child.on('close', (code) => resolve(code)));
function ctl(args, { answers, env = {} } = {}) {
	asked.length = 0;
	answer = answers ?? (() => ({}));
	return new Promise((resolve) => execFile(program, args, { env: environment(env), timeout: 60000 },
		(error, out, err) => resolve({ code: error ? error.code : 0, out, err })));
}
// In a terminal of its own.
function ctlInTerminal(words, answers) {
	answer = answers;
	return new Promise((resolve) => execFile('script', ['-qec', `${program} ${words}`, '/dev/null'],
		{ env: environment({ TERM: 'xterm' }), timeout: 60000 }, (error, out) => resolve(out)));
}
const control = /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

test('an answer without the list is no empty list', async () => {
	for (const line of [['tenant', 'list'], ['key', 'list'], ['usage'], ['pools'], ['flows'], ['shares'],
		['config'], ['limits', 'a']])
		for (const answers of [() => ({}), () => ({ tenants: 1, keys: {}, usage: 'x', pools: null })]) {
			const shown = await ctl(line, { answers });
			assert.deepEqual([shown.code, shown.out], [3, ''], line.join(' '));
			assert.match(shown.err, /an admin door/);
		}
});

test('a cursor that goes round ends the list as a failure', async () => {
	const shown = await ctl(['tenant', 'list', '--all'], {
		answers: () => ({ tenants: [{ id: 'a' }], next: 'a' }) });
	assert.deepEqual([shown.code, shown.out, asked.length], [3, '', 2]);
});

test('no more rows are asked for than are wanted, and next is behind the last of them', async () => {
	const rows = (n) => Array.from({ length: n }, (_, i) => ({ id: `t${i}` }));
	const answers = ({ query }) => ({ from: 'x', tenants: rows(Number(query.get('limit'))),
		next: `${query.get('cursor') ?? ''}>` });
	const json = await ctl(['--json', '--limit', '700', 'tenant', 'list'], { answers });
	assert.deepEqual(asked.map(({ query }) => [query.get('limit'), query.get('cursor')]),
		[['500', null], ['200', '>']]);
	const list = JSON.parse(json.out);
	assert.deepEqual([list.tenants.length, list.next, list.from], [700, '>>', 'x']);
	const table = await ctl(['--limit=3', 'tenant', 'list'], { answers });
	assert.match(table.err, /There are more/);
	assert.equal(asked[0].query.get('limit'), '3');
	const whole = await ctl(['usage', '--tenant', 'a'], { answers: () => ({ usage: rows(250) }) });
	assert.equal(whole.out.trim().split('\n').length, 251, 'what came is shown');
});

test('a list that has no pages says when it is not whole', async () => {
	const answers = ({ query }) => ({ count: 300, pools: [{ pool: `p${query.get('limit')}` }] });
	const shown = await ctl(['pools', '--limit', '1'], { answers });
	assert.match(shown.out, /p1$/m);
	assert.match(shown.err, /There are 300;/);
	assert.doesNotMatch((await ctl(['pools', '--all'], { answers })).out, /p1$/m);
});

test('a terminal obeys nothing: not of JSON, not of top', async () => {
	const evil = 'a\u009b31mb\u001b]0;c\u0007';
	const json = await ctlInTerminal('--json status', () => ({ name: evil }));
	assert.doesNotMatch(json, control);
	assert.equal(JSON.parse(json).name, evil);
	const top = await ctl(['top', '--rounds', '1', '--interval', '0'], {
		answers: () => ({ version: evil, environment: evil, clockSeconds: 1, shares: [] }) });
	assert.equal(top.code, 0, top.err);
	assert.match(top.out, /^tenantgate a\?31mb\?\]0;c\?, environment a\?.*, \?;/m);
	assert.doesNotMatch(top.out, control);
});

test('only what can be a tenant\'s id completes a line', async () => {
	const shown = await ctl(['--complete', 'tenant', 'show', ''], { answers: () => ({ tenants: [
		{ id: 'ok-1' }, { id: '$(reboot)' }, { id: 'x\u001b[2J' }, { id: '' }, { id: 7 }, {}, 'x'] }) });
	assert.equal(shown.out, 'ok-1\n');
});

test('an id with : or @ is completed as any', async () => {
	const ids = ['ann@example.org', 'ann@example.net', 'org:1:a', 'org:2'];
	answer = ({ query }) => ({ tenants: ids.filter((id) => id.startsWith(query.get('prefix')))
		.map((id) => ({ id })) });
	const script = `source ${source}/contrib/completion/tenantgatectl.bash
complete_line() { COMP_LINE="$1"; COMP_POINT=\${#COMP_LINE}; _tenantgatectl; echo "\${COMPREPLY[*]}"; }
complete_line "${program} tenant show ann@"
complete_line "${program} tenant show org:1"
complete_line "${program} tenant show o"
complete_line "${program} tenant show "`;
	const out = await new Promise((resolve) => execFile('bash', ['-c', script], { env: environment() },
		(error, text) => resolve(text)));
	assert.deepEqual(out.split('\n').slice(0, 4), ['example.org example.net', '1:a', 'org:1:a org:2',
		ids.join(' ')]);
});

test('top ends at Ctrl-C though the door hangs', async () => {
	asked.length = 0;
	answer = () => undefined;
	const child = spawn(program, ['top'], { env: environment(), stdio: 'ignore' });
	const code = ended(child);
	await until('it has asked', () => asked.length > 0);
	child.kill('SIGINT');
	assert.equal(await code, 0);
});

// proc(5), /proc/net/tcp: a timer of 2 is the one of keepalive.
test('what is waited for without an end is asked whether it is there still', async () => {
	asked.length = 0;
	answer = () => undefined;
	const child = spawn(program, ['tenant', 'warm', 'a'], { env: environment(), stdio: 'ignore' });
	const code = ended(child);
	await until('it has asked', () => asked.length > 0);
	const to = `:${door.address().port.toString(16).toUpperCase().padStart(4, '0')}`;
	await until('a timer runs', () => readFileSync('/proc/net/tcp', 'utf8').split('\n')
		.map((line) => line.trim().split(/\s+/))
		.some(([, , remote, state, , timer]) => remote?.endsWith(to) && state === '01' &&
			timer.startsWith('02:')), 5000);
	child.kill('SIGKILL');
	await code;
});

test('no proxy of the environment sees the key', async () => {
	const seen = [];
	const proxy = createServer((q, r) => { seen.push(q.headers); r.writeHead(200).end('{}'); });
	await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
	const at = `http://127.0.0.1:${proxy.address().port}`;
	const shown = await ctl(['status'], { answers: () => ({ version: '1' }),
		env: { http_proxy: at, all_proxy: at, ALL_PROXY: at } });
	proxy.close();
	assert.deepEqual([shown.code, seen.length, asked.length], [0, 0, 1], shown.err);
});

test('an id of dots is an id', async () => {
	await ctl(['tenant', 'show', '..']);
	await ctl(['tenant', 'suspend', '.']);
	assert.equal(asked[0].path, '/admin/tenants/./suspend');
});

test('what cannot be written is told: a key that nobody has seen is lost', async () => {
	asked.length = 0;
	answer = () => ({ text: 'tg_new' });
	const full = openSync('/dev/full', 'w');
	const child = spawn(program, ['key', 'create', '--kind', 'service'], { env: environment(),
		stdio: ['ignore', full, 'pipe'] });
	let err = '';
	child.stderr.on('data', (piece) => err += piece);
	assert.equal(await ended(child), 3);
	closeSync(full);
	assert.match(err, /could not be written \(No space left/);
	assert.equal(asked.length, 1);
});

test('a database\'s URL comes from a file; --url behind the command is the command\'s', async () => {
	const secret = 'postgresql://u:secret@db.example/x?password=1';
	const file = join(stack.dir, 'database.url');
	writeFileSync(file, `${secret}\n`, { mode: 0o600 });
	const done = await ctl(['--url', url, 'tenant', 'adopt', 'bob', '--url', `@${file}`],
		{ env: { TENANTGATE_ADMIN_URL: '' } });
	assert.equal(done.code, 0, done.err);
	assert.deepEqual([asked[0].path, JSON.parse(asked[0].body)], ['/admin/tenants/bob/adopt', { url: secret }]);
	for (const words of [['tenant', 'adopt', 'bob', '--url', secret], ['adopt', `--catalog=${secret}`]]) {
		const refused = await ctl(words);
		assert.deepEqual([refused.code, asked.length], [2, 0]);
		assert.match(refused.err, /@FILE/);
		assert.ok(!refused.err.includes('secret'));
	}
	writeFileSync(join(stack.dir, 'open.url'), secret, { mode: 0o644 });
	const open = await ctl(['adopt', '--catalog', `@${join(stack.dir, 'open.url')}`]);
	assert.match(open.err, /chmod 600/);
	writeFileSync(join(stack.dir, 'long.key'), 'x'.repeat(2000), { mode: 0o600 });
	const long = await ctl(['--key-file', join(stack.dir, 'long.key'), 'status']);
	assert.deepEqual([long.code, asked.length], [2, 0], 'a key is not cut');
	assert.equal((await ctl(['status'], { env: { TENANTGATE_ADMIN_KEY: 'x'.repeat(2000) } })).code, 2);
});

test('options of every command take = too', async () => {
	const shown = await ctl([`--url=${url}`, '--timeout=5', 'status'], { env: { TENANTGATE_ADMIN_URL: '' } });
	assert.equal(shown.code, 0, shown.err);
	assert.equal((await ctl(['--limit=x', 'tenant', 'list'])).code, 2);
});
