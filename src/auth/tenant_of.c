/* SPDX-License-Identifier: MIT */
/*
 * tenant_of: which tenant a request is for, and which of its users. The one place where a caller is
 * confined to them: everything behind it (database, limits, logs) goes by the ids that are decided
 * here. Pure.
 */
#include "tenantgate/auth.h"

static bool
is_id_character(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    c == '.' || c == '_' || c == ':' || c == '@' || c == '-';
}

/* No byte of it needs escaping in a Redis key, a log line or a URL's path. */
bool
auth_tenant_valid(struct slice id)
{
	size_t i;

	if (id.len == 0 || id.len > TENANT_ID_MAX)
		return false;
	for (i = 0; i < id.len; i++) {
		if (!is_id_character(id.p[i]))
			return false;
	}
	return true;
}

/* A service key acts for whatever tenant it names: the web application behind it has authenticated
 * its own users. There is no default, or a forgotten field would read another tenant's data. */
static bool
tenant_named(struct slice requested, char out[TENANT_ID_MAX + 1], struct err *err)
{
	if (requested.p == NULL) {
		err_set(err, ERR_INVALID_TENANT,
		    "A service key must name a tenant; send its id in the field X-Tenant-Id.");
		return false;
	}
	memcpy(out, requested.p, requested.len);
	out[requested.len] = '\0';
	return true;
}

/* A tenant's key or token may name its own tenant; naming another is refused, not ignored: the
 * client would work on other data than it believes. */
static bool
tenant_own(const struct caller *c, struct slice requested, char out[TENANT_ID_MAX + 1],
    struct err *err)
{
	if (requested.p != NULL && !slice_is(requested, c->tenant)) {
		err_set(err, ERR_FORBIDDEN,
		    "Key or token belong to another tenant; correct X-Tenant-Id or leave it out.");
		return false;
	}
	memcpy(out, c->tenant, sizeof(c->tenant));
	return true;
}

bool
auth_tenant(const struct caller *c, struct slice requested, char out[TENANT_ID_MAX + 1],
    struct err *err)
{
	if (requested.p != NULL && !auth_tenant_valid(requested)) {
		err_set(err, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct X-Tenant-Id.",
		    TENANT_ID_MAX);
		return false;
	}
	switch (c->kind) {
	case CALLER_TENANT:
	case CALLER_TOKEN:
		return tenant_own(c, requested, out, err);
	case CALLER_SERVICE:
		return tenant_named(requested, out, err);
	case CALLER_ADMIN:
	case CALLER_NONE:
		break;
	}
	err_set(err, ERR_FORBIDDEN,
	    "An admin key cannot act for a tenant; use a tenant or service key.");
	return false;
}

/* A key's holder has authenticated the users it names. A token is one user's, or no user's: what
 * its holder says beside it is his own word. */
bool
auth_user(const struct caller *c, struct slice named, char out[USER_ID_MAX + 1], struct err *err)
{
	memcpy(out, c->user, sizeof(c->user));
	if (named.p == NULL)
		return true;
	if (!auth_tenant_valid(named)) {
		err_set(err, ERR_INVALID_FIELD,
		    "A user id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct X-User-Id.",
		    USER_ID_MAX);
		return false;
	}
	if (c->kind == CALLER_TOKEN && !slice_is(named, c->user)) {
		err_set(err, ERR_FORBIDDEN,
		    "The token is not of that user; correct X-User-Id or leave it out.");
		return false;
	}
	memcpy(out, named.p, named.len);
	out[named.len] = '\0';
	return true;
}
