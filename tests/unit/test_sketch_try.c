/* SPDX-License-Identifier: MIT */
/*
 * test_sketch_try: from what came of making sketches to whether they are decided for again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "retrieval/index_statement.h"
#include "retrieval/sketch.h"

static struct index_state s;

static void
sketches_were_tried(struct sketch_try *t, enum pg_status status, uint64_t changed,
    const char *sqlstate)
{
	const struct index_decision decision = { .action = INDEX_SKETCH };
	const struct index_order order = { .state = &s, .decision = &decision };
	struct pg_result r = { .status = status, .changed = changed };

	snprintf(r.failure.sqlstate, sizeof(r.failure.sqlstate), "%s", sqlstate);
	assert_int_equal(sketch_try_note(t, &order, &r), changed == 0);
}

static bool
sketches_are_decided_for(const struct sketch_try *t)
{
	s.has_sketches = true;
	sketch_try_apply(t, &s);
	return s.has_sketches;
}

static void
another_step(struct sketch_try *t)
{
	const struct index_decision decision = { .action = INDEX_MERGE };
	const struct index_order order = { .state = &s, .decision = &decision };
	const struct pg_result r = { .status = PG_OK };

	assert_false(sketch_try_note(t, &order, &r));
}

static void
vectors_that_do_not_fit_are_not_tried_again(void **state)
{
	struct sketch_try t = { 0 };

	(void)state;
	s = (struct index_state){ .indexed_to = 17000 };
	assert_true(sketches_are_decided_for(&t));
	sketches_were_tried(&t, PG_OK, 0, "");
	assert_false(sketches_are_decided_for(&t));
	another_step(&t);
	assert_false(sketches_are_decided_for(&t));
	s.sketched_to = 20000; /* it had made all that there were */
	assert_true(sketches_are_decided_for(&t));
	s.sketched_to = 0;
	s.indexed_to = 20000; /* of another index's tail */
	assert_true(sketches_are_decided_for(&t));
}

static void
sketches_that_had_to_wait_are_tried_again(void **state)
{
	struct sketch_try t = { 0 };

	(void)state;
	s = (struct index_state){ .indexed_to = 17000 };
	sketches_were_tried(&t, PG_SQL_ERROR, 0, SKETCH_LOCKED);
	assert_false(sketches_are_decided_for(&t));
	another_step(&t);
	assert_true(sketches_are_decided_for(&t));
	sketches_were_tried(&t, PG_SQL_ERROR, 0, SKETCH_LATE);
	another_step(&t);
	assert_true(sketches_are_decided_for(&t));
	sketches_were_tried(&t, PG_OK, 5000, "");
	assert_true(sketches_are_decided_for(&t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_that_do_not_fit_are_not_tried_again),
		cmocka_unit_test(sketches_that_had_to_wait_are_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
