/* SPDX-License-Identifier: MIT */
/*
 * request_expire: a step before a search: documents of the tenant whose time is over go first, so
 * that none is found. The catalog is asked when there is something to do, as far as this worker
 * knows, and at least every LOOK_US: other workers store documents too.
 *
 * A catalog that does not answer stops no search.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/request.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/map.h"

#define LOOK_US	  (10 * 1000000ull)
#define FAILED_US 1000000ull /* meanwhile no other search waits for the catalog */

/* Beside the entries of request_sweep.c, whose tenants' ids have no such mark: the monotonic time
 * until which nothing is to be done. */
static struct slice
expire_key(const struct request *req, char out[TENANT_ID_MAX + 2])
{
	return slice_of(out, (size_t)snprintf(out, TENANT_ID_MAX + 2, "?%s", req->tenant_id));
}

static bool
expire_is_due(const struct request *req)
{
	char key[TENANT_ID_MAX + 2];
	const uint64_t *until_us = map_get(req->ctx->swept, expire_key(req, key));

	return until_us == NULL || clock_mono_us() >= *until_us;
}

/* Without memory it is due again at the next search. */
static void
expire_note(const struct request *req, uint64_t wait_us)
{
	char key[TENANT_ID_MAX + 2];
	uint64_t *until_us = xmalloc(sizeof(*until_us));

	*until_us = clock_mono_us() + (wait_us < LOOK_US ? wait_us : LOOK_US);
	if (!map_put(req->ctx->swept, expire_key(req, key), until_us))
		free(until_us);
}

/* After a document was given a time. */
void
request_expiry_changed(const struct request *req)
{
	char key[TENANT_ID_MAX + 2];

	if (req->ctx->swept != NULL)
		map_del(req->ctx->swept, expire_key(req, key));
}

enum flow_rc
request_expire(struct flow *f)
{
	struct request *req = request_of(f);
	const struct api_context *ctx = req->ctx;

	if (ctx->swept == NULL || (!req->has_looked && !expire_is_due(req)) ||
	    catalog_is_failing(ctx->catalog, CATALOG_DOCUMENTS))
		return FLOW_NEXT;
	if (!req->has_looked) {
		req->has_looked = true;
		tenant_target(&req->tenant, &req->target, req->target_key);
		flow_goto(f, request_expire);
		return documents_expire(f, ctx->catalog, ctx->pools, &req->target, req->tenant_id,
		    &req->expiry_us, &req->expire_err);
	}
	expire_note(req, err_is(&req->expire_err) ? FAILED_US : req->expiry_us);
	if (err_is(&req->expire_err))
		log_event(LOG_WARNING, "documents.expire_failed", req->request_id,
		    "Documents of tenant %s whose time is over were not looked for; a "
		    "search of a second later tries again: %s",
		    req->tenant_id, req->expire_err.detail);
	return FLOW_NEXT;
}
