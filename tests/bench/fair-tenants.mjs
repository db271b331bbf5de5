// SPDX-License-Identifier: MIT
// Hundreds of tenants with a database each, made by tenantgate itself: that was three times quicker
// than copies of a furnished one (CREATE DATABASE ... TEMPLATE).
import { closeSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// t0 to t(n-1), each with one small document. progress(how many are there) is called for each.
export async function furnishTenants(gate, n, progress) {
	let next = 0, done = 0;
	await Promise.all(Array.from({ length: 8 }, async () => {
		while (next < n) {
			const client = await gate.tenant(`t${next++}`);
			let stored;
			do
				stored = await client.ingestText('The kettle whistles.', { documentId: 'k' });
			while (stored.status === 503);
			if (stored.status > 201)
				throw new Error(`ingest: ${stored.status} ${stored.body}`);
			progress(++done);
		}
	}));
}

// Logins into tenants' databases, and refusals for want of a connection, since the last call: from
// what Postgres has appended to its log.
export class LoginCounter {
	constructor(stack) {
		this.path = stack.pg.program.log;
		this.at = statSync(this.path).size;
	}

	count() {
		const { size } = statSync(this.path);
		const file = openSync(this.path, 'r');
		const bytes = Buffer.alloc(size - this.at);
		readSync(file, bytes, 0, bytes.length, this.at);
		closeSync(file);
		this.at = size;
		const text = bytes.toString('latin1');
		return { logins: (text.match(/connection authorized: user=\S+ database=tg_/g) ?? []).length,
			refused: (text.match(/FATAL: {2}(sorry, too many|too many conn|remaining conn)/g) ??
				[]).length };
	}
}

// How many sessions of tenants Postgres has, asked every 50 ms by one psql until stop().
export class SessionSampler {
	constructor(stack) {
		const path = join(stack.dir, 'sampler.sql');
		writeFileSync(path, "select 'n=' || count(*) from pg_stat_activity where datname like " +
			"'tg\\_%' and application_name <> 'psql' \\watch 0.05\n");
		this.program = stack.program('sampler', 'psql', ['-X', '-A', '-t', '-q', '-d',
			stack.pg.url('postgres'), '-f', path]);
	}

	async stop() {
		const seen = [...this.program.text().matchAll(/n=(\d+)/g)].map((m) => Number(m[1]));
		await this.program.stop('SIGTERM');
		const sorted = seen.sort((a, b) => a - b);
		return { samples: seen.length, most: sorted.at(-1) ?? 0,
			p50: sorted[sorted.length >> 1] ?? 0, above: (n) => seen.filter((s) => s > n).length };
	}
}
