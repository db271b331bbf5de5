// SPDX-License-Identifier: MIT
// The same bytes read by us, by node's http and by an nginx: what we accept is the same requests to
// them, with the same method, target and body. (What a proxy before us and we read differently, one
// can hide a request in: RFC 9112, 11.2.) The cases are those of our unit tests,
// those of other projects where they are (tests/unit/corpora.h), and mutants of all by a fixed seed.
//
//	REQUEST_MUTANTS (20000)	so many; tests/slow/run readers has many more
//	REQUEST_SEED (1)
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { METHODS } from 'node:http';
import { join } from 'node:path';
import { mutant, NginxReader, NodeReader, random } from './lib/request-readers.mjs';
import { built, source, Stack } from './lib/stack.mjs';

const MUTANTS = Number(process.env.REQUEST_MUTANTS ?? 20000);
const SEED = Number(process.env.REQUEST_SEED ?? 1);
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n';
const AT_ONCE = 32;
const stack = new Stack('request-readers');
const others = [];
const seeds = [];

before(async () => {
	others.push(await new NodeReader().start());
	if (NginxReader.path)
		others.push(await new NginxReader().start(stack));
	const hex = execFileSync(built('tests/live/request_print'), ['--cases'], { encoding: 'latin1' })
		.trim().split('\n');
	const corpora = join(process.env.TENANTGATE_CORPORA || join(source, '../shared/corpora'), 'http1.json');
	if (existsSync(corpora))
		for (const set of Object.values(JSON.parse(readFileSync(corpora)).sets))
			hex.push(...set.map((one) => one.hex));
	seeds.push(...hex.map((h) => Buffer.from(h, 'hex').toString('latin1')).filter((s) => s !== ''));
});
after(async () => {
	await Promise.all(others.map((reader) => reader.stop()));
	await stack.stop();
});

const text = (hex) => Buffer.from(hex, 'hex').toString('latin1');

// What our parser makes of each.
function ourReading(cases) {
	const input = cases.map((c) => `${Buffer.from(c, 'latin1').toString('hex')}\n`).join('');
	const { stdout, stderr, status } = spawnSync(built('tests/live/request_print'), [],
		{ input, maxBuffer: 1 << 30, encoding: 'latin1' });
	assert.equal(status, 0, stderr);
	return stdout.trim().split('\n').map((line) => JSON.parse(line)).map(({ requests, end }) => ({ end,
		requests: requests.map((r) => ({ method: text(r.method), target: text(r.target),
			body: text(r.body), whole: r.whole })) }));
}

