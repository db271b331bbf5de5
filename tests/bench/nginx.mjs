// SPDX-License-Identifier: MIT
// What tenantgate is compared with: an nginx that passes the model's stream through, and answers
// /healthz itself.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../live/lib/process.mjs';

// The ciphers and versions of tenantgate's defaults.
function tlsLines({ certificate, key }) {
	return `ssl_certificate ${certificate};
		ssl_certificate_key ${key};
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_ecdh_curve X25519:prime256v1:secp384r1;`;
}

function configuration({ dir, port, upstream, workers, log, tls }) {
	return `daemon off;
worker_processes ${workers};
pid ${dir}/pid;
error_log ${dir}/error.log error;
events { worker_connections 1024; }
http {
	access_log ${log ? `${dir}/access.log combined` : 'off'};
	client_body_temp_path ${dir}/body;
	proxy_temp_path ${dir}/proxy;
	fastcgi_temp_path ${dir}/fastcgi;
	uwsgi_temp_path ${dir}/uwsgi;
	scgi_temp_path ${dir}/scgi;
	client_body_buffer_size 64k;
	keepalive_requests 100000000;
	upstream model {
		server 127.0.0.1:${upstream};
		keepalive 64;
		keepalive_requests 100000000;
	}
	server {
		listen 127.0.0.1:${port} reuseport${tls ? ' ssl' : ''};
		${tls ? tlsLines(tls) : ''}
		location = /chat {
			proxy_pass http://model/v1/chat/completions;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
		}
		location = /healthz {
			default_type application/json;
			return 200 '{"status":"ok"}';
		}
	}
}
`;
}

// { url, pid } of one more nginx of this stack. tls: { certificate, key }, files.
export async function startNginx(stack, name, { workers = 1, log = false, tls } = {}) {
	const dir = join(stack.dir, name);
	const port = await freePort();
	mkdirSync(dir);
	const path = join(dir, 'nginx.conf');
	writeFileSync(path, configuration({ dir, port, workers, log, tls, upstream: stack.model.port }));
	const program = stack.program(name, 'nginx', ['-p', dir, '-c', path, '-e',
		join(dir, 'error.log')]);
	return { name, url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, pid: program.pid, program };
}
