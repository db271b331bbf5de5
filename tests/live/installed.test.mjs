// SPDX-License-Identifier: MIT
// What `make install` brings: all of it, manual pages that are made from the tables and are clean,
// a unit that names the folders of the build and confines the process.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programs, source } from './lib/stack.mjs';

const run = promisify(execFile);
const build = process.env.TG_BUILD;
const root = mkdtempSync(join(tmpdir(), 'tenantgate-installed.'));
const at = (path) => join(root, 'usr/local', path);
const pages = ['man1/tenantgatectl.1', 'man5/tenantgate.conf.5', 'man8/tenantgate.8'];
const pictures = ['dashboard-models', 'dashboard-pools', 'dashboard-process', 'dashboard-traffic', 'top'];
const unit = 'lib/systemd/system/tenantgate.service';

before(() => run('make', ['-s', '-C', build, 'install', `DESTDIR=${root}`], { maxBuffer: 1 << 24 }));
after(() => rmSync(root, { recursive: true }));

test('programs, unit, pages, licence and samples are there; uninstall takes all away', async () => {
	const { stdout } = await run('find', [root, '-type', 'f', '-printf', '%P\n']);
	assert.deepEqual(stdout.trim().split('\n').sort(), [
		'bin/tenantgate', 'bin/tenantgatectl', unit, 'lib/systemd/system/tenantgate.socket',
		'libexec/tenantgate/tenantgate-extract', 'libexec/tenantgate/tenantgate-password.so',
		'share/bash-completion/completions/tenantgatectl',
		...['LICENSE', 'README.md', 'OPERATING.md', 'grafana/tenantgate.json', 'haproxy/haproxy.cfg',
			'logrotate/tenantgate', 'nginx/tenantgate.conf',
			...pictures.map((name) => `pictures/${name}.png`), 'prometheus/RUNBOOK.md', 'prometheus/prometheus.yml',
			'prometheus/tenantgate.rules.yml', 'prometheus/tenantgate.test.yml',
			'tenantgate.conf.sample'].map((name) => `share/doc/tenantgate/${name}`),
		...pages.map((page) => `share/man/${page}`),
	].map((path) => `usr/local/${path}`).sort());
	const other = mkdtempSync(join(tmpdir(), 'tenantgate-installed.'));
	await run('make', ['-s', '-C', build, 'install', `DESTDIR=${other}`], { maxBuffer: 1 << 24 });
	await run('make', ['-s', '-C', build, 'uninstall', `DESTDIR=${other}`]);
	assert.equal((await run('find', [other, '-type', 'f'])).stdout, '');
	rmSync(other, { recursive: true });
});

test('each picture that a page shows is there', () => {
	const shown = (page, folder) => [...readFileSync(join(source, page), 'utf8')
		.matchAll(/!\[.{20,}\]\((\S+\.png)\)/g)].map((m) => join(folder, m[1]));
	const named = [...shown('README.md', ''), ...shown('contrib/OPERATING.md', 'contrib')];
	assert.deepEqual([...new Set(named)].sort(), pictures.map((name) => `contrib/pictures/${name}.png`));
	for (const name of named)
		assert.ok(statSync(join(source, name)).size < 300000, name);
});

test('the manual pages are the tables\', and clean', async () => {
	const page = (name) => readFileSync(join(source, 'contrib/man', name), 'utf8');
	const conf = (await run(programs.tenantgate(), ['--manual'])).stdout;
	assert.ok(conf === page('tenantgate.conf.5'), 'tenantgate --manual > contrib/man/tenantgate.conf.5');
	const ctl = (await run(programs.ctl(), ['--manual'])).stdout;
	assert.ok(ctl === page('tenantgatectl.1'), 'tenantgatectl --manual > contrib/man/tenantgatectl.1');
	const lint = await run('mandoc', ['-Tlint', ...pages.map((path) => at(`share/man/${path}`))])
		.catch((error) => error);
	assert.notEqual(lint.code, 'ENOENT');
	// It looks for pages that are referred to among the system's; ours are not there.
	const findings = lint.stdout.split('\n').filter((line) => line !== '' &&
		!pages.some((path) => line.includes(`manual not found: Xr ${path.slice(5).replace(/\.(\d)$/, ' $1')}`)));
	assert.deepEqual(findings, []);
	assert.ok(!lint.stderr, lint.stderr);
	// Each key of the sample, each command of the help.
	const keys = new Set([...readFileSync(join(source, 'conf/tenantgate.conf.sample'), 'utf8')
		.matchAll(/^#?([a-z_]+) =/gm)].map((m) => m[1]));
	for (const key of keys)
		assert.ok(conf.includes(`.It Ic ${key}\n`), key);
	assert.ok(keys.size > 150);
	const { stdout } = await run(programs.ctl(), ['--help']);
	const commands = [...stdout.matchAll(/^ {2}([a-z]+(?: [a-z]+)?)(?= {2}| [A-Z[])/gm)].map((m) => m[1]);
	for (const command of commands)
		assert.ok(ctl.includes(`.It Cm ${command}`), command);
	assert.ok(commands.length > 25, commands.join());
});

test('the unit names what was installed, and its sandbox holds its score', async () => {
	const text = readFileSync(at(unit), 'utf8');
	assert.doesNotMatch(text, /@[a-z]+@/);
	assert.match(text, /^ExecStart=\/usr\/local\/bin\/tenantgate -c \/usr\/local\/etc\/tenantgate\/tenantgate\.conf$/m);
	const { stdout, stderr } = await run('systemd-analyze',
		['security', '--offline=true', '--no-pager', at(unit)]);
	assert.doesNotMatch(stderr, /Unknown|Failed|ignor/i);
	const [, score] = /Overall exposure level for tenantgate\.service: ([0-9.]+)/.exec(stdout);
	assert.ok(Number(score) <= 1.2, stdout);
	const [, said] = /systemd-analyze security[^0-9]*([0-9.]+)/
		.exec(readFileSync(join(source, 'README.md'), 'utf8'));
	assert.equal(said, score);
});
