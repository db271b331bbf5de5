/* SPDX-License-Identifier: MIT */
/*
 * What is tried after a refusal, and what of it is remembered, for whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/model_habits.h"
#include "model/model_refusal.h"

#define SO     FIELD_BIT(FIELD_STREAM_OPTIONS)
#define TEMP   FIELD_BIT(FIELD_TEMPERATURE)
#define MAXTOK FIELD_BIT(FIELD_MAX_TOKENS)
#define SYS    FIELD_BIT(FIELD_SYSTEM_ROLE)
#define ALL    (SO | TEMP | MAXTOK | SYS)

static const struct model_refusal wordless = { .named = 0 };
static const struct model_habit unknown = { .taken = 0 };

static struct model_habits habits;

static int
set_up(void **state)
{
	(void)state;
	model_habits_init(&habits);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	model_habits_free(&habits);
	return 0;
}

static struct model_habit
habit_of(const char *model)
{
	struct model_habit habit;

	model_habits_of(&habits, model, &habit);
	return habit;
}

static void
a_named_field_is_left_out_and_proved(void **state)
{
	struct model_refusal r = { .named = TEMP };
	struct model_trial t;

	(void)state;
	trial_begin(&t, &unknown, ALL, 0);
	assert_int_equal(t.without, 0);
	assert_true(trial_next(&t, &r));
	assert_int_equal(t.without, TEMP);
	assert_int_equal(trial_proved(&t), TEMP);
	r.named = SO; /* one after the other */
	assert_true(trial_next(&t, &r));
	assert_int_equal(t.without, TEMP | SO);
	assert_int_equal(trial_proved(&t), TEMP | SO);
	assert_false(trial_next(&t, &r)); /* it is not there any more */
	assert_int_equal(t.without, TEMP | SO);
}

static void
an_echo_and_a_clients_value_are_tried_and_not_proved(void **state)
{
	const struct model_refusal echo = { .echoed = SYS }, named = { .named = TEMP };
	struct model_trial t;

	(void)state;
	trial_begin(&t, &unknown, ALL, TEMP);
	assert_true(trial_next(&t, &echo));
	assert_int_equal(t.without, SYS);
	assert_int_equal(trial_proved(&t), 0);
	assert_true(trial_next(&t, &named));
	assert_int_equal(t.without, SYS | TEMP);
	assert_int_equal(trial_proved(&t), 0);
}

/* Each alone, in their order, then all; never the limit of an answer. */
static void
a_wordless_refusal_is_guessed_at_a_few_times(void **state)
{
	static const unsigned order[] = { SO, TEMP, SYS, SO | TEMP | SYS };
	struct model_trial t;

	(void)state;
	trial_begin(&t, &unknown, ALL, 0);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		assert_true(trial_next(&t, &wordless));
		assert_int_equal(t.without, order[i]);
		assert_int_equal(trial_proved(&t), order[i]);
	}
	assert_false(trial_next(&t, &wordless));
	trial_begin(&t, &unknown, MAXTOK, 0);
	assert_false(trial_next(&t, &wordless));
	trial_begin(&t, &unknown, SO, 0);
	assert_true(trial_next(&t, &wordless));
	assert_false(trial_next(&t, &wordless));
}

/* What the model has answered with before is not to blame, unless it is named. */
static void
nothing_that_was_taken_is_guessed_at(void **state)
{
	const struct model_refusal named = { .named = SO };
	struct model_habit habit = { .taken = SO | TEMP };
	struct model_trial t;

	(void)state;
	trial_begin(&t, &habit, SO | TEMP | SYS, 0);
	assert_true(trial_next(&t, &wordless));
	assert_int_equal(t.without, SYS);
	assert_false(trial_next(&t, &wordless));
	trial_begin(&t, &habit, SO | TEMP, 0);
	assert_false(trial_next(&t, &wordless));
	assert_true(trial_next(&t, &named));
	assert_int_equal(trial_proved(&t), SO);
}

