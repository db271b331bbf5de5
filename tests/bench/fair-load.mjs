// SPDX-License-Identifier: MIT
// A process of its own that asks, so that what it costs does not delay who measures. Told by its
// parent: { spec }, 'mark' (measure from here on), 'end' (say the figures and go). A spec is
// { port, key, seed, groups: { NAME: group } }; a group:
//
//	tenants, clients	client i asks for tenants[i % n]; with zipf: for whom the dice say
//	kind			search, health, or one of the bodies of megabytes
//	pause			ms between an answer and the next request
//	skip, times		answers of each client that are not counted; that are, and then it ends
//	stagger			ms over which the clients begin
import { random, zipf } from '../live/lib/crowd.mjs';
import { sleep } from '../live/lib/process.mjs';
import { RawConnection, requestBytes } from './raw.mjs';

const many = (n, item) => Array.from({ length: n }, (_, i) => item(i)).join(',');
const megabytes = {
	keys: () => `{${many(800000, (i) => `"${String(i).padStart(6, '0')}":1`)}}`,
	numbers: () => `[${many(4500000, () => '7')}]`,
	text: () => JSON.stringify('The lantern over the door is lit. '.repeat(270000)),
};
const wrapped = {
	ingest: (v) => `{"text":"The kettle whistles.","documentId":"m","metadata":{"a":${v}}}`,
	chat: (v) => `{"messages":[{"role":"user","content":"kettle?"}],"data":${v}}`,
	search: (v) => `{"query":"kettle","documentIds":[${v}]}`,
};

function bytesOf(kind, tenant, key) {
	if (kind === 'health')
		return requestBytes({ method: 'GET', path: '/healthz' });
	if (kind === 'search')
		return requestBytes({ path: '/search', key, tenant, body: '{"query":"kettle","topK":1}' });
	const [route, what] = kind.split(' ');
	return requestBytes({ path: `/${route}`, key, tenant, body: wrapped[route](megabytes[what]()) });
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

class Group {
	constructor(name, group, { port, key, seed }) {
		Object.assign(this, { name, pause: 0, skip: 0, times: Infinity, stagger: 0, ...group });
		this.requests = this.tenants.map((tenant) => bytesOf(this.kind, tenant, key));
		this.pick = this.zipf ? zipf(this.tenants.length, random(seed)) : null;
		this.port = port;
		this.mark();
	}

	mark() {
		this.since = performance.now();
		this.times_ms = [];
		this.statuses = {};
	}

	async client(i) {
		const connection = new RawConnection(this.port);
		if (this.stagger)
			await sleep(this.stagger * i / this.clients);
		for (let n = 0; !this.ended && n < this.skip + this.times; n++) {
			const start = performance.now();
			const status = await connection.ask(this.requests[this.pick ? this.pick() :
				i % this.requests.length]);
			if (n >= this.skip && !this.ended) {
				this.statuses[status] = (this.statuses[status] ?? 0) + 1;
				this.times_ms.push(performance.now() - start);
			}
			if (status === 'closed' || status === 429)
				await sleep(20);
			if (this.pause)
				await sleep(this.pause);
		}
		connection.close();
	}

	run() {
		return Promise.all(Array.from({ length: this.clients }, (_, i) => this.client(i)));
	}

	figures() {
		const sorted = this.times_ms.sort((a, b) => a - b);
		return { requests: sorted.length, statuses: this.statuses,
			failed: sorted.length - (this.statuses[200] ?? 0) - (this.statuses[201] ?? 0),
			per_second: sorted.length / (performance.now() - this.since) * 1e3,
			p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) };
	}
}

let groups = [];

function end() {
	for (const group of groups)
		group.ended = true;
	process.send({ figures: Object.fromEntries(groups.map((g) => [g.name, g.figures()])) },
		() => process.exit(0));
}

process.on('message', (message) => {
	if (message.spec) {
		groups = Object.entries(message.spec.groups).map(([name, group]) => new Group(name, group,
			message.spec));
		process.send({ ready: true });
		Promise.all(groups.map((group) => group.run())).then(end);
	} else if (message === 'mark') {
		groups.forEach((group) => group.mark());
	} else if (message === 'end') {
		end();
	}
});
process.on('disconnect', () => process.exit(1));
