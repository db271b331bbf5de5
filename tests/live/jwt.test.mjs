// SPDX-License-Identifier: MIT
// Tokens of identity providers: who gets in, as which tenant and user; and what is refused.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { Client } from './lib/client.mjs';
import { until } from './lib/process.mjs';
import { Stack } from './lib/stack.mjs';
import { base64url, newKey, now, signToken, TokenIssuer } from './lib/token-issuer.mjs';

const stack = new Stack('jwt');
const SECRET = 'a secret of the Supabase kind, that is long enough';
const secretKey = { alg: 'HS256', secret: SECRET };
let gate, google, auth0, clerk, neon, base;

const issuers = () => [google, auth0, clerk, neon];

before(async () => {
	await stack.surroundings({ neon: false });
	google = await TokenIssuer.start('https://accounts.google.com');
	auth0 = await TokenIssuer.start('https://app.eu.auth0.com/');
	clerk = await TokenIssuer.start('https://clerk.example.com');
	neon = await TokenIssuer.start('https://ep-a.neonauth.example/auth', [newKey('EdDSA')]);
	const claims = { shared_tenants: 'on', jwks_cooldown: '100ms' };
	base = { rate_limit_requests_per_minute: 0, auth_failures_per_minute: 0,
		'issuer google': { issuer: google.iss, audience: 'app.apps.googleusercontent.com',
			jwks_url: google.url, tenant_claim: 'sub', tenant_prefix: 'google.',
			jwks_cooldown: '100ms' },
		'issuer auth0': { ...claims, issuer: auth0.iss, audience: 'https://api.example.com',
			jwks_url: auth0.url, tenant_prefix: 'org.' },
		'issuer clerk': { ...claims, issuer: clerk.iss, jwks_url: clerk.url,
			authorized_parties: 'https://app.example.com', tenant_claim: '/o/id',
			tenant_prefix: 'org.' },
		'issuer neon': { issuer: neon.iss, audience: 'https://ep-a.neonauth.example',
			jwks_url: neon.url, tenant_claim: 'sub', tenant_prefix: 'neon.',
			avatar_claim: 'image', jwks_cooldown: '100ms' },
		'issuer supabase': { issuer: 'https://ref.supabase.co/auth/v1', audience: 'authenticated',
			secret: SECRET, tenant_claim: 'sub', tenant_prefix: 'supabase.',
			name_claim: '/user_metadata/full_name', avatar_claim: '/user_metadata/avatar_url' },
		'issuer own': { issuer: 'https://own.example.com', audience: 'tests', secret: SECRET,
			tenant_prefix: 'own.', scopes: 'own, ingest, chat, search, documents' },
	};
	gate = await stack.tenantgateWithAdmin(base);
});
after(async () => {
	await stack.stop();
	await Promise.all(issuers().map((i) => i.close()));
});

const bearer = (token, headers = {}) => new Client(gate.url, { authorization: `Bearer ${token}`,
	...headers });
// The status of a harmless request with it.
const status = async (token, headers) => (await bearer(token, headers).get('/documents')).status;
// What the log says of the request that was refused.
const cause = (id) => gate.lines().find((l) => l.request_id === id && l.cause)?.cause;
async function refused(token, why) {
	const answer = await bearer(token).get('/documents');
	assert.equal(answer.status, 401, answer.body);
	assert.equal(answer.json.code, 'unauthenticated');
	const id = answer.headers['x-request-id'];
	await until('the cause is in the log', () => cause(id) !== undefined);
	assert.match(cause(id), why);
}
const person = async (id) => (await stack.sql('select name, email, avatar_url from users ' +
	`where user_id = '${id}'`, 'catalog'))[0];

// The documented claims of each.
const googleClaims = (sub = '110169484474386276334') => ({ azp: 'app.apps.googleusercontent.com',
	aud: 'app.apps.googleusercontent.com', sub, hd: 'example.com', email: 'ann@example.com',
	email_verified: true, at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q', name: 'Ann Élan',
	picture: 'https://lh3.googleusercontent.com/a/x=s96-c', given_name: 'Ann',
	family_name: 'Élan', locale: 'en' });
const auth0Claims = (sub = 'auth0|507f1f77bcf86cd799439020', org = 'org_9ybsU1dN2dKfDkBi') => ({
	aud: ['https://api.example.com', 'https://app.eu.auth0.com/userinfo'], sub, azp: 'my_client_id',
	scope: 'openid profile read:appointments', org_id: org, gty: 'password' });
const clerkClaims = (org = 'org_2abc') => ({ azp: 'https://app.example.com', fva: [5, -1],
	nbf: now() - 10, sid: 'sess_2p', sub: 'user_2abc', v: 2, jti: '4c',
	o: { id: org, slg: 'acme', rol: 'admin', per: 'read', fpm: '3' } });
