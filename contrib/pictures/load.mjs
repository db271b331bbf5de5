// SPDX-License-Identifier: MIT
// A real load for the pictures: many tenants, some loud and most quiet, who ingest, search and chat;
// and one after the other what happens to a service in a year: new tenants, a slow model, a model that
// fails, a reload that holds and one that is refused, a tenant that asks too much, a lock that makes
// searches wait, a database that cannot be made.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { databases, lockTables, random, zipf } from '../../tests/live/lib/crowd.mjs';
import { sleep } from '../../tests/live/lib/process.mjs';
import { sample } from '../../tests/live/lib/stack.mjs';
import { paragraphs } from '../../tests/live/lib/harbour-book.mjs';

export const SETTINGS = {
	chat_model: 'near/quick, far/careful', models_allowed: 'near/quick, far/careful',
	rerank_model: 'near/judge', rerank: 'on',
	default_pool_size: 4, max_server_connections: 60, max_ingests: 4, max_embedding_calls: 4,
	max_model_streams: 8, server_idle_timeout: '20s', rate_limit_requests_per_minute: 0,
	'plan trial': { requests_per_minute: 40, burst: 10 },
};

// How the stand-ins for models behave when nothing is wrong.
export const NEAR = { token_delay_ms: 12, first_delay_ms: 60, tokens: 50, embed_delay_ms: 8, rerank_delay_ms: 25 };
const FAR = { first_delay_ms: 250, token_delay_ms: 25, tokens: 40 };

const NAMES = ['acme', 'birch-and-sons', 'cobalt', 'delta-freight', 'elm', 'fjord', 'granite', 'harbour',
	'iris', 'juniper', 'kestrel', 'larch', 'mariner', 'north-star', 'opal', 'pine'];
const LATECOMERS = ['quartz', 'rowan', 'sable', 'tern', 'umber', 'violet', 'willow', 'yarrow'];
const TRIALS = ['delta-freight', 'fjord', 'kestrel'];
const QUESTIONS = ['How many litres of fuel an hour does the Marigold burn?', 'Who looks after the goat?',
	'What does a night at a berth cost?', 'Where may dogs run?', 'When does the crane not work?'];
const CLIENTS = 18;

export const TOLD = `${NAMES.length + LATECOMERS.length} tenants that search, chat and ingest; among ` +
	'it new tenants, a slow model and one that fails, limits, a lock, a reload and one that is refused';

export class Load {
	constructor(stack, gates, far) {
		Object.assign(this, { stack, gates, far, draw: random(12), errors: [] });
		this.names = [...NAMES];
		this.going = true;
	}

	pick = (list) => list[Math.floor(this.draw() * list.length)];

	async clientOf(name) {
		return this.pick(this.gates).tenant(name);
	}

	// Each has something to be asked about.
	async begin() {
		for (const name of NAMES) {
			const tenant = await this.clientOf(name);
			const answer = await tenant.ingestFile(sample);
			if (answer.status !== 201)
				throw new Error(`ingest of ${name}: ${answer.status} ${answer.body}`);
		}
		for (const name of TRIALS)
			await this.gates[0].admin.ask('PATCH', `/admin/tenants/${name}`, { headers:
				{ 'content-type': 'application/json' }, body: '{"plan":"trial"}' });
	}

	async chat(tenant) {
		const leave = new AbortController();
		const fields = this.draw() < 0.25 ? { model: 'far/careful' } : {};
		const options = { form: this.pick(['ui', 'data', 'text']), fields, signal: leave.signal };
		if (this.draw() < 0.06)
			setTimeout(() => leave.abort(), 120 + 400 * this.draw());
		return tenant.chat(this.pick(QUESTIONS), options);
	}

	ingest(tenant) {
		if (this.draw() < 0.3)
			return tenant.ingestFile(sample, { id: `guide-${Math.floor(this.draw() * 3)}` });
		const words = Array.from({ length: 2 + Math.floor(this.draw() * 12) }, () =>
			this.pick(Object.values(paragraphs)));
		return tenant.ingestText(words.join('\n\n'), { documentId: `note-${Math.floor(this.draw() * 20)}` });
	}

