/* SPDX-License-Identifier: MIT */
/*
 * quota_script: quota_rule.c and limit_gcra.c in Redis, in one script. Of a tenant there are a hash
 * of its counters and a sorted set of its leases, by the time of their end; a lease's name says
 * what it holds.
 */
#ifndef LIMIT_QUOTA_SCRIPT_H
#define LIMIT_QUOTA_SCRIPT_H

#include "limit/limit_internal.h"
#include "limit/quota_rule.h"

#define QUOTA_ID_LEN	 20
#define QUOTA_LEASE_SIZE (QUOTA_ID_LEN + 32) /* "id:tokens:stream" */

/* COUNT: what a lease that is gone has taken. LOOK: changes nothing. */
enum quota_act {
	QUOTA_TAKE,
	QUOTA_RENEW,
	QUOTA_ADJUST,
	QUOTA_SETTLE,
	QUOTA_COUNT,
	QUOTA_SEED,
	QUOTA_LOOK,
};

struct quota_order {
	enum quota_act			 act;
	struct slice			 state_key, leases_key;
	struct quota			 quota;
	uint64_t			 tokens;	/* TAKE, ADJUST: held; else used */
	const char			*lease;		/* its name; "" for SEED */
	/* ADJUST: its name from then on; others: what it may be named by now; "": nothing else. */
	const char			*new_lease;
	bool				 is_stream;
	uint64_t			 lease_us;
};

/* Command, script, number of keys; keys; the order's numbers; a key and two numbers a rule. */
#define QUOTA_WORDS_MAX (3 + 2 + 9 + 3 * 3)
#define QUOTA_RULES_MAX 3

/* Not to be moved once made: its words point into it, and to the order's texts. */
struct quota_call {
	struct slice	words[QUOTA_WORDS_MAX];
	unsigned	count;
	char		key_count[4];
	char		numbers[6 + 2 * QUOTA_RULES_MAX][24];
};

void	quota_call_make(struct quota_call *, enum limit_call_kind, const struct quota_order *,
	    const struct limit_rule *, unsigned n);
/* What QUOTA_TAKE has found and decided. False when the reply is not the script's. */
bool	quota_call_read(const struct redis_reply *, const struct quota_order *,
	    const struct limit_rule *, unsigned n, struct limit_verdict *, struct quota_verdict *);
/* Of all others: whether it was run. */
bool	quota_call_is_run(const struct redis_reply *);
/* QUOTA_SETTLE that was run: whether the lease was there. */
bool	quota_call_was_there(const struct redis_reply *);
/* QUOTA_LOOK with n rules: the state now. The time is in element 1, then each rule's. */
bool	quota_call_state(const struct redis_reply *, unsigned n, struct quota_state *);

#endif
