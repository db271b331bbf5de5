// SPDX-License-Identifier: MIT
// 100 reloads, by signal and by the admin door in turns, under 500 streams of ten tenants that last
// over all of them, with short requests beside: no stream is cut or other than its reference, no
// request fails, no connection of a database is closed, and what is not held any more is freed.
import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chunk, DONE, ModelServer } from '../live/lib/model-server.mjs';
import { sleep, until } from '../live/lib/process.mjs';
import { Stack } from '../live/lib/stack.mjs';

const RELOADS = 100, STREAMS = 500, TENANTS = 10;
const stack = new Stack('reload-100');
const LONG = Array.from({ length: 60 }, (_, i) => `piece ${i}, `);
const bare = { documentIds: [] };
let gate, model, base, tenants, over = false;

const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gate.program.pid}/status`))[1]);
const sessions = async () => (await stack.sql(`select pid from pg_stat_activity
	where datname like 'tg%' and backend_type = 'client backend' order by pid`)).map(([pid]) => pid);

// The first piece at once, the rest bit by bit until the reloads are over.
async function lasting(request, response) {
	response.writeHead(200, { 'content-type': 'text/event-stream' });
	for (const piece of LONG) {
		response.write(chunk({ content: piece }));
		for (let i = 0; i < 8 && !over; i++)
			await sleep(100);
	}
	response.end(chunk({}, 'stop') + DONE);
}

before(async () => {
	model = await ModelServer.start();
	await stack.surroundings({ neon: false });
	base = { model_url: model.url, workers: 2, rate_limit_requests_per_minute: 0,
		max_model_streams: 1000, server_idle_timeout: '1h', chat_timeout: '1h',
		model_first_byte_timeout: '1h', model_idle_timeout: '1h' };
	gate = await stack.tenantgateWithAdmin(base);
	base.admin_listen_port = Number(new URL(gate.adminUrl).port);
	tenants = await Promise.all(Array.from({ length: TENANTS }, (_, i) => gate.tenant(`reload-${i}`)));
	for (const tenant of tenants)
		assert.equal((await tenant.ingestText('The boats lie at the north quay.')).status, 201);
});
after(async () => {
	await stack.stop();
	await model.stop();
});

function write(i) {
	renameSync(stack.conf({ ...base, top_k: 1 + i % 9, system_prompt: `Prompt ${i}.`,
		log_level: i % 2 ? 'notice' : 'info', default_pool_size: 5 + i % 20,
		max_server_connections: 100 + i % 50, model_retries: i % 3, tenant_cache_ttl: `${1 + i % 60}s`,
		search_text_weight: i % 100, send_buffer_size: `${8 + i % 8}KiB`,
		'plan odd': { top_k: 1 + i % 5 }, [`model m${i % 3}`]: { url: `http://127.0.0.1:1/v${i}` } }),
	gate.path);
}

async function reload(i) {
	write(i);
	if (i % 2 === 0) {
		const { status, json } = await gate.admin.ask('POST', '/admin/reload');
		assert.equal(status, 200, JSON.stringify(json));
		return;
	}
	gate.program.kill('SIGHUP');
	await until(`reload ${i}`, async () => (await gate.admin.get('/admin/config')).json.config
		.some((s) => s.key === 'system_prompt' && s.section === 'tenantgate' && s.value === `Prompt ${i}.`));
}

test(`${RELOADS} reloads under ${STREAMS} streams`, async (t) => {
	model.chat = lasting;
	const open = (i) => tenants[i % TENANTS].openChat('Where?', { fields: bare });
	const streams = await Promise.all(Array.from({ length: STREAMS }, (_, i) => open(i)));
	for (const stream of streams)
		assert.equal(stream.status, 200);
	const texts = streams.map((stream) => stream.text());
	const first = await sessions();
	let searches = 0;
	const searcher = (async () => {
		for (; !over; searches++) {
			const answer = await tenants[searches % TENANTS].search('boats');
			assert.equal(answer.status, 200, answer.body);
		}
	})();
	const sizes = [];
	for (let i = 0; i < RELOADS; i++) {
		await reload(i);
		sizes.push(rss());
	}
	over = true;
	await searcher;
	for (const text of await Promise.all(texts))
		assert.equal(text, LONG.join(''));
	assert.deepEqual((await sessions()).filter((pid) => first.includes(pid)), first);
	const errors = gate.lines().filter((line) => line.level === 'error');
	assert.deepEqual(errors, []);
	t.diagnostic(`${searches} searches beside; resident ${sizes[0]} KiB after the first reload, ` +
		`${sizes.at(-1)} KiB after the last`);
});
