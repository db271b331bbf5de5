// SPDX-License-Identifier: MIT
// An identity provider of our own: keys, tokens of any claims, and a server with its JWK set that
// counts who asks. Signatures are node's.
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import http from 'node:http';

export const base64url = (value) => Buffer.from(typeof value === 'string' || Buffer.isBuffer(value) ?
	value : JSON.stringify(value)).toString('base64url');

const DIGESTS = { 256: 'sha256', 384: 'sha384', 512: 'sha512' };
const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

function pair(alg) {
	if (alg in CURVES)
		return generateKeyPairSync('ec', { namedCurve: CURVES[alg] });
	if (alg === 'EdDSA' || alg === 'Ed25519')
		return generateKeyPairSync('ed25519');
	return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

// A key pair: { alg, kid, privateKey, jwk }.
export function newKey(alg = 'RS256', kid = randomBytes(6).toString('hex')) {
	const { publicKey, privateKey } = pair(alg);
	return { alg, kid, privateKey,
		jwk: { ...publicKey.export({ format: 'jwk' }), alg, kid, use: 'sig' } };
}

// The signature of `text`, as the algorithm wants it; key: a private key, or a secret's text.
function signature(alg, key, text) {
	const digest = DIGESTS[alg.slice(2)];
	const bytes = Buffer.from(text);
	if (alg.startsWith('HS'))
		return createHmac(digest, key).update(bytes).digest();
	if (alg.startsWith('RS'))
		return sign(digest, bytes, key);
	if (alg.startsWith('PS'))
		return sign(digest, bytes, { key, padding: 6, saltLength: -1 });
	if (alg.startsWith('ES'))
		return sign(digest, bytes, { key, dsaEncoding: 'ieee-p1363' });
	return sign(null, bytes, key);
}

// A token in the compact form. header and claims: objects, or the text of their JSON.
export function signToken(key, claims, header = {}, alg = key.alg) {
	const head = typeof header === 'string' ? header : { alg, typ: 'JWT', kid: key.kid, ...header };
	const text = `${base64url(head)}.${base64url(claims)}`;
	return `${text}.${signature(alg, key.privateKey ?? key.secret, text).toString('base64url')}`;
}

export const now = () => Math.floor(Date.now() / 1000);

export class TokenIssuer {
	// play: (request, response) in place of the set of keys; null: the set.
	static async start(iss, keys = [newKey()]) {
		const issuer = new TokenIssuer();
		Object.assign(issuer, { iss, keys, fetches: 0, play: null });
		issuer.server = http.createServer((request, response) => {
			issuer.fetches++;
			if (issuer.play)
				return issuer.play(request, response);
			response.setHeader('content-type', 'application/json');
			response.end(JSON.stringify({ keys: issuer.keys.map((k) => k.jwk) }));
		});
		// Node's own five seconds end a connection now and then as it is taken for the next request.
		issuer.server.keepAliveTimeout = 60000;
		await new Promise((resolve) => {
			issuer.server.listen(0, '127.0.0.1', resolve);
		});
		issuer.port = issuer.server.address().port;
		issuer.url = `http://127.0.0.1:${issuer.port}/.well-known/jwks.json`;
		return issuer;
	}

	// Claims that are good for five minutes, and these.
	token(claims, { key = this.keys[0], header = {}, alg } = {}) {
		return signToken(key, { iss: this.iss, iat: now(), exp: now() + 300, ...claims }, header,
			alg);
	}

	close() {
		this.server.closeAllConnections();
		return new Promise((resolve) => {
			this.server.close(resolve);
		});
	}

	listen() {
		return new Promise((resolve) => {
			this.server.listen(this.port, '127.0.0.1', resolve);
		});
	}
}
