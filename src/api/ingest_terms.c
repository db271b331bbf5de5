/* SPDX-License-Identifier: MIT */
/*
 * ingest_terms: on which terms POST /ingest stores a document: the tenant's quota, ifNew, and in
 * place of whose.
 */
#include "api/ingest_state.h"
#include "api/own.h"

void
ingest_set_terms(struct ingest *in)
{
	const struct plan *limits = in->req.tenant.limits;

	in->terms = (struct document_terms){ .quota = { .max_documents = limits->documents_max,
						 .max_bytes = limits->bytes_max },
		.if_new = item_of(in)->if_new,
		.own_only = own_user(&in->req) != NULL };
}

bool
ingest_gives_way(struct ingest *in)
{
	if (!in->is_found || own_sees(&in->req, in->found.owner))
		return false;
	pool_return(&in->req.lease, POOL_CLEAN);
	in->terms.admission = DOCUMENT_ANOTHERS;
	return true;
}

/* The limit is for the client; whose key it is, for the log. */
void
ingest_terms_refuse(const struct ingest *in, struct err *err)
{
	char key[PLAN_KEY_SIZE];

	document_terms_refuse(&in->terms, err);
	if (err->code == ERR_TOO_MANY_DOCUMENTS)
		err_cause(err, "%s", plan_key(in->req.tenant.limits, PLAN_MAX_DOCUMENTS, key));
	else if (err->code == ERR_STORAGE_FULL)
		err_cause(err, "%s", plan_key(in->req.tenant.limits, PLAN_MAX_BYTES, key));
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