const neonClaims = (sub = '6f1c4a2e-3f5b-4b1a-9a35-0c2b2b6f2d11') => ({ sub, id: sub,
	aud: 'https://ep-a.neonauth.example', email: 'bob@example.com', emailVerified: true,
	name: 'Bob', image: 'https://example.com/b.png', role: 'authenticated' });
const supabaseClaims = (sub = '1b5a2f5e-0000-4000-8000-000000000001') => ({
	iss: 'https://ref.supabase.co/auth/v1', aud: 'authenticated', exp: now() + 300, iat: now(), sub,
	email: 'cy@example.com', phone: '', role: 'authenticated', aal: 'aal1', session_id: 's',
	app_metadata: { provider: 'google' }, is_anonymous: false,
	user_metadata: { full_name: 'Cy', avatar_url: 'https://example.com/c.png' } });

test('Google: the user is the tenant; the database and the row of users are made', async () => {
	const ann = bearer(google.token(googleClaims()));
	const stored = await ann.ingestText('The boats lie at the north quay.');
	assert.equal(stored.status, 201, stored.body);
	assert.equal((await ann.search('boats')).json.results.length, 1);
	assert.deepEqual(await person('google.110169484474386276334'),
		['Ann Élan', 'ann@example.com', 'https://lh3.googleusercontent.com/a/x=s96-c']);
	const [document] = (await ann.get('/documents')).json.documents;
	assert.equal(document.ownerId, '110169484474386276334');
});

test('what is not fit to be shown, or not proved, is not in the row of users', async () => {
	const odd = bearer(google.token({ ...googleClaims('odd'), name: 'Ann\u0007', email_verified: false,
		picture: 'javascript:alert(1)' }));
	assert.equal((await odd.ingestText('A text.')).status, 201);
	assert.deepEqual(await person('google.odd'), ['', '', '']);
	assert.equal((await stack.sql(`select count(*) from tenants where tenant_id = 'google.odd'`,
		'catalog'))[0][0], '1');
});

test('Auth0: the organization is the tenant, the user an id that holds no bar', async () => {
	const client = bearer(auth0.token(auth0Claims()));
	assert.equal((await client.ingestText('A text.')).status, 201);
	const [document] = (await client.get('/documents')).json.documents;
	assert.equal(document.ownerId, 'auth0:7c507f1f77bcf86cd799439020');
	// The tenant is no user, so their name is nobody's.
	assert.deepEqual(await person('org.org_9ybsU1dN2dKfDkBi'), ['', '', '']);
	// As an access token of RFC 9068, too.
	const token = auth0.token(auth0Claims(), { header: { typ: 'at+jwt' } });
	assert.equal((await bearer(token).get('/documents')).json.documents.length, 1);
});

test('Clerk: a claim inside another, and azp in place of aud', async () => {
	assert.equal((await bearer(clerk.token(clerkClaims())).ingestText('A text.')).status, 201);
	await refused(clerk.token({ ...clerkClaims(), azp: 'https://evil.example' }), /azp/);
	await refused(clerk.token({ ...clerkClaims(), o: { slg: 'acme' } }), /tenant claim/);
	await refused(clerk.token({ ...clerkClaims(), o: 'org_2abc' }), /tenant claim/);
});

test('Neon Auth: EdDSA, and Ed25519, its other name', async () => {
	assert.equal((await bearer(neon.token(neonClaims())).ingestText('A text.')).status, 201);
	assert.deepEqual(await person('neon.6f1c4a2e-3f5b-4b1a-9a35-0c2b2b6f2d11'),
		['Bob', 'bob@example.com', 'https://example.com/b.png']);
	assert.equal(await status(neon.token(neonClaims(), { header: { alg: 'Ed25519' } })), 200);
	assert.equal((await bearer(neon.token({ ...neonClaims('eve'), emailVerified: false })).ingestText('A text.'))
		.status, 201);
	assert.deepEqual(await person('neon.eve'), ['Bob', '', 'https://example.com/b.png']);
});

test('Supabase: a shared secret, claims inside user_metadata', async () => {
	const cy = bearer(signToken(secretKey, supabaseClaims()));
	assert.equal((await cy.ingestText('A text.')).status, 201);
	assert.deepEqual(await person('supabase.1b5a2f5e-0000-4000-8000-000000000001'),
		['Cy', 'cy@example.com', 'https://example.com/c.png']);
	const other = { alg: 'HS256', secret: 'another secret that is long enough, too' };
	await refused(signToken(other, supabaseClaims()), /signature/);
	await refused(signToken({ ...secretKey, alg: 'HS512' }, supabaseClaims()), /alg/);
});

