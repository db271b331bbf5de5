// SPDX-License-Identifier: MIT
// A name server whose answers a test may change between two questions (RFC 1035, 4.1): A records
// with no time to live, so that nothing is cached.
import dgram from 'node:dgram';

export class Names {
	constructor() {
		this.addresses = new Map();	// name -> IPv4 address, or a list of them
		this.asked = [];
	}

	async listen() {
		this.socket = dgram.createSocket('udp4');
		this.socket.on('message', (question, from) => {
			this.socket.send(this.answer(question), from.port, from.address);
		});
		await new Promise((done) => this.socket.bind(0, '127.0.0.1', done));
		this.at = `127.0.0.1:${this.socket.address().port}`;
		return this;
	}

	answer(question) {
		const labels = [];
		let at = 12;
		while (question[at] !== 0) {
			labels.push(question.subarray(at + 1, at + 1 + question[at]).toString());
			at += question[at] + 1;
		}
		const type = question.readUInt16BE(at + 1);
		const name = labels.join('.').toLowerCase();
		const found = type === 1 ? [this.addresses.get(name) ?? []].flat() : [];
		const header = Buffer.from(question.subarray(0, 12));
		header.writeUInt16BE(0x8180, 2);
		header.writeUInt16BE(found.length, 6);
		header.writeUInt32BE(0, 8);
		this.asked.push(name);
		const records = found.map((address) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4,
			...address.split('.').map(Number)]));
		return Buffer.concat([header, question.subarray(12, at + 5), ...records]);
	}

	close() {
		this.socket.close();
	}
}
