// SPDX-License-Identifier: MIT
// A CA of the tests' own (ca.pem), and what it has signed for a Postgres on localhost (server.pem,
// server.key), in that folder.
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function makeCertificates(folder) {
	const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
	writeFileSync(join(folder, 'san'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
		'-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ours', '-days', '2');
	openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout',
		'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
	openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key',
		'-CAcreateserial', '-out', 'server.pem', '-days', '2', '-extfile', 'san');
	chmodSync(join(folder, 'server.key'), 0o600);
	if (process.getuid() === 0)
		execFileSync('chown', ['postgres', join(folder, 'server.key')]);
}
