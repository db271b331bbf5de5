/* SPDX-License-Identifier: MIT */
/* turn_until_idle: turns a worker's loop, on the test's thread, until its flows have ended. */
#ifndef TESTS_STORY_TURN_UNTIL_IDLE_H
#define TESTS_STORY_TURN_UNTIL_IDLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/loop/flow.h"

/* Within a thousand turns (of at most 20 ms each), or the test fails. */
static inline void
turn_until_idle(struct worker *w)
{
	unsigned turns;

	for (turns = 0; flow_count(w) > 0 && turns < 1000; turns++)
		worker_turn(w, 20);
	assert_int_equal(flow_count(w), 0);
}

#endif
