/* SPDX-License-Identifier: MIT */
/*
 * quota_hold: what a request has reserved, from the check to the settlement (quota_hold.c), and how
 * leases in Redis are renewed meanwhile (quota_renew.c).
 */
#ifndef LIMIT_QUOTA_HOLD_H
#define LIMIT_QUOTA_HOLD_H

#include "limit/quota_script.h"
#include "limit/quota_store.h"

/* In which of the list of quota_renew.c it is. */
enum hold_place {
	HOLD_LOOSE,	/* none: not taken yet, of this process, or being settled */
	HOLD_KEPT,
	HOLD_RENEWING,	/* its renewal has been sent, and is not answered */
};

struct quota_hold {
	struct flow		 flow;		/* first: of its orders */
	TAILQ_ENTRY(quota_hold)	 link;
	enum hold_place		 place;		/* hold_place_move() */
	struct limiter		*limiter;	/* borrowed */
	struct quota_request	 request;	/* its keys are in `keys` */
	/* As Redis has confirmed: its name, and when that was sent (monotonic). */
	char			 lease[QUOTA_LEASE_SIZE];
	uint64_t		 renewed_us;
	bool			 is_local;
	/* Of its orders. An adjustment is to `wanted` tokens; under way, its lease may be named
	 * `other` by now. */
	bool			 is_running;	/* the flow is */
	uint64_t		 wanted, other_tokens;
	char			 other[QUOTA_LEASE_SIZE];
	bool			 is_settling, has_settled;	/* is to be; the flow is about it */
	bool			 is_doubtful;	/* a settlement was never answered */
	bool			 is_lost;	/* its lease was gone before any settlement */
	bool			 was_up;	/* the link, when the order was sent */
	uint64_t		 used, settling_us;	/* monotonic: since when it is settled */
	struct quota_order	 order;
	struct quota_call	 call;
	struct redis_reply	 reply;		/* owned */
	struct timer		 pause;		/* owned */
	char			 keys[];
};

/* Copies the keys. */
struct quota_hold	*quota_hold_new(struct limiter *, const struct quota_request *,
			    bool is_local);
/* No flow is about it; NULL is fine. */
void			 quota_hold_free(struct quota_hold *);
struct quota_order	 quota_hold_order(const struct quota_hold *, enum quota_act,
			    uint64_t tokens);
struct quota_now	 quota_clock(void);	/* quota.c */

/* ---- quota_renew.c ---- */
#define RENEW_BATCH 64	/* renewed in one turn of the loop, and by one round trip */

/* It was taken in Redis: it is renewed from now on. */
void	quota_hold_keep(struct quota_hold *);
/* It is not, from now on. Idempotent. */
void	quota_hold_leave(struct quota_hold *);

#endif
