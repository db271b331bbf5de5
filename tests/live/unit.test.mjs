// SPDX-License-Identifier: MIT
// The systemd unit without systemd: tenantgate under what contrib/systemd/tenantgate.service takes
// away from it (files, capabilities, system calls, address families, memory that is written and
// run), with logins to a Postgres that proves who it is, and a PDF that the extractor reads. Not
// here: ProtectClock, ProtectHostname, ProtectKernelModules and -Logs (all are calls or
// capabilities that are gone), RestrictNamespaces, -Realtime, -SUIDSGID, LockPersonality, RemoveIPC.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync,
	writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from './lib/certificates.mjs';
import { built, Gate, programs, sample, source, Stack } from './lib/stack.mjs';
import { until } from './lib/process.mjs';

// As it is before `make` names the folders in it, which say nothing here.
const unit = join(source, 'contrib/systemd/tenantgate.service.in');
const settings = readFileSync(unit, 'utf8').split('\n').filter((line) => /^\w+=/.test(line))
	.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
const stack = new Stack('unit');
let certs, files;

const analyze = (...args) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });

function unavailable() {
	if (analyze('--version').status !== 0)
		return 'there is no systemd-analyze here';
	if (process.getuid() !== 0)
		return 'only root may make mount namespaces';
	// A container may let its root make some of the mounts, and not others.
	const empty = mkdtempSync(join(tmpdir(), 'tg-unit-'));
	const tried = spawnSync('unshare', ['-m', join(source, 'tests/live/lib/unit.sh'), 'nobody', empty,
		'true'], { encoding: 'utf8' });
	rmSync(empty, { recursive: true });
	return tried.status === 0 ? null : `no such mounts can be made here: ${tried.stderr.split('\n')[0]}`;
}

// What systemd means by "@system-service" and its kin: names, and names of other sets.
function callSets() {
	const sets = {};
	let set;
	for (const line of analyze('syscall-filter').stdout.split('\n')) {
		const word = line.trim();
		if (/^@/.test(line))
			set = sets[word] = [];
		else if (/^\s+[@\w-]+$/.test(line))
			set?.push(word);
	}
	return sets;
}

// The calls that the unit's lines leave, `privileged` or not, as systemd adds them up.
function allowedCalls(privileged) {
	const sets = callSets(), allowed = new Set();
	const members = (word) => word[0] !== '@' ? [word] : sets[word].flatMap(members);
	for (const [, words] of settings.filter(([name]) => name === 'SystemCallFilter')) {
		const removes = words[0] === '~';
		for (const word of words.replace('~', '').split(' ')) {
			if (removes && privileged)
				continue;
			for (const call of members(word))
				removes ? allowed.delete(call) : allowed.add(call);
		}
	}
	return allowed;
}

