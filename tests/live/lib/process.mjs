// SPDX-License-Identifier: MIT
// Programs that a test starts: each with a log of its own, ended by its own pid, whatever happens.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const running = new Set();

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What is sure to come comes within this, ms, on the busiest machine.
export const PATIENCE = 60000;

// Calls fn until it gives something true; throws with `what` after ms.
export async function until(what, fn, ms = PATIENCE) {
	const end = Date.now() + ms;
	for (;;) {
		const got = await fn();
		if (got)
			return got;
		if (Date.now() > end)
			throw new Error(`waited ${ms} ms in vain: ${what}`);
		await sleep(10);
	}
}

// Listens there; null when somebody does already.
function listen(...where) {
	return new Promise((resolve) => {
		const server = createServer();
		server.once('error', () => resolve(null));
		server.listen(...where, () => resolve(server));
	});
}

function bindSign(port) {
	return new Promise((resolve) => {
		const socket = createSocket('udp4');
		socket.once('error', () => { socket.close(); resolve(null); });
		socket.bind({ port, address: '127.0.0.2', exclusive: true }, () => resolve(socket));
	});
}

async function isFree(port) {
	const server = await listen(port, '127.0.0.1');
	await new Promise((resolve) => server ? server.close(resolve) : resolve());
	return server !== null;
}

// A TCP port of 127.0.0.1 that nobody listens on at this moment; one of those that the system gives
// to no client's socket, which might take it before it is listened on. It is this process's until it
// ends, also while a server there is down: another test's does not even look whether it is free. The
// sign is a UDP socket of that number at an address that nobody else uses; it goes with the process.
export async function freePort() {
	for (let tries = 0; tries < 100; tries++) {
		const port = 12000 + Math.floor(Math.random() * 20000);
		const sign = await bindSign(port);
		if (sign && await isFree(port)) {
			sign.unref();
			return port;
		}
		sign?.close();
	}
	throw new Error('There is no free port between 12000 and 32000.');
}

// Until a connection is taken there: a server may say that it is ready a moment before it is.
export function takesConnections(port, host = '127.0.0.1') {
	return until(`${host}:${port} takes connections`, () => new Promise((resolve) => {
		const socket = connect(port, host);
		socket.once('connect', () => resolve(true));
		socket.once('error', () => resolve(false));
		socket.once('close', () => socket.destroy());
		socket.once('connect', () => socket.end());
	}));
}

// A server that is started by start(port): a Program that says `ready`. Where somebody was quicker,
// it is started again, at another port unless `fixed` is the only one.
export async function startServer(start, ready, { fixed } = {}) {
	for (let tries = 1; ; tries++) {
		const port = fixed ?? await freePort();
		const program = await start(port);
		try {
			await program.says(ready);
			await takesConnections(port);
			return { program, port };
		} catch (error) {
			if (tries === 10 || !program.ended || !/in use/i.test(program.text()))
				throw error;
			await sleep(200);
		}
	}
}

export class Program {
	constructor(name, command, args, { log, env = {} }) {
		this.name = name;
		this.log = log;
		const out = openSync(log, 'w');
		this.child = spawn(command, args, {
			stdio: ['ignore', out, out],
			env: { ...process.env, ...env },
		});
		closeSync(out);
		this.exit = new Promise((resolve) => {
			this.child.once('exit', (code, signal) => resolve({ code, signal }));
			this.child.once('error', (error) => resolve({ code: null, error }));
		});
		running.add(this);
		this.exit.then((end) => {
			this.ended = end;
			running.delete(this);
		});
	}

	get pid() {
		return this.child.pid;
	}

	text() {
		return existsSync(this.log) ? readFileSync(this.log, 'utf8') : '';
	}

	tail() {
		return this.text().split('\n').slice(-30).join('\n');
	}

	// The match of a pattern in what the program has written.
	async says(pattern, ms = PATIENCE) {
		return until(`${this.name} says ${pattern}`, () => {
			const match = pattern.exec(this.text());
			if (!match && this.ended)
				throw new Error(`${this.name} ended: ${JSON.stringify(this.ended)}\n` +
					this.tail());
			return match;
		}, ms).catch((error) => {
			throw new Error(`${error.message}\n${this.tail()}`);
		});
	}

	kill(signal) {
		if (!this.ended)
			this.child.kill(signal);
	}

	// Ends it, and waits; a program that does not go is killed and that is an error.
	async stop(signal = 'SIGTERM', ms = PATIENCE) {
		this.kill('SIGCONT');
		this.kill(signal);
		const timer = setTimeout(() => {
			this.late = true;
			this.kill('SIGKILL');
		}, ms);
		const end = await this.exit;
		clearTimeout(timer);
		if (this.late)
			throw new Error(`${this.name} did not end on ${signal}\n${this.tail()}`);
		return end;
	}
}

process.on('exit', () => {
	for (const program of running)
		program.child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
	process.on(signal, () => process.exit(1));
