/* SPDX-License-Identifier: MIT */
/*
 * request_token: see the header. A record can be older than a token where this process did not hear
 * of a revocation (no Redis, say) after which the token was made. Only we make tokens, so that
 * costs a lookup, and no stranger can ask for it.
 */
#include "api/request_token.h"

#include "api/refuse.h"
#include "tenantgate/base/secret.h"

enum flow_rc
request_token(struct flow *f)
{
	struct request *req = request_of(f);
	uint64_t of_token = req->caller.token_generation;
	uint64_t of_tenant = req->tenant.token_generation;

	if (of_token == 0 || of_token == of_tenant)
		return FLOW_NEXT;
	if (of_token > of_tenant && !req->has_looked_anew) {
		req->has_looked_anew = true;
		tenant_look_anew(req->ctx->tenants, req->tenant_id);
		bytes_wipe(&req->tenant, sizeof(req->tenant));
		flow_goto(f, request_tenant);
		return tenant_lookup(f, req->ctx->tenants, req->tenant_id, &req->tenant);
	}
	req->caller.cause = "the token was revoked";
	return request_refuse(f);
}
