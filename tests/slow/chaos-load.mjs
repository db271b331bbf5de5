// SPDX-License-Identifier: MIT
// The load of chaos: clients that ingest, search and chat for tenants, and remember what must be so:
// which documents were acknowledged, and every answer that says what no answer may.
import { sleep } from '../live/lib/process.mjs';

const SENTENCE = 'The lantern over the door is lit when the kettle whistles. ';
const PATIENCE_MS = 90000; // past all of tenantgate's own deadlines

// Each document has a word that no other has; a tenant's words begin with its own.
const canary = (tenant, n) => `canary${tenant}x${n}x`;
const foreign = (text, tenant) => [...text.matchAll(/canary(t\d+)x\d+x/g)]
	.find(([, owner]) => owner !== tenant)?.[0];

export class ChaosLoad {
	// gates: [{ port, part }]; client(gate, tenant) gives a Client.
	constructor({ gates, client, draw, tenants }) {
		Object.assign(this, { gates, client, draw, tenants, going: true });
		this.documents = []; // acknowledged: { tenant, id, word, chunks }
		this.met = new Set(); // tenants that were asked for
		this.statuses = {};
		this.wrong = [];
		this.requests = this.serial = 0;
	}

	complain(what) {
		if (this.wrong.length < 20)
			this.wrong.push(what);
	}

	count(status) {
		this.requests++;
		this.statuses[status] = (this.statuses[status] ?? 0) + 1;
	}

	// An answer with an error says which, in a problem of its own request.
	judge(what, answer, body, tenant) {
		this.count(answer.status);
		const stranger = foreign(body, tenant);
		if (stranger)
			this.complain(`${what} of ${tenant}: an answer holds ${stranger}`);
		if (answer.status < 400)
			return;
		let problem = {};
		try {
			problem = JSON.parse(body);
		} catch {
			// said below
		}
		if (!problem.code || !problem.detail || !problem.request_id)
			this.complain(`${what}: ${answer.status} without code, detail or id: ${body}`);
		if (answer.status === 500 || [400, 401, 403, 404].includes(answer.status))
			this.complain(`${what}: ${answer.status} ${body}`);
		if (answer.status === 503 && !answer.headers['retry-after'])
			this.complain(`${what}: 503 without Retry-After: ${body}`);
	}

	async ingest(client, tenant, signal) {
		const n = ++this.serial, word = canary(tenant, n), id = `d${n}`;
		const text = `${word} ${SENTENCE.repeat(1 + Math.floor(this.draw() * 60))}`;
		const answer = await client.ask('POST', '/ingest', { signal,
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ text, documentId: id }) });
		this.judge('/ingest', answer, answer.body, tenant);
		if (answer.status < 300)
			this.documents.push({ tenant, id, word, chunks: answer.json.document.chunks });
	}

	async search(client, tenant, signal) {
		const mine = this.documents.filter((d) => d.tenant === tenant).at(-1);
		const answer = await client.ask('POST', '/search', { signal,
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ query: mine?.word ?? 'kettle', topK: 20 }) });
		this.judge('/search', answer, answer.body, tenant);
	}

	// The whole answer, or one that says in its last part why it is not whole.
	async chat(client, tenant, signal) {
		const answer = await client.openChat('Which lantern?', { form: 'data', signal });
		const body = await answer.text();
		this.judge('/chat', answer, body, tenant);
		const last = body.trimEnd().split('\n').at(-1);
		if (answer.status === 200 && !/^(d|3):/.test(last))
			this.complain(`/chat ended without a finish or an error: ${last}`);
	}

	async once(gate) {
		const fresh = this.draw() < 0.02 && this.met.size < this.tenants;
		const tenant = `t${fresh ? this.met.size : Math.floor(this.draw() *
			Math.max(1, this.met.size))}`;
		const dice = this.draw(), began = performance.now();
		const what = dice < 0.25 ? 'ingest' : dice < 0.75 ? 'search' : 'chat';
		this.met.add(tenant);
		try {
			await this[what](await this.client(gate, tenant), tenant,
				AbortSignal.timeout(PATIENCE_MS));
		} catch (error) {
			this.count('cut');
			if (!gate.part.wasIllSince(began))
				this.complain(`/${what} of ${tenant} at a gate that was well: ${error.message}`);
			await sleep(50);
		}
	}

	async run(clients) {
		await Promise.all(Array.from({ length: clients }, async (_, i) => {
			const gate = this.gates[i % this.gates.length];
			while (this.going) {
				await this.once(gate);
				await sleep(this.draw() * 60);
			}
		}));
	}
}
