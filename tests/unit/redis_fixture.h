/* SPDX-License-Identifier: MIT */
/* redis_fixture: waiting until a Redis client has its link, or has lost it. */
#ifndef TESTS_UNIT_REDIS_FIXTURE_H
#define TESTS_UNIT_REDIS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/wire/redis.h"

/* Within half a minute, or the test fails. */
static inline void
redis_wait(struct worker *w, struct redis *redis, bool up)
{
	uint64_t until = clock_mono_us() + 30000000;

	while (redis_is_up(redis) != up && clock_mono_us() < until)
		worker_turn(w, 5);
	assert_true(redis_is_up(redis) == up);
}

#endif
