/* SPDX-License-Identifier: MIT */
/*
 * quota: what a tenant may spend of models: tokens a minute, tokens a month, and answers streamed
 * at the same time. A request reserves before it spends, together with its rate limits, in one
 * script of Redis (or under one lock in process):
 *
 *	quota_check() --> a hold, or a refusal
 *	    quota_adjust()   once more is known of what it will take
 *	quota_settle()       what it has taken counts, all else is given back
 *
 * A hold is a lease: it is renewed while its request lives, so that what a killed process had
 * reserved comes back by itself after lease_us. A settlement that is sent twice counts once, and
 * one whose lease Redis has lost counts all the same; it is tried for lease_us.
 *
 * The minute is a bucket that empties steadily: a whole minute's tokens may be spent at once after
 * a pause. The month is that of the calendar, in UTC. What was reserved is an estimate: who takes
 * more than that is not cut off, and waits the longer. No reservation is taken for more than the
 * whole quota, so that who has spent nothing may always ask.
 *
 * On the limiter's worker. Redis away: as redis_failure_mode says.
 */
#ifndef TENANTGATE_LIMIT_QUOTA_H
#define TENANTGATE_LIMIT_QUOTA_H

#include "tenantgate/limit.h"

enum quota_kind { QUOTA_NONE, QUOTA_MINUTE, QUOTA_MONTH, QUOTA_STREAMS };

/* 0: no such limit. */
struct quota {
	uint64_t	tokens_per_minute;
	uint64_t	tokens_per_month;
	unsigned	streams;
};

struct quota_request {
	struct quota	quota;
	/* Of the counters, and of the leases; of one slot with the rules' keys. Copied. */
	struct slice	state_key, leases_key;
	uint64_t	tokens;		/* to be reserved */
	bool		is_stream;
};

struct quota_verdict {
	enum quota_kind	refused;	/* QUOTA_NONE: nothing is */
	uint64_t	minute_left, month_left;	/* tokens, where there is such a limit */
	unsigned	minute_reset_s;	/* until the whole minute's are free again */
	unsigned	month_reset_s;	/* until the month is over */
	unsigned	retry_after_s;	/* refused: at least 1 */
	bool		is_new;		/* nothing is known of this month: see quota_seed() */
};

struct quota_hold;

/* As limit_check(), whose verdict says of the rules alone: a request is let in when neither refuses
 * it, and is charged for both or for none. *hold is set at the wait's end, and the caller's to
 * settle; NULL when nothing was reserved. The keys are borrowed until then. */
enum flow_rc	 quota_check(struct flow *, struct limiter *, const struct limit_rule *, unsigned n,
		    const struct quota_request *, struct limit_verdict *, struct quota_verdict *,
		    struct quota_hold **hold) __attribute__((warn_unused_result));
/* The reservation is for so many from now on. NULL is fine; nobody waits. */
void		 quota_adjust(struct quota_hold *, uint64_t tokens);
/* What the request has taken; sets the pointer to NULL. NULL is fine; nobody waits. */
void		 quota_settle(struct quota_hold **, uint64_t tokens);

/* What is used of them now, for operators: nothing is reserved. As a request would find it, so with
 * what others have reserved. */
struct quota_use {
	bool		is_known;	/* false: Redis does not say */
	bool		month_is_known;	/* false: nothing was spent since Redis was emptied */
	uint64_t	minute, month;	/* tokens */
	unsigned	streams;
	const char	*source;	/* as of struct limit_use */
};
/* Both limit_look() and that, by one round trip. As limit_look(); of the request the quota and its
 * keys are read, which must live until the wait is over. */
enum flow_rc	 quota_look(struct flow *, struct limiter *, const struct limit_rule *,
		    const struct quota_request *, struct limit_use *, struct quota_use *)
		    __attribute__((warn_unused_result));

/* What was spent this month before Redis, or this process, knew of it; the first counts. */
void		 quota_seed(struct limiter *, const struct quota_request *, uint64_t tokens);

#endif
