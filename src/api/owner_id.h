/* SPDX-License-Identifier: MIT */
/*
 * owner_id: the field ownerId of a query or a body: the user whose documents are meant.
 */
#ifndef API_OWNER_ID_H
#define API_OWNER_ID_H

#include <stdbool.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

/* Copied into the arena. False with err: ERR_INVALID_FIELD for what can be no user's id,
 * ERR_OVERLOADED without memory. */
bool	owner_id_read(struct slice, struct arena *, const char **out, struct err *)
	    __attribute__((warn_unused_result));

#endif
