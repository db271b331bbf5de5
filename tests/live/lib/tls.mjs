// SPDX-License-Identifier: MIT
// Certificates of a CA of the tests' own, and clients that speak TLS to tenantgate.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { Client } from './client.mjs';

const EC = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

export class Authority {
	constructor(folder, name = 'ca') {
		mkdirSync(folder, { recursive: true });
		chmodSync(folder, 0o755);
		this.folder = folder;
		this.file = join(folder, `${name}.pem`);
		this.key = join(folder, `${name}.key`);
		this.openssl('req', '-x509', '-newkey', ...EC, '-nodes', '-keyout', this.key, '-out', this.file,
			'-subj', `/CN=${name} of the tests`, '-days', '30');
		this.pem = readFileSync(this.file, 'utf8');
	}

	openssl(...args) {
		return execFileSync('openssl', args, { cwd: this.folder, stdio: 'pipe', encoding: 'utf8' });
	}

	// name.pem and name.key: { certificate, key }, paths. san: 'DNS:a,URI:b'; '' for none. days: -1
	// for one that is over.
	issue(name, { san = `DNS:${name}`, days = 30, kind = EC, cn = name } = {}) {
		const at = (suffix) => join(this.folder, `${name}.${suffix}`);
		writeFileSync(at('san'), san === '' ? 'basicConstraints=CA:FALSE' : `subjectAltName=${san}`);
		this.openssl('req', '-newkey', ...kind, '-nodes', '-keyout', at('key'), '-out', at('csr'), '-subj',
			`/CN=${cn}`);
		this.openssl('x509', '-req', '-in', at('csr'), '-CA', this.file, '-CAkey', this.key,
			'-CAcreateserial', '-out', at('pem'), '-days', String(days), '-extfile', at('san'));
		chmodSync(at('key'), 0o644);
		return { certificate: at('pem'), key: at('key'), pem: readFileSync(at('pem'), 'utf8'),
			keyPem: readFileSync(at('key'), 'utf8') };
	}

	// As one is renewed: another file takes its place.
	static replace(old, by) {
		for (const part of ['key', 'certificate']) {
			copyFileSync(by[part], `${old[part]}.new`);
			renameSync(`${old[part]}.new`, old[part]);
		}
	}
}

// A client as lib/client.mjs has it, by https.
export class TlsClient extends Client {
	constructor(port, options, headers = {}) {
		super(`https://127.0.0.1:${port}`, headers);
		this.options = options;
	}

	open(method, path, { headers = {}, body, signal } = {}) {
		return new Promise((resolve, reject) => {
			const request = https.request({ host: '127.0.0.1', port: this.url.port, method, path,
				headers: { ...this.headers, ...headers }, signal, agent: false, ...this.options });
			request.on('error', reject);
			request.on('response', (answer) => {
				answer.setEncoding('utf8');
				const text = () => new Promise((done, failed) => {
					let all = '';
					answer.on('data', (piece) => { all += piece; });
					answer.on('end', () => done(all));
					answer.on('aborted', () => failed(new Error(`cut after ${all.length}`)));
					answer.on('error', failed);
				});
				resolve({ status: answer.statusCode, headers: answer.headers, stream: answer, request,
					text, json: async () => JSON.parse(await text()) });
			});
			request.end(body);
		});
	}
}

// Resolves with the socket once the handshake is whole; rejects with what ended it. `session`: of
// the last ticket that came. `over`: a socket that is connected already.
export function handshake(port, options = {}) {
	return new Promise((resolve, reject) => {
		const where = options.socket ? {} : { host: '127.0.0.1', port };
		const socket = tls.connect({ ...where, servername: 'gate.test', ...options });
		socket.once('error', reject);
		socket.once('close', () => reject(new Error('closed in the handshake')));
		socket.on('session', (session) => { socket.ticket = session; });
		socket.once('secureConnect', () => resolve(socket));
	});
}

// A client's first bytes.
export function hello(options = {}) {
	return new Promise((resolve) => {
		const socket = new Duplex({ read() {}, write(bytes, encoding, done) { resolve(bytes); done(); } });
		tls.connect({ servername: 'gate.test', ...options, socket }).on('error', () => {});
	});
}

// What comes until `enough` says so, or until the end.
export function receive(socket, enough = () => false) {
	return new Promise((resolve, reject) => {
		let got = '';
		const look = (piece) => {
			got += piece.toString('latin1');
			if (enough(got))
				done();
		};
		const done = () => {
			socket.off('data', look);
			resolve(got);
		};
		socket.on('data', look);
		socket.once('end', done);
		socket.once('close', done);
		socket.once('error', reject);
	});
}
