/* SPDX-License-Identifier: MIT */
/*
 * ingest_terms: on which terms POST /ingest stores a document: the tenant's quota, and ifNew.
 */
#include "api/ingest_state.h"

/* How much its tenant may have stored. */
static struct document_quota
quota_of(const struct ingest *in)
{
	const struct api_conf *conf = in->req.ctx->conf;

	return (struct document_quota){ .max_documents = conf->documents_max,
		.max_bytes = conf->bytes_max };
}

void
ingest_set_terms(struct ingest *in)
{
	in->terms = (struct document_terms){ .quota = quota_of(in), .if_new = item_of(in)->if_new };
}

enum flow_rc
ingest_find_equal(struct flow *f, struct ingest *in)
{
	in->is_found = false;
	if (!item_of(in)->if_new)
		return FLOW_NEXT;
	return documents_find_equal(f, in->req.ctx->catalog, in->req.tenant_id,
	    &item_of(in)->document, &in->found, &in->is_found);
}
