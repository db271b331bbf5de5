/* SPDX-License-Identifier: MIT */
/*
 * flow_fixture: one worker, and a trace of what happened to its flows, a letter each.
 * "ab|E:timeout|21r" reads: steps a and b, end, defers 2 and 1, release.
 */
#ifndef TENANTGATE_TESTS_FLOW_FIXTURE_H
#define TENANTGATE_TESTS_FLOW_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "turn_until_idle.h"

static char traced[1024];
static struct worker *worker;

static inline void
trace(const char *what)
{
	size_t used = strlen(traced), n = strlen(what);

	assert_true(used + n < sizeof(traced));
	memcpy(traced + used, what, n + 1);
}

static inline int
flow_fixture_set_up(void **state)
{
	(void)state;
	traced[0] = '\0';
	worker = worker_new(0);
	return worker == NULL ? -1 : 0;
}

static inline int
flow_fixture_tear_down(void **state)
{
	(void)state;
	worker_free(worker);
	return 0;
}

static inline void
flow_fixture_finish(void)
{
	turn_until_idle(worker);
}

static inline void
flow_fixture_turns(unsigned n)
{
	while (n-- > 0)
		worker_turn(worker, 0);
}

static inline void
trace_end(struct flow *f, const struct err *err)
{
	(void)f;
	trace("|E:");
	trace(err_slug(err->code));
	trace("|");
}

/* A kind of flow of the given steps, which traces its end; `release` is the test's. */
#define KIND(name_, release, ...) \
	static const struct flow_step name_##_steps[] = { __VA_ARGS__, { NULL, NULL } }; \
	static const struct flow_kind name_ = { #name_, name_##_steps, trace_end, release }
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, flow_fixture_set_up, flow_fixture_tear_down)

#endif
