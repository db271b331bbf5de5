// SPDX-License-Identifier: MIT
// A large upload lies on the disk while it is read: memory is bounded whatever the file, the disk is
// shared by tenants as memory is, and nothing is left there, whatever happens.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, truncateSync }
	from 'node:fs';
import net from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { heavyPdf } from './lib/heavy-pdf.mjs';
import { embeddingsOf, json, ModelServer } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { programs, Stack } from './lib/stack.mjs';
import { form, freed, highest } from './lib/upload-memory.mjs';

const MIB = 1 << 20;
const stack = new Stack('spool');
let folder, gate, acme, birch;

before(async () => {
	await stack.surroundings({ neon: false, redis: false });
	folder = join(stack.dir, 'uploads');
	mkdirSync(folder);
	chmodSync(folder, 0o777);
	gate = await start();
	acme = await gate.tenant('acme');
	birch = await gate.tenant('birch');
	for (const tenant of [acme, birch])
		assert.equal((await tenant.ingestText('A first text.', { documentId: 'first' })).status, 201);
});
after(() => stack.stop());

const start = (changes = {}) => stack.tenantgate({ workers: 1, rate_limit_requests_per_minute: 0,
	spool_dir: folder, ...changes }, freed());

// Files of the folder that the process has open; they have no name there.
const files = () => readdirSync(`/proc/${gate.program.pid}/fd`).flatMap((fd) => {
	try {
		const path = `/proc/${gate.program.pid}/fd/${fd}`;
		const name = readlinkSync(path);
		return name.startsWith(`${folder}/`) ? [{ name, path, bytes: statSync(path).size }] : [];
	} catch {
		return [];	// closed meanwhile
	}
});
const onDisk = () => files().reduce((sum, { bytes }) => sum + bytes, 0);
const noneIsLeft = () => until('no file is left open', () => files().length === 0);

const send = (tenant, { type, body, path = '/ingest', ...more }) => tenant.ask('POST', path, {
	headers: { 'content-type': type }, body, ...more });
const pdf = (bytes, words) => ({ type: 'application/pdf', body: heavyPdf(bytes, words) });
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

function isStored(answer, bytes, words) {
	assert.equal(answer.status, 201, answer.body);
	const { document } = answer.json;
	assert.equal(document.bytes, bytes.length);
	assert.equal(document.sha256, hash(bytes));
	return acme.search(words, { documentId: document.id, topK: 1, mode: 'text' }).then((found) => {
		assert.ok(found.json.results[0].content.includes(words), found.body);
	});
}

test('a PDF of 8 MB, raw, in a form, and in base64: found, and nothing is left', async () => {
	const file = heavyPdf(8 * MIB, 'the lantern at the harbour');
	await isStored(await send(acme, { type: 'application/pdf', body: file }), file,
		'lantern at the harbour');
	const part = { name: 'file', fileName: 'a.pdf', type: 'application/pdf' };
	for (const more of [{ bytes: file }, { encoding: 'base64',
		bytes: file.toString('base64').replace(/.{76}/g, '$&\r\n') }])
		await isStored(await send(acme, form([{ name: 'title', bytes: 'Lights' },
			{ ...part, ...more }])), file, 'lantern at the harbour');
	await noneIsLeft();
});

test('several files of one form: each is itself', async () => {
	const words = ['one is a kettle', 'two is a barrow', 'three is an oar'];
	const all = [heavyPdf(2 * MIB, words[0]), Buffer.from(`${words[1]}. `.repeat(40000)),
		heavyPdf(MIB, words[2])];
	const answer = await send(acme, form(all.map((bytes, i) => ({ name: 'file', bytes,
		fileName: i === 1 ? 'b.txt' : `${i}.pdf`,
		type: i === 1 ? 'text/plain' : 'application/pdf' }))));
	assert.equal(answer.status, 201, answer.body);
	for (const [i, document] of answer.json.documents.entries()) {
		assert.equal(document.sha256, hash(all[i]));
		const found = await acme.search(words[i], { documentId: document.id, mode: 'text' });
		assert.ok(found.json.results[0].content.includes(words[i]), found.body);
	}
	await noneIsLeft();
});

test('the memory of an upload is bounded whatever the file: 48 MiB add less than two', async () => {
	const kinds = [(bytes) => pdf(bytes, 'heavy one'),
		(bytes) => form([{ name: 'file', fileName: 'a.pdf', bytes: heavyPdf(bytes, 'heavy two') }]),
		(bytes) => form([{ name: 'file', fileName: 'a.pdf', encoding: 'base64',
			bytes: heavyPdf(bytes, 'heavy three').toString('base64') }])];
	for (const kind of kinds)
		assert.equal((await send(acme, kind(6 * MIB))).status, 201);
	for (const [i, kind] of kinds.entries()) {
		const was = highest(gate.program.pid);
		const answer = await send(acme, kind(48 * MIB));
		assert.equal(answer.status, 201, answer.body);
		assert.ok(highest(gate.program.pid) - was < 2 * MIB, `${i}: ${(highest(gate.program.pid) - was) / MIB} MiB more`);
	}
	await noneIsLeft();
});

