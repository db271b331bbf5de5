// SPDX-License-Identifier: MIT
// Other servers that read the bytes of a connection: node's http, and an nginx in front of a server
// that keeps what nginx passes on. Each tells the requests that it saw, as request_print does:
// { requests: [{ method, target, body, whole }] }, target and body as latin1.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { freePort, until } from './process.mjs';

const PATIENCE = 20000;	// ms for a connection to end, on a busy machine

// A target in absolute form is the resource that its path names.
export const withoutAuthority = (target) =>
	target.replace(/^https?:\/\/[^/?]*/i, '').replace(/^(?!\/|\*)/, '/');

// Sends all, shuts its side, and waits for the end. `begun` is told the connection's port.
function send(port, bytes, begun) {
	return new Promise((resolve, reject) => {
		const socket = net.connect(port, '127.0.0.1');
		socket.setTimeout(PATIENCE, () => socket.destroy(new Error('the server does not end')));
		socket.on('connect', () => {
			begun(socket.localPort);
			socket.end(bytes);
		});
		socket.resume();
		// A server that refuses may close before it has read all.
		socket.on('error', (error) => (/ECONNRESET|EPIPE/.test(error.code ?? '') ? null : reject(error)));
		socket.on('close', () => resolve());
	});
}

const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () =>
	resolve(server.address().port)));

class Reader {
	constructor() {
		this.seen = new Map();	// client's port -> requests, in their order
	}

	async read(bytes) {
		let port;
		await send(this.port, bytes, (own) => {
			port = own;
			this.seen.set(own, []);
		});
		const requests = this.seen.get(port);
		await until('its requests have ended', () => requests.every((r) => r.ended), PATIENCE);
		this.seen.delete(port);
		return { requests };
	}
}

export class NodeReader extends Reader {
	name = 'node';

	async start() {
		this.server = http.createServer({ maxHeaderSize: 32768, requireHostHeader: true }, (q, r) => {
			const request = { method: q.method, target: withoutAuthority(q.url), body: '', whole: false };
			this.seen.get(q.socket.remotePort).push(request);
			q.setEncoding('latin1');
			q.on('data', (piece) => { request.body += piece; });
			q.on('end', () => {
				request.whole = q.complete;
				r.end();
			});
			q.on('close', () => { request.ended = true; });
			q.on('error', () => {});
		});
		this.port = await listen(this.server);
		return this;
	}

	async stop() {
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}
}

// What nginx writes is plain: one request a connection, which it ends itself when it gives up.
function readForwarded(socket, found) {
	let text = '', request = null;
	socket.setEncoding('latin1');
	socket.on('data', (piece) => {
		text += piece;
		const at = text.indexOf('\r\n\r\n');
		if (at < 0)
			return;
		const [line, ...fields] = text.slice(0, at).split('\r\n');
		const field = (name) => fields.find((f) => f.toLowerCase().startsWith(`${name}: `))
			?.slice(name.length + 2);
		if (!request) {
			const [, method, target] = /^(\S+) (.*) HTTP\/1\.1$/.exec(line);
			request = { method, target: withoutAuthority(target), body: '', whole: false };
			found(Number(field('x-client-port')), request);
		}
		Object.assign(request, readBody(text.slice(at + 4), field('content-length'),
			field('transfer-encoding')));
		if (request.whole)
			socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
	});
	socket.on('error', () => {});
	socket.on('close', () => {
		if (request)
			request.ended = true;
	});
}

function readBody(text, length, coding) {
	if (coding === undefined)
		return { body: text, whole: text.length >= Number(length ?? 0) };
	let body = '';
	for (let at = 0; ;) {
		const line = /^([0-9a-f]+)\r\n/.exec(text.slice(at, at + 20));
		const size = line ? parseInt(line[1], 16) : 0;
		if (!line || size === 0)
			return { body, whole: line !== null };
		body += text.slice(at + line[0].length, at + line[0].length + size);
		at += line[0].length + size + 2;
		if (at > text.length)
			return { body, whole: false };
	}
}

// A request that is not whole may be passed on when its client has gone, and is not seen then; a whole
// one is always, for its client waits for the answer.
export class NginxReader extends Reader {
	name = 'nginx';

	static path = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((p) => existsSync(p));

	async start(stack) {
		const dir = join(stack.dir, 'nginx');
		this.backend = net.createServer((socket) =>
			readForwarded(socket, (port, request) => this.seen.get(port)?.push(request)));
		const behind = await listen(this.backend);
		this.port = await freePort();
		mkdirSync(dir);
		writeFileSync(join(dir, 'nginx.conf'), `daemon off;\npid ${dir}/pid;\nworker_processes 1;
events { worker_connections 4096; }
http {
	access_log off;
	${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) =>
		`${what}_temp_path ${dir}/${what};`).join('\n\t')}
	client_max_body_size 0;
	large_client_header_buffers 4 32k;
	keepalive_requests 1000;
	client_header_timeout 5s;
	client_body_timeout 5s;
	lingering_timeout 100ms;
	server {
		listen 127.0.0.1:${this.port} backlog=1024;
		location / {
			proxy_pass http://127.0.0.1:${behind};
			proxy_http_version 1.1;
			proxy_request_buffering off;
			proxy_ignore_client_abort on;
			proxy_set_header X-Client-Port $remote_port;
		}
	}
}
`);
		this.program = stack.program('nginx', NginxReader.path, ['-p', dir, '-c',
			join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')]);
		await until('nginx listens', () => send(this.port, 'GET / HTTP/1.0\r\n\r\n', (own) =>
			this.seen.set(own, [])).then(() => true, () => false));
		this.seen.clear();
		return this;
	}

	async stop() {
		await this.program?.stop();
		await new Promise((resolve) => this.backend.close(resolve));
	}
}

// ---- bytes that are nearly a request ----

// A generator of fixed seed (mulberry32): [0, n).
export function random(seed) {
	let state = seed;
	return (n) => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) % n;
	};
}

