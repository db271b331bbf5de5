// SPDX-License-Identifier: MIT
// A CA of the tests' own (ca.pem), and what it has signed for a Postgres on localhost (server.pem,
// server.key), in that folder. And, for servers of a test's own, a certificate of each fault.
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAMES = 'DNS:localhost,IP:127.0.0.1';
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

const run = (folder, ...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

function makeAuthority(folder, name, subject) {
	run(folder, 'req', '-x509', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj',
		`/CN=${subject}`, '-days', '2');
}

// Signed by that CA; names: its subjectAltNames, none where it is "".
function makeSigned(folder, name, { ca = 'ca', names = NAMES, days = 2 } = {}) {
	run(folder, 'req', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj',
		'/CN=localhost');
	writeFileSync(join(folder, `${name}.ext`), names === '' ? '' : `subjectAltName=${names}`);
	run(folder, 'x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`,
		'-CAcreateserial', '-out', `${name}.pem`, '-days', String(days), '-extfile', `${name}.ext`);
}

export function makeCertificates(folder) {
	makeAuthority(folder, 'ca', 'ours');
	makeSigned(folder, 'server');
	chmodSync(join(folder, 'server.key'), 0o600);
	if (process.getuid() === 0)
		execFileSync('chown', ['postgres', join(folder, 'server.key')]);
}

// { name: { key, cert } } of certificates beside makeCertificates()'s, each bad in one way but the
// first: its common name is localhost all the same. names: the subjectAltNames of the good one.
export function makeFaults(folder, names = NAMES) {
	makeAuthority(folder, 'stranger', 'nobody knows');
	makeSigned(folder, 'good', { names });
	makeSigned(folder, 'expired', { names, days: -1 });
	makeSigned(folder, 'otherName', { names: 'DNS:other.example,IP:192.0.2.1' });
	makeSigned(folder, 'commonName', { names: '' });
	makeSigned(folder, 'unknownCa', { names, ca: 'stranger' });
	run(folder, 'req', '-x509', ...KEY, '-keyout', 'selfSigned.key', '-out', 'selfSigned.pem',
		'-subj', '/CN=localhost', '-addext', `subjectAltName=${names}`, '-days', '2');
	return Object.fromEntries(['good', 'expired', 'otherName', 'commonName', 'unknownCa',
		'selfSigned'].map((name) => [name, { key: readFileSync(join(folder, `${name}.key`)),
		cert: readFileSync(join(folder, `${name}.pem`)) }]));
}
