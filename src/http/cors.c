/* SPDX-License-Identifier: MIT */
/*
 * cors: which pages of other origins may read a response (the Fetch Standard, CORS protocol). It is
 * a field of every response's head, so it is decided here, whoever answers: a handler, or http/
 * itself.
 *
 * What always holds: what is sent is the configured text and never the client's; no response says
 * `*` and none allows credentials, so a page of a listed origin gets by no cookie what it would not
 * get by its key. Where origins are listed every response varies by Origin, that to no page too:
 * else a cache would give one page what was said to another.
 */
#include "http/conn_state.h"

#include "http/origins.h"

/* p NULL when there is no Origin, or a second one that may say something else. */
static struct slice
origin_listed(const struct http_exchange *x)
{
	if (http_header_count(x, "Origin") != 1)
		return slice_of(NULL, 0);
	return origins_find(conn_of(x)->server->conf.cors_allow_origins, http_header(x, "Origin"));
}

bool
http_origin_is_listed(const struct http_exchange *x)
{
	return origin_listed(x).p != NULL;
}

/* Of a head that could not be read, what was read of it says who asked: its sender is to see why it
 * was refused. */
void
cors_put(struct conn *c)
{
	const struct http_conf *conf = &c->server->conf;
	struct slice origin = origin_listed(&c->x);
	struct buf b;

	if (conf->cors_allow_origins == NULL)
		return;
	buf_init(&b, HTTP_FIELDS_MAX);
	buf_puts(&b, "Vary: Origin\r\n");
	if (origin.p != NULL)
		buf_printf(&b, "Access-Control-Allow-Origin: %.*s\r\n", SLICE_ARG(origin));
	if (origin.p != NULL && conf->cors_expose_headers != NULL)
		buf_printf(&b, "Access-Control-Expose-Headers: %s\r\n", conf->cors_expose_headers);
	if (!b.failed)
		conn_write(c, b.data, b.len);
	buf_free(&b);
}
