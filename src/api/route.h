/* SPDX-License-Identifier: MIT */
/*
 * route: a row of the table of what is served (route.c), and how a request finds its row. The table
 * is static and constant; everything here is pure and safe on any thread.
 *
 * A row names members of struct api_conf by their offset, so that it can be constant while the
 * configuration is not.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "api/handlers.h"

struct api_route {
	const char	*method;
	const char	*path;		/* a pattern of http_path_match() */
	handler_start_fn	*start;	/* makes the flow, or responds at once */
	size_t		 body_max;	/* offset of a size_t in struct api_conf; 0: no body */
	size_t		 body_extra;	/* bytes allowed beyond that */
	size_t		 timeout_us;	/* offset of a uint64_t in it; 0: no flow, no time-out */
	unsigned	 callers;	/* CALLS(kind) of each; 0: anybody, without a key */
	bool		 in_access_log;
	unsigned	 scopes;	/* of key_scope.h: a key has one of them */
	/* It keeps to the user's own documents, for a caller who has those alone: its handler has
	 * been looked at for that (api/own.h), and tests/live/tokens-own asks it. */
	bool		 knows_own;
};

#define CALLS(kind)	(1u << (kind))

/* A row's limits under a configuration: bytes of its body, microseconds of its whole request. */
size_t		api_route_body_max(const struct api_route *, const struct api_conf *);
uint64_t	api_route_timeout_us(const struct api_route *, const struct api_conf *);
/* False with ERR_FORBIDDEN for a key of a kind that is not among the row's. */
bool		api_route_allows(const struct api_route *, enum caller_kind, struct err *);
/* False with ERR_SCOPE for a key that has none of the row's. */
bool		api_route_in_scope(const struct api_route *, unsigned scopes, struct err *);
/* False with ERR_SCOPE for a caller who has its user's documents alone, where the row does not know
 * of that. */
bool		api_route_knows_own(const struct api_route *, const struct caller *, struct err *);

/* The row and what its pattern captured; slices of the path. */
struct api_route_match {
	const struct api_route	*route;		/* static */
	struct http_path_params	 params;
};

/* False when no row has this method and path; a path alone: api_route_methods(). */
bool		api_route_find(struct slice method, struct slice path, struct api_route_match *);
/* The rows in turn; NULL past the last. For tests. */
const struct api_route	*api_route_at(size_t);
/* The methods of a path, for an Allow field (RFC 9110, 10.2.1); false when it is no row's path. */
bool		api_route_methods(struct slice path, char *out, size_t size);

#endif
