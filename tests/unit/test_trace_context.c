/* SPDX-License-Identifier: MIT */
/*
 * test_trace_context: a caller's trace goes on, what is not well-formed begins a new one, and what
 * goes on of a tracestate is whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/base/trace_context.h"

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT	 "b7ad6b7169203331"

static void
a_trace_goes_on_with_a_span_of_its_own(void **state)
{
	struct trace_context t;
	char one[TRACEPARENT_LEN + 1], two[TRACEPARENT_LEN + 1];

	(void)state;
	assert_true(trace_context_begin(&t, SLICE_LIT("00-" TRACE_ID "-" PARENT "-01")));
	assert_true(t.is_sampled);
	assert_string_equal(t.id, TRACE_ID);
	assert_string_equal(t.parent, PARENT);
	trace_line(&t, t.span, one);
	trace_line(&t, trace_step_span(&t, 3), two);
	assert_int_equal(strlen(one), TRACEPARENT_LEN);
	assert_memory_equal(one, "00-" TRACE_ID "-", 36);
	assert_string_equal(one + strlen(one) - 3, "-01");
	assert_null(strstr(one, PARENT));
	assert_string_not_equal(one, two);
	assert_memory_equal(one, two, 36);
	/* A later version: what follows is passed over. Other flags are not sent on. */
	assert_true(trace_context_begin(&t, SLICE_LIT("42-" TRACE_ID "-" PARENT "-fe-more")));
	assert_false(t.is_sampled);
	trace_line(&t, t.span, one);
	assert_memory_equal(one, "00-" TRACE_ID "-", 36);
	assert_string_equal(one + strlen(one) - 3, "-00");
}

static void
what_is_not_well_formed_begins_a_new_one(void **state)
{
	static const char *const bad[] = { "", "00", "00-" TRACE_ID "-" PARENT "-1",
		"ff-" TRACE_ID "-" PARENT "-01", "00-" TRACE_ID "-" PARENT "-01-more",
		"01-" TRACE_ID "-" PARENT "-01more", "00-" TRACE_ID "-0000000000000000-01",
		"00-00000000000000000000000000000000-" PARENT "-01",
		"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
		"00_" TRACE_ID "-" PARENT "-01", "00-" TRACE_ID "x" PARENT "-01",
		"00-" TRACE_ID "-" PARENT "-0\n" };
	struct trace_context t, other;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (trace_context_begin(&t, slice_str(bad[i])))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(strlen(t.id), TRACE_ID_LEN);
		assert_string_equal(t.parent, "");
		assert_false(t.is_sampled);
	}
	assert_false(trace_context_begin(&other, slice_of(NULL, 0)));
	assert_string_not_equal(t.id, other.id);
	assert_true(t.span != 0 && t.span != other.span);
}

static void
spans_of_steps_differ(void **state)
{
	struct trace_context t;

	(void)state;
	(void)trace_context_begin(&t, slice_of(NULL, 0));
	t.span = 5; /* the step whose number is the same would have none */
	for (unsigned i = 0; i < 28; i++) {
		assert_true(trace_step_span(&t, i) != 0);
		assert_true(trace_step_span(&t, i) != t.span);
		for (unsigned k = 0; k < i; k++)
			assert_true(trace_step_span(&t, i) != trace_step_span(&t, k));
	}
}

static void
a_tracestate_is_cut_between_entries(void **state)
{
	char text[1200];
	struct slice s;

	(void)state;
	assert_true(slice_is(trace_state_cut(SLICE_LIT("a=1,b=2")), "a=1,b=2"));
	assert_int_equal(trace_state_cut(SLICE_LIT("")).len, 0);
	memset(text, 'x', sizeof(text));
	memcpy(text, "a=1,b=2,", 8);
	s = trace_state_cut(slice_of(text, sizeof(text)));
	assert_true(slice_is(s, "a=1,b=2"));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 'k' : ',';
	assert_int_equal(trace_state_cut(slice_of(text, sizeof(text))).len, 2 * 32 - 1);
	memset(text, 'x', sizeof(text));
	assert_int_equal(trace_state_cut(slice_of(text, sizeof(text))).len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_goes_on_with_a_span_of_its_own),
		cmocka_unit_test(what_is_not_well_formed_begins_a_new_one),
		cmocka_unit_test(spans_of_steps_differ),
		cmocka_unit_test(a_tracestate_is_cut_between_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
