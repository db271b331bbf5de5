/* SPDX-License-Identifier: MIT */
/*
 * teller: for the stories about flows: a log of what happened, in letters, and one worker.
 * "ab|E:timeout|21r" reads: steps a and b, end, defers 2 and 1, release.
 */
#ifndef TENANTGATE_TESTS_FLOW_FIXTURE_H
#define TENANTGATE_TESTS_FLOW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/loop/flow.h"

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
flow_fixture_setup(void **state)
{
	(void)state;
	traced[0] = '\0';
	worker = worker_new(0);
	return worker == NULL ? -1 : 0;
}

static inline int
flow_fixture_teardown(void **state)
{
	(void)state;
	worker_free(worker);
	return 0;
}

/* Turns the loop until the worker's flows have ended. */
static inline void
flow_fixture_finish(void)
{
	unsigned turns;

	for (turns = 0; flow_count(worker) > 0 && turns < 1000; turns++)
		worker_turn(worker, 20);
	assert_int_equal(flow_count(worker), 0);
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

#define KIND(name_, ...)                                                                          \
	static const struct flow_step name_##_steps[] = { __VA_ARGS__, { NULL, NULL } };           \
	static const struct flow_kind name_ = { #name_, name_##_steps, trace_end, trace_release }
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, flow_fixture_setup, flow_fixture_teardown)

#endif
