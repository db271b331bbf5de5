/* SPDX-License-Identifier: MIT */
/*
 * limit: how much. Counts keys, not tenants: the caller builds the key ("tg:limit:key:ab12").
 * GCRA (the generic cell rate algorithm, ITU-T I.371): a key holds one number, its theoretical
 * arrival time, so nothing leaks and nothing is swept. All asks of one visit are decided together,
 * by one atomic script in Redis (its clock), or under one lock in process: either every key is
 * charged or none.
 *
 * A limiter belongs to a worker; the local store is shared by all (its own mutex, never held
 * across a wait).
 */
#ifndef TENANTGATE_LIMIT_H
#define TENANTGATE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/redis.h"

struct limiter;
struct limit_store;

/* What to do when Redis does not answer. */
enum limit_failure_mode {
	LIMIT_LOCAL,	/* count in this process until it is back */
	LIMIT_OPEN,	/* let through */
	LIMIT_CLOSED,	/* ERR_LIMITER */
};

#define LIMIT_RULES_MAX	4
#define LIMIT_KEY_MAX	200	/* bytes of an ask's key */

struct limit_rule {
	struct slice	key;		/* borrowed until the visit is over */
	unsigned	count;		/* allowed per period; 0: no limit, the ask is skipped */
	uint64_t	period_us;
	unsigned	burst;		/* at once; 0: count */
};

/* The tightest of the asks (the refusing one, else the least remaining). */
struct limit_verdict {
	bool		allowed;
	unsigned	limit;		/* RateLimit-Limit; 0: nothing was limited */
	unsigned	remaining;	/* RateLimit-Remaining */
	unsigned	reset_s;	/* RateLimit-Reset: seconds until the key is whole again */
	unsigned	retry_after_s;	/* refused: until one would be let through, at least 1 */
	unsigned	which;		/* index of that ask */
	const char	*mode;		/* "redis", "local", "open": who decided; static */
};

struct limit_store	*limit_store_new(size_t keys_max);
void			 limit_store_free(struct limit_store *);
size_t			 limit_store_count(struct limit_store *);

/* redis NULL: the store decides, always. */
struct limiter	*limit_open(struct worker *, struct redis *, struct limit_store *,
		    enum limit_failure_mode);
void		 limit_close(struct limiter *);

/* A refusal is a verdict, not a failure: the story answers 429 with the headers. Fails only with
 * ERR_LIMITER (closed mode). */
enum flow_rc	 limit_check(struct flow *, struct limiter *, const struct limit_rule *, unsigned n,
		    struct limit_verdict *) __attribute__((warn_unused_result));

/* In-process verdict at a given time (microseconds): the same arithmetic, pure; for tests. */
void		 limit_store_decide(struct limit_store *, const struct limit_rule *, unsigned n,
		    uint64_t now_us, struct limit_verdict *);

#endif
