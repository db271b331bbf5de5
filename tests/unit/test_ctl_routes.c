/* SPDX-License-Identifier: MIT */
/*
 * test_ctl_routes: each command of tenantgatectl asks for something that the admin door has, and
 * each route of the door that changes something has a command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/admin_route.h"
#include "ctl/ctl.h"

/* A command's path with its {} filled. */
static struct slice
filled_path(const char *pattern, char out[128])
{
	size_t n = 0;

	for (const char *p = pattern; *p != '\0'; p++) {
		out[n++] = *p == '{' ? 'x' : *p == '}' ? '1' : *p;
		assert_true(n < 128);
	}
	return slice_of(out, n);
}

static void
each_command_has_a_route(void **state)
{
	(void)state;
	for (const struct ctl_command *c = ctl_commands; c->words != NULL; c++) {
		struct admin_match match;
		char path[128];

		if (!admin_route_find(slice_str(c->method), filled_path(c->path, path), &match))
			fail_msg("%s: %s %s is no route of the admin door", c->words, c->method,
			    c->path);
	}
}

static bool
has_command(const struct admin_route *route)
{
	for (const struct ctl_command *c = ctl_commands; c->words != NULL; c++) {
		struct admin_match match;
		char path[128];

		if (admin_route_find(slice_str(c->method), filled_path(c->path, path), &match) &&
		    match.route == route)
			return true;
	}
	return false;
}

/* A tenant's keys are made by `key create --tenant`, of the other path. */
static void
each_change_has_a_command(void **state)
{
	const struct admin_route *r;

	(void)state;
	for (size_t i = 0; (r = admin_route_at(i)) != NULL; i++)
		if (strcmp(r->method, "GET") != 0 &&
		    strcmp(r->path, "/admin/tenants/{tenant}/keys") != 0 && !has_command(r))
			fail_msg("%s %s has no command of tenantgatectl", r->method, r->path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_command_has_a_route),
		cmocka_unit_test(each_change_has_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