const BYTES = ['\r', '\n', '\0', '\t', ' ', '\v', '\f', ',', ';', ':', '"', '=', '+', '-', '_', '0', 'x',
	'?', '#', '%', '*', '/', '\\', '\x7f', '\x80', '\x85', '\xa0', '\xff'];
const LINES = ['Content-Length: 3', 'Content-Length: 0', 'Content-Length: 10', 'Content-Length: 03',
	'Content-Length: +3', 'Content-Length: 3, 3', 'Content-Length : 3', 'Content-Length:\t3 ',
	'Content_Length: 3', 'content-length:3', 'Transfer-Encoding: chunked', 'Transfer-Encoding:chunked',
	'Transfer-Encoding : chunked', 'Transfer-Encoding: Chunked', 'Transfer-Encoding: chunked, chunked',
	'Transfer-Encoding: identity', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: xchunked',
	'Transfer-Encoding:\vchunked', 'Transfer-Encoding: "chunked"', 'Transfer_Encoding: chunked',
	' Transfer-Encoding: chunked', 'TE: trailers', 'Trailer: X', 'Host: other', 'Host:', 'Host: a b',
	'Connection: close', 'Connection: keep-alive', 'Connection: close, keep-alive',
	'Connection: content-length', 'Connection: upgrade', 'Upgrade: h2c', 'Upgrade: websocket',
	'HTTP2-Settings: AAMAAABkAAQAAP__', 'Expect: 100-continue', 'Expect: x', 'Proxy-Connection: close',
	'X: y', 'X:', ': y', 'X', '', '0', '3', '3;a=b', '3 ', '3;', '03', '0x3', '3\t;a="b\\"c"', 'abc',
	'0;x', 'GET / HTTP/1.1', 'GET /?a?b HTTP/1.0', 'POST http://other/p HTTP/1.1', 'OPTIONS * HTTP/1.1'];
const NUMBERS = ['0', '1', '2', '3', '5', '10', '00', '01', '1e1', '0x5', '-1', '18446744073709551617',
	'4294967297', 'A', 'a', 'ffffffffffffffff1', '1_0'];

const EDITS = [
	(s, at, pick) => s.slice(0, at) + pick(BYTES) + s.slice(at + 1),
	(s, at, pick) => s.slice(0, at) + pick(BYTES) + s.slice(at),
	(s, at) => s.slice(0, at) + s.slice(at + 1),
	(s, at) => s.slice(0, at) + s[at] + s.slice(at),
	(s, at) => s.slice(0, at) + (s[at] === s[at]?.toUpperCase() ? s[at]?.toLowerCase() :
		s[at].toUpperCase()) + s.slice(at + 1),
	(s, at, pick) => byLine(s, at, (l) => [pick(LINES), l]),
	(s, at, pick) => byLine(s, at, (l) => [l, pick(LINES)]),
	(s, at, pick) => byLine(s, at, () => [pick(LINES)]),
	(s, at) => byLine(s, at, (l) => [l, l]),
	(s, at) => byLine(s, at, () => []),
	(s, at) => s.slice(0, at) + s.slice(at).replace('\r\n', '\n'),
	(s, at) => s.slice(0, at) + s.slice(at).replace('\r\n', '\r'),
	(s, at) => s.slice(0, at) + s.slice(at).replace('\r\n', '\r\n\r\n'),
	(s, at, pick) => s.slice(0, at) + s.slice(at).replace(/\d+/, () => pick(NUMBERS)),
	(s, at, pick, other) => s.slice(0, at) + other.slice(other.length % (at + 1)),
	(s, at, pick, other) => s + other,
];

function byLine(s, at, change) {
	const begin = s.lastIndexOf('\r\n', at) + (s.lastIndexOf('\r\n', at) < 0 ? 1 : 2);
	const end = s.indexOf('\r\n', begin) < 0 ? s.length : s.indexOf('\r\n', begin);
	const lines = change(s.slice(begin, end));
	return s.slice(0, begin) + lines.map((l) => `${l}\r\n`).join('') + s.slice(end + 2);
}

// One seed with one to three edits.
export function mutant(seeds, dice) {
	const pick = (list) => list[dice(list.length)];
	let s = pick(seeds);
	for (let edits = 1 + dice(3); edits > 0; edits--)
		s = pick(EDITS)(s, dice(s.length + 1), pick, pick(seeds)) || 'x';
	return s.slice(0, 65536);
}
