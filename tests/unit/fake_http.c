/* SPDX-License-Identifier: MIT */
/*
 * fake_http: the functions of http.h that api/'s responses and access log call.
 */
#include "fake_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct slice
http_method(const struct http_exchange *x)
{
	return x->method;
}

struct slice
http_path(const struct http_exchange *x)
{
	return x->path;
}

struct slice
http_header(const struct http_exchange *x, const char *name)
{
	if (strcmp(name, "X-Request-Id") == 0)
		return x->request_id;
	if (strcmp(name, "Origin") == 0)
		return x->origin;
	if (strcmp(name, "Access-Control-Request-Method") == 0)
		return x->asks_method;
	return (struct slice){ 0 };
}

bool
http_origin_is_listed(const struct http_exchange *x)
{
	return x->origin_is_listed;
}

bool
http_header_item(const struct http_exchange *x, unsigned i, struct slice *name, struct slice *value)
{
	*name = SLICE_LIT("X-Request-Id");
	*value = x->request_id;
	return i == 0 && value->p != NULL;
}

bool
http_query_next(struct slice *rest, struct arena *arena, struct slice *name, struct slice *value)
{
	(void)rest;
	(void)arena;
	*name = *value = slice_of(NULL, 0);
	return false;
}

/* None has a query. */
struct slice
http_query_get(const struct http_exchange *x, const char *name, struct arena *arena)
{
	(void)x;
	(void)name;
	(void)arena;
	return slice_of(NULL, 0);
}

const char *
http_tls_version(const struct http_exchange *x)
{
	(void)x;
	return NULL;
}

const char *
http_remote(const struct http_exchange *x)
{
	(void)x;
	return "192.0.2.1";
}

struct slice
http_network(const struct http_exchange *x)
{
	(void)x;
	return SLICE_LIT("192.0.2.1");
}

uint64_t
http_bytes_in(const struct http_exchange *x)
{
	(void)x;
	return 11;
}

uint64_t
http_bytes_out(const struct http_exchange *x)
{
	(void)x;
	return 22;
}

int
http_status(const struct http_exchange *x)
{
	return x->status;
}

bool
http_set(struct http_exchange *x, const char *name, const char *value)
{
	size_t used = strlen(x->headers);

	snprintf(x->headers + used, sizeof(x->headers) - used, "%s: %s\n", name, value);
	return true;
}

/* Once for each exchange: a second one fails the test. */
void
http_reply(struct http_exchange *x, int status, const char *content_type, struct slice body)
{
	assert_int_equal(x->status, 0);
	x->status = status;
	snprintf(x->type, sizeof(x->type), "%s", content_type);
	snprintf(x->body, sizeof(x->body), "%.*s", SLICE_ARG(body));
}

void
http_end(struct http_exchange *x)
{
	x->ended++;
}

void
http_refuse_body(struct http_exchange *x, const struct err *err)
{
	x->too_large = err;
}

void
http_watch_body(struct http_exchange *x, http_body_fn *watch, void *arg)
{
	x->watch = watch;
	x->watch_arg = arg;
}

enum flow_rc
http_read_body_piece(struct flow *f, struct http_exchange *x, struct buf *out, size_t enough)
{
	size_t n = x->rest.len < enough ? x->rest.len : enough;

	if (!buf_add(out, x->rest.p, n))
		return flow_fail(f, ERR_TOO_LARGE, "The body is too large.");
	x->rest = slice_of(x->rest.p + n, x->rest.len - n);
	return FLOW_NEXT;
}

bool
http_body_is_complete(const struct http_exchange *x)
{
	return x->rest.len == 0;
}
