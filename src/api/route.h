/* SPDX-License-Identifier: MIT */
/*
 * route: a row of the table of what we answer (route.c), and how a request finds its row.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "api/handlers.h"

struct api_route {
	const char	*method;
	const char	*path;		/* a pattern of http_path_match() */
	handler_start_fn	*start;
	size_t		 body_max;	/* offset of a size_t in struct api_conf; 0: no body */
	size_t		 body_extra;	/* bytes beyond that */
	size_t		 timeout_us;	/* offset of a uint64_t in it; 0: answered at once */
	unsigned	 callers;	/* CALLS(kind) of each; 0: anybody, no key is asked for */
	bool		 in_access_log;
};

#define CALLS(kind)	(1u << (kind))

/* What the configuration makes of a row. */
size_t		api_route_body_max(const struct api_route *, const struct api_conf *);
uint64_t	api_route_timeout_us(const struct api_route *, const struct api_conf *);
/* False with ERR_FORBIDDEN for a key of another kind than the row's. */
bool		api_route_allows(const struct api_route *, enum caller_kind, struct err *);

/* The row and what its pattern captured; slices of the path. */
struct api_route_match {
	const struct api_route	*route;		/* static */
	struct http_path_params	 params;
};

bool		api_route_find(struct slice method, struct slice path, struct api_route_match *);
/* The rows in turn; NULL past the last. */
const struct api_route	*api_route_at(size_t);
/* Allow (RFC 9110, 10.2.1): the methods of a path we know; false when we do not. */
bool		api_route_methods(struct slice path, char *out, size_t size);

#endif
