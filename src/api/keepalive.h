/* SPDX-License-Identifier: MIT */
/*
 * keepalive: a timer beside the one operation that a handler's flow waits for, so that a client
 * who waits hears something. A member of the handler's struct; the worker's thread only.
 *
 *	keepalive_start --> [waiting] --interval without keepalive_heard()--> fn(arg) --> [waiting]
 *	keepalive_stop: from anywhere; fn does not come after it
 */
#ifndef API_KEEPALIVE_H
#define API_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/loop/timer.h"

struct worker;

/* Writes what the client is to hear. It runs from the loop, between the flow's steps, and may stop
 * the keepalive. */
typedef void keepalive_fn(void *arg);

struct keepalive {
	struct timer	 timer;
	keepalive_fn	*fn;
	void		*arg;		/* borrowed until keepalive_stop() */
	uint64_t	 interval_us;
	uint64_t	 heard_us;	/* monotonic: when the client last heard something */
};

/* Of zeroed memory. The interval begins now. False when there is no memory for the timer. */
bool	keepalive_start(struct keepalive *, struct worker *, uint64_t interval_us, keepalive_fn *,
	    void *arg);
/* Something was written: the interval begins anew. Cheap, for it is called for each token. */
void	keepalive_heard(struct keepalive *);
void	keepalive_stop(struct keepalive *);	/* idempotent; also before keepalive_start() */

#endif
