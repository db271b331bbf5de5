/* SPDX-License-Identifier: MIT */
/*
 * Where a login may go whose address came from outside, and by which TLS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "wire/pg_login.h"

static struct network_list allowed;

static struct dns_answer
answer_of(const char *first, const char *second)
{
	struct dns_answer a = { .count = second != NULL ? 2 : 1 };

	snprintf(a.addr[0], DNS_ADDR_SIZE, "%s", first);
	if (second != NULL)
		snprintf(a.addr[1], DNS_ADDR_SIZE, "%s", second);
	return a;
}

static struct pg_target
guarded(const char *host)
{
	return (struct pg_target){ .host = host,
		.guard = &allowed,
		.sslmode = "verify-full",
		.sslmode_inside = "prefer" };
}

static int
set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	return network_list_read(&allowed, "10.1.0.0/16, fd00::/8", &err) ? 0 : -1;
}

static void
guard_admits(const char *first, const char *second, const char *sslmode)
{
	struct pg_target t = guarded("db.example");
	struct dns_answer a = answer_of(first, second);
	char why[200] = "";

	if (!pg_guard_admits(&t, &a, why, sizeof(why)))
		fail_msg("%s: %s", first, why);
	assert_string_equal(t.sslmode, sslmode);
}

static void
guard_refuses(const char *first, const char *second, const char *named)
{
	struct pg_target t = guarded("db.example");
	struct dns_answer a = answer_of(first, second);
	char why[200] = "";

	assert_false(pg_guard_admits(&t, &a, why, sizeof(why)));
	assert_non_null(strstr(why, named));
	assert_non_null(strstr(why, "allowed_networks"));
}

static void
a_public_address_has_the_stricter_tls(void **state)
{
	(void)state;
	guard_admits("1.1.1.1", NULL, "verify-full");
	guard_admits("2600::1", "8.8.8.8", "verify-full");
}

static void
an_allowed_network_has_the_urls_own(void **state)
{
	(void)state;
	guard_admits("10.1.2.3", NULL, "prefer");
	guard_admits("::ffff:10.1.2.3", "fd00::1", "prefer");
}

static void
one_that_is_outside_is_enough_for_the_stricter(void **state)
{
	(void)state;
	guard_admits("10.1.2.3", "1.1.1.1", "verify-full");
}

static void
one_that_is_forbidden_is_enough_to_be_refused(void **state)
{
	(void)state;
	guard_refuses("10.2.0.1", NULL, "10.2.0.1");
	guard_refuses("1.1.1.1", "127.0.0.1", "127.0.0.1");
	guard_refuses("10.1.2.3", "::ffff:169.254.169.254", "169.254.169.254");
	guard_refuses("no address", NULL, "no address");
}

static void
an_address_in_place_of_a_name_is_looked_at_too(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0",
		"/var/run/postgresql" };
	struct dns_answer none = { .count = 0 };
	char why[200];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct pg_target t = guarded(hosts[i]);

		if (pg_guard_admits(&t, &none, why, sizeof(why)))
			fail_msg("%s was let through", hosts[i]);
	}
}

static void
the_operators_own_goes_anywhere(void **state)
{
	struct pg_target t = { .host = "127.0.0.1", .sslmode = "disable" };
	struct dns_answer a = answer_of("127.0.0.1", "10.9.9.9");
	char why[200];

	(void)state;
	assert_true(pg_guard_admits(&t, &a, why, sizeof(why)));
	assert_string_equal(t.sslmode, "disable");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_public_address_has_the_stricter_tls),
		cmocka_unit_test(an_allowed_network_has_the_urls_own),
		cmocka_unit_test(one_that_is_outside_is_enough_for_the_stricter),
		cmocka_unit_test(one_that_is_forbidden_is_enough_to_be_refused),
		cmocka_unit_test(an_address_in_place_of_a_name_is_looked_at_too),
		cmocka_unit_test(the_operators_own_goes_anywhere),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
