// SPDX-License-Identifier: MIT
// For tests of what an upload holds in memory: the process that is asked, a model that costs
// nothing, forms, and the most that was resident.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const MIB = 1 << 20;
export const DIMENSIONS = 1536;

// Freed memory is to be free: AddressSanitizer keeps it for a while.
export const freed = () => ({ env: { ASAN_OPTIONS: [process.env.ASAN_OPTIONS,
	'quarantine_size_mb=1:thread_local_quarantine_size_kb=16:allocator_release_to_os_interval_ms=0']
	.filter(Boolean).join(':') } });

// Vectors of no meaning.
export function cheapVectors(server) {
	const vectors = Array.from({ length: 64 }, (_, i) => Buffer.from(Float32Array.from(
		{ length: DIMENSIONS }, (_, k) => Math.sin(i * 7919 + k)).buffer).toString('base64'));
	server.embeddings = (request, response) => {
		server.requests.length = 0;
		const items = [request.body.input].flat().map((text, index) => '{"object":"embedding",' +
			`"index":${index},"embedding":"${vectors[text.length * 31 % 64]}"}`);
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(`{"data":[${items.join(',')}]}`);
	};
}

export function form(parts) {
	const boundary = 'tenantgate-test-boundary';
	const pieces = parts.flatMap(({ name, fileName, type, encoding, bytes }) => [
		`--${boundary}\r\nContent-Disposition: form-data; name="${name}"` +
		`${fileName ? `; filename="${fileName}"` : ''}\r\n${type ? `Content-Type: ${type}\r\n` : ''}` +
		`${encoding ? `Content-Transfer-Encoding: ${encoding}\r\n` : ''}\r\n`, bytes, '\r\n']);
	return { type: `multipart/form-data; boundary=${boundary}`,
		body: Buffer.concat([...pieces, `--${boundary}--\r\n`].map((p) => Buffer.from(p))) };
}

const status = (pid) => readFileSync(`/proc/${pid}/status`, 'utf8');
const mib = (text, name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]) / 1024;

// The most that was ever resident, in bytes.
export const highest = (pid) => mib(status(pid), 'VmHWM') * MIB;

// What an upload had is freed behind its answer: read again until it does not become less.
async function settled(pid) {
	for (let last = status(pid); ;) {
		await sleep(200);
		const now = status(pid);
		if (mib(now, 'VmRSS') > mib(last, 'VmRSS') - 0.1)
			return now;
		last = now;
	}
}

// What the process has more at the most while `work` goes on than before, in MiB: `all` is the
// kernel's own count (proc(5), clear_refs), `own` and `file` of RssAnon and RssFile, asked for now
// and then. And what became of the work.
export async function resident(pid, work) {
	const before = await settled(pid);
	writeFileSync(`/proc/${pid}/clear_refs`, '5');
	const most = { own: 0, file: 0 };
	let done = false;
	const asked = (async () => {
		while (!done) {
			const now = status(pid);
			for (const [part, name] of [['own', 'RssAnon'], ['file', 'RssFile']])
				most[part] = Math.max(most[part], mib(now, name) - mib(before, name));
			await sleep(2);
		}
	})();
	const answer = await work().finally(() => {
		done = true;
	});
	await asked;
	return { answer, all: mib(status(pid), 'VmHWM') - mib(before, 'VmRSS'), ...most };
}