// As this machine numbers them; some are of other machines.
function callNumbers(names) {
	const macros = execFileSync('cc', ['-E', '-dM', '-include', 'sys/syscall.h', '-x', 'c',
		'/dev/null'], { encoding: 'utf8' });
	const numbers = Object.fromEntries([...macros.matchAll(/^#define __NR_(\w+) (\d+)$/gm)]
		.map(([, name, number]) => [name, number]));
	return [...names].map((name) => numbers[name]).filter((number) => number).join();
}

const dropped = ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', '--bounding-set=-all'];
// Who gives root up by itself needs these two until then.
const kept = ['--bounding-set=-all,+setuid,+setgid'];

function changes(at) {
	return { catalog_url: `postgresql://cat:secret@localhost:${stack.pg.port}/catalog?sslmode=verify-full`,
		catalog_ca_file: join(at, 'ca.pem'), tenant_ca_file: join(at, 'ca.pem'),
		neon_sslmode: 'verify-full', dns_nameserver: '', catalog_connect_timeout: '30s',
		extract_program: join(at, 'tenantgate-extract') };
}

// user: who owns the configuration, and so may read it.
async function confined(user, privileges, calls) {
	copyFileSync(stack.conf(changes('/mnt')), join(files, 'conf'));
	const program = stack.program('tenantgate', 'unshare', ['-m', join(source,
		'tests/live/lib/unit.sh'), user, files, 'setpriv', ...privileges, '--no-new-privs',
		'--inh-caps=-all', '/mnt/unit_filter', callNumbers(calls), '/mnt/tenantgate', '-c',
		'/mnt/conf'],
	{ env: { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:detect_leaks=0` } });
	const [, port] = await program.says(/Listening on [^ ]+:(\d+) with/);
	const gate = new Gate(program, Number(port), stack.conf(changes(certs)));
	await until('it is ready', async () => program.ended || (await gate.anonymous.get('/readyz')
		.catch(() => null))?.status === 200);
	assert.equal(program.ended, undefined, program.tail());
	return gate;
}

const statusOf = (gate) => Object.fromEntries(readFileSync(`/proc/${gate.program.pid}/status`, 'utf8')
	.split('\n').map((line) => line.split(':\t')));

async function serves(gate, tenant) {
	const client = await gate.tenant(tenant);
	const stored = await client.ingestFile(sample, { id: 'guide' });
	assert.equal(stored.status, 201, stored.body);
	assert.ok(stored.json.document.pages > 0, stored.body);
	const found = await client.search('lantern');
	assert.equal(found.status, 200, found.body);
	assert.ok(found.json.results.length > 0, found.body);
	const [[encrypted, clear]] = await stack.sql('select count(*) filter (where s.ssl), count(*) ' +
		'filter (where not s.ssl) from pg_stat_ssl s join pg_stat_activity a using (pid) ' +
		"where a.application_name = 'tenantgate' and (usename = 'cat' or usename like 'neondb%')");
	assert.ok(encrypted >= 2, encrypted);
	assert.equal(clear, '0');
}

function declare() {
	before(async () => {
		certs = mkdtempSync(join(tmpdir(), 'tg-unit-'));
		files = join(stack.dir, 'files');
		chmodSync(certs, 0o755);
		makeCertificates(certs);
		mkdirSync(files);
		copyFileSync(join(certs, 'ca.pem'), join(files, 'ca.pem'));
		copyFileSync(programs.tenantgate(), join(files, 'tenantgate'));
		copyFileSync(built('tests/live/unit_filter'), join(files, 'unit_filter'));
		for (const to of [files, certs])
			copyFileSync(programs.extract(), join(to, 'tenantgate-extract'));
		await stack.surroundings({ postgres: ['ssl=on', `ssl_cert_file=${join(certs, 'server.pem')}`,
			`ssl_key_file=${join(certs, 'server.key')}`] });
		await stack.sql("create role cat superuser login password 'secret'");
	});
	after(async () => {
		await stack.stop();
		if (certs)
			rmSync(certs, { recursive: true, force: true });
	});

	test('systemd finds no fault with the unit, and little that it could do', () => {
		const copy = join(files, 'tenantgate.service');
		writeFileSync(copy, readFileSync(unit, 'utf8').replaceAll('@bindir@', files)
			.replaceAll('@sysconfdir@', '/etc').replaceAll('@docdir@', '/usr/share/doc/tenantgate'));
		const verified = analyze('verify', '--man=no', copy);
		assert.equal(verified.status, 0, verified.stderr);
		assert.doesNotMatch(verified.stderr, /tenantgate\.service/);
		const security = analyze('security', '--offline=true', copy);
		const [, exposure] = /Overall exposure level for \S+ (\d+\.\d)/.exec(security.stdout);
		assert.ok(Number(exposure) <= 2, security.stdout);
	});

	test('as the unit starts it: logins that verify, and a PDF', async () => {
		const gate = await confined('nobody', dropped, allowedCalls(false));
		const status = statusOf(gate);
		assert.deepEqual([status.CapEff, status.CapBnd, status.NoNewPrivs, status.Seccomp],
			['0000000000000000', '0000000000000000', '1', '2']);
		await serves(gate, 'confined');
		assert.deepEqual(await gate.program.stop(), { code: 0, signal: null });
	});

	test('the extractor may hide the server\'s files from itself', () => {
		const calls = allowedCalls(false);
		for (const call of ['landlock_create_ruleset', 'landlock_add_rule',
			'landlock_restrict_self', 'seccomp', 'prlimit64'])
			assert.ok(calls.has(call), call);
		assert.ok(!calls.has('setuid') && !calls.has('mount') && !calls.has('ptrace'));
	});

	test('started as root, which it gives up: the same', async () => {
		const gate = await confined('root', kept, allowedCalls(true));
		const status = statusOf(gate);
		assert.deepEqual([status.CapEff, status.CapPrm, status.NoNewPrivs, status.Uid.split('\t')[1]],
			['0000000000000000', '0000000000000000', '1', execFileSync('id', ['-u', 'nobody'],
				{ encoding: 'utf8' }).trim()]);
		await serves(gate, 'of-root');
		assert.deepEqual(await gate.program.stop(), { code: 0, signal: null });
	});
}

const why = unavailable();
if (why === null) {
	declare();
} else {
	await stack.stop();
	console.log(`TAP version 13\n1..0\n# not run: ${why}`);
}