// The head of a body of so many bytes.
async function begin(tenant, bytes, type = 'application/pdf') {
	const socket = net.connect(gate.port, '127.0.0.1');
	socket.on('error', () => {});
	const headers = Object.entries({ ...tenant.headers, host: 'x', 'content-type': type,
		'content-length': bytes }).map(([name, value]) => `${name}: ${value}\r\n`).join('');
	socket.write(`POST /ingest HTTP/1.1\r\n${headers}\r\n`);
	return socket;
}

// Half of a body, and the connection stays.
async function half(tenant, bytes) {
	const socket = await begin(tenant, 2 * bytes);
	socket.write(Buffer.alloc(bytes));
	return socket;
}

test('a body is on the disk while it comes, without a name; it goes with its client', async () => {
	const socket = await half(acme, 3 * MIB);
	await until('a file', () => files().length === 1);
	assert.match(files()[0].name, /\(deleted\)$/);
	assert.deepEqual(readdirSync(folder), []);
	socket.destroy();
	await noneIsLeft();
});

test('a refused one goes, too', async () => {
	const broken = await send(acme, { type: 'application/pdf', body: Buffer.alloc(3 * MIB, 'x') });
	assert.equal(broken.status, 422, broken.body);
	const none = await send(acme, { type: 'multipart/form-data; boundary=B',
		body: Buffer.alloc(3 * MIB, 'x') });
	assert.equal(none.status, 400, none.body);
	await noneIsLeft();
});

