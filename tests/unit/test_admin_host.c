/* SPDX-License-Identifier: MIT */
/*
 * test_admin_host: which Host fields are an operator's, and which a page's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/admin_host.h"
#include "tenantgate/admin.h"

#define NAMES "ops.example, gate-1.internal\tthird"

static void
own_hosts_are_allowed(void **state)
{
	static const char *const good[] = { "127.0.0.1", "127.0.0.1:9", "10.1.2.3:80", "[::1]",
		"[::1]:9", "[fe80::1]:9", "localhost", "LocalHost:9", "ops.example",
		"Ops.Example:9", "gate-1.internal", "third:1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!admin_host_allowed(slice_str(good[i]), NAMES))
			fail_msg("%s", good[i]);
	assert_true(admin_host_allowed(slice_of(NULL, 0), NAMES));
}

static void
names_of_pages_are_not(void **state)
{
	static const char *const bad[] = { "evil.example", "ops.example.evil", "ops", "ops.exampl",
		"127.0.0.1.evil", "127.0.0.1x", "localhost.", "localhost.evil", "", ":80", "[]",
		"[::1", "[evil]", "thir", "ops.example, gate-1.internal", "1e1", "0x7f000001" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (admin_host_allowed(slice_str(bad[i]), NAMES))
			fail_msg("%s", bad[i]);
	assert_false(admin_host_allowed(slice_str("ops.example"), ""));
	assert_false(admin_host_allowed(slice_of("third\0evil", 10), NAMES));
}

static void
long_names_are_not(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_false(admin_host_allowed(slice_of(text, sizeof(text)), NAMES));
}

static void
lists_of_names_are_checked(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_true(admin_hosts_are_valid(NAMES, &err));
	assert_true(admin_hosts_are_valid("", &err));
	assert_false(admin_hosts_are_valid("ops.example:9", &err));
	assert_non_null(strstr(err.detail, "without a port"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_hosts_are_allowed),
		cmocka_unit_test(names_of_pages_are_not),
		cmocka_unit_test(long_names_are_not),
		cmocka_unit_test(lists_of_names_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
