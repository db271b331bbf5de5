// SPDX-License-Identifier: MIT
// An HTTP proxy that loses responses: the upstream has done what it was asked to, and the client's
// connection ends before a byte of the response. libcurl by itself sends a request again on that,
// if the connection had been used before.
import http from 'node:http';

export class Lossy {
	constructor(upstream) {
		this.upstream = new URL(upstream);
		this.requests = [];	// "POST /path", as they arrived
		this.connections = 0;
		this.lose = null;	// (request) => boolean, until it has said true once
		this.server = http.createServer((request, answer) => this.pass(request, answer));
		this.server.keepAliveTimeout = 60000;
		this.server.on('connection', () => this.connections++);
	}

	async open() {
		await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		this.url = `http://127.0.0.1:${this.server.address().port}`;
		return this;
	}

	pass(request, answer) {
		const loses = this.lose?.(request);
		this.requests.push(`${request.method} ${request.url}`);
		if (loses)
			this.lose = null;
		const onward = http.request({ host: this.upstream.hostname, port: this.upstream.port,
			method: request.method, path: request.url, headers: request.headers, agent: false });
		onward.on('response', (response) => {
			if (loses) {
				response.resume();
				response.on('end', () => request.socket.destroy());
				return;
			}
			const { connection, ...headers } = response.headers;	// that is the hop's own
			answer.writeHead(response.statusCode, headers);
			response.pipe(answer);
		});
		onward.on('error', () => request.socket.destroy());
		request.pipe(onward);
	}

	close() {
		this.server.closeAllConnections();
		return new Promise((resolve) => this.server.close(resolve));
	}
}
