// A web app: who signs up has a database of their own, uploads documents, and chats with them.
// TENANTGATE_KEY=tg_... [TENANTGATE_URL=...] [PORT=3000] node web-app.mjs
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const gate = process.env.TENANTGATE_URL ?? 'http://127.0.0.1:8080';
const authorization = `Bearer ${process.env.TENANTGATE_KEY}`; // it never leaves this server
const page = readFileSync(new URL('web-app.html', import.meta.url));
const sessions = new Map(); // cookie -> tenant; a real app has its login, and its table, here
const routes = /^(POST \/(ingest|chat)|GET \/documents|(PATCH|DELETE) \/documents\/[^/]+)$/;

async function signUp(q, response) {
	const email = new URLSearchParams(Buffer.concat(await q.toArray()).toString()).get('email');
	const [tenant, session] = [randomUUID(), randomUUID()];
	const made = await fetch(`${gate}/tenant`, { method: 'PUT', headers: { authorization,
		'x-tenant-id': tenant, 'content-type': 'application/json' },
	body: JSON.stringify({ email, plan: 'free' }) });
	if (!made.ok)
		return response.writeHead(502).end(await made.text());
	sessions.set(session, tenant); // the database is made behind; the first upload waits for it
	response.writeHead(303, { location: '/',
		'set-cookie': `session=${session}; HttpOnly; SameSite=Strict; Path=/` }).end();
}

async function forward(q, response, path, tenant) {
	const headers = { authorization, 'x-tenant-id': tenant };
	for (const name of ['content-type', 'accept', 'x-tenantgate-stream'])
		if (q.headers[name])
			headers[name] = q.headers[name];
	const answer = await fetch(gate + path, { method: q.method, headers, duplex: 'half',
		body: ['GET', 'DELETE'].includes(q.method) ? undefined : Readable.toWeb(q) });
	response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
	if (!answer.body)
		return response.end();
	// No faster than the browser reads, and no longer: who leaves stops the model, too.
	await pipeline(Readable.fromWeb(answer.body), response);
}

http.createServer((q, response) => {
	const tenant = sessions.get(/\bsession=([\w-]+)/.exec(q.headers.cookie)?.[1]);
	const { pathname, search } = new URL(q.url, 'http://app');
	const path = pathname.replace(/^\/api(?=\/)/, '');
	const fail = () => response.destroy();
	if (`${q.method} ${pathname}` === 'POST /sign-up')
		signUp(q, response).catch(fail);
	else if (pathname === '/')
		response.writeHead(200, { 'content-type': 'text/html' }).end(page);
	else if (!tenant || !routes.test(`${q.method} ${path}`))
		response.writeHead(tenant ? 404 : 401, { 'content-type': 'application/json' }).end('{}');
	else
		forward(q, response, path + search, tenant).catch(fail);
}).listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