/* A guess that did not help is taken back when the server says what it was. */
static void
a_guess_gives_way_to_a_name(void **state)
{
	const struct model_refusal named = { .named = TEMP };
	struct model_trial t;

	(void)state;
	trial_begin(&t, &unknown, ALL, 0);
	assert_true(trial_next(&t, &wordless));
	assert_int_equal(t.without, SO);
	assert_true(trial_next(&t, &named));
	assert_int_equal(t.without, TEMP);
	assert_int_equal(trial_proved(&t), TEMP);
}

static void
another_fault_and_the_last_try_end_it(void **state)
{
	const struct model_refusal other = { .named = SO, .is_other = true };
	struct model_trial t;
	unsigned tries = 0;

	(void)state;
	trial_begin(&t, &unknown, ALL, 0);
	assert_false(trial_next(&t, &other));
	trial_begin(&t, &unknown, (1u << MODEL_FIELDS) - 1, 0);
	while (trial_next(&t, &wordless))
		tries++;
	assert_int_equal(tries, TRIALS_MAX);
}

static void
a_habit_is_one_models_and_told_once(void **state)
{
	struct model_trial t;
	struct model_habit habit;

	(void)state;
	assert_int_equal(model_habits_learn(&habits, "a", TEMP, SO), SO);
	assert_int_equal(model_habits_learn(&habits, "a", TEMP, SO), 0);
	assert_int_equal(model_habits_learn(&habits, "a", TEMP, SO | SYS), SYS);
	habit = habit_of("a");
	assert_int_equal(habit.without, SO | SYS);
	assert_int_equal(habit.taken, TEMP);
	assert_int_equal(habit_of("b").without, 0);
	trial_begin(&t, &habit, SO | TEMP, 0);
	assert_int_equal(t.without, SO);       /* from the first request on */
	assert_int_equal(trial_proved(&t), 0); /* nothing new */
	trial_begin(&t, &habit, TEMP, 0);
	assert_int_equal(t.without, 0);
}

/* Nobody who may choose the model's name fills the memory, or has every request tried blindly. */
static void
models_past_the_ceiling_are_not_remembered(void **state)
{
	char name[HABIT_NAME_MAX + 8];
	struct model_habit habit;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(model_habits_learn(&habits, name, 0, SO), 0);
	assert_int_equal(habit_of(name).taken, ~0u);
	for (unsigned i = 0; i < HABIT_MODELS_MAX; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		assert_int_equal(model_habits_learn(&habits, name, 0, SO), SO);
	}
	assert_int_equal(model_habits_learn(&habits, "one more", 0, SO), 0);
	habit = habit_of("one more");
	assert_int_equal(habit.without, 0);
	assert_int_equal(habit.taken, ~0u);
	assert_int_equal(habit_of("m0").without, SO);
}

static void
a_batch_sinks_to_what_was_never_exceeded(void **state)
{
	(void)state;
	assert_true(model_habits_learn_batch(&habits, "e", 100, 0));
	assert_false(model_habits_learn_batch(&habits, "e", 100, 0));
	assert_false(model_habits_learn_batch(&habits, "e", 200, 0));
	assert_true(model_habits_learn_batch(&habits, "e", 10, 5000));
	assert_int_equal(habit_of("e").items, 10);
	assert_int_equal(habit_of("e").bytes, 5000);
	model_habits_batch_taken(&habits, "f", 64, 9000);
	model_habits_batch_taken(&habits, "f", 2, 100);
	assert_true(model_habits_learn_batch(&habits, "f", 1, 0));
	assert_int_equal(habit_of("f").items, 64);
	assert_true(model_habits_learn_batch(&habits, "f", 0, 1));
	assert_int_equal(habit_of("f").bytes, 9000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_named_field_is_left_out_and_proved),
		cmocka_unit_test(an_echo_and_a_clients_value_are_tried_and_not_proved),
		cmocka_unit_test(a_wordless_refusal_is_guessed_at_a_few_times),
		cmocka_unit_test(nothing_that_was_taken_is_guessed_at),
		cmocka_unit_test(a_guess_gives_way_to_a_name),
		cmocka_unit_test(another_fault_and_the_last_try_end_it),
		cmocka_unit_test_setup_teardown(a_habit_is_one_models_and_told_once, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(models_past_the_ceiling_are_not_remembered, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(a_batch_sinks_to_what_was_never_exceeded, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests_name("model_habits", tests, NULL, NULL);
}
