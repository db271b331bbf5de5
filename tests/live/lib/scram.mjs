// SPDX-License-Identifier: MIT
// A password as CREATE ROLE ... PASSWORD takes it when it is hashed already, with any number of
// rounds (PostgreSQL's manual, pg_authid; RFC 5802).
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

export function scramVerifier(password, rounds) {
	const salt = randomBytes(16);
	const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
	const hmac = (text) => createHmac('sha256', salted).update(text).digest();
	const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
	return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${stored}:` +
		`${hmac('Server Key').toString('base64')}`;
}
