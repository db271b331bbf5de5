// SPDX-License-Identifier: MIT
// The reference application's story, by the README's own web app and a browser's means: sign-up,
// upload with progress, list, chat, rename, delete, and the limits of the sample's free plan.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultChatTransport, readUIMessageStream } from 'ai';
import { sample, source, Stack } from './lib/stack.mjs';
import { freePort, until } from './lib/process.mjs';

const stack = new Stack('web-app');
const program = join(source, 'contrib/examples/web-app.mjs');
let gate, app;

// The sample's [plan free], but for the rate: this story alone has more requests than a minute's.
function freePlan() {
	const text = readFileSync(join(source, 'conf/tenantgate.conf.sample'), 'utf8');
	const lines = text.slice(text.indexOf('#[plan free]')).split('\n').slice(1);
	const end = lines.findIndex((line) => !/^#\w+ = /.test(line));
	const plan = Object.fromEntries(lines.slice(0, end).map((line) => line.slice(1).split(' = ')));
	assert.equal(plan.max_documents, '3');
	return { ...plan, requests_per_minute: 1000 };
}

before(async () => {
	await stack.surroundings();
	gate = await stack.tenantgate({ 'plan free': freePlan() });
	const port = await freePort();
	stack.program('web-app', process.execPath, [program], { env: { ...process.env,
		TENANTGATE_URL: gate.url, TENANTGATE_KEY: await gate.service(), PORT: String(port) } });
	app = `http://127.0.0.1:${port}`;
	await until('the app listens', () => fetch(app).then((answer) => answer.ok, () => false));
});
after(() => stack.stop());

// A browser with a cookie, after its sign-up.
async function signUp(email) {
	const answer = await fetch(`${app}/sign-up`, { method: 'POST', redirect: 'manual',
		body: new URLSearchParams({ email }) });
	assert.equal(answer.status, 303);
	assert.match(answer.headers.get('set-cookie'), /HttpOnly; SameSite=Strict/);
	const cookie = answer.headers.get('set-cookie').split(';')[0];
	return (path, { headers = {}, ...options } = {}) =>
		fetch(`${app}${path}`, { ...options, headers: { ...headers, cookie } });
}

const json = (value) => ({ body: JSON.stringify(value),
	headers: { 'content-type': 'application/json' } });

const list = async (browser) => (await (await browser('/api/documents')).json());

const upload = (browser, name, type, body) =>
	browser(`/api/ingest?fileName=${encodeURIComponent(name)}`, { method: 'POST', body,
		headers: { 'content-type': type, accept: 'text/event-stream' } });

// [event, data] of each.
const eventsOf = (text) => text.trim().split('\n\n').map((event) => [
	/^event: (.*)$/m.exec(event)?.[1], JSON.parse(/^data: (.*)$/m.exec(event)[1])]);

// As useChat reads it; the message as it is in the end, and every part of the stream.
async function chat(browser, question, body = {}) {
	const transport = new DefaultChatTransport({ api: '/api/chat', fetch: browser, body });
	const stream = await transport.sendMessages({ chatId: 'c', messageId: undefined,
		trigger: 'submit-message', abortSignal: undefined, messages: [{ id: '1', role: 'user',
			parts: [{ type: 'text', text: question }] }] });
	let message;
	for await (const m of readUIMessageStream({ stream }))
		message = m;
	return message;
}

test('README shows that very program, of 60 lines at the most', () => {
	const text = readFileSync(program, 'utf8');
	assert.ok(text.split('\n').length - 1 <= 60);
	assert.ok(readFileSync(join(source, 'README.md'), 'utf8').includes('```js\n' + text + '```\n'),
		'README.md has another text than contrib/examples/web-app.mjs');
});

let ann, id;

test('who signs up has a database soon, and a row with the e-mail', async () => {
	ann = await signUp('ann@example.org');
	const page = await (await ann('/')).text();
	assert.match(page, /Ask your documents/);
	await until('the database is there', async () => (await stack.sql("select t.state from tenants t " +
		"join users u on u.user_id = t.tenant_id where u.email = 'ann@example.org' and " +
		"t.plan = 'free'", 'catalog')).flat()[0] === 'ready');
	assert.deepEqual((await list(ann)).documents, []);
});

test('a PDF is uploaded, and its progress is seen', async () => {
	const answer = await upload(ann, 'field guide.pdf', 'application/pdf', readFileSync(sample));
	assert.equal(answer.status, 200);
	const events = eventsOf(await answer.text());
	const stages = new Set(events.filter(([name]) => name === 'progress').map(([, d]) => d.stage));
	assert.deepEqual([...stages], ['extract', 'chunk', 'embed', 'store']);
	const [name, document] = events.at(-1);
	assert.equal(name, 'document');
	id = document.id;
	const { documents, total } = await list(ann);
	assert.equal(total, 1);
	assert.deepEqual([documents[0].id, documents[0].fileName, documents[0].status],
		[id, 'field guide.pdf', 'ready']);
});

test('a chat with it, as useChat reads it: words, and where they are from', async () => {
	const message = await chat(ann, 'What does the guide say of the lantern?', { documentId: id });
	const text = message.parts.filter((p) => p.type === 'text').map((p) => p.text).join('');
	assert.ok(text.length > 20, text);
	const sources = message.parts.filter((p) => p.type === 'source-document');
	assert.ok(sources.length >= 1 && sources.length <= 2, 'top_k of the plan is 2');
	assert.ok(sources.every((p) => /^field guide\.pdf, page \d+$/.test(p.title)), JSON.stringify(sources));
});

test('it is renamed, and the list says so', async () => {
	const answer = await ann(`/api/documents/${id}`, { method: 'PATCH', ...json({ title: 'Guide' }) });
	assert.equal(answer.status, 200);
	assert.equal((await list(ann)).documents[0].title, 'Guide');
});

test('the plan\'s limits: a fourth document, a long question, a file too large', async () => {
	// To the end: the status comes before a document has its place.
	for (const name of ['two.txt', 'three.txt'])
		assert.equal(eventsOf(await (await upload(ann, name, 'text/plain', `The ${name}.`)).text())
			.at(-1)[0], 'document');
	const [name, fourth] = eventsOf(await (await upload(ann, 'four.txt', 'text/plain', 'More.')).text())
		.at(-1);
	assert.deepEqual([name, fourth.code], ['error', 'too_many_documents']);
	assert.match(fourth.detail, /At most 3 documents/);
	const long = await ann('/api/chat', { method: 'POST', ...json({ messages: [{ role: 'user',
		content: 'x'.repeat(501) }] }) });
	assert.equal(long.status, 400);
	assert.match((await long.json()).detail, /500 characters/);
	const large = await ann('/api/ingest?fileName=l.txt', { method: 'POST',
		headers: { 'content-type': 'text/plain' }, body: Buffer.alloc(11 << 20, 'a ') });
	assert.equal(large.status, 413);
	assert.equal((await list(ann)).total, 3);
});

test('another who signs up sees nothing of it, and nobody without', async () => {
	const bob = await signUp('bob@example.org');
	assert.deepEqual((await list(bob)).documents, []);
	assert.equal((await bob(`/api/documents/${id}`, { method: 'DELETE' })).status, 404);
	const message = await chat(bob, 'What does the guide say of the lantern?');
	assert.equal(message.parts.filter((p) => p.type === 'source-document').length, 0);
	for (const path of ['/api/documents', '/documents', '/api/tenant', '/api/../tenant'])
		assert.equal((await fetch(app + path)).status, 401, path);
	for (const path of ['/api/tenant', '/api/..%2ftenant', '/api/documents/..%2f..%2ftenant'])
		assert.notEqual((await ann(path)).status, 200, path);
});

test('it is deleted: neither listed nor found', async () => {
	assert.equal((await ann(`/api/documents/${id}`, { method: 'DELETE' })).status, 204);
	assert.ok((await list(ann)).documents.every((d) => d.id !== id));
	const message = await chat(ann, 'What does the guide say of the lantern?');
	assert.ok(message.parts.every((p) => !/^Guide/.test(p.title)), JSON.stringify(message.parts));
});
