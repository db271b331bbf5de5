/* SPDX-License-Identifier: MIT */
/*
 * owner_id: see the header. Users' ids have the form of tenants'.
 */
#include "api/owner_id.h"

#include "api/request.h"

bool
owner_id_read(struct slice id, struct arena *arena, const char **out, struct err *err)
{
	if (!auth_tenant_valid(id)) {
		err_set(err, ERR_INVALID_FIELD,
		    "An ownerId must be 1 to %d bytes of [A-Za-z0-9._:@-], as an X-User-Id.",
		    USER_ID_MAX);
		return false;
	}
	*out = arena_slice(arena, id);
	if (*out == NULL)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "an ownerId");
	return *out != NULL;
}
