// SPDX-License-Identifier: MIT
// A request that names two tenants is nobody's: each pair of the places where a tenant can be named
// (credential, header, query, path, body, connection string), one naming acme and the other bolt, on
// each route. It is refused, nothing of either tenant is in the answer, no row of theirs changes, and
// no connection to their databases is opened.
//
// Another place is one more row of `places`. A credential has make(gate, tenant), which gives what
// goes behind "Bearer".
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { SqlSession } from './lib/sql-session.mjs';
import { Stack } from './lib/stack.mjs';
import { now, signToken } from './lib/token-issuer.mjs';

const stack = new Stack('confusion');
const TENANTS = ['acme', 'bolt'];
const SECRET = 'what the issuer of this test signs with';
const SETTINGS = { workers: 1, rate_limit_requests_per_minute: 0, auth_failures_per_minute: 0,
	allowed_networks: '127.0.0.1/32', key_last_used_interval: '0s',
	'issuer app': { issuer: 'https://app.example.com', audience: 'tests', secret: SECRET } };
const word = { acme: 'kelpforest', bolt: 'saltmarsh' };
const document = (tenant) => `of-${word[tenant]}`;
let gate, watch;
const databases = {};

// ---- the places ----

// takes: what there is one of in a request; two places that take the same are refused also where they
// agree. only: of the two doors, the one where the place is. always: refused whatever it names.
const member = (name) => ({ takes: ['member ' + name], put: (r, t) => r.members.push([name, t]) });
const parameter = (text) => ({ takes: [], put: (r, t) => r.query.push(text(t)) });
const header = (name) => ({ takes: name.toLowerCase() === 'x-tenant-id' ? ['X-Tenant-Id'] : [],
	put: (r, t) => r.headers.push([name, t]) });
const credential = (make) => ({ takes: ['Authorization'], make, only: 'public',
	put(r, t) { r.headers.push(['Authorization', `Bearer ${this.made[t]}`]); } });
const hex = (text) => [...text].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('');

const places = {
	'tenant key': credential((g, t) => g.key('--tenant', t)),
	'service key': { ...credential((g) => g.service()), takes: ['Authorization', 'X-Tenant-Id'],
		put(r, t) { r.headers.push(['Authorization', `Bearer ${this.made[t]}`], ['X-Tenant-Id', t]); } },
	'token of ours': credential(async (g, t) =>
		(await g.admin.post(`/admin/tenants/${t}/tokens`, {})).json.token),
	'JWT': credential((_, t) => signToken({ alg: 'HS256', secret: SECRET }, {
		iss: 'https://app.example.com', aud: 'tests', sub: 'mia', org_id: t, exp: now() + 600 })),
	'X-Tenant-Id': header('X-Tenant-Id'),
	'X-TENANT-ID': header('X-TENANT-ID'),
	'X_Tenant_Id': header('X_Tenant_Id'),
	'X-Tenant': header('X-Tenant'),
	'?tenant=': parameter((t) => `tenant=${t}`),
	'?x-tenant-id=': parameter((t) => `x-tenant-id=${hex(t)}`),
	'?tenantId=, encoded': parameter((t) => `${hex('tenantId')}=${t}`),
	'{"tenant"}': member('tenant'),
	'{"tenantId"}': member('tenantId'),
	'{"x_tenant_id"}': member('x_tenant_id'),
	'path': { takes: ['path'], only: 'admin', put: (r, t) => r.path.push(t) },
	'path, encoded': { takes: ['path'], only: 'admin', put: (r, t) => r.path.push(hex(t)) },
	'connection string': { takes: ['member url'], only: 'admin', isConnection: true,
		put: (r, t) => r.members.push(['url', stack.pg.url(databases[t])]) },
};

// ---- the routes ----

