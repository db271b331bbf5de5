/* SPDX-License-Identifier: MIT */
/*
 * cors: which pages of other origins may read a response (the Fetch Standard, 3.3). It is a field
 * of every response's head, so it is decided here, whoever answers: a handler, or http/ itself.
 *
 * What always holds: what is sent is the configured text and never the client's; no response says
 * `*` and none allows credentials, so a page of a listed origin gets by no cookie what it would not
 * get by its key. Where origins are listed every response varies by Origin, that to no page too:
 * else a cache would give one page what was said to another.
 */
#include "http/conn_state.h"

#include "http/chars.h"

/* The item of the list that is the request's Origin, byte for byte (3.2.5 compares origins as they
 * are serialized); p NULL when there is none, or a second Origin that says something else. */
static struct slice
origin_listed(const struct http_exchange *x)
{
	struct slice rest = slice_str(conn_of(x)->server->conf.cors_allow_origins);
	struct slice origin = http_header(x, "Origin"), item;

	if (origin.len == 0 || http_header_count(x, "Origin") > 1)
		return slice_of(NULL, 0);
	while (slice_list_next(&rest, &item))
		if (item.len == origin.len && memcmp(item.p, origin.p, item.len) == 0)
			return item;
	return slice_of(NULL, 0);
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

/* ---- the list ---- */

/* RFC 3986 3.1, in small letters, as browsers write it. Not http alone: apps of a phone have
 * schemes of their own, such as capacitor://localhost. */
static bool
is_small_scheme(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool is_letter = s.p[i] >= 'a' && s.p[i] <= 'z';
		bool is_other = (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '+' ||
		    s.p[i] == '-' || s.p[i] == '.';

		if (!is_letter && (i == 0 || !is_other))
			return false;
	}
	return s.len > 0;
}

static bool
has_capital(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

static bool
has_port(struct slice host, const char *port)
{
	size_t n = strlen(port);

	return host.len >= n && memcmp(host.p + host.len - n, port, n) == 0;
}

/* A port is left out where it is the scheme's own (the URL Standard, 4.5). */
static bool
has_needless_port(struct slice scheme, struct slice host)
{
	return has_port(host, ":") || (slice_is(scheme, "http") && has_port(host, ":80")) ||
	    (slice_is(scheme, "https") && has_port(host, ":443"));
}

/* As a browser serializes an origin: what is written in another way would never be equal. */
static bool
is_origin(struct slice s)
{
	const char *colon = s.len == 0 ? NULL : memchr(s.p, ':', s.len);
	struct slice scheme, host;

	if (colon == NULL || !slice_starts(slice_of(colon, s.len - (size_t)(colon - s.p)), "://"))
		return false;
	scheme = slice_of(s.p, (size_t)(colon - s.p));
	host = slice_of(colon + 3, s.len - scheme.len - 3);
	return is_small_scheme(scheme) && slice_is_authority(host) && !has_capital(host) &&
	    memchr(host.p, '*', host.len) == NULL && !has_needless_port(scheme, host);
}

bool
http_origins_are_valid(const char *list, struct err *err)
{
	struct slice rest = slice_str(list), item;

	while (slice_list_next(&rest, &item)) {
		if (is_origin(item))
			continue;
		err_set(err, ERR_INVALID_FIELD,
		    "\"%.*s\" is no origin; name each in full, in small letters, without a path, a "
		    "last slash or the scheme's own port, such as https://app.example.com.",
		    item.len > 60 ? 60 : (int)item.len, item.p);
		return false;
	}
	return true;
}
