// SPDX-License-Identifier: MIT
// GET /admin/config: each value that is in force, where it comes from, and nothing secret.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { readFileSync } from 'node:fs';
import { Client } from './lib/client.mjs';
import { built, Stack } from './lib/stack.mjs';

const run = promisify(execFile);
const stack = new Stack('admin-config');
const SECRETS = ['sk-from-the-environment', 'sk-of-the-east', 'hdr-of-the-east', 'key-in-a-query',
	'pw-of-redis'];
let gate, answer;

// Of [tenantgate], unless another is named.
const setting = (key, section = 'tenantgate') => {
	const found = answer.json.config.filter((s) => s.key === key && s.section === section);
	assert.equal(found.length, 1, `${section}: ${key}`);
	return found[0];
};

const lineOf = (key) => {
	const lines = readFileSync(gate.path, 'utf8').split('\n');
	return `${gate.path}:${lines.findIndex((line) => line.startsWith(`${key} =`)) + 1}`;
};

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin({
		model_api_key: '${CONFIG_MODEL_KEY}',
		redis_url: 'redis://operator:pw-of-redis@127.0.0.1:1/0',
		top_k: '${CONFIG_TOP_K:-7}',
		chunk_size: '${CONFIG_CHUNK_SIZE:-900}',
		chat_timeout: '90s', redis_timeout: '150ms', max_chat_body: '2MiB',
		extract_max_text: '3MiB', search_mode: 'text',
		'model east': { url: 'http://127.0.0.1:1/v1?key=key-in-a-query&api-version=7',
			api_key: 'sk-of-the-east', headers: '{"x-key": "hdr-of-the-east"}' },
		'plan free': { top_k: 2 },
	}, { env: { CONFIG_MODEL_KEY: 'sk-from-the-environment', CONFIG_TOP_K: '9' } });
	answer = await gate.admin.get('/admin/config');
	assert.equal(answer.status, 200, answer.body);
});
after(() => stack.stop());

test('values as plain numbers with a unit, words, switches', () => {
	assert.deepEqual(setting('chat_timeout'), { section: 'tenantgate', key: 'chat_timeout', value: 90,
		unit: 'seconds', origin: lineOf('chat_timeout'), change: 'reload', isSecret: false });
	assert.equal(setting('redis_timeout').value, 0.15);
	assert.deepEqual([setting('max_chat_body').value, setting('max_chat_body').unit],
		[2 << 20, 'bytes']);
	assert.equal(setting('search_mode').value, 'text');
	assert.equal(setting('provisioning').value, 'lazy');
	assert.equal(setting('stream_reasoning').value, true);
	assert.equal(setting('neon_org_id').value, null);
	assert.equal('unit' in setting('top_k'), false);
});

test('origins: the default, a line of the file, the environment', () => {
	assert.equal(setting('max_waiting').origin, 'default');
	assert.deepEqual([setting('top_k').value, setting('top_k').origin, setting('top_k').place],
		[9, 'environment', lineOf('top_k')]);
	assert.deepEqual([setting('chunk_size').value, setting('chunk_size').origin],
		[900, lineOf('chunk_size')], 'what the file says where the environment has nothing');
	assert.deepEqual([setting('max_document_text').value, setting('max_document_text').origin],
		[3 << 20, lineOf('extract_max_text')], 'by its older name');
});

test('sections: what they set, and what they take over with its origin', () => {
	assert.equal(setting('top_k', 'plan free').value, 2);
	assert.deepEqual([setting('chunk_size', 'plan free').value, setting('chunk_size', 'plan free').origin],
		[900, lineOf('chunk_size')]);
	assert.equal(setting('max_documents', 'plan free').origin, 'default');
	assert.equal(setting('retries', 'model east').origin, lineOf('model_retries'));
});

test('no secret is anywhere in it', () => {
	for (const secret of [...SECRETS, stack.sealKey, stack.pg.password])
		assert.ok(!answer.body.includes(secret), secret);
	assert.deepEqual([setting('model_api_key').value, setting('model_api_key').isSecret,
		setting('model_api_key').origin], ['(secret)', true, 'environment']);
	assert.equal(setting('seal_keys').value, '(secret)');
	assert.equal(setting('neon_api_key').value, '');
	assert.equal(setting('redis_url').value, 'redis://operator:(secret)@127.0.0.1:1/0');
	assert.equal(setting('catalog_url').value,
		`postgresql://postgres:(secret)@127.0.0.1:${stack.pg.port}/catalog`);
	assert.deepEqual([setting('url', 'model east').value, setting('url', 'model east').isSecret],
		['http://127.0.0.1:1/v1?key=(secret)&api-version=7', true]);
	assert.equal(setting('model_url').value, `${stack.model.url}/v1`);
	assert.equal(setting('model_url').isSecret, false);
});

test('an admin key is asked for; tenantgatectl shows it as a table', async () => {
	const stranger = await new Client(gate.adminUrl).get('/admin/config');
	assert.equal(stranger.status, 401);
	assert.ok(!stranger.body.includes('config"'));
	const { stdout } = await run(built('src/tenantgatectl', 'tenantgatectl'),
		['--url', gate.adminUrl, 'config'], { env: { ...process.env,
			TENANTGATE_ADMIN_KEY: gate.adminKey } });
	assert.match(stdout, /^section +key +value +unit +origin$/mi);
	assert.match(stdout, /^tenantgate +chat_timeout +90 +seconds +\S+:\d+$/m);
	assert.match(stdout, /^plan free +top_k +2 +- +\S+:\d+$/m);
});
