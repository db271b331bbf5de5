/* SPDX-License-Identifier: MIT */
/*
 * route_row: what a row of the table of routes means for one request: its limits under the
 * configuration, which kinds of callers may use it, and with which scopes.
 */
#include <stdio.h>

#include "api/route.h"

size_t
api_route_body_max(const struct api_route *r, const struct api_conf *conf)
{
	size_t max = 0;

	/* The row's macros have checked that a size_t lies at this offset. */
	if (r->body_max != 0)
		memcpy(&max, (const char *)conf + r->body_max, sizeof(max));
	return max + r->body_extra;
}

uint64_t
api_route_timeout_us(const struct api_route *r, const struct api_conf *conf)
{
	uint64_t us = 0;

	if (r->timeout_us != 0)
		memcpy(&us, (const char *)conf + r->timeout_us, sizeof(us));
	return us;
}

static const char *const kind_names[] = {
	[CALLER_TENANT] = "tenant",
	[CALLER_SERVICE] = "service",
	[CALLER_ADMIN] = "admin",
	[CALLER_TOKEN] = "token",
};

/* The sentence names the kinds that may, so that the caller knows which key to take. An admin key
 * fails everywhere here, for no tenant goes with it. */
bool
api_route_allows(const struct api_route *r, enum caller_kind kind, struct err *err)
{
	char others[64] = "";
	size_t used = 0;

	if (r->callers == 0 || (r->callers & CALLS(kind)) != 0)
		return true;
	for (size_t i = CALLER_TENANT; i <= CALLER_ADMIN && used < sizeof(others); i++)
		if ((r->callers & CALLS(i)) != 0)
			used += (size_t)snprintf(others + used, sizeof(others) - used, "%s%s",
			    used > 0 ? " or " : "", kind_names[i]);
	if (kind == CALLER_ADMIN)
		err_set(err, ERR_FORBIDDEN, "An admin key has no tenant; use a %s key here.",
		    others);
	else
		err_set(err, ERR_FORBIDDEN, "A %s%s may not do this; use a key of kind %s.",
		    kind_names[kind], kind == CALLER_TOKEN ? "" : " key", others);
	return false;
}

/* A row that has forgotten its scope is for whole keys alone. What only they may do has no scope
 * that one could ask for. */
bool
api_route_in_scope(const struct api_route *r, unsigned scopes, struct err *err)
{
	unsigned one_of = r->scopes != 0 ? r->scopes : SCOPE_WHOLE_KEY;
	char names[KEY_SCOPES_SIZE];

	if (r->callers == 0 || (one_of & scopes) != 0)
		return true;
	key_scopes_print(r->scopes, " or ", names);
	if (names[0] == '\0')
		err_set(err, ERR_SCOPE,
		    "This key is limited to scopes, and none of them is for this; use a key "
		    "without scopes.");
	else
		err_set(err, ERR_SCOPE, "This key has not the scope %s; use a key that has it.",
		    names);
	return false;
}

/* One without a user would have everybody's: there is none, and it is refused everywhere. */
bool
api_route_knows_own(const struct api_route *r, const struct caller *c, struct err *err)
{
	if (!c->has_own_only || (r->knows_own && c->user[0] != '\0'))
		return true;
	err_set(err, ERR_SCOPE,
	    "This token is for its user's own documents alone, and this route is not; use a token "
	    "without the scope own.");
	return false;
}
