/* SPDX-License-Identifier: MIT */
/*
 * conn_client: whose a connection and its requests are, and whether there is a place for them.
 *
 *	the peer --PROXY header of a trusted one--> the connection's address
 *	         --X-Forwarded-For of trusted ones--> the request's
 *
 * A connection of a trusted proxy's own carries the requests of many: it has a place in all, and in
 * the count by address each request has one while it is served (as nginx's limit_conn counts).
 */
#include "http/conn_state.h"

#include <event2/buffer.h>

#include "http/forwarded.h"
#include "http/proxy_header.h"
#include "tenantgate/base/log.h"

void
conn_full_error(struct err *err)
{
	err_set(err, ERR_OVERLOADED,
	    "Too many connections are open, in all or from this address; close some, try again "
	    "later, or raise max_client_conn or max_client_conn_per_ip.");
}

/* The address is the connection's now. False when it has too many. */
bool
conn_address_enter(struct conn *c)
{
	struct http_server *s = c->server;

	address_write(&c->address, c->remote);
	c->client = c->address;
	c->is_proxy = network_list_has(&s->proxies, &c->address);
	c->may_forward = c->is_proxy;
	if (!c->is_proxy)
		c->address_counted = shared_address_enter(s->shared, &s->conf, &c->address);
	return c->is_proxy || c->address_counted;
}

void
conn_address_leave(struct conn *c)
{
	struct http_server *s = c->server;

	if (c->address_counted)
		shared_address_leave(s->shared, &s->conf, &c->address);
	c->address_counted = false;
}

/* ---- the PROXY header, where a listener requires it ---- */

/* What is no PROXY header is not answered either: it may be no HTTP, and comes from a proxy that is
 * set up wrongly. It may come with every connection: one line a minute. */
static void
proxy_header_refused(struct conn *c)
{
	static struct log_pace pace;

	if (log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_WARNING, "http.proxy_protocol", NULL,
		    "A connection of %s, which is in trusted_proxies, did not begin with a PROXY "
		    "header; let that proxy send one, or switch proxy_protocol off.",
		    c->remote);
	conn_close(c);
}

/* Of whom a proxy does not know (UNKNOWN) it has passed on the bytes unread: what they forward is
 * that stranger's word. */
static void
proxy_header_done(struct conn *c, const struct proxy_header *h)
{
	buf_free(&c->line);
	if (h->has_source)
		c->address = h->source;
	c->is_refused = !conn_address_enter(c);
	c->may_forward = c->may_forward && (h->has_source || h->is_local);
	conn_begin(c);
}

/* The parser of requests lends its buffer for lines: it has not begun. */
void
conn_proxy_received(struct conn *c)
{
	struct evbuffer *input = conn_input(c);
	struct proxy_header h = { .bytes = &c->line };
	enum proxy_event event = PROXY_MORE;
	size_t n;

	while (event == PROXY_MORE && (n = evbuffer_get_contiguous_space(input)) > 0) {
		struct slice in = slice_of((char *)evbuffer_pullup(input, (ev_ssize_t)n), n);

		event = proxy_header_feed(&h, &in);
		evbuffer_drain(input, n - in.len);
	}
	if (event == PROXY_ERROR)
		proxy_header_refused(c);
	else if (event == PROXY_DONE)
		proxy_header_done(c, &h);
}

/* Not from a trusted peer: its header would be believed. */
bool
conn_proxy_may_speak(struct conn *c)
{
	static struct log_pace pace;
	bool is_trusted = network_list_has(&c->server->proxies, &c->address);

	if (!is_trusted && log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_WARNING, "http.proxy_stranger", NULL,
		    "A connection of %s was closed, which is not in trusted_proxies; with "
		    "proxy_protocol = on only these may connect.",
		    c->remote);
	return is_trusted;
}

/* ---- a request, when its head is whole ---- */
static bool
request_is_probe(const struct conn *c)
{
	http_probe_fn *is_probe = c->server->conf.is_probe;

	return is_probe != NULL && is_probe(http_method(&c->x), http_path(&c->x));
}

/* Who is refused may take its time to leave: a kept place is not what it waits in. */
static void
spare_place_leave(struct conn *c)
{
	struct http_server *s = c->server;

	if (!c->is_spare || s->refused_conns >= CONN_REFUSED_MAX)
		return;
	shared_leave(s->shared);
	c->is_spare = c->counted = false;
	s->refused_conns++;
}

/* The client is the connection's own until it is known to be another. For probes all is open: a
 * load balancer that asks how we are must hear it now above all. */
bool
conn_request_enter(struct conn *c, struct err *err)
{
	struct http_server *s = c->server;

	if (c->may_forward) {
		forwarded_client(&c->parse, &s->proxies, &c->client);
		address_write(&c->client, c->remote);
	}
	if (request_is_probe(c))
		return true;
	c->is_spare = c->is_spare && !shared_has_room(s->shared, &s->conf);
	if (!c->is_spare && c->is_proxy)
		c->client_counted = shared_address_enter(s->shared, &s->conf, &c->client);
	if (!c->is_spare && (!c->is_proxy || c->client_counted))
		return true;
	spare_place_leave(c);
	conn_full_error(err);
	return false;
}

void
conn_request_leave(struct conn *c)
{
	struct http_server *s = c->server;

	if (c->client_counted)
		shared_address_leave(s->shared, &s->conf, &c->client);
	c->client_counted = false;
	c->client = c->address;
	if (c->is_proxy)
		address_write(&c->address, c->remote);
}