// A limit of files' sizes stands for a full disk; set by the user that serves.
function limitFiles(bytes) {
	const { pid } = gate.program;
	const status = readFileSync(`/proc/${pid}/status`, 'utf8');
	const id = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
	execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`],
		process.getuid() === 0 ? { uid: id('Uid'), gid: id('Gid') } : {});
}

test('a full disk: 503 with what to do, and the log says why; small ones are served', async () => {
	limitFiles(700000);
	const answer = await send(acme, pdf(4 * MIB, 'too heavy'));
	assert.equal(answer.status, 503, answer.body);
	assert.equal(answer.json.code, 'overloaded');
	assert.match(answer.json.detail, /cannot keep an upload of this size now\. Try again/);
	assert.ok(!answer.body.includes(folder));
	assert.equal((await acme.ingestText('A small one.', { documentId: 'small' })).status, 201);
	limitFiles('unlimited');
	const line = gate.lines().find((l) => l.event === 'spool.failed');
	assert.match(line.message, /could not be written: File too large/);
	assert.equal((await send(acme, pdf(4 * MIB, 'heavy again'))).status, 201);
	await noneIsLeft();
});

test('a tenant that fills its share of the disk keeps no other from theirs', async () => {
	const tight = await start({ max_spool_size: '24MiB', max_document_size: '8MiB' });
	const [noisy, quiet] = [await tight.tenant('acme'), await tight.tenant('birch')];
	gate = tight;
	const sockets = [];
	for (let i = 1; i <= 4; i++) {
		sockets.push(await half(noisy, 4 * MIB));
		await until('it is on the disk', () => onDisk() > i * 3.4 * MIB);
	}
	const refused = await send(noisy, pdf(6 * MIB, 'one more'));
	assert.equal(refused.status, 503, refused.body);
	assert.match(refused.json.detail, /This tenant may have no more bytes of documents on the disk/);
	const answer = await send(quiet, pdf(4 * MIB, 'a quiet one'));
	assert.equal(answer.status, 201, answer.body);
	sockets.forEach((socket) => socket.destroy());
	await noneIsLeft();
	assert.equal((await send(noisy, pdf(4 * MIB, 'one more'))).status, 201);
});

// The share is 12 MiB. A form lies there once, and once more without what is around its document.
test('what can never fit beside its own form is too large, and no matter of time', async () => {
	gate = await start({ max_spool_size: '16MiB', max_document_size: '8MiB' });
	const tenant = await gate.tenant('acme');
	const file = (bytes, words, encoding) => {
		const body = heavyPdf(bytes, words);
		return form([{ name: 'file', fileName: 'a.pdf', type: 'application/pdf', encoding,
			bytes: encoding ? body.toString('base64') : body }]);
	};
	const refused = await send(tenant, file(7 * MIB, 'too much'));
	assert.equal(refused.status, 413, refused.body);
	assert.match(refused.json.detail, /one tenant may have 12582912\. .*max_spool_size/);
	await noneIsLeft();
	assert.equal((await send(tenant, file(5 * MIB, 'as it is'))).status, 201);
	assert.equal((await send(tenant, file(5 * MIB, 'as base64', 'base64'))).status, 201);
	await noneIsLeft();
});

// All but the last byte of a body: what is left to do is one job of a helper's.
async function allButOne(tenant, bytes) {
	const heard = { text: '' };
	heard.socket = await begin(tenant, bytes, 'multipart/form-data; boundary=B');
	heard.socket.write(Buffer.alloc(bytes - 1, 'x'));
	heard.socket.on('data', (data) => { heard.text += data; });
	return heard;
}

// Read by helpers as long as it takes to write some bytes elsewhere.
const longForm = (bytes) => form([{ name: 'file', fileName: 'a.pdf', encoding: 'base64',
	bytes: Buffer.alloc(bytes, 'QUJD') }]);

const mappings = () => readFileSync(`/proc/${gate.program.pid}/maps`, 'utf8').split('\n')
	.filter((line) => line.includes(`${folder}/`)).length;

test('more uploads of one tenant at once than other work may wait: none is refused', async () => {
	gate = await start();
	const tenant = await gate.tenant('acme'), crowd = [], count = 80;
	for (let i = 0; i < count; i++)
		crowd.push(await allButOne(tenant, 600 << 10));
	await until('a piece of each is on the disk', () => onDisk() >= count * (512 << 10));
	// They keep all of the helpers that one tenant may have.
	const long = Array.from({ length: Math.max(1, availableParallelism() - 2) },
		() => send(tenant, longForm(32 * MIB)));
	await until('they are read', () => mappings() > 0);
	crowd.forEach(({ socket }) => socket.write('x'));
	await until('all are answered', () => crowd.every(({ text }) => text.includes('\r\n\r\n')));
	assert.deepEqual([...new Set(crowd.map(({ text }) => text.slice(9, 12)))], ['400']);
	await Promise.all(long);
	crowd.forEach(({ socket }) => socket.destroy());
	await noneIsLeft();
});

// A file that was cut stands for a disk that has lost it. The second document is read when the first
// one is stored, so that its time is known.
test('a disk that does not give back what it took ends the upload, and nobody else', async () => {
	const model = await ModelServer.start();
	let asked, answer;
	const isAsked = new Promise((resolve) => { asked = resolve; });
	const mayAnswer = new Promise((resolve) => { answer = resolve; });
	model.embeddings = async (request, response) => {
		asked();
		await mayAnswer;
		json(response, 200, embeddingsOf(request.body));
	};
	gate = await start({ model_url: model.url });
	const tenant = await gate.tenant('acme');
	const sent = send(tenant, form([{ name: 'file', fileName: 'a.txt', bytes: 'The first is stored.' },
		{ name: 'file', fileName: 'b.txt', bytes: 'The second is lost. '.repeat(40000) }]));
	await isAsked;
	assert.equal(files().length, 1);
	for (const { path } of files())
		truncateSync(path);
	answer();
	const { status, json: told, body } = await sent;
	assert.equal(status, 207, body);
	assert.deepEqual(told.documents.map((d) => d.fileName), ['a.txt']);
	assert.deepEqual(told.errors.map((e) => [e.fileName, e.code]), [['b.txt', 'overloaded']]);
	const line = gate.lines().find((l) => l.event === 'spool.failed');
	assert.match(line.message, /could not be read: Input\/output error/);
	assert.equal((await send(tenant, pdf(4 * MIB, 'once more'))).status, 201);
	await noneIsLeft();
	await gate.program.stop();
	await model.stop();
});

test('one that was killed has left nothing', async () => {
	gate = await start();
	const socket = await half(acme, 3 * MIB);
	await until('a file', () => files().length === 1);
	process.kill(gate.program.pid, 'SIGKILL');
	await until('it is dead', () => gate.program.ended);
	socket.destroy();
	assert.deepEqual(readdirSync(folder), []);
});

test('without spool_dir bodies are in memory, and within its bounds', async () => {
	gate = await start({ spool_dir: '' });
	const tenant = await gate.tenant('acme');
	const sent = send(tenant, pdf(4 * MIB, 'in memory'));
	assert.equal((await sent).status, 201);
	assert.deepEqual(files(), []);
	await gate.program.stop();
});

test('a folder that cannot be written: it does not start, and says which key', async () => {
	const path = stack.conf({ spool_dir: join(folder, 'none') });
	const failed = spawnSync(programs.tenantgate(), ['-c', path], { encoding: 'utf8' });
	assert.equal(failed.status, 1, failed.stderr);
	assert.match(failed.stderr, /spool_dir.*none: No file can be made there \(No such file/);
});
