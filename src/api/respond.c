/* SPDX-License-Identifier: MIT */
/*
 * respond: the parts of a response that do not depend on the handler.
 */
#include "api/respond.h"

#include <stdio.h>

#include "tenantgate/base/random.h"

/* The id goes into a header, into log lines and into shells: other bytes would let a client forge
 * them. */
static bool
request_id_is_valid(struct slice s)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._:-";

	if (s.len == 0 || s.len > REQUEST_ID_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || strchr(allowed, s.p[i]) == NULL)
			return false;
	return true;
}

void
request_id_choose(const struct http_exchange *x, char out[REQUEST_ID_MAX + 1])
{
	struct slice sent = http_header(x, "X-Request-Id");

	if (request_id_is_valid(sent)) {
		memcpy(out, sent.p, sent.len);
		out[sent.len] = '\0';
		return;
	}
	id_random(out, REQUEST_ID_LEN);
}

static void
set_number(struct http_exchange *x, const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	http_set(x, name, text);
}

/* The three fields that clients read most: the count, what is left of it, and the seconds until it
 * is whole again (early versions of draft-ietf-httpapi-ratelimit-headers; later ones have one). */
void
respond_limits(struct http_exchange *x, const struct limit_verdict *v)
{
	if (v->limit == 0)
		return;
	set_number(x, "RateLimit-Limit", v->limit);
	set_number(x, "RateLimit-Remaining", v->remaining);
	set_number(x, "RateLimit-Reset", v->reset_s);
}

void
respond_json(struct http_exchange *x, int status, const struct buf *body)
{
	http_reply(x, status, "application/json", buf_view(body));
}
