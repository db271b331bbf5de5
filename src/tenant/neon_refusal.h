/* SPDX-License-Identifier: MIT */
/*
 * neon_refusal: what Neon's API refuses, and for how long a tenant's creation is not asked for
 * again. Pure.
 */
#ifndef TENANT_NEON_REFUSAL_H
#define TENANT_NEON_REFUSAL_H

#include <stdbool.h>

enum neon_refusal {
	REFUSAL_NONE,	 /* no response, 5xx, or something that passes by itself (423) */
	REFUSAL_PATIENCE, /* 429: too many calls, whoever made them */
	REFUSAL_LIMIT,	 /* a quota, a limit of the plan, a bill: 402, 422, 403 by its text */
	REFUSAL_DENIED,	 /* any other 4xx: the key, the request itself */
};

/* code and message: of the response's body; "" for none. */
enum neon_refusal neon_refusal_of(int status, const char *code, const char *message);
/* Seconds until the same is worth another try, 0 when it may be tried at once. refusals: how many
 * of REFUSAL_LIMIT there were in a row, this one included. retry_after_s: Neon's own, 0 for none:
 * it is never cut short. */
int neon_refusal_wait_s(enum neon_refusal, unsigned refusals, int retry_after_s);

#endif
