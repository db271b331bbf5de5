/* SPDX-License-Identifier: MIT */
/*
 * fake_cache: a Redis that replies what the test has set, pools that are only forgotten, and one
 * replica; linked in place of wire/redis, pool/ and replica/ for the tests of tenant lookups.
 */
#ifndef TESTS_STORY_FAKE_CACHE_H
#define TESTS_STORY_FAKE_CACHE_H

#include "tenantgate/pool.h"
#include "tenantgate/replica.h"
#include "tenantgate/wire/redis.h"

struct redis {
	enum redis_status status; /* of the next replies */
	char text[8192];
	bool is_cluster;
	bool is_away; /* what writes is not answered */
	unsigned gets, sets, marks, publishes, px;
	redis_message_fn *message;
	void *message_arg;
};

extern unsigned pools_forgotten;

#endif
