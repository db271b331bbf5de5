/* SPDX-License-Identifier: MIT */
/*
 * tenant_wish_form: a tenant as an operator says it (PUT and PATCH of /admin/tenants/{tenant}) and
 * is told it.
 */
#ifndef ADMIN_TENANT_WISH_FORM_H
#define ADMIN_TENANT_WISH_FORM_H

#include "admin/admin_request.h"
#include "tenantgate/tenant/wishes.h"

/* Reads the body; names: the members that it may have, which ends with NULL. Texts are the
 * request's. False with err set. */
bool	wish_form_read(struct admin_request *, const char *const *names,
	    struct tenant_change_request *, struct err *);
/* What the row says, with what is wished of Neon and how far that is. NULL without memory. */
json_t	*wish_form_json(const char *id, const struct tenant_wish_view *);
/* The same as it will be by w. */
json_t	*wish_form_planned_json(const char *id, const struct tenant_wish_view *,
	    const struct tenant_wishes *, const struct tenant_change_request *);
/* When a change holds on all replicas: "now", or "within 60s" without Redis. NULL: no memory. */
json_t	*effective_json(const struct tenants *);
/* {"tenant":{...},"effective":"now"}, or with "dryRun":true in its place. Takes tenant over. */
enum flow_rc	wish_form_respond(struct flow *, int status, json_t *tenant)
		    __attribute__((warn_unused_result));
/* Fails with what is to be said of a tombstone; FLOW_NEXT for any other. */
enum flow_rc	wish_form_alive(struct flow *, const struct tenant_wish_view *)
		    __attribute__((warn_unused_result));

#endif
