// SPDX-License-Identifier: MIT
// How many documents a tenant may have, and bytes of them: exact, with two replicas; and the same
// bytes once, where ifNew is said.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Stack } from './lib/stack.mjs';
import { ModelServer, embeddingsOf, json } from './lib/model-server.mjs';
import { until } from './lib/process.mjs';

const stack = new Stack('documents-quota');
const settings = () => ({ max_documents: 3, max_bytes: '1000B', rate_limit_requests_per_minute: 0,
	ingest_timeout: '6s', model_url: model.url });
let model, gates, key;

before(async () => {
	model = await ModelServer.start();
	await stack.surroundings({ neon: false });
	gates = [await stack.tenantgate(settings())];
	key = await gates[0].service();
	gates.push(await stack.tenantgate(settings()));
	gates[1].serviceKey = key;
});
after(async () => {
	await stack.stop();
	model.http.closeAllConnections();
	model.http.close();
});

const both = (id) => Promise.all(gates.map((gate) => gate.tenant(id)));
const ids = async (tenant) => (await tenant.get('/documents?status=ready')).json.documents
	.map((d) => d.id).sort();

function refused(answer, status, code, pattern) {
	assert.equal(answer.status, status, answer.body);
	assert.equal(answer.json.code, code, answer.body);
	assert.match(answer.json.detail, pattern);
}

test('two uploads of the last of three documents, to two replicas: one wins', async () => {
	const tenants = await both('three');
	for (const id of ['a', 'b'])
		assert.equal((await tenants[0].ingestText(`Text ${id}.`, { documentId: id })).status, 201);
	for (let round = 0; round < 5; round++) {
		model.requests = [];
		const answers = await Promise.all(Array.from({ length: 6 }, (_, i) =>
			tenants[i % 2].ingestText(`Round ${round}, text ${i}.`, { documentId: `${i}` })));
		assert.deepEqual(answers.map((a) => a.status).sort(), [201, 403, 403, 403, 403, 403]);
		const lost = answers.find((a) => a.status === 403);
		refused(lost, 403, 'too_many_documents', /At most 3 documents .* Delete one/);
		assert.equal(model.requests.length, 1, 'what is refused has cost no call of the model');
		const won = `${answers.findIndex((a) => a.status === 201)}`;
		assert.deepEqual(await ids(tenants[1]), [won, 'a', 'b'].sort());
		if (round < 4)
			assert.equal((await tenants[1].ask('DELETE', `/documents/${won}`)).status, 204);
	}
	const again = await tenants[1].ingestText('Another text a.', { documentId: 'a' });
	assert.equal(again.status, 201, 'a document is replaced though the list is full');
});

test('what has expired neither counts nor is it the same bytes, though it is not removed yet', async () => {
	const [tenant] = await both('expired');
	const later = { expiresAt: '2040-01-01T00:00:00Z' };
	for (const id of ['a', 'b', 'c'])
		assert.equal((await tenant.ingestText(id.repeat(300), { documentId: id, ...later })).status, 201);
	refused(await tenant.ingestText('d', { documentId: 'd' }), 403, 'too_many_documents', /./);
	await stack.sql(`update documents set expires_at = now() - interval '1 second'
		where user_id = 'expired' and document_id in ('a', 'b')`, 'catalog');
	assert.equal((await tenant.ingestText('d'.repeat(700), { documentId: 'd' })).status, 201);
	await stack.sql(`update documents set expires_at = now() - interval '1 second'
		where user_id = 'expired' and document_id = 'c'`, 'catalog');
	const same = await tenant.ingestText('c'.repeat(300), { documentId: 'e', ifNew: true });
	assert.equal(same.status, 201, same.body);
	assert.equal(same.json.document.id, 'e');
	const again = await tenant.ingestText('c'.repeat(300), { documentId: 'f', ifNew: true });
	assert.deepEqual([again.status, again.json.document.id], [200, 'e']);
});

test('a tenant that has more than it may now: what it has may be replaced', async () => {
	const [tenant] = await both('less');
	for (const id of ['a', 'b', 'c'])
		assert.equal((await tenant.ingestText(`Text ${id}.`, { documentId: id })).status, 201);
	const smaller = await stack.tenantgate({ ...settings(), max_documents: 2 });
	smaller.serviceKey = key;
	const now = await smaller.tenant('less');
	const replace = (n) => now.ingestText(`Another text a, ${n}.`, { documentId: 'a' });
	assert.deepEqual((await Promise.all([1, 2, 3].map(replace))).map((a) => a.status), [201, 201, 201]);
	refused(await now.ingestText('Text d.', { documentId: 'd' }), 403, 'too_many_documents', /At most 2/);
	await until('all are listed', async () => (await ids(now)).join('') === 'abc');
	await smaller.program.stop();
});

