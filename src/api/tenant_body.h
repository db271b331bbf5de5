/* SPDX-License-Identifier: MIT */
/*
 * tenant_body: a tenant as an application says it (PUT /tenant) and is told it. Pure.
 */
#ifndef API_TENANT_BODY_H
#define API_TENANT_BODY_H

#include <jansson.h>

#include "api/request.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/buf.h"

/* Whether a text may be what a tenant's field says: its length and its characters. */
bool	tenant_text_is_good(enum tenant_field, struct slice);
/* Appends {"tenant":{…}}; what is not known is null. */
void	tenant_json(struct buf *, const char *id, const struct tenant_profile *);
/* Sends that, or fails without memory. */
enum flow_rc	tenant_respond(struct flow *, int status, const struct tenant_profile *)
		    __attribute__((warn_unused_result));

#endif
