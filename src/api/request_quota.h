/* SPDX-License-Identifier: MIT */
/*
 * request_quota: what a request reserves of its tenant's quotas (limit/quota.h), from the step that
 * checks its limits to its end. Of a tenant without quotas, and of a request that asks no model,
 * there is nothing.
 */
#ifndef API_REQUEST_QUOTA_H
#define API_REQUEST_QUOTA_H

#include "api/request.h"
#include "tenantgate/limit/quota.h"

struct request_quota {
	struct quota_request	 ask;
	struct quota_verdict	 verdict;
	struct quota_hold	*hold;	/* owned until it is settled */
	char			 keys[2][LIMIT_KEY_MAX + 1];
};

/* The limits of request_limit(), and the quotas where there are any, in one check. */
enum flow_rc	request_check(struct flow *, struct request *) __attribute__((warn_unused_result));
/* FLOW_NEXT, or the refusal. After the check, of a request that its rates have let in. */
enum flow_rc	request_quota_passes(struct flow *, struct request *)
		    __attribute__((warn_unused_result));
/* The model is asked now, for so many tokens in all. */
void		request_quota_adjust(struct request *, uint64_t tokens);
/* The end: what it has taken. */
void		request_quota_settle(struct request *, uint64_t tokens);
/* quota_fields.c. What a quota is called in RateLimit-Policy and in problems. */
const char	*quota_policy_name(enum quota_kind);
/* Adds the quotas to the lists of RateLimit-Policy and RateLimit, which may be empty. */
void		request_quota_fields(const struct request *, char *policies, size_t policies_size,
		    char *left, size_t left_size);

#endif
