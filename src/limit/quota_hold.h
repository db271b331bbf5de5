/* SPDX-License-Identifier: MIT */
/*
 * quota_hold: what a request has reserved, from the check to the settlement.
 */
#ifndef LIMIT_QUOTA_HOLD_H
#define LIMIT_QUOTA_HOLD_H

#include "limit/quota_script.h"
#include "limit/quota_store.h"

struct quota_hold {
	struct flow		 flow;		/* first: of the settlement */
	TAILQ_ENTRY(quota_hold)	 link;		/* of the limiter's, where it is kept */
	struct limiter		*limiter;	/* borrowed */
	struct quota_request	 request;	/* its keys are in `keys` */
	char			 lease[QUOTA_LEASE_SIZE];
	bool			 is_local, is_kept;
	uint64_t		 renewed_us;	/* monotonic */
	uint64_t		 used;		/* of the settlement, as all below */
	struct quota_order	 order;
	struct quota_call	 call;
	struct redis_reply	 reply;		/* owned */
	struct timer		 pause;		/* owned */
	char			 keys[];
};

/* Copies the keys. */
struct quota_hold	*quota_hold_new(struct limiter *, const struct quota_request *,
			    bool is_local);
void			 quota_hold_free(struct quota_hold *);	/* NULL is fine */
/* It was taken in Redis: it is renewed from now on. */
void			 quota_hold_keep(struct quota_hold *);
struct quota_order	 quota_hold_order(const struct quota_hold *, enum quota_act,
			    uint64_t tokens);
struct quota_now	 quota_clock(void);	/* quota.c */

#endif
