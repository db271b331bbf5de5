/* SPDX-License-Identifier: MIT */
/*
 * route_print: the admin door's table of routes, for admin-audit.test.mjs: a line each, with the
 * method, the path, and the audit's action or "-".
 */
#include <stdio.h>

#include "admin/admin_route.h"

int
main(void)
{
	const struct admin_route *r;

	for (size_t i = 0; (r = admin_route_at(i)) != NULL; i++)
		printf("%s %s %s\n", r->method, r->path, r->action != NULL ? r->action : "-");
	return 0;
}
