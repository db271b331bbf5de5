/* SPDX-License-Identifier: MIT */
/*
 * request_expire: a step before a search: documents of the tenant whose time is over go first
 * (retrieval/expire.c), so that none is found.
 *
 * A catalog that does not answer stops no search.
 */
#include "api/expire_watch.h"

#define LOOK_MAX_US 500000 /* no search waits longer for a catalog that is slow, or away */

enum flow_rc
request_expire(struct flow *f)
{
	struct request *req = request_of(f);
	const struct api_context *ctx = req->ctx;

	if (ctx->swept == NULL || (!req->has_looked && !expire_is_due(req, EXPIRE_BEFORE)) ||
	    catalog_is_failing(ctx->catalog, CATALOG_DOCUMENTS))
		return FLOW_NEXT;
	if (!req->has_looked) {
		req->has_looked = true;
		tenant_target(&req->tenant, &req->target, req->target_key);
		flow_goto(f, request_expire);
		return documents_expire(f, ctx->catalog, ctx->pools, &req->target, req->tenant_id,
		    LOOK_MAX_US, &req->expiry_us, &req->expire_err);
	}
	expire_looked(ctx, EXPIRE_BEFORE, req->tenant_id, req->request_id, req->expiry_us,
	    &req->expire_err);
	return FLOW_NEXT;
}