const chat = { messages: [{ role: 'user', content: `What of ${word.acme} and ${word.bolt}?` }] };
const form = (r) => ({ type: 'multipart/form-data; boundary=b', body: [...r.members,
	['documentId', 'formed']].map(([name, value]) =>
	`--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('') +
	'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n' +
	'Content-Type: text/plain\r\n\r\nA text.\r\n--b--\r\n' });

const ofDocuments = TENANTS.flatMap((t) => [
	['GET', `/documents/${document(t)}`], ['GET', `/documents/${document(t)}/chunks`],
	['PATCH', `/documents/${document(t)}`, { title: 'Changed' }], ['DELETE', `/documents/${document(t)}`]]);
const publicRoutes = [
	['POST', '/chat', chat],	// the first is the one that is let in where all agree
	['POST', '/search', { query: `${word.acme} ${word.bolt}` }],
	['POST', '/ingest', { documentId: 'new', text: 'A text that nobody sent.' }],
	['POST', '/ingest', form],
	['GET', '/documents'], ['GET', '/usage'], ...ofDocuments,
];
const adminRoutes = [
	['GET', ''], ['GET', '/keys'], ['GET', '/limits'], ['POST', '/keys', {}], ['PATCH', '', { plan: null }],
	['POST', '/suspend'], ['POST', '/retry'], ['POST', '/recreate'], ['DELETE', '', {}],
	['POST', '/adopt', {}],
];

// ---- one request ----

// By hand, for the order and the spelling of the headers count, and so do repeated ones.
function send(port, method, path, headers, body) {
	return new Promise((resolve, reject) => {
		const socket = net.connect(port, '127.0.0.1');
		let text = '';
		socket.setEncoding('utf8');
		socket.on('data', (piece) => { text += piece; });
		socket.on('error', reject);
		socket.on('close', () => resolve({ text, status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]) }));
		socket.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n` +
			headers.map(([name, value]) => `${name}: ${value}\r\n`).join('') +
			(body === undefined ? '\r\n' :
				`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`));
	});
}

