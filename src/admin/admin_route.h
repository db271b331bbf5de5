/* SPDX-License-Identifier: MIT */
/*
 * admin_route: the table of what the admin door answers. A new route is a row in admin_route.c and
 * its starter in admin_handlers.h.
 */
#ifndef ADMIN_ROUTE_H
#define ADMIN_ROUTE_H

#include "admin/admin_handlers.h"

struct admin_route {
	const char		*method, *path; /* the path's {tenant} is a tenant's id */
	admin_start_fn		*start;
	uint64_t		 timeout_us;	/* of the whole request */
	const char		*action;	/* what it changes, for the audit; NULL: nothing */
};

struct admin_match {
	const struct admin_route *route;
	struct http_path_params	  params;
};

/* False when no row has both. */
bool	admin_route_find(struct slice method, struct slice path, struct admin_match *);
/* The methods that a path has, for Allow. False when it has none. */
bool	admin_route_methods(struct slice path, char *out, size_t size);
/* The i-th row, NULL past the last. */
const struct admin_route	*admin_route_at(size_t i);
bool	admin_route_has_tenant(const struct admin_route *);

#endif
