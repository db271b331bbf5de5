/* SPDX-License-Identifier: MIT */
/*
 * limit: rate limits. Counts keys, not tenants: the caller builds the key ("tg:limit:key:ab12").
 * GCRA (the generic cell rate algorithm, ITU-T I.371): a key holds one number, its theoretical
 * arrival time, which is meaningless once it is past: there are no windows to sweep. All rules of
 * one check are decided together, by one atomic script in Redis (by its clock), or under one lock
 * in process: either every key is charged or none.
 *
 * A limiter belongs to a worker and its thread; the local store is shared by all (its own mutex,
 * never held across a wait). Times are microseconds unless the name has another unit.
 */
#ifndef TENANTGATE_LIMIT_H
#define TENANTGATE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/condition.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/redis.h"

struct limiter;
struct limit_store;

/* What to do while Redis does not answer, or answers with errors. */
enum limit_failure_mode {
	LIMIT_LOCAL,	/* count in this process until it is back */
	LIMIT_OPEN,	/* let through */
	LIMIT_CLOSED,	/* ERR_LIMITER */
};

#define LIMIT_RULES_MAX	4
#define LIMIT_KEY_MAX	400	/* bytes of a rule's key */

struct limit_rule {
	struct slice	key;		/* borrowed until the check is over */
	unsigned	count;		/* allowed per period; 0: no limit, the rule is skipped */
	uint64_t	period_us;
	unsigned	burst;		/* as many at once after a pause; 0: count */
};

/*
 * Of the tightest rule: the refusing one with the longest wait, else the one with the least
 * remaining. The numbers are those of draft-ietf-httpapi-ratelimit-headers: up to -06 a field for
 * each, from -07 on parameters of RateLimit (r, t). Seconds are from now, not a date, so that a
 * client's clock does not matter.
 */
struct limit_verdict {
	bool		allowed;
	unsigned	limit;		/* RateLimit-Limit: the rule's count; 0: nothing limited */
	unsigned	remaining;	/* RateLimit-Remaining: still free at once */
	unsigned	reset_s;	/* RateLimit-Reset: until the whole burst is free again */
	unsigned	more_s;		/* RateLimit's t: until one more is free than is now */
	unsigned	retry_after_s;	/* refused: until one would be let through, at least 1 */
	unsigned	which;		/* index of that rule in the caller's array */
	const char	*mode;		/* "redis", "local", "open": who decided; static */
};

/* keys_max: keys kept; the least recently used goes when one more comes. Any thread. The store
 * outlives the limiters. */
struct limit_store	*limit_store_new(size_t keys_max);
void			 limit_store_free(struct limit_store *);
size_t			 limit_store_count(struct limit_store *);

/* redis NULL: the store decides, always. redis and the store are borrowed; the link is that
 * worker's. Checks under way have ended before limit_close(). */
struct limiter	*limit_open(struct worker *, struct redis *, struct limit_store *,
		    enum limit_failure_mode);
void		 limit_close(struct limiter *);
/* Another failure mode, from the next check on. */
void		 limit_set_mode(struct limiter *, enum limit_failure_mode);
/* How long a reservation (limit/quota.h) outlives its process. Before the first. */
#define LIMIT_LEASE_US	(30 * 1000000ull)	/* unless it is said */
void		 limit_set_lease(struct limiter *, uint64_t us);

/* A refusal is a verdict, not a failure: the handler answers 429 with the fields. Fails only with
 * ERR_LIMITER (Redis does not answer, or with an error; LIMIT_CLOSED). The rules' array may go when
 * this returns; their keys and the verdict must live until the wait is over. */
enum flow_rc	 limit_check(struct flow *, struct limiter *, const struct limit_rule *, unsigned n,
		    struct limit_verdict *) __attribute__((warn_unused_result));

/* What is used of a rule now, for operators: nothing is charged. */
struct limit_use {
	bool		is_known;	/* false: there is no such limit, or Redis does not say */
	unsigned	used;		/* of the burst; it comes back at the rule's rate */
	const char	*source;	/* "redis": of all replicas; "local": of this one; static */
};
/* Never fails; the rule may go when this returns, its key must live until the wait is over. */
enum flow_rc	 limit_look(struct flow *, struct limiter *, const struct limit_rule *,
		    struct limit_use *) __attribute__((warn_unused_result));
/* When all of a key's burst is free again, by the clock of limit_store_decide(); 0: it is. */
uint64_t	 limit_store_look(struct limit_store *, struct slice key);

/* Ill while the failure mode decides in place of Redis: what it does, and why. */
void		 limiter_condition(const struct limiter *, struct condition *);

/* Decides and charges by the store, at a given time; for limit_check() and tests. v->mode becomes
 * "local". */
void		 limit_store_decide(struct limit_store *, const struct limit_rule *, unsigned n,
		    uint64_t now_us, struct limit_verdict *);

#endif
