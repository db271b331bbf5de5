/* SPDX-License-Identifier: MIT */
/*
 * fake_cache: a Redis that replies what the test has set, and of whose one channel all ends hear
 * what one publishes, at once; pools that are only forgotten; one replica. Linked in place of
 * wire/redis, pool/ and replica/ for the tests of tenant lookups and of keys.
 */
#ifndef TESTS_STORY_FAKE_CACHE_H
#define TESTS_STORY_FAKE_CACHE_H

#include "tenantgate/pool.h"
#include "tenantgate/replica.h"
#include "tenantgate/wire/redis.h"

#define CACHE_ENDS 4

struct redis {
	enum redis_status status; /* of the next replies */
	char text[8192];
	bool is_cluster;
	bool is_away; /* what writes is not answered */
	bool refuses; /* what writes is refused: it is a copy, or full */
	unsigned gets, sets, marks, publishes, px;
	const char *channel;	   /* borrowed: the one that was subscribed to */
	redis_message_fn *message; /* of the last end */
	void *message_arg;
	redis_message_fn *heard[CACHE_ENDS];
	void *heard_args[CACHE_ENDS];
	unsigned ends;
};

/* As after a reconnection: messages may have been missed. */
void fake_cache_reconnect(struct redis *);

extern unsigned pools_forgotten;

#endif