test('what is not for us, or not now, is refused, and the log says why', async () => {
	const good = googleClaims();
	const cases = [
		[{ aud: 'other.apps.googleusercontent.com' }, /aud/],
		[{ aud: ['a', 'b'] }, /aud/], [{ aud: undefined }, /aud/], [{ aud: [good.aud, 7] }, /aud/],
		[{ iss: 'https://accounts.google.com.evil.example' }, /no section/],
		[{ iss: undefined }, /no section/], [{ iss: auth0.iss }, /aud/],
		[{ iat: now() - 90, exp: now() - 60 }, /expired/], [{ exp: now() - 5 }, /before its/], [{ exp: undefined }, /exp/], [{ exp: '9999999999' }, /exp/],
		[{ exp: -1 }, /exp/], [{ exp: 1e300 }, /exp/], [{ exp: null }, /exp/],
		[{ nbf: now() + 120 }, /not valid yet/], [{ iat: now() + 120 }, /in the future/],
		[{ nbf: 'soon' }, /nbf/], [{ sub: '' }, /user/], [{ sub: undefined }, /user/],
		[{ sub: 7 }, /user/], [{ sub: 'x'.repeat(129) }, /user/], [{ sub: '|'.repeat(43) }, /user/],
	];
	for (const [claims, why] of cases)
		await refused(google.token({ ...good, ...claims }), why);
	// Within the leeway, and with fractions.
	for (const claims of [{ iat: now() - 90, exp: now() - 10 }, { nbf: now() + 10.5 }, { exp: now() + 60.25 }])
		assert.equal(await status(google.token({ ...good, ...claims })), 200);
	assert.equal(await status(google.token({ ...good, aud: ['x', good.aud] })), 200);
});

test('attacks on the algorithm and the key', async () => {
	const [key] = google.keys;
	const pem = createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' });
	const claims = { iss: google.iss, exp: now() + 300, ...googleClaims() };
	const good = signToken(key, claims);
	const [head, body, signature] = good.split('.');
	const header = (fields) => signToken(key, claims, fields);
	const raw = (text) => signToken(key, claims, text);
	const none = (alg) => `${base64url({ alg })}.${base64url(claims)}.`;
	const stranger = newKey('RS256', key.kid);
	const curve = newKey('ES256', key.kid);
	const cases = [
		[none('none'), /signature|algorithm/], [`${none('none')}AA`, /algorithm/],
		[`${none('None')}AA`, /algorithm/],
		[`${base64url({ alg: 'RS256' })}.${body}.`, /signature/],
		[signToken({ alg: 'HS256', secret: pem, kid: key.kid }, claims), /alg is none/],
		[signToken(key, claims, { alg: 'PS256' }, 'PS256'), /alg is none/],
		[signToken(key, claims, { alg: 'RS512' }, 'RS512'), /alg is none/],
		[signToken(curve, claims), /not of its algorithm/],
		[signToken(stranger, claims), /signature/],
		[signToken(stranger, claims, { jwk: stranger.jwk }), /signature/],
		[signToken(stranger, claims, { kid: undefined, jku: 'http://127.0.0.1:9/', x5u: 'x',
			x5c: ['x'] }), /signature/],
		[header({ crit: ['exp'] }), /crit/], [header({ crit: ['b64'], b64: false }), /crit/],
		[header({ b64: true }), /crit/], [header({ zip: 'DEF' }), /crit/],
		[header({ typ: 'logout+jwt' }), /typ/], [header({ typ: 'application/dpop+jwt' }), /typ/],
		[header({ kid: 7 }), /kid/], [header({ kid: '' }), /kid/],
		[header({ kid: 'k'.repeat(257) }), /kid/], [header({ kid: '../../etc/passwd' }), /no such key/],
		[raw(`{"alg":"RS256","alg":"none","kid":"${key.kid}"}`), /twice/],
		[raw(`{"alg":"none","alg":"RS256","kid":"${key.kid}"}`), /twice/],
		[raw(`{"kid":"${key.kid}"}`), /algorithm/], [raw(`{"alg":["RS256"]}`), /algorithm/],
		[signToken(key, JSON.stringify(claims).replace('{', '{"sub":"1",')), /twice/],
		[signToken(key, '[]'), /claims/], [signToken(key, 'text'), /claims/],
		[`${head}.${base64url({ ...claims, sub: '2' })}.${signature}`, /signature/],
		[`${head}.${body}.${signature.slice(0, -4)}`, /signature/],
		[`${head}.${body}.${signature}=`, /form/], [`${head}.${body}.${signature}%`, /form/],
		[`${head}=.${body}.${signature}`, /form/],
	];
	for (const [token, why] of cases)
		await refused(token, why);
	// What has not the form of a token is no token: a missing credential, nothing for the log.
	for (const text of [`${good}.x.y`, `${good}.`, body, `${head}.${body}`, 'a'.repeat(9000)])
		assert.equal(await status(text), 401);
	assert.equal(await status(good), 200);
	assert.equal(await status(header({ kid: undefined })), 200);	// one key suits
});

