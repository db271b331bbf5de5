// SPDX-License-Identifier: MIT
// contrib/ingest: a folder becomes documents; what is there is not sent again; what fails is listed
// with its reason; a run that was ended goes on; the bar on a terminal.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { Client } from './lib/client.mjs';
import { embeddingsOf, json, ModelServer } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';
import { sample, source, Stack } from './lib/stack.mjs';

const stack = new Stack('ingest-folder');
const program = join(source, 'contrib/ingest');
const folder = join(stack.dir, 'folder');
let gate, acme, env;

const long = `${'a name that is long/'.repeat(9)}end.txt`;
const texts = { 'notes.md': '# Notes\n\nThe lantern burns three litres a week.',
	'ships/boat.txt': 'The boat leaks.', 'ships/it\'s a ünï \u001b[2J.txt': 'The raft floats.',
	[long]: 'The path is long.' };

function put(path, text) {
	mkdirSync(dirname(join(folder, path)), { recursive: true });
	writeFileSync(join(folder, path), text);
}

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgate();
	acme = await gate.tenant('acme');
	env = { ...process.env, TENANTGATE_KEY: await gate.service(), TENANTGATE_URL: gate.url };
	for (const [path, text] of Object.entries(texts))
		put(path, text);
	put('.hidden', 'Not this one.');
	copyFileSync(sample, join(folder, 'guide.pdf'));
	symlinkSync('/etc/passwd', join(folder, 'link.txt'));
});
after(() => stack.stop());

