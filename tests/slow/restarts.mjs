// SPDX-License-Identifier: MIT
// Two replicas behind a real HAProxy and a real nginx, by the samples of contrib/, under load: twenty
// restarts, by SIGTERM and a new start, and by --take-over in turn. No request that is no stream may
// fail; a stream ends by itself, or in its protocol's form.
//
//	RESTARTS (20)
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { readDataStream } from '../live/lib/client.mjs';
import { freePort, sleep, until } from '../live/lib/process.mjs';
import { Gate, programs, source, Stack } from '../live/lib/stack.mjs';

const restarts = Number(process.env.RESTARTS ?? 20);
const stack = new Stack('restarts');
const replicas = [];
let key;

before(async () => {
	await stack.surroundings({ neon: false });
	const folder = join(stack.dir, 'run');
	mkdirSync(folder);
	chmodSync(folder, 0o777);
	for (const name of ['a', 'b']) {
		const settings = { takeover_socket: join(folder, name), listen_port: await freePort(),
			health_listen_port: await freePort(), drain_delay: '3s', shutdown_timeout: '30s',
			rate_limit_requests_per_minute: 0, trusted_proxies: '127.0.0.1' };
		const gate = await stack.tenantgate(settings);
		replicas.push({ name, settings, gate });
	}
	const lantern = await replicas[0].gate.tenant('lantern');
	key = await replicas[0].gate.service();
	const answer = await lantern.ingestText('The boat burns 19 litres an hour.', { documentId: 'b' });
	assert.equal(answer.status, 201, answer.body);
	await stack.knobs({ tokens: 40, token_delay_ms: 50 });
});
after(() => stack.stop());

// The sample with this machine's ports for the example's.
function sampleFor(path, port) {
	let text = readFileSync(join(source, 'contrib', path), 'utf8').replace(/(bind :|listen )8000/, `$1${port}`);
	for (const [i, { settings }] of replicas.entries())
		text = text.replaceAll(`10.0.0.${i + 1}:8080`, `127.0.0.1:${settings.listen_port}`);
	return text;
}

async function haproxy() {
	const port = await freePort();
	let text = sampleFor('haproxy/haproxy.cfg', port).replace('check port 8081 ', 'check ');
	for (const { name, settings } of replicas)
		text = text.replace(`server ${name} 127.0.0.1:${settings.listen_port}`,
			`$& port ${settings.health_listen_port}`);
	const path = join(stack.dir, 'haproxy.cfg');
	writeFileSync(path, text);
	const program = stack.program('haproxy', 'haproxy', ['-db', '-f', path]);
	return { name: 'HAProxy', port, program };
}

async function nginx() {
	const port = await freePort(), dir = join(stack.dir, 'nginx');
	mkdirSync(dir);
	const path = join(dir, 'nginx.conf');
	writeFileSync(path, `daemon off;\npid ${dir}/pid;\nevents { worker_connections 4096; }\n` +
		`http {\naccess_log off;\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) =>
			`${what}_temp_path ${dir}/${what};\n`).join('')}${sampleFor('nginx/tenantgate.conf', port)}}\n`);
	const program = stack.program('nginx', 'nginx', ['-p', dir, '-c', path, '-e', join(dir, 'error.log')]);
	return { name: 'nginx', port, program };
}

const headers = () => ({ authorization: `Bearer ${key}`, 'x-tenant-id': 'lantern',
	'content-type': 'application/json' });

function post(agent, port, path, value, more = {}) {
	return new Promise((resolve, reject) => {
		const request = http.request({ agent, port, host: '127.0.0.1', method: 'POST', path,
			headers: { ...headers(), ...more } }, (answer) => {
			let body = '';
			answer.setEncoding('utf8');
			answer.on('data', (piece) => {
				body += piece;
			});
			answer.on('end', () => resolve({ status: answer.statusCode, body }));
			answer.on('error', reject);
		});
		request.on('error', reject);
		request.end(JSON.stringify(value));
	});
}

class Load {
	constructor({ name, port }) {
		Object.assign(this, { name, port, calls: 0, streams: 0, failed: [], ends: [] });
		this.agent = new http.Agent({ keepAlive: true });
		this.clients = [...Array(8)].map(() => this.repeat(() => this.call()))
			.concat([...Array(4)].map(() => this.repeat(() => this.stream())));
	}

	async repeat(once) {
		while (!this.ended)
			await once();
	}

	async call() {
		const answer = await post(this.agent, this.port, '/search', { query: 'litres' })
			.catch((error) => ({ status: 0, body: error.message }));
		this.calls++;
		if (answer.status !== 200)
			this.failed.push(`${answer.status} ${answer.body}`);
		await sleep(20 * Math.random());
	}

	async stream() {
		const answer = await post(this.agent, this.port, '/chat', { messages: [{ role: 'user',
			content: 'litres?' }] }, { 'x-tenantgate-stream': 'data' })
			.catch((error) => ({ status: 0, body: error.message }));
		this.streams++;
		const end = answer.status === 200 ? readDataStream(answer.body) : null;
		if (end?.finish === null && end?.error === null || end === null)
			this.ends.push(`${answer.status} ${answer.body.slice(-200)}`);
	}

	async stop() {
		this.ended = true;
		await Promise.all(this.clients);
		this.agent.destroy();
	}
}

async function restart(replica, takesOver) {
	const before = replica.gate.program;
	const path = stack.conf(replica.settings);
	if (!takesOver) {
		before.kill('SIGTERM');
		assert.equal((await before.exit).code, 0, before.tail());
	}
	const program = stack.program(`replica-${replica.name}`, programs.tenantgate(),
		[...takesOver ? ['--take-over'] : [], '-c', path]);
	await program.says(/"serve.listening"/);
	if (takesOver)
		assert.equal((await before.exit).code, 0, before.tail());
	replica.gate = new Gate(program, replica.settings.listen_port, path);
	await until('it is ready', async () =>
		(await replica.gate.anonymous.get('/readyz').catch(() => null))?.status === 200);
}

test(`${restarts} restarts under load: nothing fails behind HAProxy and nginx`, async () => {
	const [balancer, server] = await Promise.all([haproxy(), nginx()]);
	const fronts = [balancer, server];
	// As who restarts replicas one after the other must: not the next before the last is seen.
	const seenUp = (name) => balancer.program.text()
		.split(new RegExp(`Server tenantgate/${name} is UP`)).length - 1;
	for (const { port } of fronts)
		await until('it passes on', async () =>
			(await post(undefined, port, '/search', { query: 'litres' }).catch(() => null))?.status === 200);
	const loads = fronts.map((front) => new Load(front));
	for (let i = 0; i < restarts; i++) {
		const before = loads.map((load) => load.calls);
		const replica = replicas[i % 2], takesOver = i % 4 >= 2, ups = seenUp(replica.name);
		await restart(replica, takesOver);
		if (!takesOver)
			await until('HAProxy has seen it', () => seenUp(replica.name) > ups);
		await until('each front has passed on more', () =>
			loads.every((load, n) => load.calls > before[n] + 50));
	}
	await Promise.all(loads.map((load) => load.stop()));
	for (const load of loads) {
		console.log(`# ${load.name}: ${load.calls} calls, ${load.streams} streams, ` +
			`${load.failed.length} and ${load.ends.length} failed`);
		assert.ok(load.calls > restarts * 50 && load.streams > 0);
		assert.deepEqual(load.failed, []);
		assert.deepEqual(load.ends, []);
	}
});