test('bytes: a sum, and what is refused is told', async () => {
	const [tenant, other] = await both('bytes');
	assert.equal((await tenant.ingestText('x'.repeat(600), { documentId: 'a' })).status, 201);
	const answers = await Promise.all([tenant, other].map((t, i) =>
		t.ingestText(`${i}`.repeat(300), { documentId: `${i}` })));
	assert.deepEqual(answers.map((a) => a.status).sort(), [201, 403]);
	refused(answers.find((a) => a.status === 403), 403, 'storage_full', /At most 1000 bytes/);
	refused(await tenant.ingestText('y'.repeat(701), { documentId: 'a' }), 403, 'storage_full', /./);
	assert.equal((await tenant.ingestText('y'.repeat(700), { documentId: 'a' })).status, 201);
	assert.equal((await tenant.get('/documents/a')).json.document.bytes, 700);
});

async function form(gate, tenant, files, fields = {}) {
	const data = new FormData();
	for (const [name, value] of Object.entries(fields))
		data.append(name, value);
	for (const [name, body] of files)
		data.append('file', new Blob([body], { type: 'text/plain' }), name);
	const response = await fetch(`${gate.url}/ingest`, { method: 'POST', body: data,
		headers: tenant.headers });
	return { status: response.status, json: await response.json() };
}

test('several files: each has its own result', async () => {
	const [tenant] = await both('several');
	const answer = await form(gates[0], tenant, [1, 2, 3, 4].map((n) => [`${n}.txt`, `Text ${n}.`]));
	assert.equal(answer.status, 207);
	assert.deepEqual(answer.json.documents.map((d) => d.fileName), ['1.txt', '2.txt', '3.txt']);
	assert.deepEqual(answer.json.errors.map((e) => [e.fileName, e.code]),
		[['4.txt', 'too_many_documents']]);
});

test('a document whose time is over does not stay beside the one in its place', async () => {
	const [tenant, other] = await both('over');
	for (const id of ['a', 'b', 'c'])
		assert.equal((await tenant.ingestText(`Text ${id}.`, { documentId: id,
			expiresAt: '2999-01-01T00:00:00Z' })).status, 201);
	const [[database]] = await stack.sql("select db_name from tenants where tenant_id = 'over'", 'catalog');
	const over = "expires_at = now() - interval '1 minute'";
	await stack.sql(`update document set ${over} where id = 'c'`, database);
	await stack.sql(`update documents set ${over}, stored_${over} where user_id = 'over' and ` +
		"document_id = 'c'", 'catalog');
	assert.equal((await tenant.ingestText('In its place.', { documentId: 'd' })).status, 201);
	for (const t of [tenant, other])
		refused(await t.ingestText('Text c.', { documentId: 'c' }), 403, 'too_many_documents', /./);
	await until('it goes', async () => (await ids(tenant)).join('') === 'abd');
});

test('ifNew: the same bytes are answered with what is stored', async () => {
	const [tenant, other] = await both('new');
	const raw = (t, query, body) => t.ask('POST', `/ingest?${query}`, { body,
		headers: { 'content-type': 'text/plain' } });
	const first = await raw(tenant, 'ifNew=1&title=First', 'The tides turn.');
	assert.equal(first.status, 201, first.body);
	const { id } = first.json.document;
	model.requests = [];
	for (const answer of [await raw(other, 'ifNew=1', 'The tides turn.'),
		await raw(other, 'ifNew=true&documentId=x', 'The tides turn.'),
		await tenant.ingestText('The tides turn.', { ifNew: true }),
		await form(gates[0], tenant, [['a.txt', 'The tides turn.']], { ifNew: '1' })]) {
		assert.equal(answer.status, 200, answer.body);
		assert.deepEqual(answer.json.document, first.json.document);
	}
	assert.equal(model.requests.length, 0);
	const mixed = await form(gates[0], tenant, [['a.txt', 'The tides turn.'], ['b.txt', 'Ebb.'],
		['c.txt', 'Ebb.']], { ifNew: '1' });
	assert.equal(mixed.status, 201);
	assert.equal(mixed.json.documents[0].id, id);
	assert.equal(mixed.json.documents[1].id, mixed.json.documents[2].id);
	assert.equal((await ids(tenant)).length, 2);
	assert.equal((await raw(tenant, 'ifNew=0', 'The tides turn.')).status, 201);
	refused(await raw(tenant, 'ifNew=maybe', 'The tides turn.'), 400, 'invalid_field', /1 or 0/);
	const owned = await raw(tenant, 'ifNew=1', 'Ebb.');
	assert.equal(owned.json.document.id, mixed.json.documents[1].id);
});

