/* SPDX-License-Identifier: MIT */
/*
 * listener: the table, and how each listener's configuration is made out of the one of the public
 * one.
 */
#include "listener.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tenantgate/admin.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"

#define NEAR_CONN_MAX	256
#define NEAR_TIMEOUT_US (10 * 1000000ull) /* for a request's header, and to take of its response */

typedef void listener_conf_fn(struct http_conf *, const struct conf *);

static listener_conf_fn public_conf, health_conf, admin_conf;

static const struct {
	const char *name;
	listener_conf_fn *fill; /* what differs from conf.http */
	http_handler_fn *handle;
	bool shows_reasons;
} table[LISTENERS] = {
	[LISTENER_PUBLIC] = { "public", public_conf, api_handle, false },
	[LISTENER_HEALTH] = { "health", health_conf, api_handle_health, true },
	[LISTENER_ADMIN] = { "admin", admin_conf, admin_handle, true },
};

static void
public_conf(struct http_conf *http, const struct conf *conf)
{
	(void)conf;
	http->is_probe = api_is_probe;
	http->cors_expose_headers = cors_expose_headers;
}

/* Nearer than the public door: no proxy is between, and those who ask are few. */
static void
near_conf(struct http_conf *http)
{
	http->max_client_conn = NEAR_CONN_MAX;
	http->max_client_conn_per_ip = 0;
	http->trusted_proxies = NULL;
	http->proxy_protocol = false;
	http->header_timeout_us = NEAR_TIMEOUT_US;
	http->send_timeout_us = NEAR_TIMEOUT_US;
	http->cors_allow_origins = NULL; /* what is here is no page's */
	http->is_probe = api_is_probe;
}

static void
health_conf(struct http_conf *http, const struct conf *conf)
{
	near_conf(http);
	http->prefix = "health_";
	http->listen_addr = conf->health_listen_addr;
	http->listen_port = conf->health_listen_port;
}

static void
admin_conf(struct http_conf *http, const struct conf *conf)
{
	near_conf(http);
	http->prefix = "admin_";
	http->listen_addr = conf->admin_listen_addr;
	http->listen_port = conf->admin_listen_port;
}

void
listener_conf(enum listener_id id, const struct conf *conf, struct http_conf *out)
{
	*out = conf->http;
	table[id].fill(out, conf);
}

void
listeners_open(struct listener listeners[LISTENERS], const struct conf *conf)
{
	for (unsigned i = 0; i < LISTENERS; i++) {
		struct listener *l = &listeners[i];

		l->name = table[i].name;
		l->handle = table[i].handle;
		l->shows_reasons = table[i].shows_reasons;
		listener_conf(i, conf, &l->http);
		l->http.shares_port = conf->so_reuseport;
		l->is_open = i == LISTENER_PUBLIC || l->http.listen_port != 0;
		l->connections = http_shared_new();
	}
}

void
listeners_inherit(struct listener listeners[LISTENERS], struct inherited *all, bool is_successor)
{
	int fds[INHERITED_MAX];

	for (unsigned i = 0; i < LISTENERS; i++) {
		struct listener *l = &listeners[i];

		l->http.is_held = is_successor || i == LISTENER_PUBLIC;
		if (!l->is_open)
			continue;
		l->inherited_count = inherited_take(all, l->http.listen_port, fds);
		if (l->inherited_count == 0)
			continue;
		l->inherited = xcalloc(l->inherited_count, sizeof(int));
		memcpy(l->inherited, fds, l->inherited_count * sizeof(int));
	}
}

struct http_conf
listener_worker_conf(const struct listener *l, unsigned worker, unsigned workers, int *sockets)
{
	unsigned turns = l->inherited_count > workers ? l->inherited_count : workers;
	struct http_conf http = l->http;

	/* The first worker's socket tells whether the port is ours alone. */
	http.shares_port = http.shares_port || worker > 0;
	http.listening = sockets;
	for (unsigned i = worker; l->inherited_count > 0 && i < turns; i += workers)
		sockets[http.listening_count++] = l->inherited[i % l->inherited_count];
	return http;
}

void
listeners_inherited(struct listener listeners[LISTENERS])
{
	for (unsigned i = 0; i < LISTENERS; i++) {
		struct listener *l = &listeners[i];

		for (unsigned k = 0; k < l->inherited_count; k++)
			close(l->inherited[k]);
		free(l->inherited);
		l->inherited = NULL;
		l->inherited_count = 0;
	}
}

void
listeners_close(struct listener listeners[LISTENERS])
{
	listeners_inherited(listeners);
	for (unsigned i = 0; i < LISTENERS; i++)
		http_shared_free(listeners[i].connections);
}

/* The addresses are logged with their ports, which listen_port = 0 leaves to the system. */
void
listeners_log(const struct listener listeners[LISTENERS], unsigned workers)
{
	const struct http_conf *public = &listeners[LISTENER_PUBLIC].http;

	log_event(LOG_NOTICE, "serve.listening", NULL, "Listening on %s:%u with %u workers.",
	    public->listen_addr, (unsigned)public->listen_port, workers);
	for (unsigned i = LISTENER_PUBLIC + 1; i < LISTENERS; i++)
		if (listeners[i].is_open)
			log_event(LOG_NOTICE, "serve.listening", NULL, "Also open, for %s: %s:%u.",
			    listeners[i].name, listeners[i].http.listen_addr,
			    (unsigned)listeners[i].http.listen_port);
}
