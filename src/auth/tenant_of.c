/* SPDX-License-Identifier: MIT */
/*
 * tenant_of: for which tenant a caller may ask. Pure.
 */
#include "tenantgate/auth.h"

static bool
is_id_character(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    c == '.' || c == '_' || c == ':' || c == '@' || c == '-';
}

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

static bool
tenant_named(struct slice asked, char out[TENANT_ID_MAX + 1], struct err *err)
{
	if (asked.p == NULL) {
		err_set(err, ERR_INVALID_TENANT, "a service key names its tenant in X-Tenant-Id");
		return false;
	}
	memcpy(out, asked.p, asked.len);
	out[asked.len] = '\0';
	return true;
}

static bool
tenant_own(const struct caller *c, struct slice asked, char out[TENANT_ID_MAX + 1], struct err *err)
{
	if (asked.p != NULL && !slice_is(asked, c->tenant)) {
		err_set(err, ERR_FORBIDDEN, "the key belongs to another tenant");
		return false;
	}
	memcpy(out, c->tenant, sizeof(c->tenant));
	return true;
}

bool
auth_tenant(const struct caller *c, struct slice asked, char out[TENANT_ID_MAX + 1],
    struct err *err)
{
	if (asked.p != NULL && !auth_tenant_valid(asked)) {
		err_set(err, ERR_INVALID_TENANT,
		    "a tenant id is 1 to 128 bytes of [A-Za-z0-9._:@-]");
		return false;
	}
	switch (c->kind) {
	case CALLER_TENANT:
		return tenant_own(c, asked, out, err);
	case CALLER_SERVICE:
		return tenant_named(asked, out, err);
	case CALLER_ADMIN:
		break;
	}
	err_set(err, ERR_FORBIDDEN, "an admin key opens the admin listener only");
	return false;
}
