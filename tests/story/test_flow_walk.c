/* SPDX-License-Identifier: MIT */
/*
 * test_flow_walk: each flow that was there is looked at once, so many a turn, whatever ends and
 * begins meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow_fixture.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/flow_walk.h"

#define SLEEPERS 1000

struct sleeper {
	struct flow flow;
	struct timer timer;
	unsigned place;
};

static struct sleeper *sleepers[2 * SLEEPERS]; /* NULL: it has ended */
static unsigned begun, looks[2 * SLEEPERS];

static enum flow_rc
sleeper_step(struct flow *f)
{
	return flow_sleep(f, &((struct sleeper *)f)->timer, 3600 * UINT64_C(1000000));
}

static void
sleeper_release(struct flow *f)
{
	struct sleeper *s = (struct sleeper *)f;

	sleepers[s->place] = NULL;
	free(s);
}

static const struct flow_step sleeper_steps[] = { { "sleep", sleeper_step }, { NULL, NULL } };
static const struct flow_kind sleeper_kind = { "sleeper", sleeper_steps, NULL, sleeper_release };

static void
sleepers_begin(unsigned n)
{
	for (; n > 0; n--, begun++) {
		sleepers[begun] = calloc(1, sizeof(*sleepers[begun]));
		sleepers[begun]->place = begun;
		flow_start(&sleepers[begun]->flow, &sleeper_kind, worker, NULL);
	}
	flow_fixture_turns(2 + SLEEPERS / 128);
}

static void
sleepers_end(unsigned from, unsigned to)
{
	for (; from < to; from++)
		if (sleepers[from] != NULL)
			flow_abort(&sleepers[from]->flow, ERR_TIMEOUT, "The test ends it.");
	flow_fixture_turns(2 + SLEEPERS / 128);
}

static void
sleeper_look(struct flow *f, void *arg)
{
	struct sleeper *s = (struct sleeper *)f;

	assert_ptr_equal(sleepers[s->place], s);
	looks[s->place]++;
	++*(unsigned *)arg;
}

/* The clock of two that begin in one microsecond is the same. */
static void
a_microsecond_passes(void)
{
	uint64_t now = clock_mono_us();

	while (clock_mono_us() == now)
		continue;
}

static void
each_is_looked_at_once_and_so_many_a_turn(void **state)
{
	struct flow_walk walk, other;
	unsigned total = 0, before = 0, turns = 0;

	(void)state;
	begun = 0;
	memset(looks, 0, sizeof(looks));
	sleepers_begin(SLEEPERS);
	a_microsecond_passes();
	flow_walk_begin(&walk, worker);
	flow_walk_begin(&other, worker);
	a_microsecond_passes();
	for (bool more = true; more; before = total) {
		more = flow_walk_on(&walk, 100, sleeper_look, &total);
		assert_in_range(total - before, 0, 100);
		if (turns == 2) { /* those that are next, some further on, and new ones */
			sleepers_end(300, 350);
			sleepers_end(900, SLEEPERS);
			sleepers_begin(50);
		}
		turns++;
	}
	assert_int_equal(total, SLEEPERS - 50 - 100);
	for (unsigned i = 0; i < SLEEPERS + 50; i++)
		assert_int_equal(looks[i], i < 300 || (i >= 350 && i < 900));
	sleepers_end(0, SLEEPERS + 50); /* the other walk's next one, too */
	assert_false(flow_walk_on(&other, 100, sleeper_look, &total));
	assert_int_equal(total, SLEEPERS - 50 - 100);
}

static void
where_there_is_none_it_is_over_at_once(void **state)
{
	struct flow_walk walk;
	unsigned total = 0;

	(void)state;
	flow_walk_begin(&walk, worker);
	assert_false(flow_walk_on(&walk, 100, sleeper_look, &total));
	assert_int_equal(total, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_is_looked_at_once_and_so_many_a_turn),
		TEST(where_there_is_none_it_is_over_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
