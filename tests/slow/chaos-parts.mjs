// SPDX-License-Identifier: MIT
// The parts that chaos hurts: each can be killed with all its processes (-9) and started again, or
// stopped for a while (SIGSTOP).
import { readFileSync } from 'node:fs';
import { sleep, until } from '../live/lib/process.mjs';

function children(pid) {
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
			.filter((p) => p !== '').map(Number);
	} catch {
		return []; // it has ended
	}
}

const family = (pid) => [pid, ...children(pid).flatMap(family)];

function signal(pids, name) {
	for (const pid of pids)
		try {
			process.kill(pid, name);
		} catch {
			// it has ended
		}
}

export class ChaosPart {
	// start() starts it (again, on the same port) and resolves to its Program when it serves.
	constructor(name, program, start) {
		Object.assign(this, { name, program, start, hurt: 0, wellSince: 0, log: '' });
	}

	// May it have cost a request that began then its answer?
	wasIllSince(began) {
		return this.hurt > 0 || this.wellSince >= began;
	}

	async whileIll(fn) {
		this.hurt++;
		try {
			await fn();
		} finally {
			this.hurt--;
			this.wellSince = performance.now();
		}
	}

	stopFor(ms) {
		return this.whileIll(async () => {
			const pids = family(this.program.pid);
			signal(pids, 'SIGSTOP');
			await sleep(ms);
			signal(pids, 'SIGCONT');
		});
	}

	killFor(ms) {
		return this.whileIll(async () => {
			signal(family(this.program.pid), 'SIGKILL');
			await this.program.exit;
			this.log += this.program.text();
			await sleep(ms);
			this.program = await this.again();
		});
	}

	// Postgres refuses to start while a process of its last life is still there.
	async again() {
		let error;
		for (let tries = 0; tries < 5; tries++)
			try {
				return await this.start();
			} catch (e) {
				error = e;
				await sleep(500);
			}
		throw error;
	}

	// All that it has written, in all its lives.
	text() {
		return this.log + this.program.text();
	}
}

// One hurt after the other until the time is over; sometimes two at once.
export async function hurtAtRandom(parts, { ms, draw, say }) {
	const end = performance.now() + ms;
	const under = new Set();
	let hurts = 0;
	while (performance.now() < end) {
		const part = parts[Math.floor(draw() * parts.length)];
		if (part.hurt > 0 || under.size >= 2) {
			await sleep(50);
			continue;
		}
		const kill = draw() < 0.5, time = kill ? 200 + draw() * 1800 : 300 + draw() * 7700;
		hurts++;
		say(`${kill ? 'kill -9' : 'SIGSTOP'} ${part.name} for ${(time / 1000).toFixed(1)} s`);
		const done = (kill ? part.killFor(time) : part.stopFor(time))
			.finally(() => under.delete(done));
		under.add(done);
		await sleep(500 + draw() * 5000);
		await until('a part is well again', () => under.size < 2, 60000);
	}
	await Promise.all(under);
	return hurts;
}
