/* SPDX-License-Identifier: MIT */
/*
 * drop_channel: how replicas tell one another that what they keep of something (a tenant, a key) is
 * no more, or may have changed: a channel of Redis for each kind of thing. Whoever can PUBLISH can
 * only make us fetch again.
 *
 * A message is "<origin>:<id>" to forget a record, "<origin>?<id>" to doubt it (which the first
 * releases pass over). Our own come back, and are passed over by their origin. Redis keeps none for
 * those who are away: after each reconnection the receiver hears that some may have been missed.
 * One end is one worker's, on its thread only.
 */
#ifndef TENANTGATE_REPLICA_DROP_CHANNEL_H
#define TENANTGATE_REPLICA_DROP_CHANNEL_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/redis.h"

enum drop { DROP_FORGET = ':', DROP_DOUBT = '?' };

/* From the loop. id: borrowed for the call; p NULL: messages may have been missed, so that of all
 * that is kept nothing is certain. */
typedef void drop_heard_fn(struct slice id, enum drop, void *arg);

#define DROP_ORIGIN_LEN 8
#define DROP_ID_MAX	128 /* bytes; what is longer is not told */

struct drop_channel {
	struct redis	*redis;		/* borrowed; NULL: nobody tells, nobody hears */
	const char	*name;		/* borrowed: static */
	drop_heard_fn	*heard;		/* NULL: it only tells */
	void		*arg;		/* borrowed */
	char		 origin[DROP_ORIGIN_LEN + 1];
};

/* origin: of all ends that hear of a drop in another way, as the workers of a process do; copied;
 * NULL: one of its own. heard may be NULL, for who only tells. It hears for as long as the link
 * lives, which is closed with it. False: one channel too many for the link. */
bool	drop_channel_open(struct drop_channel *, struct redis *, const char *name,
	    const char *origin, drop_heard_fn *, void *arg);
/* To all other ends. Nobody waits, and with Redis away it is lost: records then live out their
 * time. */
void	drop_channel_tell(const struct drop_channel *, struct slice id, enum drop);
/* Waits until Redis has all that was told before, or is found not to: *out is REDIS_OK, or why not,
 * and the caller's to redis_clear(). */
enum flow_rc	drop_channel_settle(struct flow *, const struct drop_channel *,
		    struct redis_reply *out) __attribute__((warn_unused_result));

#endif
