/* SPDX-License-Identifier: MIT */
/*
 * problem: the one writer of application/problem+json (RFC 9457), for what a handler refuses and
 * for what is refused before there is a handler.
 */
#include <stdio.h>

#include "http/conn_state.h"
#include "tenantgate/base/json.h"

#define PROBLEM_TYPES "https://iana.org/assignments/http-problem-types#"
#define PROBLEM_MAX   4096 /* bytes: a detail has at most 255, each up to six when escaped */

/* The types of draft-ietf-httpapi-ratelimit-headers: a quota is used up; something is scarce for
 * everybody just now. A status says all there is to say of the others (RFC 9457 4.2.1). */
static const char *
problem_type(enum err_code code)
{
	switch (code) {
	case ERR_RATE_LIMITED:
	case ERR_TOKEN_QUOTA:
	case ERR_TOO_MANY_STREAMS:
		return PROBLEM_TYPES "quota-exceeded";
	case ERR_OVERLOADED:
	case ERR_POOL_TIMEOUT:
		return PROBLEM_TYPES "temporary-reduced-capacity";
	default:
		return "about:blank";
	}
}

/* RFC 9457 3.1, with two members of our own (3.2): `code`, stable and made for programs, where the
 * sentence in `detail` is for people and may change; and `request_id`, to find the log lines by. */
void
http_problem_put(struct buf *b, const struct err *err, const char *request_id)
{
	buf_printf(b, "{\"type\":\"%s\",\"title\":", problem_type(err->code));
	json_put_string(b, slice_str(err_title(err->code)));
	buf_printf(b, ",\"status\":%d,\"detail\":", err_status(err->code));
	json_put_string(b, slice_str(err->detail));
	buf_printf(b, ",\"code\":\"%s\",\"request_id\":", err_slug(err->code));
	json_put_string(b, slice_str(request_id));
	if (err->policy != NULL)
		buf_printf(b, ",\"violated-policies\":[\"%s\"]", err->policy);
	buf_putc(b, '}');
}

/* RFC 9110 requires WWW-Authenticate with a 401 (15.5.2), the scheme by RFC 6750 3. Retry-After
 * (10.2.3) goes with every 429 and 503, in seconds and never 0, so that clients do not come back at
 * once; and with any other failure that knows its time, as a provider's refusal does. */
static void
problem_fields(struct http_exchange *x, int status, int retry_after)
{
	char seconds[16];

	if (status == 401)
		http_set(x, "WWW-Authenticate", "Bearer realm=\"tenantgate\"");
	if (status == 429 || status == 503 || retry_after > 0) {
		snprintf(seconds, sizeof(seconds), "%d", retry_after > 0 ? retry_after : 1);
		http_set(x, "Retry-After", seconds);
	}
}

/* The appends are not checked one by one: titles and slugs are constants, details and request ids
 * have ceilings, so PROBLEM_MAX is not reached. */
void
problem_reply(struct http_exchange *x, const struct err *err, const char *request_id,
    const char *end)
{
	int status = err_status(err->code);
	struct buf body;

	buf_init(&body, PROBLEM_MAX);
	http_problem_put(&body, err, request_id);
	buf_puts(&body, end);
	problem_fields(x, status, err->retry_after);
	http_reply(x, status, "application/problem+json", buf_view(&body));
	buf_free(&body);
}

void
http_problem(struct http_exchange *x, const struct err *err, const char *request_id)
{
	problem_reply(x, err, request_id, "");
}
