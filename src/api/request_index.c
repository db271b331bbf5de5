/* SPDX-License-Identifier: MIT */
/*
 * request_index: when a request has its tenant's index looked after (retrieval/indexing.h): at its
 * end, in the background, if the database was asked anyway and so is awake; at once where chunks
 * were stored or deleted. Also where each search is refused, for its vectors are another model's:
 * what is still to be copied of an app's own must end before `reembed` can begin.
 */
#include "api/request.h"

void
request_index(const struct request *req)
{
	struct indexing *indexing = req->ctx->shared->indexing;
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];

	if (indexing == NULL || req->tenant.state != TENANT_READY || !req->has_borrowed ||
	    req->tenant.schema_version < RETRIEVAL_SCHEMA_TAIL ||
	    !indexing_is_due(indexing, req->tenant_id, req->has_changed_chunks))
		return;
	tenant_target(&req->tenant, &target, key);
	indexing_look(req->ctx->worker, indexing, req->ctx->pools, &target, req->tenant_id,
	    req->tenant.schema_version, (enum language)req->tenant.limits->text_language,
	    req->has_changed_chunks);
}
