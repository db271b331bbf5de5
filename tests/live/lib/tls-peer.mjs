// SPDX-License-Identifier: MIT
// TLS in front of a plain server, with a certificate or a misbehaviour of the test's choice at each
// moment. It notes all that it is sent, so that a test can see what was told to whom.
//
//	const peer = await TlsPeer.start({ certificates: makeFaults(folder), port: redis.port });
//	peer.mode = 'expired';		// a certificate's name; or STALLS, PLAIN, CUTS
//	peer.dropAll();			// so that whoever was connected comes again
//	peer.heard			// { mode, raw, text } of each connection
import net from 'node:net';
import tls from 'node:tls';

export const STALLS = 'stalls';	// in the handshake: nothing comes
export const PLAIN = 'plain';	// speaks, but not TLS
export const CUTS = 'cuts';	// ends the connection when the handshake has begun

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

export class TlsPeer {
	// port: of the server behind. postgres: TLS begins after its SSLRequest; behind: how this peer
	// connects to that server, in place of a plain connection.
	static async start(options) {
		const peer = new TlsPeer();
		Object.assign(peer, { mode: 'good', heard: [], sockets: new Set(), plainAnswer:
			'HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n', behind: (port) =>
			net.connect(port, '127.0.0.1') }, options);
		peer.server = net.createServer((socket) => peer.accept(socket));
		await new Promise((done) => peer.server.listen(0, '127.0.0.1', done));
		peer.server.unref();
		return Object.assign(peer, { at: peer.server.address().port });
	}

	accept(socket) {
		const note = { mode: this.mode, raw: '', text: '' };
		this.heard.push(note);
		this.keep(socket);
		if (!this.postgres)
			return this.speak(socket, note);
		socket.once('data', (asked) => {
			if (!asked.equals(SSL_REQUEST))
				note.raw += asked.toString('latin1');
			else if (note.mode === PLAIN)
				this.listenOnly(socket, note, () => {}).write('N');
			else
				socket.write('S', () => this.speak(socket, note));
		});
	}

	speak(socket, note) {
		if (note.mode === STALLS)
			this.listenOnly(socket, note, () => {});
		else if (note.mode === PLAIN)
			this.listenOnly(socket, note, () => socket.end(this.plainAnswer));
		else if (note.mode === CUTS)
			this.listenOnly(socket, note, () => socket.destroy());
		else
			this.relay(socket, note);
	}

	listenOnly(socket, note, then) {
		return socket.on('data', (bytes) => {
			note.raw += bytes.toString('latin1');
			then();
		});
	}

	async relay(socket, note) {
		const inner = this.keep(new tls.TLSSocket(socket, { isServer: true,
			...this.certificates[note.mode] }));
		inner.on('data', (bytes) => { note.text += bytes.toString('latin1'); });
		inner.pause();
		const server = this.keep(await this.behind(this.port));
		inner.pipe(server).pipe(inner);
	}

	keep(socket) {
		this.sockets.add(socket);
		socket.on('error', () => socket.destroy());
		socket.on('close', () => this.sockets.delete(socket));
		return socket;
	}

	dropAll() {
		this.sockets.forEach((socket) => socket.destroy());
	}

	heardIn(mode) {
		return this.heard.filter((note) => note.mode === mode);
	}

	stop() {
		this.dropAll();
		return new Promise((done) => this.server.close(done));
	}
}

// The words of each fault, as an operator reads them: of a certificate for `host`, with that file.
export function faultsOf(host, caFile) {
	const of = (words) => new RegExp(`the certificate of ${host} ${words}.*\\(CA file ${caFile}\\)`);
	return {
		commonName: of('does not have this (name|address) as a subjectAltName'),
		expired: of('has expired'),
		otherName: of('does not have this (name|address) as a subjectAltName'),
		unknownCa: of('is signed by an authority that is not trusted'),
		selfSigned: of('is self-signed and not a trusted one'),
	};
}
