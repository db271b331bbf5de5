/* SPDX-License-Identifier: MIT */
/*
 * How many texts go into a request, against servers that take only so many, or so many bytes, and
 * say so or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/embed_batch.h"
#include "model/model_refusal.h"

#define TEXTS 200
#define HEAVY 1000 /* bytes; the others have 100 */

static struct slice texts[TEXTS];

/* A server: what it takes, and what its refusal says. */
struct batch_server {
	size_t items_max;
	size_t bytes_max; /* 0: no limit */
	bool heavy_alone; /* it takes a heavy text only by itself */
	struct model_refusal refusal;
};

struct batch_outcome {
	unsigned taken; /* requests */
	unsigned refused;
	size_t items; /* what was learned */
	size_t bytes;
	bool embedded; /* all */
};

static bool
batch_is_taken(const struct batch_server *s, const struct embed_batch *b)
{
	if (b->size > s->items_max || (s->bytes_max != 0 && embed_batch_bytes(b) > s->bytes_max))
		return false;
	for (size_t i = 0; s->heavy_alone && i < b->size; i++)
		if (b->texts[b->at + i].len == HEAVY && b->size > 1)
			return false;
	return true;
}

static struct batch_outcome
batch_run(const struct batch_server *s)
{
	struct batch_outcome out = { 0 };
	struct embed_batch b;

	embed_batch_begin(&b, texts, TEXTS);
	while (!out.embedded) {
		embed_batch_cut(&b);
		assert_true(b.size > 0 && b.at + b.size <= TEXTS);
		if (batch_is_taken(s, &b)) {
			out.taken++;
			out.embedded = !embed_batch_taken(&b);
		} else {
			out.refused++;
			if (!embed_batch_shrink(&b, &s->refusal))
				return out;
		}
	}
	assert_int_equal(b.at, TEXTS);
	embed_batch_limits(&b, &out.items, &out.bytes);
	return out;
}

static int
set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEXTS; i++)
		texts[i] = (struct slice){ NULL, 100 };
	return 0;
}

static void
a_named_limit_is_taken_at_its_word(void **state)
{
	const struct batch_server s = { .items_max = 32,
		.refusal = { .is_batch = true, .limit = 32 } };
	const struct batch_outcome out = batch_run(&s);

	(void)state;
	assert_true(out.embedded);
	assert_int_equal(out.refused, 1);
	assert_int_equal(out.taken, 7);
	assert_int_equal(out.items, 32);
	assert_int_equal(out.bytes, 0);
}

/* It may also name the wrong one. */
static void
a_number_that_does_not_help_is_halved(void **state)
{
	const struct batch_server s = { .items_max = 2,
		.refusal = { .is_batch = true, .limit = 8 } };
	const struct batch_outcome out = batch_run(&s);

	(void)state;
	assert_true(out.embedded);
	assert_int_equal(out.refused, 3);
	assert_int_equal(out.items, 2);
}

static void
a_limit_of_bytes_is_kept_in_bytes(void **state)
{
	const struct batch_server s = { .items_max = TEXTS,
		.bytes_max = 6000,
		.refusal = { .is_batch = true, .in_bytes = true } };
	const struct batch_outcome out = batch_run(&s);

	(void)state;
	assert_true(out.embedded);
	assert_int_equal(out.refused, 2);
	assert_int_equal(out.bytes, 5000);
	assert_int_equal(out.items, 0);
}

static void
a_guess_that_is_right_is_learned(void **state)
{
	const struct batch_server s = { .items_max = 60 };
	const struct batch_outcome out = batch_run(&s);

	(void)state;
	assert_true(out.embedded);
	assert_int_equal(out.refused, 2);
	assert_int_equal(out.taken, 4);
	assert_int_equal(out.items, 50);
}

static void
a_guess_that_is_very_small_is_not(void **state)
{
	const struct batch_server silent = { .items_max = 5 }, alone = { .items_max = 1 };
	const struct batch_server named = { .items_max = 1, .refusal = { .is_batch = true } };

	(void)state;
	assert_int_equal(batch_run(&silent).items, GUESS_LEARNED_MIN);
	assert_int_equal(batch_run(&alone).items, 0);
	assert_int_equal(batch_run(&named).items, 1);
}

static void
one_text_that_wants_to_be_alone_teaches_nothing(void **state)
{
	const struct batch_server s = { .items_max = TEXTS, .heavy_alone = true };

	(void)state;
	for (unsigned i = 0; i < TEXTS; i++) {
		struct batch_outcome out;

		texts[i].len = HEAVY;
		out = batch_run(&s);
		texts[i].len = 100;
		assert_true(out.embedded);
		if (out.items != 0)
			fail_msg("text %u: %zu", i, out.items);
		assert_true(out.refused <= 16 && out.taken <= 32);
	}
}

/* Whatever the texts, the refusals are few. */
static void
the_refusals_are_bounded(void **state)
{
	const struct batch_server s = { .items_max = TEXTS, .heavy_alone = true };

	(void)state;
	for (unsigned every = 2; every < 20; every++) {
		struct batch_outcome out;

		for (unsigned i = 0; i < TEXTS; i++)
			texts[i].len = i % every == 0 ? HEAVY : 100;
		out = batch_run(&s);
		assert_true(out.embedded);
		assert_true(out.refused < 10 * (GUESSES_MAX + 1));
		assert_true(out.items == 0 || out.items >= GUESS_LEARNED_MIN);
	}
}

static void
a_text_that_is_never_taken_ends_it(void **state)
{
	const struct batch_server s = { .items_max = 0 };
	const struct batch_outcome out = batch_run(&s);

	(void)state;
	assert_false(out.embedded);
	assert_int_equal(out.refused, 8); /* 200, 100, 50, 25, 12, 6, 3, 1 */
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup(fn, set_up)
	const struct CMUnitTest tests[] = {
		TEST(a_named_limit_is_taken_at_its_word),
		TEST(a_number_that_does_not_help_is_halved),
		TEST(a_limit_of_bytes_is_kept_in_bytes),
		TEST(a_guess_that_is_right_is_learned),
		TEST(a_guess_that_is_very_small_is_not),
		TEST(one_text_that_wants_to_be_alone_teaches_nothing),
		TEST(the_refusals_are_bounded),
		TEST(a_text_that_is_never_taken_ends_it),
	};

	return cmocka_run_group_tests_name("embed_batch", tests, NULL, NULL);
}
