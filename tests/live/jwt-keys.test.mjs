// SPDX-License-Identifier: MIT
// The keys of identity providers: rotated, unknown, away, of every algorithm; fetched no more often
// than they must be.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';
import { newKey, TokenIssuer } from './lib/token-issuer.mjs';

const stack = new Stack('jwt-keys');
let gate, google, other, base;

before(async () => {
	await stack.surroundings({ neon: false });
	google = await TokenIssuer.start('https://accounts.google.com');
	other = await TokenIssuer.start('https://other.example');
	base = { rate_limit_requests_per_minute: 0, auth_failures_per_minute: 0,
		'issuer google': { issuer: google.iss, audience: 'us', jwks_url: google.url,
			tenant_claim: 'sub', jwks_cooldown: '100ms' } };
	gate = await stack.tenantgate(base);
});
after(async () => {
	await stack.stop();
	await Promise.all([google, other].map((i) => i.close()));
});

const googleClaims = () => ({ aud: 'us', sub: 'ann' });
const bearer = (token) => new Client(gate.url, { authorization: `Bearer ${token}` });
const status = async (token) => (await bearer(token).get('/documents')).status;
const cause = (id) => gate.lines().find((l) => l.request_id === id && l.cause)?.cause;
async function refused(token, why) {
	const answer = await bearer(token).get('/documents');
	assert.equal(answer.status, 401, answer.body);
	const id = answer.headers['x-request-id'];
	await until('the cause is in the log', () => cause(id) !== undefined);
	assert.match(cause(id), why);
}

test('a key that is rotated is known at its first token, and the old one goes', async () => {
	const old = google.keys[0], next = newKey();
	google.keys = [next];
	const before = google.fetches;
	await until('the new key is known', async () =>
		await status(google.token(googleClaims(), { key: next })) === 200);
	assert.ok(google.fetches > before);
	await refused(google.token(googleClaims(), { key: old }), /no such key/);
});

test('a thousand unknown keys, over all workers, are one fetch a cool-down', async () => {
	const slow = await stack.tenantgate({ ...base, workers: 2, 'issuer google': {
		...base['issuer google'], jwks_cooldown: '1h' } });
	const client = (token) => new Client(slow.url, { authorization: `Bearer ${token}` });
	google.fetches = 0;
	const answers = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
		const all = [];
		for (let n = 0; n < 25; n++) {
			const key = { ...google.keys[0], kid: `unknown-${i}-${n}` };
			all.push((await client(google.token(googleClaims(), { key })).get('/documents')).status);
		}
		return all;
	}));
	assert.deepEqual([...new Set(answers.flat())], [401]);
	assert.equal(google.fetches, 1);
	assert.equal((await client(google.token(googleClaims())).get('/documents')).status, 200);
	assert.equal(google.fetches, 1);
	assert.ok(!slow.lines().some((l) => l.event === 'worker.long_turn'));
	await slow.program.stop();
});

test('a server of keys that is away, hangs or sends rubbish: what is known stays', async () => {
	const fresh = await stack.tenantgate({ ...base, 'issuer google': { ...base['issuer google'],
		jwks_refresh: '1s', jwks_cooldown: '100ms', jwks_timeout: '300ms' } });
	const client = (token) => new Client(fresh.url, { authorization: `Bearer ${token}` });
	const look = () => client(google.token(googleClaims())).get('/documents');
	const told = (why) => fresh.lines().some((l) => l.event === 'auth.jwks' && why.test(l.message));
	const fail = async (play, why) => {
		google.play = play;
		await until(`the log says ${why}`, async () => {
			const answer = await look();
			assert.ok([200, 503].includes(answer.status), answer.body);
			if (answer.status === 503) {
				assert.equal(answer.json.code, 'issuer_unavailable');
				assert.ok(Number(answer.headers['retry-after']) >= 1);
			}
			return told(why);
		});
	};
	const plays = [
		[(q, r) => r.destroy(), /cannot be fetched/],
		[(q, r) => r.writeHead(500).end(), /status 500/],
		[(q, r) => r.writeHead(302, { location: `http://127.0.0.1:${other.port}/` }).end(), /redirect/],
		[(q, r) => r.end('<html>'), /no set of keys/],
		[(q, r) => r.end('{"keys":[]}'), /None of its 0 keys/],
		[(q, r) => r.end(JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA', alg: 'HS256' }] })),
			/None of its 1 keys/],
		[(q, r) => r.end(`{"keys":[${'{},'.repeat(70)}{}]}`), /more than 64/],
		[(q, r) => r.end(`{"x":"${'x'.repeat(300000)}","keys":[]}`), /cannot be fetched.*large|cannot be fetched.*more/],
		[() => {}, /cannot be fetched.*300 ms|cannot be fetched.*time/],
	];
	// At first there are none: 503, until they are there.
	other.fetches = 0;
	await fail(...plays[0]);
	google.play = null;
	await until('the keys are there', async () => (await look()).status === 200);
	for (const play of plays.slice(1))
		await fail(...play);
	assert.equal((await look()).status, 200);	// no failure has taken the keys away
	assert.equal(other.fetches, 0);			// no redirect was followed
	google.play = null;
	await fresh.program.stop();
});

test('a key that its issuer gives away, its private part with it, opens nothing, and the log says so', async () => {
	const [given, kept] = [newKey('ES256'), newKey('ES256')];
	given.jwk.d = given.privateKey.export({ format: 'jwk' }).d;
	const server = await TokenIssuer.start('https://given.example', [given, kept]);
	const careless = await stack.tenantgate({ rate_limit_requests_per_minute: 0,
		auth_failures_per_minute: 0, 'issuer careless': { issuer: server.iss, jwks_url: server.url,
			audience: 'us', tenant_prefix: 'careless.' } });
	const send = async (key) => (await new Client(careless.url, { authorization:
		`Bearer ${server.token({ aud: 'us', sub: 'ann', org_id: 'x' }, { key })}` }).get('/documents')).status;
	assert.deepEqual([await send(given), await send(kept)], [401, 200]);
	const line = careless.lines().find((l) => l.event === 'auth.jwks_private');
	assert.match(line.message, /issuer careless .* 1 are private/);
	assert.ok(!careless.program.text().includes(given.jwk.d));
	await careless.program.stop();
	await server.close();
});

test('every algorithm of public keys, the slow ones among them', async () => {
	const all = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512',
		'EdDSA'];
	const keys = all.map((alg) => newKey(alg));
	const server = await TokenIssuer.start('https://all.example', keys);
	const wide = await stack.tenantgate({ rate_limit_requests_per_minute: 0,
		auth_failures_per_minute: 0, 'issuer all': { issuer: server.iss, jwks_url: server.url,
			audience: 'us', algorithms: all.join(), tenant_prefix: 'all.' } });
	const send = async (token) => (await new Client(wide.url, { authorization: `Bearer ${token}` })
		.get('/documents')).status;
	const claims = { aud: 'us', sub: 'ann', org_id: 'x' };
	const forge = (token) => token.slice(0, -20) + (token.at(-20) === 'A' ? 'B' : 'A') +
		token.slice(-19);
	const sent = (make) => Promise.all(keys.flatMap((key) => Array.from({ length: 20 }, () =>
		send(make(server.token(claims, { key }))))));
	assert.deepEqual([...new Set(await sent((t) => t))], [200]);
	assert.deepEqual([...new Set(await sent(forge))], [401]);
	assert.equal(server.fetches, 1);
	assert.ok(!wide.lines().some((l) => l.event === 'worker.long_turn'));
	await wide.program.stop();
	await server.close();
});
