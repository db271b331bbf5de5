/* SPDX-License-Identifier: MIT */
/*
 * own: see the header.
 */
#include "api/own.h"

#include "tenantgate/retrieval.h"

#define NOBODY "!" /* no byte of an id (auth_tenant_valid()) */

const char *
own_user(const struct request *req)
{
	return req->caller.has_own_only ? req->caller.user : NULL;
}

const char *
own_owner(const struct request *req, const char *owner)
{
	const char *user = own_user(req);

	if (user == NULL)
		return owner;
	return owner == NULL || strcmp(owner, user) == 0 ? user : NOBODY;
}

bool
own_sees(const struct request *req, const char *owner)
{
	const char *user = own_user(req);

	return user == NULL || (owner != NULL && strcmp(owner, user) == 0);
}

bool
own_is_known(const struct request *req, struct err *err)
{
	if (own_user(req) == NULL || req->tenant.schema_version >= RETRIEVAL_SCHEMA_OWNERS)
		return true;
	err_set(err, ERR_OUTDATED,
	    "The tenant's database is being brought up to date, and does not know before whose a "
	    "document is. Try again in a moment.");
	err->retry_after = 2;
	return false;
}