const run = (args = [], where = folder, more = {}) => new Promise((resolve) => {
	execFile(program, ['--tenant', 'acme', ...args, where], { env: { ...env, ...more } },
		(error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
});

const listed = async (client = acme) => (await client.get('/documents?limit=100&status=ready'))
	.json.documents;

const uploads = () => gate.lines().filter((l) => l.event === 'access' && l.path === '/ingest').length;

test('each file is a document, by its path', async () => {
	const ran = await run(['--user', 'ann', '--metadata', '{"from":"the folder"}']);
	assert.equal(ran.code, 0, ran.stderr + ran.stdout);
	assert.match(ran.stderr, /^5 uploaded, 0 there already, 0 failed\.$/m);
	assert.equal(ran.stdout, '');
	const documents = await listed();
	assert.deepEqual(documents.map((d) => d.id).filter((id) => !id.startsWith('path-')).sort(),
		['guide.pdf', 'notes.md', 'ships/boat.txt']);
	// Of what can be no id: what is too long, or has controls.
	assert.deepEqual(documents.filter((d) => /^path-[0-9a-f]{64}$/.test(d.id)).map((d) => d.fileName)
		.sort(), ['end.txt', 'it\'s a ünï ?[2J.txt']);
	for (const d of documents)
		assert.deepEqual([d.ownerId, d.metadata], ['ann', { from: 'the folder' }]);
	const guide = documents.find((d) => d.id === 'guide.pdf');
	assert.deepEqual([guide.mimeType, guide.fileName], ['application/pdf', 'guide.pdf']);
});

test('again: what is there is not sent; what has changed is', async () => {
	const before = uploads();
	const same = await run();
	assert.match(same.stderr, /^0 uploaded, 5 there already, 0 failed\.$/m);
	assert.equal(same.code, 0);
	assert.equal(uploads(), before);
	put('ships/boat.txt', 'The boat sails');	// as many bytes
	const changed = await run();
	assert.match(changed.stderr, /^1 uploaded, 4 there already, 0 failed\.$/m);
	const { results } = (await acme.search('boat', { documentId: 'ships/boat.txt' })).json;
	assert.deepEqual(results.map((r) => r.content), ['The boat sails']);
});

test('what fails is listed with its reason, and the others are stored', async () => {
	put('broken.pdf', '%PDF-1.4 no more');
	put('program.bin', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]));
	put('a\u001b[2Jz.txt', '');
	put('zebra.txt', 'The last one.');
	const ran = await run();
	assert.equal(ran.code, 1);
	assert.match(ran.stderr, /^1 uploaded, 5 there already, 3 failed\.$/m);
	const lines = ran.stdout.trimEnd().split('\n').sort();
	assert.equal(lines.length, 3, ran.stdout);
	assert.match(lines[0], /^a\?\[2Jz\.txt: .*\(document_empty\)$/);
	assert.match(lines[1], /^broken\.pdf: .*\(document_broken\)$/);
	assert.match(lines[2], /^program\.bin: .*\(unsupported_media_type\)$/);
	for (const path of ['broken.pdf', 'program.bin', 'a\u001b[2Jz.txt'])
		unlinkSync(join(folder, path));
});

test('what passes is tried again', async () => {
	const narrow = await stack.tenantgate({ rate_limit_requests_per_minute: 60, rate_limit_burst: 1 });
	put('again-1.txt', 'Once.');
	put('again-2.txt', 'Twice.');
	const ran = await run(['--url', narrow.url, '--jobs', '8']);
	assert.equal(ran.code, 0, ran.stdout + ran.stderr);
	assert.match(ran.stderr, /^2 uploaded, 6 there already, 0 failed\.$/m);
	const refused = narrow.lines().filter((l) => l.event === 'access' && l.status === 429);
	assert.ok(refused.length > 0);
	await narrow.program.stop();
});

// The fourth document's vectors are held back until the program has heard.
test('a run that is interrupted goes on where it was', async () => {
	const many = join(stack.dir, 'many');
	mkdirSync(many);
	for (let i = 0; i < 20; i++)
		writeFileSync(join(many, `${i}.txt`), `The text of number ${i}.`);
	const model = await ModelServer.start();
	let release;
	const released = new Promise((resolve) => {
		release = resolve;
	});
	model.embeddings = async (request, response) => {
		if (model.requests.length > 3)
			await released;
		json(response, 200, embeddingsOf(request.body));
	};
	const slow = await stack.tenantgate({ model_url: model.url });
	const child = spawn(program, ['--tenant', 'fleet', '--jobs', '1', '--url', slow.url, many], { env });
	let said = '';
	child.stderr.on('data', (data) => {
		said += data;
	});
	const ended = new Promise((resolve) => {
		child.on('close', resolve);
	});
	await until('the fourth is under way', () => model.requests.length === 4);
	child.kill('SIGINT');
	await until('it has heard', () => /under way end first/.test(said));
	release();
	assert.equal(await ended, 1, said);
	assert.match(said, /^4 uploaded, 0 there already, 0 failed, 16 not come to: Interrupted\. Run it again/m);
	const fleet = await gate.tenant('fleet');
	assert.equal((await listed(fleet)).length, 4);
	const more = await run(['--tenant', 'fleet', '--url', slow.url], many);
	assert.equal(more.code, 0, more.stdout);
	assert.match(more.stderr, /^16 uploaded, 4 there already, 0 failed\.$/m);
	assert.equal((await listed(fleet)).length, 20);
	await slow.program.stop();
	await model.stop();
});

test('the bar, on a terminal alone', async () => {
	put('bar.txt', 'One more.');
	const shown = await new Promise((resolve) => {
		execFile('script', ['-qec', `${program} --tenant acme ${folder}`, '/dev/null'], { env },
			(error, stdout) => resolve(stdout));
	});
	assert.match(shown, /\[#{30}\] 9\/9 files, [0-9.]+\/[0-9.]+ MB, 0 failed/);
	assert.match(shown, /1 uploaded, 8 there already, 0 failed\./);
	const plain = await run();
	assert.doesNotMatch(plain.stderr, /\[#|\r/);
});

test('what cannot begin says why', async () => {
	for (const [args, where, more, said] of [
		[[], join(folder, 'none'), {}, /ENOENT/],
		[['--jobs', '0'], folder, {}, /--jobs takes a number from 1 to 32\./],
		[['--metadata', 'x'], folder, {}, /--metadata takes a JSON object\./],
		[[], folder, { TENANTGATE_KEY: '' }, /TENANTGATE_KEY/],
		[[], folder, { TENANTGATE_KEY: 'tg_no_key' }, /\(unauthenticated\)/],
	]) {
		const ran = await run(args, where, more);
		assert.equal(ran.code, 2, ran.stderr);
		assert.match(ran.stderr, said);
		assert.equal(ran.stdout, '');
	}
	const asked = await run(['--help']);
	assert.equal(asked.code, 0);
	assert.match(asked.stdout, /contrib\/ingest \[OPTIONS\] FOLDER/);
});

// A plan that is full refuses every further file: the run ends, and says so once.
test('what no other file would get past ends the run', async () => {
	const own = new Client(gate.url, { authorization: `Bearer ${env.TENANTGATE_KEY}`,
		'x-tenant-id': 'full' });
	assert.equal((await own.ingestText('One.', { documentId: 'x' })).status, 201);
	const strict = await stack.tenantgate({ max_documents: 2 });
	const ran = await run(['--tenant', 'full', '--url', strict.url, '--jobs', '1']);
	assert.equal(ran.code, 1);
	assert.match(ran.stderr, /^1 uploaded, 0 there already, 1 failed, 7 not come to: .*Run it again/m);
	assert.match(ran.stdout, /\(too_many_documents\)$/m);
});

const folderOf = (name, files) => {
	const made = join(stack.dir, name);
	mkdirSync(made);
	for (const [file, text] of Object.entries(files))
		writeFileSync(join(made, file), text);
	return made;
};

// What another program does to the folder meanwhile, and that no try waits.
function meanwhile(name, does) {
	const hook = join(stack.dir, `${name}.cjs`);
	writeFileSync(hook, `const fs = require('node:fs');
		Math.random = () => 0;
		const before = (at, name, does) => {
			const was = at[name];
			at[name] = (path, ...rest) => {
				does(String(path));
				return was(path, ...rest);
			};
		};
		const after = (at, name, does) => {
			const was = at[name];
			at[name] = (path, ...rest) => {
				const result = was(path, ...rest);
				return result instanceof Promise ? result.finally(() => does(String(path)))
					: (does(String(path)), result);
			};
		};
		${does}`);
	return { NODE_OPTIONS: `--require ${hook}` };
}

test('names are bytes: what is no UTF-8, or turns round what is beside it, is stored as any other', async () => {
	const made = folderOf('latin', { 'plain.txt': 'The jetty is old.' });
	const inside = Buffer.concat([Buffer.from(`${made}/caf`), Buffer.from([0xe9])]);
	mkdirSync(inside);
	writeFileSync(Buffer.concat([inside, Buffer.from('/r'), Buffer.from([0xe9, 0xff]),
		Buffer.from('sum.txt')]), 'The pier is new.');
	writeFileSync(Buffer.concat([inside, Buffer.from('/r'), Buffer.from([0xe9, 0xfe]),
		Buffer.from('sum.txt')]), 'The mole is high.');
	writeFileSync(join(made, '\u202etxt.reip.txt'), 'What is read the other way round.');
	const ran = await run(['--tenant', 'latin'], made);
	assert.equal(ran.code, 0, ran.stderr + ran.stdout);
	assert.match(ran.stderr, /^4 uploaded, 0 there already, 0 failed\.$/m);
	const ids = (await listed(await gate.tenant('latin'))).map(({ id }) => id).sort();
	assert.match(ids.join(), /^(path-[0-9a-f]{64},){3}plain\.txt$/);
	assert.match((await run(['--tenant', 'latin'], made)).stderr, /^0 uploaded, 4 there already, /m);
});

test('what goes, grows or is shut while it runs ends nothing but itself', async () => {
	const made = folderOf('moving', { 'a-goes.txt': 'One.', 'b-gone.txt': 'Two.', 'c-grows.log': 'Three.',
		'z-stays.txt': 'Four.' });
	mkdirSync(join(made, 'd-shut'));
	const ran = await run(['--tenant', 'moving', '--jobs', '1'], made, meanwhile('moving', `
		const goes = (name) => (path) => {
			if (path.endsWith(name) && fs.existsSync(path))
				fs.unlinkSync(path);
		};
		before(fs, 'statSync', goes('a-goes.txt'));
		after(fs, 'statSync', goes('b-gone.txt'));
		after(fs, 'openAsBlob', (path) => {
			if (path.endsWith('c-grows.log'))
				fs.appendFileSync(path, ' More.');
		});
		before(fs, 'readdirSync', (path) => {
			if (path.endsWith('d-shut'))
				throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
		});`));
	assert.equal(existsSync(join(made, 'a-goes.txt')), false);
	assert.equal(ran.code, 1, ran.stderr + ran.stdout);
	assert.match(ran.stderr, /^1 uploaded, 0 there already, 3 failed\.$/m);
	const lines = ran.stdout.trimEnd().split('\n').sort();
	assert.match(lines[0], /^b-gone\.txt: ENOENT/);
	assert.match(lines[1], /^c-grows\.log: The file was changed while it was read\.$/);
	assert.match(lines[2], /^d-shut: EACCES/);
});

test('vectors of another model end the run at once', async () => {
	const made = folderOf('remodelled', { 'a.txt': 'One.', 'b.txt': 'Two.', 'c.txt': 'Three.' });
	assert.equal((await run(['--tenant', 'remodelled'], made)).code, 0);
	for (const name of ['a.txt', 'b.txt', 'c.txt'])
		writeFileSync(join(made, name), `Anew: ${name}.`);
	const other = await stack.tenantgate({ embedding_model: 'another' });
	const ran = await run(['--tenant', 'remodelled', '--url', other.url, '--jobs', '1'], made);
	assert.equal(ran.code, 1);
	assert.match(ran.stderr, /^0 uploaded, 0 there already, 1 failed, 2 not come to: /m);
	assert.match(ran.stdout, /^a\.txt: .*\(embedding_model_changed\)\n$/);
	assert.equal(other.lines().filter((l) => l.event === 'access' && l.path === '/ingest').length, 1);
	await other.program.stop();
});

// As at the end of a month's tokens; and a list that is cut once.
test('what lasts longer than its tries ends the run; a list that is cut is asked for again', async () => {
	const made = folderOf('spent', { 'a.txt': 'One.', 'b.txt': 'Two.' });
	const asked = [];
	const server = createServer((request, response) => {
		asked.push(request.method);
		request.resume();
		if (request.method === 'GET' && asked.length === 1) {
			response.writeHead(200, { 'content-length': 100 }).write('{"documents":[');
			return setTimeout(() => response.destroy(), 20);
		}
		if (request.method === 'GET')
			return response.end('{"documents":[],"nextCursor":null}');
		return request.on('end', () => response.writeHead(429, { 'retry-after': 900000 })
			.end('{"detail":"No tokens are left.","code":"token_quota_exceeded"}'));
	});
	await new Promise((resolve) => {
		server.listen(0, '127.0.0.1', resolve);
	});
	const ran = await run(['--url', `http://127.0.0.1:${server.address().port}`, '--jobs', '1'], made,
		meanwhile('spent', ''));
	server.close();
	assert.equal(ran.code, 1, ran.stderr);
	assert.deepEqual(asked, ['GET', 'GET', 'POST']);
	assert.match(ran.stderr, /^0 uploaded, 0 there already, 1 failed, 1 not come to: No tokens are left\./m);
});
