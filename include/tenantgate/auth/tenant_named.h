/* SPDX-License-Identifier: MIT */
/*
 * tenant_named: where a request names a tenant beside the place that counts. Only a credential, the
 * header X-Tenant-Id and a path of the admin door decide; but whoever writes X_Tenant_Id, ?tenant=
 * or {"tenantId": ...} believes that this does, and would work on other data than he means. So a
 * name that disagrees is refused; one that agrees is harmless.
 *
 * A name is a tenant's when it is, in any case and with or without '-' and '_' between its words,
 * tenant, tenantId, X-Tenant or X-Tenant-Id. Reverse proxies and CGI fold those into one another
 * (RFC 3875, 4.1.18 makes '-' a '_').
 *
 * `tenant` is the one that all must agree on; where it is "", the first that is named is written
 * there. All fail with ERR_INVALID_TENANT. Any thread.
 */
#ifndef TENANTGATE_AUTH_TENANT_NAMED_H
#define TENANTGATE_AUTH_TENANT_NAMED_H

#include <jansson.h>
#include <stdbool.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/http.h"

/* True also for a name that is no tenant's. The name is that of a header, a parameter, a part of a
 * form or a member. */
bool	tenant_named_agrees(struct slice name, struct slice value, char tenant[TENANT_ID_MAX + 1],
	    struct err *);
/* The object's own members, not those of what is in it; strings and whole numbers alone name. */
bool	tenant_named_in_json(const json_t *object, char tenant[TENANT_ID_MAX + 1], struct err *);
/* The headers and the query, whose names and values are decoded into the arena. */
bool	tenant_named_in_head(const struct http_exchange *, char tenant[TENANT_ID_MAX + 1],
	    struct arena *, struct err *);

#endif