// What we accept and another refuses, or reads no further after: only by these rules of theirs, which
// are narrower than RFC 9110 and 9112. `request`: of ours, that is not seen there.
const NARROWER = {
	node: [
		({ method }) => !METHODS.includes(method),
		// A chunk's extension with a blank or a quoted value.
		(request, bytes) => /^[0-9a-f]+;[^\r]*["\t ]/im.test(bytes),
		(request, bytes) => /^Proxy-Connection:/im.test(bytes),
		// What follows is dropped with the protocol that it does not change to.
		(request, bytes) => /^Connection:[^\r]*\bupgrade\b/im.test(bytes),
	],
	nginx: [
		({ method }) => !/^[A-Z_-]+$/.test(method),
		({ target }) => target === '*' || /%(00|(?![0-9a-f]{2}))|\.\./i.test(target),
		// These once only, though they are lists, or no concern of a proxy's.
		(request, bytes) => /^(If-Match|If-None-Match|Upgrade|TE|Expect|User-Agent):.*^\1:/ims.test(bytes),
		// A tab is no blank there.
		(request, bytes) => /^Expect:[^\r]*\t/im.test(bytes),
		// "close" in any word.
		(request, bytes) => /^Connection:[^\r]*close/im.test(bytes),
	],
};
const isNarrower = (name, request, bytes) => NARROWER[name].some((rule) => rule(request, bytes));

// Which of two words about the connection holds: for us close (RFC 9112, 9.3), for others the last.
const bothWords = (bytes) => ['close', 'keep-alive'].every((word) =>
	new RegExp(`^Connection:[^\\r]*${word}`, 'im').test(bytes));

// An empty query is none.
const plain = (target) => target.replace(/\?$/, '');

// Why the two are not the same reading, or null. What we refuse is nobody's request, whoever else may
// take it for one.
function difference(name, bytes, ours, theirs) {
	const weRefuse = ours.end !== 'more' && ours.end !== 'closed';
	for (const [i, mine] of ours.requests.entries()) {
		const other = theirs.requests[i];
		if (!other?.whole && mine.whole)
			return isNarrower(name, mine, bytes) ? null : `request ${i} is not seen there`;
		if (!other || (!mine.whole && other.whole && weRefuse))
			return null;
		if (mine.method !== other.method || plain(mine.target) !== plain(other.target))
			return `request ${i} is ${JSON.stringify([other.method, other.target])} there`;
		if (mine.whole !== other.whole)
			return `request ${i} is whole there`;
		if (mine.whole ? mine.body !== other.body : !mine.body.startsWith(other.body) &&
			!other.body.startsWith(mine.body))
			return `the body of request ${i} is ${JSON.stringify(other.body)} there`;
	}
	if (theirs.requests.length > ours.requests.length && !weRefuse && !bothWords(bytes))
		return `there is a request more: ${JSON.stringify(theirs.requests[ours.requests.length])}`;
	return null;
}

// All that we accept a request of, read by the others. How many whole requests all three agreed on.
async function compare(cases) {
	const ours = ourReading(cases), findings = [];
	const accepted = cases.map((bytes, i) => ({ bytes, ours: ours[i] }))
		.filter((one) => one.ours.requests.length > 0);
	const agreed = Object.fromEntries(others.map((reader) => [reader.name, 0]));
	const next = accepted.values();
	await Promise.all(Array.from({ length: AT_ONCE }, async () => {
		for (const one of next)
			for (const reader of others) {
				const theirs = await reader.read(Buffer.from(one.bytes, 'latin1'));
				const why = difference(reader.name, one.bytes, one.ours, theirs);
				if (why)
					findings.push(`${reader.name}, ${JSON.stringify(one.bytes.slice(0, 600))}: ${why}; ` +
						`we: ${JSON.stringify(one.ours).slice(0, 600)}`);
				agreed[reader.name] += theirs.requests.filter((r) => r.whole).length;
			}
	}));
	return { findings, agreed, accepted: accepted.length };
}

async function same(cases, atLeast) {
	const { findings, agreed, accepted } = await compare(cases);
	console.log(`# ${cases.length} cases, of ${accepted} we accept a request; whole ones there: ` +
		Object.entries(agreed).map((pair) => pair.join(' ')).join(', '));
	assert.deepEqual(findings.slice(0, 5), [], `${findings.length} in all`);
	for (const [name, requests] of Object.entries(agreed))
		assert.ok(requests >= atLeast, `${name} has seen but ${requests} requests`);
}

test('what stands between us is read as one does read it', async () => {
	for (const reader of others) {
		const read = async (bytes) => (await reader.read(Buffer.from(bytes, 'latin1')));
		const { requests } = await read('POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc' +
			`PUT http://x/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nd\0f\r\n0\r\n\r\n${SENTINEL}`);
		assert.deepEqual(requests.map(({ method, target, body, whole }) => [method, target, body, whole]), [
			['POST', '/a?b', 'abc', true], ['PUT', '/c', 'd\0f', true], ['GET', '/sentinel', '', true]],
		reader.name);
		const cut = await read('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc');
		assert.deepEqual(cut.requests.filter((r) => r.whole), [], reader.name);
		const bad = await read('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\nabc');
		assert.deepEqual(bad.requests, [], reader.name);
	}
	const [mine, other] = ['POST', 'PUT'].map((method) => ({ end: 'more',
		requests: [{ method, target: '/', body: '', whole: true }] }));
	assert.match(difference('node', '', mine, other), /is \["PUT"/);
});

test('each known case, alone and with a request behind it', async () => {
	await same(seeds.flatMap((s) => [s, s + SENTINEL]), 150);
});

test(`${MUTANTS} mutants, each with a request behind it`, async () => {
	const dice = random(SEED);
	for (let left = MUTANTS; left > 0; left -= 2000)
		await same(Array.from({ length: Math.min(left, 2000) }, () => mutant(seeds, dice) + SENTINEL),
			Math.min(left, 2000) / 10);
});

// tests/tap.awk: named, and not counted, where there is none.
if (!NginxReader.path)
	console.log('# not run: there is no nginx here (contrib/deps --test)');
test('nginx was among those who read', { skip: !NginxReader.path }, () => {
	assert.deepEqual(others.map((reader) => reader.name), ['node', 'nginx']);
});
