// SPDX-License-Identifier: MIT
// Tokens of identity providers: who gets in, as which tenant and user; what is refused, and that
// keys are fetched no more often than they must.
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
	const [{ owner }] = (await stack.sql(`select owner_id as owner from documents
		where tenant_id = 'google.110169484474386276334'`, 'catalog')).map(([o]) => ({ owner: o }));
	assert.equal(owner, '110169484474386276334');
});
