// SPDX-License-Identifier: MIT
// A kept HTTP/1.1 connection that costs its own process little, so that thousands fit in one:
// requests are bytes made before, of an answer only the status and its end are read.
import net from 'node:net';

export function requestBytes({ method = 'POST', path, key, tenant, body }) {
	const head = [`${method} ${path} HTTP/1.1`, 'Host: bench'];
	if (key)
		head.push(`Authorization: Bearer ${key}`, `X-Tenant-Id: ${tenant}`);
	if (body !== undefined)
		head.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`);
	const text = `${head.join('\r\n')}\r\n\r\n`;
	return body === undefined ? Buffer.from(text) : Buffer.concat([Buffer.from(text),
		Buffer.from(body)]);
}

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');

// Where the first answer in `bytes` ends, and its status; null: more is to come.
function answerIn(bytes) {
	const head = bytes.indexOf(HEAD_END);
	if (head < 0)
		return null;
	const text = bytes.latin1Slice(0, head);
	const status = Number(text.slice(9, 12));
	const length = /\r\ncontent-length: *(\d+)/i.exec(text);
	const close = /\r\nconnection: *close/i.test(text);
	if (status === 100)
		return { end: head + 4, status };
	if (length) {
		const end = head + 4 + Number(length[1]);
		return end <= bytes.length ? { end, status, close } : null;
	}
	const last = bytes.indexOf(LAST_CHUNK, head);
	return last < 0 ? null : { end: last + LAST_CHUNK.length, status, close };
}

export class RawConnection {
	constructor(port) {
		this.port = port;
		this.bytes = Buffer.alloc(0);
	}

	connect() {
		this.socket = net.connect({ port: this.port, host: '127.0.0.1', noDelay: true });
		this.bytes = Buffer.alloc(0);
		this.socket.on('data', (piece) => this.data(piece));
		this.socket.on('error', () => {});
		this.socket.on('close', () => {
			this.socket = null;
			this.done('closed');
		});
	}

	data(piece) {
		this.bytes = this.bytes.length === 0 ? piece : Buffer.concat([this.bytes, piece]);
		let answer = answerIn(this.bytes);
		while (answer?.status === 100) {
			this.bytes = this.bytes.subarray(answer.end);
			answer = answerIn(this.bytes);
		}
		if (!answer)
			return;
		this.bytes = this.bytes.subarray(answer.end);
		if (answer.close) {
			this.socket.removeAllListeners('close');
			this.socket.destroy();
			this.socket = null;
		}
		this.done(answer.status);
	}

	done(status) {
		const { resolve } = this;
		this.resolve = null;
		if (resolve)
			resolve(status);
	}

	// The status of the answer, or 'closed'. One at a time.
	ask(bytes) {
		return new Promise((resolve) => {
			this.resolve = resolve;
			if (!this.socket)
				this.connect();
			this.socket.write(bytes);
		});
	}

	close() {
		this.socket?.destroy();
	}
}
