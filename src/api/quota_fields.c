/* SPDX-License-Identifier: MIT */
/*
 * quota_fields: what is left of a tenant's quotas, in the fields of a response.
 */
#include <stdio.h>

#include "api/request_quota.h"

const char *
quota_policy_name(enum quota_kind kind)
{
	static const char *const names[] = {
		[QUOTA_NONE] = "",
		[QUOTA_MINUTE] = "tokens-minute",
		[QUOTA_MONTH] = "tokens-month",
		[QUOTA_STREAMS] = "streams",
	};

	return names[kind];
}

struct field_list {
	char *text;
	size_t size;
};

static void
quota_field_add(struct field_list f, const char *fmt, const char *name, unsigned long long first,
    unsigned second)
{
	size_t used = strlen(f.text);

	if (used > 0)
		used += (size_t)snprintf(f.text + used, f.size - used, ", ");
	(void)snprintf(f.text + used, f.size - used, fmt, name, first, second);
}

/* A month is told as one of 31 days: a policy has no calendar. */
void
request_quota_fields(const struct request *req, char *policies, size_t policies_size, char *left,
    size_t left_size)
{
	struct field_list policy = { policies, policies_size }, rest = { left, left_size };
	const struct quota *quota = &req->quota->ask.quota;
	const struct quota_verdict *v = &req->quota->verdict;

	if (quota->tokens_per_minute > 0) {
		quota_field_add(policy, "\"%s\";q=%llu;w=%u", quota_policy_name(QUOTA_MINUTE),
		    quota->tokens_per_minute, 60);
		quota_field_add(rest, "\"%s\";r=%llu;t=%u", quota_policy_name(QUOTA_MINUTE),
		    v->minute_left,
		    v->refused == QUOTA_MINUTE ? v->retry_after_s : v->minute_reset_s);
	}
	if (quota->tokens_per_month > 0) {
		quota_field_add(policy, "\"%s\";q=%llu;w=%u", quota_policy_name(QUOTA_MONTH),
		    quota->tokens_per_month, 31 * 86400);
		quota_field_add(rest, "\"%s\";r=%llu;t=%u", quota_policy_name(QUOTA_MONTH),
		    v->month_left, v->month_reset_s);
	}
	if (quota->streams > 0)
		quota_field_add(policy, "\"%s\";q=%llu;qu=\"concurrent-requests\"",
		    quota_policy_name(QUOTA_STREAMS), quota->streams, 0);
}
