/* SPDX-License-Identifier: MIT */
/*
 * exchange: what a handler may read of the request it was given. The slices are the parser's, and
 * live until http_end(), also when the client has left.
 */
#include "http/conn_state.h"

#include "http/percent.h"

struct slice
http_method(const struct http_exchange *x)
{
	const struct parse *p = &conn_of(x)->parse;

	return parse_slice(p, p->method);
}

struct slice
http_path(const struct http_exchange *x)
{
	return parse_path(&conn_of(x)->parse);
}

struct slice
http_query(const struct http_exchange *x)
{
	const struct parse *p = &conn_of(x)->parse;

	return parse_slice(p, p->query);
}

/* The first of that name. The parser refuses a second one of those on which access or framing
 * depends (parse_head.c); for others a handler asks http_header_count(). */
struct slice
http_header(const struct http_exchange *x, const char *name)
{
	return http_header_at(x, name, 0);
}

struct slice
http_header_at(const struct http_exchange *x, const char *name, unsigned before)
{
	const struct parse *p = &conn_of(x)->parse;

	for (unsigned i = 0; i < p->field_count; i++)
		if (slice_is_nocase(parse_slice(p, p->fields[i].name), name) && before-- == 0)
			return parse_slice(p, p->fields[i].value);
	return slice_of(NULL, 0);
}

unsigned
http_header_count(const struct http_exchange *x, const char *name)
{
	const struct parse *p = &conn_of(x)->parse;
	unsigned n = 0;

	for (unsigned i = 0; i < p->field_count; i++)
		n += slice_is_nocase(parse_slice(p, p->fields[i].name), name);
	return n;
}

bool
http_header_item(const struct http_exchange *x, unsigned i, struct slice *name, struct slice *value)
{
	const struct parse *p = &conn_of(x)->parse;

	if (i >= p->field_count)
		return false;
	*name = parse_slice(p, p->fields[i].name);
	*value = parse_slice(p, p->fields[i].value);
	return true;
}

bool
http_query_next(struct slice *rest, struct arena *a, struct slice *name, struct slice *value)
{
	const char *amp = rest->len == 0 ? NULL : memchr(rest->p, '&', rest->len);
	size_t n = amp == NULL ? rest->len : (size_t)(amp - rest->p), at = 0;

	if (rest->len == 0)
		return false;
	while (at < n && rest->p[at] != '=')
		at++;
	*name = percent_decode(slice_of(rest->p, at), true, a);
	*value = at < n ? percent_decode(slice_of(rest->p + at + 1, n - at - 1), true, a)
			: SLICE_LIT("");
	n += amp != NULL;
	*rest = slice_of(rest->p + n, rest->len - n);
	return true;
}

/* As a form encodes it: pairs between '&', '+' for a blank (the URL Standard,
 * application/x-www-form-urlencoded). Names are compared as sent, not decoded; the first wins. */
struct slice
http_query_get(const struct http_exchange *x, const char *name, struct arena *a)
{
	struct slice rest = http_query(x);
	size_t length = strlen(name);

	while (rest.len > 0) {
		const char *amp = memchr(rest.p, '&', rest.len);
		size_t n = amp == NULL ? rest.len : (size_t)(amp - rest.p);
		struct slice pair = slice_of(rest.p, n);

		if (slice_starts(pair, name) && n > length && pair.p[length] == '=')
			return percent_decode(slice_of(pair.p + length + 1, n - length - 1), true,
			    a);
		n += amp != NULL;
		rest = slice_of(rest.p + n, rest.len - n);
	}
	return slice_of(NULL, 0);
}

const char *
http_remote(const struct http_exchange *x)
{
	return conn_of(x)->remote;
}

struct slice
http_network(const struct http_exchange *x)
{
	return address_network(&conn_of(x)->client);
}

bool
http_is_head(const struct http_exchange *x)
{
	return slice_is(http_method(x), "HEAD");
}

uint64_t
http_bytes_in(const struct http_exchange *x)
{
	return x->bytes_in;
}

uint64_t
http_bytes_out(const struct http_exchange *x)
{
	return x->bytes_out;
}

int
http_status(const struct http_exchange *x)
{
	return x->status;
}

bool
http_client_gone(const struct http_exchange *x)
{
	return conn_of(x)->state == CONN_CLOSED;
}

/* A flow that is attached after the client has left is aborted at once. */
void
http_attach(struct http_exchange *x, struct flow *f)
{
	x->flow = f;
	if (f != NULL && http_client_gone(x))
		flow_abort(f, ERR_CLIENT_GONE, CONN_CLIENT_LEFT);
}
