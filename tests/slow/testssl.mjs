// SPDX-License-Identifier: MIT
// Debian's testssl.sh against the public listener, as it is configured by default, with a certificate
// by an RSA key and one by an EC key: nothing of what it knows to look for is there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Stack } from '../live/lib/stack.mjs';
import { Authority } from '../live/lib/tls.mjs';

const LIMIT_MS = 20 * 60000;
const GRAVE = ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'];
// Findings that are the certificates' alone, and why they have them.
const KNOWN = {
	cert_revocation: 'a CA of the tests\' own has neither a list of revoked ones nor a responder',
};
const stack = new Stack('testssl');
let ca, gate;

before(async () => {
	ca = new Authority(join(stack.dir, 'pki'));
	const pairs = [['rsa:2048'], undefined].map((kind, i) =>
		ca.issue(`gate-${i}`, { san: 'DNS:gate.test', kind, cn: 'gate.test', days: 90 }));
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate({ workers: 2, rate_limit_requests_per_minute: 0,
		tls_certificate: pairs.map((c) => c.certificate).join(', '),
		tls_certificate_key: pairs.map((c) => c.key).join(', ') }, { wait: false });
	await gate.program.says(/"serve.ready"/);
});
after(() => stack.stop());

test('testssl.sh finds nothing that is of medium weight or more', { timeout: LIMIT_MS }, async () => {
	const report = join(stack.dir, 'testssl.json');
	await new Promise((done) => execFile('testssl', ['--quiet', '--color', '0', '--warnings', 'off',
		'--ip', '127.0.0.1', '--add-ca', ca.file, '--connect-timeout', '10', '--openssl-timeout', '10',
		'--jsonfile', report, `gate.test:${gate.port}`], { timeout: LIMIT_MS - 60000, maxBuffer: 1 << 26 },
	(error, out) => { console.log(out.replaceAll(/^/gm, '# ')); done(); }));
	const findings = JSON.parse(readFileSync(report, 'utf8'));
	const of = (id) => findings.find((f) => f.id === id)?.finding;
	// It has come to the end, and what it saw was ours.
	assert.match(of('TLS1_2'), /^offered/);
	assert.match(of('TLS1_3'), /^offered/);
	assert.match(of('TLS1'), /^not offered/);
	assert.ok(of('scanTime') !== undefined, 'it came to its end');
	const grave = findings.filter((f) => GRAVE.includes(f.severity) && !(f.id.split(' ')[0] in KNOWN));
	assert.deepEqual(grave.map((f) => `${f.severity} ${f.id}: ${f.finding}`), []);
	assert.deepEqual(gate.lines().filter((l) => l.event === 'worker.long_turn'), []);
});