// Members as they are put, for one may be there twice.
const json = (members) => `{${members.map(([name, value]) =>
	`${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;

// The request in which place `a` names one tenant and place `b` another (or the same).
function build(a, one, b, other, route) {
	const [method, path, body] = route;
	const r = { headers: [], query: [], members: [], path: [] };
	const isAdmin = [a, b].some((name) => places[name].only === 'admin');
	if (![a, b].some((name) => places[name].make))
		r.headers.push(['Authorization', `Bearer ${isAdmin ? gate.adminKey : places['tenant key'].made[one]}`]);
	places[a].put(r, one);
	places[b].put(r, other);
	if (isAdmin && r.path.length === 0)	// of a connection string: it is adopted for somebody
		r.path.push(places[a].isConnection ? other : one);
	const made = typeof body === 'function' ? body(r) :
		{ type: 'application/json', body: json([...r.members, ...Object.entries(body ?? {})]) };
	const hasBody = body !== undefined || r.members.length > 0;
	const target = (isAdmin ? `/admin/tenants/${r.path.join('/')}${path}` : path) +
		(r.query.length > 0 ? `?${r.query.join('&')}` : '');
	return [isAdmin ? Number(new URL(gate.adminUrl).port) : gate.port, method, target,
		hasBody ? [...r.headers, ['Content-Type', made.type]] : r.headers, hasBody ? made.body : undefined];
}

// A member is nothing to a route that reads no body.
function routesOf(a, b) {
	const pair = [places[a], places[b]];
	const isAdmin = pair.some((p) => p.only === 'admin');
	return (isAdmin ? adminRoutes : publicRoutes)
		.filter(([, , body]) => body !== undefined || !pair.some((p) => p.takes[0]?.startsWith('member')))
		.filter(([, path]) => path === '/adopt' || !pair.some((p) => p.isConnection));
}

const takesSame = (a, b) => places[a].takes.some((what) => places[b].takes.includes(what));
const names = Object.keys(places);
const pairs = names.flatMap((a) => names.map((b) => [a, b]));

// ---- what must not change ----

class Watch {
	async open() {
		this.sessions = [];
		for (const db of Object.values(databases))
			this.sessions.push(await this.fingerprint(db, '1 = 1'));
		this.sessions.push(await this.fingerprint('catalog', `tablename in ('documents', 'tenants', 'users',
			'vector_databases')`));
		this.sessions.push([new SqlSession(stack.pg.url('catalog')), 'select count(*) from api_keys']);
	}

	// Every row's transaction and place.
	async fingerprint(db, which) {
		const tables = await stack.sql(`select format('%I.%I', schemaname, tablename) from pg_tables
			where schemaname not in ('pg_catalog', 'information_schema') and ${which}`, db);
		assert.ok(tables.length >= 4, `${db} has tables`);
		return [new SqlSession(stack.pg.url(db)), tables.map(([table]) => `select '${table}', count(*),
			md5(string_agg(t.xmin::text || t.ctid::text, ',' order by t.ctid)) from ${table} t`)
			.join(' union all ')];
	}

	read() {
		return Promise.all(this.sessions.map(([session, sql]) => session.ask(sql)));
	}

	close() {
		for (const [session] of this.sessions ?? [])
			session.end();
	}
}

before(async () => {
	await stack.surroundings({ neon: false });
	gate = await stack.tenantgateWithAdmin(SETTINGS);
	for (const t of TENANTS) {
		const stored = await (await gate.tenant(t)).ingestText(`A text of ${word[t]}.`,
			{ documentId: document(t), title: `Title ${word[t]}` });
		assert.equal(stored.status, 201, stored.body);
		[[databases[t]]] = await stack.sql(`select db_name from tenants where tenant_id = '${t}'`, 'catalog');
	}
	for (const place of Object.values(places).filter((p) => p.make))	// of tenants that are there
		place.made = Object.fromEntries(await Promise.all(TENANTS.map(async (t) =>
			[t, await place.make(gate, t)])));
	watch = new Watch();
});
after(async () => {
	watch.close();
	await stack.stop();
});

// So that what is refused below is refused for what it names.
test('where both name one tenant, the request goes through', async () => {
	let through = 0;
	for (const [a, b] of pairs.filter((pair) => !takesSame(...pair))) {
		const admin = [places[a], places[b]].filter((p) => p.only === 'admin');
		const mixed = admin.length === 1 && [places[a], places[b]].some((p) => p.make);
		if (mixed || [places[a], places[b]].some((p) => p.isConnection) ||
			(admin.length > 0 && [a, b].some((name) => places[name].takes[0]?.startsWith('member'))))
			continue;	// a key of a tenant at the admin door; members that no route there has
		const answer = await send(...build(a, 'acme', b, 'acme', routesOf(a, b)[0]));
		assert.equal(answer.status, 200, `${a} and ${b}: ${answer.text}`);
		assert.match(answer.text, admin.length > 0 ? /"id":"acme"/ : new RegExp(word.acme), `${a} and ${b}`);
		assert.doesNotMatch(answer.text, new RegExp(document('bolt')));
		through++;
	}
	assert.ok(through > 100, `${through} pairs`);
});

test('where one names another tenant, the request is refused and nothing is touched', async (t) => {
	await gate.program.stop();
	gate = await stack.tenantgateWithAdmin(SETTINGS);	// which has no pool yet
	await watch.open();
	const before = await watch.read();
	for (const [a, b] of pairs)
		await t.test(`${a} and ${b}`, async () => {
			assert.ok(routesOf(a, b).length > 0);
			for (const route of routesOf(a, b)) {
				const label = `${route[0]} ${route[1]}`;
				const answer = await send(...build(a, 'acme', b, 'bolt', route));
				assert.ok(answer.status >= 400 && answer.status < 500, `${label}: ${answer.text}`);
				for (const secret of [...Object.values(word).map((w) => `Title ${w}`),
					...Object.values(word).map((w) => `text of ${w}`)])
					assert.ok(!answer.text.includes(secret), `${label}: ${answer.text}`);
			}
			assert.deepEqual(await watch.read(), before, 'rows');
		});
	const pools = await gate.admin.get('/admin/pools');
	assert.deepEqual(pools.json.pools.filter((p) => p.tenant), [], 'no pool was opened');
});

// A path cannot lead out of its tenant.
test('a path that has another path in it is no tenant', async () => {
	const before = await watch.read();
	for (const path of ['acme%2fbolt', 'acme/../bolt', 'acme%2f..%2fbolt', 'acme;bolt', 'acme%00bolt', 'acme%0abolt',
		'acme,bolt', 'acme%20', 'acme%', 'acme%zz', '', 'acme%252fbolt', 'acme/bolt', 'acme/tenants/bolt'])
		for (const [method, end, body] of adminRoutes) {
			const answer = await send(Number(new URL(gate.adminUrl).port), method, `/admin/tenants/${path}${end}`,
				[['Authorization', `Bearer ${gate.adminKey}`]], body ? JSON.stringify(body) : undefined);
			assert.ok(answer.status >= 400 && answer.status < 500, `${method} ${path}${end}: ${answer.text}`);
		}
	assert.deepEqual(await watch.read(), before);
});

// With a database of its own, a tenant is refused as one that has one; with none, by whose it is.
test('a new tenant does not get a database by a connection string to another\'s', async () => {
	const before = (await watch.read()).slice(0, 2);
	for (const t of TENANTS) {
		const answer = await gate.admin.post('/admin/tenants/crow/adopt', { url: stack.pg.url(databases[t]) });
		assert.equal(answer.status, 409, answer.body);
		assert.match(answer.json.detail, /another tenant's/);
	}
	assert.deepEqual((await watch.read()).slice(0, 2), before);
	assert.deepEqual(await stack.sql("select 1 from tenants where tenant_id = 'crow'", 'catalog'), []);
});
