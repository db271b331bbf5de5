/* SPDX-License-Identifier: MIT */
/*
 * test_admin_routes: the admin door's table has no row that hides another, and each has what its
 * handler needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/admin_route.h"

/* A path that a pattern matches: its {name} is "x1". */
static struct slice
path_of(const char *pattern, char out[128])
{
	size_t n = 0;

	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p == '{') {
			p = strchr(p, '}');
			memcpy(out + n, "x1", 2);
			n += 2;
		} else {
			out[n++] = *p;
		}
	}
	return slice_of(out, n);
}

static void
no_row_hides_another(void **state)
{
	const struct admin_route *r;
	char path[128];

	(void)state;
	for (size_t i = 0; (r = admin_route_at(i)) != NULL; i++) {
		struct admin_match match;

		assert_true(admin_route_find(slice_str(r->method), path_of(r->path, path), &match));
		if (match.route != r)
			fail_msg("%s %s is hidden by %s", r->method, r->path, match.route->path);
	}
}

static void
each_is_of_the_door_and_ends(void **state)
{
	const struct admin_route *r;
	size_t i = 0;

	(void)state;
	for (; (r = admin_route_at(i)) != NULL; i++) {
		assert_true(strncmp(r->path, "/admin", 6) == 0 || strcmp(r->path, "/metrics") == 0);
		assert_non_null(r->start);
		assert_true(r->timeout_us > 0);
		/* What is asked by GET alone changes nothing; all else has a line in the audit. */
		assert_int_equal(r->action != NULL, strcmp(r->method, "GET") != 0);
	}
	assert_true(i > 0);
}

static void
allow_has_the_methods(void **state)
{
	char allow[64];

	(void)state;
	assert_true(admin_route_methods(slice_str("/admin"), allow, sizeof(allow)));
	assert_string_equal(allow, "GET");
	assert_false(admin_route_methods(slice_str("/documents"), allow, sizeof(allow)));
	assert_string_equal(allow, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_row_hides_another),
		cmocka_unit_test(each_is_of_the_door_and_ends),
		cmocka_unit_test(allow_has_the_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
