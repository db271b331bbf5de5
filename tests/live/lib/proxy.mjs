// SPDX-License-Identifier: MIT
// A TCP proxy between tenantgate and a Postgres, which fails as networks, poolers and servers do.
import net from 'node:net';

// An ErrorResponse of PostgreSQL's protocol (3.0): severity, SQLSTATE, message.
export function pgError(sqlstate, message, severity = 'FATAL') {
	const fields = Buffer.from(`S${severity}\0V${severity}\0C${sqlstate}\0M${message}\0\0`);
	const head = Buffer.alloc(5);
	head.write('E');
	head.writeInt32BE(fields.length + 4, 1);
	return Buffer.concat([head, fields]);
}

export class Proxy {
	constructor(port) {
		this.to = port;
		this.pairs = new Set();
		this.logins = 0;
		this.cuts = { left: 0, texts: [], done: 0 };
		this.stalls = { ms: 0, text: '', done: 0 };
		this.losses = { left: 0, text: '', done: 0 };
		this.server = net.createServer((client) => this.accept(client));
	}

	async listen() {
		await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		this.port = this.server.address().port;
		return this;
	}

	close() {
		this.cut();
		this.server.close();
	}

	// What becomes of new connections: passed on; kept without a word until pass(); answered with
	// these bytes, and closed, if it is a user whose name begins so.
	pass() {
		this.answer = null;
		this.held?.forEach((client) => this.connect(client));
		this.held = null;
	}

	hold() {
		this.held = [];
	}

	refuse(bytes, user = '') {
		this.answer = bytes;
		this.user = user;
	}

	// Present connections: each stays open and says nothing more, in no direction; or is closed.
	// What a mute one is told is kept, as latin1.
	mute() {
		for (const pair of this.pairs) {
			pair.isMute = true;
			pair.server.pause();
		}
	}

	// The mute connection that has been told this, while it is open.
	told(pattern) {
		return [...this.pairs].find((pair) => pattern.test(pair.swallowed));
	}

	cut() {
		for (const { client, server } of this.pairs) {
			client.destroy();
			server.destroy();
		}
	}

	// The next n statements with this text get 57P01 instead of an answer, as in a restart.
	cutNext(n, ...texts) {
		this.cuts = { left: n, texts, done: 0 };
	}

	// The next n statements with this text are run, and their answers never come: the connection is
	// cut instead.
	loseAnswers(n, text) {
		this.losses = { left: n, text, done: 0 };
	}

	// The next statement with this text is followed by a pause in which nothing is read.
	stallNext(ms, text) {
		this.stalls = { ms, text, done: 0 };
	}

	accept(client) {
		client.on('error', () => client.destroy());
		this.logins++;
		if (this.answer)
			this.turnAway(client, this.answer);
		else if (this.held)
			this.held.push(client);
		else
			this.connect(client);
	}

	// "N" to an SSLRequest (eight bytes); the answer to what follows.
	turnAway(client, answer) {
		client.on('data', (bytes) => {
			if (bytes.length === 8) {
				client.write('N');
			} else if (bytes.includes(`user\0${this.user}`)) {
				client.end(answer);
			} else {
				client.removeAllListeners('data');
				this.connect(client).server.write(bytes);
			}
		});
	}

	connect(client) {
		const server = net.connect(this.to, '127.0.0.1');
		const pair = { client, server, isMute: false, swallowed: '' };
		const over = () => {
			this.pairs.delete(pair);
			client.destroy();
			server.destroy();
		};
		this.pairs.add(pair);
		client.on('data', (bytes) => this.fromClient(pair, bytes));
		server.on('data', (bytes) => {
			if (!pair.isMute && !client.write(bytes)) {
				server.pause();
				client.once('drain', () => server.resume());
			}
		});
		for (const [from, to] of [[client, server], [server, client]]) {
			from.on('end', () => pair.isMute || to.end());
			from.on('close', over);
			from.on('error', over);
		}
		return pair;
	}

	fromClient(pair, bytes) {
		const { client, server } = pair;

		if (pair.isMute) {
			pair.swallowed += bytes.toString('latin1');
			return;
		}
		if (this.cuts.left > 0 && this.cuts.texts.some((text) => bytes.includes(text))) {
			this.cuts.left--;
			this.cuts.done++;
			client.end(pgError('57P01',
				'terminating connection due to administrator command'));
			server.destroy();
			return;
		}
		if (this.losses.left > 0 && bytes.includes(this.losses.text)) {
			this.losses.left--;
			pair.isMute = true;
			server.once('data', () => {
				this.losses.done++;
				client.destroy();
				server.destroy();
			});
		}
		if (this.stalls.ms > 0 && bytes.includes(this.stalls.text)) {
			client.pause();
			setTimeout(() => client.resume(), this.stalls.ms);
			this.stalls = { ms: 0, text: '', done: 1 };
		}
		if (!server.write(bytes)) {
			client.pause();
			server.once('drain', () => client.resume());
		}
	}
}
