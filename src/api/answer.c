/* SPDX-License-Identifier: MIT */
/*
 * answer: the parts of an answer that do not depend on the story.
 */
#include "api/answer.h"

#include <stdio.h>

#include "tenantgate/base/json.h"
#include "tenantgate/base/random.h"

#define REQUEST_ID_NEW	20	/* characters: 115 bits */
#define PROBLEM_MAX	4096

static bool
request_id_sane(struct slice s)
{
	static const char sane[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._:-";

	if (s.len == 0 || s.len > REQUEST_ID_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || strchr(sane, s.p[i]) == NULL)
			return false;
	return true;
}

void
answer_request_id(const struct http_exchange *x, char out[REQUEST_ID_MAX + 1])
{
	struct slice asked = http_header(x, "X-Request-Id");

	if (request_id_sane(asked)) {
		memcpy(out, asked.p, asked.len);
		out[asked.len] = '\0';
		return;
	}
	id_random(out, REQUEST_ID_NEW);
}

static void
set_number(struct http_exchange *x, const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	http_set(x, name, text);
}

void
answer_limits(struct http_exchange *x, const struct limit_verdict *v)
{
	if (v->limit == 0)
		return;
	set_number(x, "RateLimit-Limit", v->limit);
	set_number(x, "RateLimit-Remaining", v->remaining);
	set_number(x, "RateLimit-Reset", v->reset_s);
}

void
answer_problem_json(struct buf *b, const struct err *err, const char *request_id)
{
	buf_printf(b, "{\"type\":\"about:blank\",\"title\":");
	json_put_string(b, slice_str(err_title(err->code)));
	buf_printf(b, ",\"status\":%d,\"detail\":", err_status(err->code));
	json_put_string(b, slice_str(err->detail));
	buf_printf(b, ",\"code\":\"%s\",\"request_id\":", err_slug(err->code));
	json_put_string(b, slice_str(request_id));
	buf_putc(b, '}');
}

void
answer_problem(struct http_exchange *x, const struct err *err, const char *request_id)
{
	struct buf body;
	int status = err_status(err->code);

	buf_init(&body, PROBLEM_MAX);
	answer_problem_json(&body, err, request_id);
	if (status == 401)
		http_set(x, "WWW-Authenticate", "Bearer realm=\"tenantgate\"");
	if (status == 429 || status == 503)
		set_number(x, "Retry-After", err->retry_after > 0 ? (unsigned)err->retry_after : 1);
	http_reply(x, status, "application/problem+json", buf_view(&body));
	buf_free(&body);
}

void
answer_json(struct http_exchange *x, int status, const struct buf *body)
{
	http_reply(x, status, "application/json", buf_view(body));
}
