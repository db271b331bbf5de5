/* SPDX-License-Identifier: MIT */
/*
 * Which certificate a host's name has, which of a client's names is listed, and which key opens a
 * session's ticket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/wire/tls_tickets.h"
#include "wire/tls_names.h"

#define PERIOD_US 1000000

static int
find(const struct tls_names *names, const char *host)
{
	return tls_names_find(names, slice_str(host));
}

static void
names_make(struct tls_names *names)
{
	static const struct {
		const char *name;
		unsigned owner;
	} all[] = {
		{ "example.org", 0 },
		{ "WWW.Example.org", 0 },
		{ "*.example.org", 1 },
		{ "api.example.org", 2 },
		{ "example.org", 3 },
		{ "*.deep.example.org", 4 },
	};

	*names = (struct tls_names){ NULL, 0 };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_true(tls_names_add(names, slice_str(all[i].name), all[i].owner));
	tls_names_sort(names);
}

static void
a_name_goes_before_a_wildcard(void **state)
{
	struct tls_names names;

	(void)state;
	names_make(&names);
	assert_int_equal(find(&names, "example.org"), 0);
	assert_int_equal(find(&names, "www.EXAMPLE.org."), 0);
	assert_int_equal(find(&names, "api.example.org"), 2);
	assert_int_equal(find(&names, "other.example.org"), 1);
	assert_int_equal(find(&names, "x.deep.example.org"), 4);
	tls_names_free(&names);
}

static void
a_wildcard_is_one_label(void **state)
{
	static const char *const none[] = { "a.b.example.org", "org", "example.com", ".example.org",
		"*.example.org", "", ".", "xexample.org", "deep.example.org.x" };
	struct tls_names names;

	(void)state;
	names_make(&names);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(find(&names, none[i]), -1);
	assert_int_equal(find(&names, "deep.example.org"), 1);
	assert_int_equal(tls_names_find(&names, SLICE_LIT("example.org\0.evil")), -1);
	tls_names_free(&names);
}

static void
what_is_no_name_is_not_added(void **state)
{
	struct tls_names names = { NULL, 0 };
	char longest[TLS_NAME_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_false(tls_names_add(&names, slice_str(""), 0));
	assert_false(tls_names_add(&names, SLICE_LIT("bank.org\0.evil.org"), 0));
	assert_false(tls_names_add(&names, slice_of(longest, TLS_NAME_MAX + 1), 0));
	assert_int_equal(names.count, 0);
	assert_int_equal(find(&names, "bank.org"), -1);
	assert_true(tls_names_add(&names, slice_of(longest, TLS_NAME_MAX), 0));
	assert_int_equal(tls_names_find(&names, slice_of(longest, TLS_NAME_MAX)), 0);
	assert_int_equal(tls_names_find(&names, slice_of(longest, TLS_NAME_MAX + 1)), -1);
	tls_names_free(&names);
}

static void
the_same_names_are_found_in_any_order(void **state)
{
	struct tls_names names = { NULL, 0 };

	(void)state;
	assert_true(tls_names_add(&names, slice_str("a.org"), 0));
	assert_true(tls_names_add(&names, slice_str("b.org"), 0));
	assert_true(tls_names_add(&names, slice_str("B.org"), 1));
	assert_true(tls_names_add(&names, slice_str("A.org"), 1));
	assert_true(tls_names_add(&names, slice_str("a.org"), 2));
	assert_true(tls_names_same(&names, 0, 1));
	assert_false(tls_names_same(&names, 0, 2));
	assert_false(tls_names_same(&names, 2, 0));
	assert_false(tls_names_same(&names, 7, 8)); /* neither has any */
	tls_names_free(&names);
}

static void
a_listed_name_is_a_whole_one(void **state)
{
	static const char list[] = "ops.example.org, spiffe://Ours/ops ,me@example.org";

	(void)state;
	assert_true(tls_list_has(list, slice_str("OPS.example.org")));
	assert_true(tls_list_has(list, slice_str("spiffe://Ours/ops")));
	assert_true(tls_list_has(list, slice_str("me@example.org")));
	assert_false(tls_list_has(list, slice_str("spiffe://ours/ops")));
	assert_false(tls_list_has(list, slice_str("ops.example.or")));
	assert_false(tls_list_has(list, slice_str("x.ops.example.org")));
	assert_false(tls_list_has(list, slice_str("")));
	assert_false(tls_list_has(list, SLICE_LIT("ops.example.org\0x")));
	assert_false(tls_list_has("", slice_str("ops.example.org")));
	assert_false(tls_list_has(" , ,", slice_str("ops.example.org")));
	assert_true(tls_list_has("*", slice_str("anybody")));
	assert_false(tls_list_has("*", slice_str("")));
	assert_false(tls_list_has("*.org", slice_str("ops.org")));
}

static void
a_key_opens_for_one_period_more(void **state)
{
	struct tls_ticket_key first, second, found;
	struct tls_tickets *t;
	bool is_old;

	(void)state;
	clock_test_freeze(true);
	t = tls_tickets_new();
	tls_tickets_newest(t, PERIOD_US, &first);
	assert_true(tls_tickets_find(t, PERIOD_US, first.name, &found, &is_old));
	assert_false(is_old);
	clock_test_advance(PERIOD_US - 1);
	tls_tickets_newest(t, PERIOD_US, &second);
	assert_memory_equal(&first, &second, sizeof(first));
	clock_test_advance(1);
	tls_tickets_newest(t, PERIOD_US, &second);
	assert_memory_not_equal(first.name, second.name, sizeof(first.name));
	assert_memory_not_equal(first.aes, second.aes, sizeof(first.aes));
	assert_memory_not_equal(first.mac, second.mac, sizeof(first.mac));
	assert_true(tls_tickets_find(t, PERIOD_US, first.name, &found, &is_old));
	assert_true(is_old);
	assert_memory_equal(&first, &found, sizeof(first));
	clock_test_advance(PERIOD_US);
	assert_false(tls_tickets_find(t, PERIOD_US, first.name, &found, &is_old));
	assert_true(tls_tickets_find(t, PERIOD_US, second.name, &found, &is_old));
	assert_true(is_old);
	tls_tickets_free(t);
	clock_test_freeze(false);
}

static void
a_key_that_nobody_used_for_long_opens_nothing(void **state)
{
	struct tls_ticket_key first, found;
	struct tls_tickets *t;
	bool is_old;

	(void)state;
	clock_test_freeze(true);
	t = tls_tickets_new();
	tls_tickets_newest(t, PERIOD_US, &first);
	clock_test_advance(2 * PERIOD_US);
	assert_false(tls_tickets_find(t, PERIOD_US, first.name, &found, &is_old));
	memset(&first, 0, sizeof(first));
	assert_false(tls_tickets_find(t, PERIOD_US, first.name, &found, &is_old));
	tls_tickets_free(t);
	clock_test_freeze(false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_goes_before_a_wildcard),
		cmocka_unit_test(a_wildcard_is_one_label),
		cmocka_unit_test(what_is_no_name_is_not_added),
		cmocka_unit_test(the_same_names_are_found_in_any_order),
		cmocka_unit_test(a_listed_name_is_a_whole_one),
		cmocka_unit_test(a_key_opens_for_one_period_more),
		cmocka_unit_test(a_key_that_nobody_used_for_long_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
