/* SPDX-License-Identifier: MIT */
/*
 * respond: the parts of a response that do not depend on the handler.
 */
#include "api/respond.h"

#include <assert.h>
#include <stdio.h>

#include "api/request_quota.h"
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

static const char *const policy_names[LIMIT_POLICIES] = { "tenant", "key", "user" };

const char *
limit_policy_name(unsigned which)
{
	assert(which < LIMIT_POLICIES);
	return policy_names[which];
}

static void
set_number(struct http_exchange *x, const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	http_set(x, name, text);
}

/* Early versions of the draft: the count, what is left of it, and the seconds until it is whole
 * again. */
static void
set_limits_legacy(struct http_exchange *x, const struct limit_verdict *v)
{
	set_number(x, "RateLimit-Limit", v->limit);
	set_number(x, "RateLimit-Remaining", v->remaining);
	set_number(x, "RateLimit-Reset", v->reset_s);
}

/* Not while everybody is let in. */
static bool
quotas_are_known(const struct request *req)
{
	return req->quota != NULL && strcmp(req->verdict.mode, "open") != 0;
}

/* draft-ietf-httpapi-ratelimit-headers-10, Lists of RFC 9651: all policies that hold, q requests in
 * w seconds; and of the tightest what is left, r, and the seconds until there is more, t. Rules of
 * no limit are left out. */
static void
set_limits(const struct request *req)
{
	const struct limit_verdict *v = &req->verdict;
	char policies[320] = "", left[256] = "";
	size_t used = 0;

	for (unsigned i = 0; i < LIMIT_POLICIES; i++) {
		const struct limit_rule *rule = &req->rules[i];

		if (rule->count == 0)
			continue;
		used += (size_t)snprintf(policies + used, sizeof(policies) - used,
		    "%s\"%s\";q=%u;w=%llu", used > 0 ? ", " : "", limit_policy_name(i), rule->count,
		    (unsigned long long)(rule->period_us / 1000000));
		assert(used < sizeof(policies));
	}
	if (v->limit > 0)
		snprintf(left, sizeof(left), "\"%s\";r=%u;t=%u", limit_policy_name(v->which),
		    v->remaining, v->more_s);
	if (quotas_are_known(req))
		request_quota_fields(req, policies, sizeof(policies), left, sizeof(left));
	http_set(req->x, "RateLimit-Policy", policies);
	http_set(req->x, "RateLimit", left);
}

void
respond_limits(const struct request *req)
{
	enum ratelimit_headers which = req->conf->ratelimit_headers;

	if ((which & RATELIMIT_DRAFT) && (req->verdict.limit > 0 || quotas_are_known(req)))
		set_limits(req);
	if ((which & RATELIMIT_LEGACY) && req->verdict.limit > 0)
		set_limits_legacy(req->x, &req->verdict);
}

void
respond_problem(const struct request *req, const struct err *err)
{
	struct err later = *err;
	int status = err_status(err->code), more_s = (int)req->verdict.more_s;
	bool is_put_off = status == 429 || status == 503 || err->retry_after > 0;

	if (is_put_off && later.retry_after < more_s &&
	    (req->conf->ratelimit_headers & RATELIMIT_DRAFT))
		later.retry_after = more_s;
	http_problem(req->x, &later, req->request_id);
}

void
respond_json(struct http_exchange *x, int status, const struct buf *body)
{
	http_reply(x, status, "application/json", buf_view(body));
}