test('a token is of its tenant and its user; other headers are 403', async () => {
	const token = auth0.token(auth0Claims());
	assert.equal(await status(token, { 'x-tenant-id': 'org.org_9ybsU1dN2dKfDkBi' }), 200);
	for (const id of ['org.org_other', 'org_9ybsU1dN2dKfDkBi', 'google.110169484474386276334'])
		assert.equal(await status(token, { 'x-tenant-id': id }), 403, id);
	assert.equal(await status(token, { 'x-user-id': 'auth0:7c507f1f77bcf86cd799439020' }), 200);
	for (const id of ['ann', 'auth0', 'auth0:7c507f1f77bcf86cd799439021'])
		assert.equal(await status(token, { 'x-user-id': id }), 403, id);
	const put = await bearer(token).ask('PUT', '/tenant', { body: '{}' });
	assert.equal(put.status, 403, put.body);
	assert.equal((await new Client(gate.adminUrl, { authorization: `Bearer ${token}` })
		.get('/admin/tenants')).status, 403);
});

test('two issuers may name one tenant where both say so', async () => {
	const one = bearer(auth0.token(auth0Claims('auth0|1', 'shared')));
	const two = bearer(clerk.token({ ...clerkClaims('shared'), sub: 'user_2' }));
	assert.equal((await one.ingestText('A text of both.')).status, 201);
	assert.equal((await two.get('/documents')).json.documents.length, 1);
});

test('a reload brings another issuer, and takes one away', async () => {
	const token = auth0.token(auth0Claims());
	const { 'issuer auth0': gone, ...rest } = base;
	const { renameSync } = await import('node:fs');
	const reload = async (settings) => {
		renameSync(stack.conf({ ...settings, admin_listen_port: new URL(gate.adminUrl).port }),
			gate.path);
		const answer = await gate.admin.ask('POST', '/admin/reload');
		assert.equal(answer.status, 200, answer.body);
	};
	await reload(rest);
	await refused(token, /no section/);
	await reload({ ...rest, 'issuer auth0': { ...gone, audience: 'https://another.example' } });
	await refused(token, /aud/);
	await reload(base);
	assert.equal(await status(token), 200);
	const { json } = await gate.admin.get('/admin/config');
	const secret = json.config.find((c) => c.section === 'issuer supabase' && c.key === 'secret');
	assert.ok(!JSON.stringify(secret).includes(SECRET), JSON.stringify(secret));
});

test('where databases are made for operators alone, a token makes none', async () => {
	const strict = await stack.tenantgate({ ...base, provisioning: 'explicit' });
	const nobody = await new Client(strict.url, { authorization:
		`Bearer ${google.token(googleClaims('nobody'))}` }).ingestText('A text.');
	assert.equal(nobody.status, 404, nobody.body);
	assert.equal(await person('google.nobody'), undefined);
	await strict.program.stop();
});

test('no token and no claim of one is in the log', () => {
	const text = gate.program.text();
	for (const word of ['eyJ', 'ann@example.com', 'Ann Élan', SECRET])
		assert.ok(!text.includes(word), word);
	assert.ok(!gate.lines().some((l) => l.event === 'worker.long_turn'));
});

test('an issuer whose scopes have own: its users have their own documents, and nothing of others', async () => {
	const [mia, bob] = ['mia', 'bob'].map((sub) => bearer(signToken({ alg: 'HS256', secret: SECRET },
		{ iss: 'https://own.example.com', aud: 'tests', sub, org_id: 'zoo', exp: now() + 600 })));
	const stored = await mia.ingestText('A zebra whose word is marmalade.', { documentId: 'm' });
	assert.equal(stored.status, 201, stored.body);
	assert.equal((await mia.get('/documents/m')).json.document.ownerId, 'mia');
	assert.equal((await mia.search('zebra')).json.results.length, 1);
	assert.equal((await bob.get('/documents/m')).status, 404);
	assert.equal((await bob.ask('DELETE', '/documents/m')).status, 404);
	assert.deepEqual((await bob.get('/documents')).json.documents, []);
	assert.deepEqual((await bob.search('zebra')).json.results, []);
	assert.equal((await mia.get('/documents/m')).status, 200);
});
