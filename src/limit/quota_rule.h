/* SPDX-License-Identifier: MIT */
/*
 * quota_rule: the arithmetic of quotas, pure: what quota_script.c does in Redis, by the same rule.
 */
#ifndef LIMIT_QUOTA_RULE_H
#define LIMIT_QUOTA_RULE_H

#include "tenantgate/limit/quota.h"

struct quota_state {
	double		level;		/* of the minute's bucket: tokens */
	uint64_t	level_us;	/* when it was that; monotonic in process */
	unsigned	month;		/* quota_month(); 0: never used */
	uint64_t	used;		/* settled in that month */
	uint64_t	seeded;		/* before; has_seed: it is known */
	bool		has_seed;
	uint64_t	held;		/* reserved by those under way */
	unsigned	streams;	/* of those */
};

/* Of a Unix time in seconds: the same number for a calendar month, a higher one for a later. */
unsigned	quota_month(uint64_t unix_s);
unsigned	quota_month_left_s(uint64_t unix_s);	/* at least 1 */

/* Brings the state to now: the bucket empties, a new month begins. */
void		quota_pass(struct quota_state *, const struct quota *, uint64_t now_us,
		    uint64_t unix_s);
/* What is reserved for a request: no more than the smallest quota. */
uint64_t	quota_reserve(const struct quota *, uint64_t tokens);
/* Which quota refuses a reservation, by a state of now; of several the one with the longest
 * wait. */
enum quota_kind	quota_refuses(const struct quota *, const struct quota_state *, uint64_t reserve,
		    bool is_stream);
void		quota_take(struct quota_state *, uint64_t reserve, bool is_stream);
void		quota_give_back(struct quota_state *, uint64_t reserve, bool is_stream,
		    uint64_t used);
/* The verdict's numbers, of a state from after the decision. */
void		quota_tell(const struct quota *, const struct quota_state *, uint64_t reserve,
		    uint64_t unix_s, enum quota_kind refused, struct quota_verdict *);

#endif