	slip(tenant) {
		return this.pick([() => tenant.post('/search', '{"query":'), () => tenant.get('/serach'),
			() => tenant.get('/documents/there-is-none'),
			() => tenant.post('/search', { query: '' })])();
	}

	async once(draw) {
		const tenant = await this.clientOf(draw());
		const dice = this.draw();
		await (dice < 0.5 ? tenant.search(this.pick(QUESTIONS), { topK: 4 }) :
			dice < 0.83 ? this.chat(tenant) : dice < 0.93 ? this.ingest(tenant) :
				dice < 0.98 ? tenant.get('/documents') : this.slip(tenant));
	}

	// One user after the other, with pauses that grow and shrink as a day does.
	async user(seconds) {
		const start = Date.now();
		while (this.going) {
			const rank = zipf(this.names.length, this.draw);
			await this.once(() => this.names[rank()]).catch((error) => {
				if (error.name !== 'AbortError' && !/aborted|cut/.test(error.message))
					this.errors.push(error.message);
			});
			const day = Math.sin((Date.now() - start) / seconds / 1000 * 2 * Math.PI * 1.5);
			await sleep((250 - 150 * day) * -Math.log(1 - this.draw()));
		}
	}

	arrive(name) {
		this.names.push(name);
	}

	async reload(gate, change) {
		const text = readFileSync(gate.path, 'utf8');
		if (change !== null)
			appendFileSync(gate.path, change);
		const answer = await gate.admin.post('/admin/reload', '');
		if (change !== null && answer.status !== 200)
			writeFileSync(gate.path, text);
		return answer.status;
	}

	async lock(seconds) {
		const { acme } = await databases(this.stack);
		const lock = await lockTables(this.stack, acme);
		await sleep(1000 * seconds);
		await lock.release();
	}

	async storm(name) {
		const tenant = await this.clientOf(name);
		await Promise.all(Array.from({ length: 80 }, () => tenant.search('Where is the goat?')
			.catch((error) => this.errors.push(error.message))));
	}

	// Vectors take long, so that calls for them are waited for.
	async slowVectors(name) {
		await this.stack.knobs({ ...NEAR, embed_delay_ms: 600 });
		await this.storm(name);
		await this.stack.knobs(NEAR);
	}

	async farIs(knobs) {
		await this.far.client.post('/_knobs', { reset: true, ...FAR, ...knobs });
	}

	// [when it begins, of the whole; what]
	events(seconds) {
		const [one, other] = this.gates;
		return [
			...LATECOMERS.map((name, i) => [0.06 + 0.11 * i, () => this.arrive(name)]),
			[0.14, () => this.farIs({ first_delay_ms: 2500, token_delay_ms: 60 })],
			[0.28, () => this.farIs({})],
			[0.32, () => this.reload(one, '\n[plan gold]\nrequests_per_minute = 6000\n')],
			[0.38, () => this.lock(Math.min(8, seconds / 12))],
			[0.46, () => this.stack.neonKnobs({ fail_next:
				[{ route: 'POST /projects', status: 500, times: 3 }] })],
			[0.50, () => this.farIs({ fail_chat: 500 })],
			[0.60, () => this.farIs({})],
			[0.64, () => this.storm('kestrel')],
			[0.68, () => this.reload(other, '\nno_such_key = 1\n')],
			[0.72, () => this.slowVectors('granite')],
			[0.80, () => this.reload(other, null)],
		];
	}

	// `meanwhile` is called once, in the middle of it.
	async run(seconds, meanwhile) {
		await this.farIs({});
		const users = Array.from({ length: CLIENTS }, () => this.user(seconds));
		const start = Date.now();
		const plan = [...this.events(seconds), [0.62, meanwhile]].map(async ([when, what]) => {
			await sleep(start + when * seconds * 1000 - Date.now());
			await what();
		});
		await Promise.all([...plan, sleep(seconds * 1000)]);
		this.going = false;
		await Promise.all(users);
	}
}
