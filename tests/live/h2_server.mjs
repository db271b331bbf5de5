// SPDX-License-Identifier: MIT
// An HTTP/2 server for test_web_h2: h2_server.mjs CERT KEY; prints its port, ends with its stdin.
import { readFileSync } from 'node:fs';
import { constants, createSecureServer } from 'node:http2';

const [, , cert, key] = process.argv;
const server = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) });
const seen = { sessions: 0, open: 0, closed: 0, written: 0, refused: 0, lost: 0,
	goaway: 0, farewell: 0, broken: 0, torn: 0 };

const raw = new Map();
server.on('connection', (socket) => raw.set(socket.remotePort, socket));
server.on('session', (session) => {
	seen.sessions++;
	session.on('error', () => {});
});

// As fast as the peer's window lets it, `left` blocks.
function pour(stream, left) {
	const block = Buffer.alloc(65536, 'x');
	while (left-- > 0) {
		seen.written += block.length;
		if (!stream.write(block)) {
			stream.once('drain', () => pour(stream, left));
			return;
		}
	}
	stream.end();
}

// It takes in nothing from that stream on.
function leave(stream, then = () => {}) {
	const { session, id } = stream;
	session.goaway(constants.NGHTTP2_NO_ERROR, id - 2);
	setImmediate(() => then(session));
}

// Whose session takes no more when four more have come, and stays.
let crowd;

server.on('stream', (stream, headers) => {
	seen.open++;
	stream.on('close', () => seen.closed++);
	stream.on('error', () => {});
	const path = headers[':path'];
	if (path === '/seen') {
		stream.respond({ ':status': 200 });
		stream.end(JSON.stringify(seen));
	} else if (path === '/big') {
		stream.respond({ ':status': 200 });
		pour(stream, 1024);
	} else if (path === '/silent') {
		if (stream.session === crowd?.session && --crowd.awaited === 0)
			leave(crowd);
	} else if (path === '/cut') {
		stream.respond({ ':status': 200 });
		stream.write('half', () => stream.session.destroy());
	} else if (path === '/refused') {
		seen.refused++;
		stream.close(constants.NGHTTP2_REFUSED_STREAM);
	} else if (path === '/goaway') {
		seen.goaway++;
		leave(stream, (session) => session.destroy());
	} else if (path === '/crowd') {
		crowd = Object.assign(stream, { awaited: 4 });
	} else if (path === '/farewell') {
		// A GOAWAY that takes our stream in, and then no answer.
		seen.farewell++;
		stream.session.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
		setTimeout(() => stream.session?.destroy(), 50);
	} else if (path === '/broken') {
		seen.broken++;
		stream.close(constants.NGHTTP2_INTERNAL_ERROR);
	} else if (path === '/torn') {
		seen.torn++;
		raw.get(stream.session.socket.remotePort).resetAndDestroy();
	} else if (path === '/lost') {
		seen.lost++;
		stream.session.destroy();
	} else if (path === '/reset') {
		stream.respond({ ':status': 200 });
		stream.write('half', () => stream.destroy(new Error('reset')));
	} else {
		// The body first: node resets a stream that it has answered and not read.
		stream.resume().on('end', () => {
			stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
			stream.end('hello');
		});
	}
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