test('ifNew: of two first uploads at once one is stored, the other comes again', async () => {
	const tenants = await both('twice');
	for (let round = 0; round < 5; round++) {
		const answers = await Promise.all([0, 1, 2, 3].map((i) => tenants[i % 2]
			.ingestText(`Round ${round}.`, { ifNew: true })));
		const stored = answers.filter((a) => a.status === 201);
		assert.equal(stored.length, 1, answers.map((a) => a.body).join('\n'));
		for (const answer of answers.filter((a) => a !== stored[0])) {
			if (answer.status === 200)
				assert.equal(answer.json.document.id, stored[0].json.document.id);
			else
				refused(answer, 409, 'conflict', /same bytes/);
		}
		const later = await tenants[1].ingestText(`Round ${round}.`, { ifNew: true });
		assert.equal(later.status, 200, later.body);
		assert.deepEqual(await ids(tenants[0]), [stored[0].json.document.id]);
		assert.equal((await tenants[0].ask('DELETE',
			`/documents/${stored[0].json.document.id}`)).status, 204);
	}
});

test('ifNew: while the document of these bytes is being changed, another comes again', async () => {
	const [tenant, other] = await both('changed');
	assert.equal((await tenant.ingestText('Neap tide.', { documentId: 'a' })).status, 201);
	const [[database]] = await stack.sql("select db_name from tenants where tenant_id = 'changed'",
		'catalog');
	const holder = stack.program('holder', 'psql', ['-X', '-q', '-d', stack.pg.url(database), '-c',
		'begin; lock table document in exclusive mode; select pg_sleep(100000)']);
	const waits = async (what) => (await stack.sql(`select pid from pg_stat_activity where ${what} and ` +
		`datname = '${database}'`)).length > 0;
	await until('the table is locked', () => waits("wait_event = 'PgSleep'"));
	const changed = tenant.ask('PATCH', '/documents/a', { body: '{"title":"Neap"}',
		headers: { 'content-type': 'application/json' } });
	await until('the change waits', () => waits("wait_event_type = 'Lock'"));
	refused(await other.ingestText('Neap tide.', { ifNew: true }), 409, 'conflict', /same bytes/);
	await stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
	await holder.exit;
	assert.equal((await changed).status, 200);
	const later = await other.ingestText('Neap tide.', { ifNew: true });
	assert.deepEqual([later.status, later.json.document.title], [200, 'Neap'], later.body);
	assert.deepEqual(await ids(other), ['a']);
});

test('deleted in the middle of an upload: it does not come beside the one in its place', async () => {
	const [tenant, other] = await both('deleted');
	for (const id of ['a', 'b'])
		assert.equal((await other.ingestText(`Text ${id}.`, { documentId: id })).status, 201);
	let asked, goOn;
	const waiting = new Promise((resolve) => { asked = resolve; });
	model.embeddings = (request, response) => {
		goOn = () => json(response, 200, embeddingsOf(request.body));
		asked();
	};
	const uploading = tenant.ingestText('Deleted early.', { documentId: 'c' });
	await waiting;
	model.embeddings = (request, response) => json(response, 200, embeddingsOf(request.body));
	assert.equal((await other.ask('DELETE', '/documents/c')).status, 204);
	assert.equal((await other.ingestText('In its place.', { documentId: 'd' })).status, 201);
	goOn();
	refused(await uploading, 409, 'conflict', /deleted/);
	await until('it is gone', async () => (await other.get('/documents')).json.total === 3);
	assert.deepEqual(await ids(other), ['a', 'b', 'd']);
	assert.deepEqual((await other.search('Deleted early.')).json.results.map((r) => r.documentId).sort(),
		['a', 'b', 'd']);
});

test('killed in the middle of an upload: its place is free again', async () => {
	const [tenant, other] = await both('killed');
	for (const id of ['a', 'b'])
		assert.equal((await other.ingestText(`Text ${id}.`, { documentId: id })).status, 201);
	let asked;
	const waiting = new Promise((resolve) => { asked = resolve; });
	model.embeddings = () => asked(); // and never an answer
	const lost = tenant.ingestText('Never stored.', { documentId: 'c' }).catch((error) => error);
	await waiting;
	model.embeddings = (request, response) => json(response, 200, embeddingsOf(request.body));
	refused(await other.ingestText('Too many.', { documentId: 'd' }), 403, 'too_many_documents', /./);
	gates[0].program.child.kill('SIGKILL');
	assert.ok(await lost instanceof Error);
	await until('its place is free', async () => (await other.ingestText('One more.',
		{ documentId: 'd' })).status === 201);
	assert.deepEqual(await ids(other), ['a', 'b', 'd']);
});
