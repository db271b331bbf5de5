/* SPDX-License-Identifier: MIT */
/*
 * ingest_terms: on which terms POST /ingest stores a document: the tenant's quota, ifNew, and in
 * place of whose.
 */
#include "api/ingest_item.h"
#include "api/ingest_state.h"
#include "api/own.h"
#include "api/request_retrieval.h"

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

/* Listing it again is not in vain: an earlier request may have died before its own listing. Other
 * bytes stay whose the document is, and are not embedded by another model than what is there. */
enum flow_rc
ingest_describe_found(struct flow *f, struct ingest *in)
{
	in->is_same = in->is_found && ingest_item_is(item_of(in), &in->found);
	if (in->is_same && ingest_item_merge(item_of(in), &in->found))
		return store_describe(f, &in->req.lease, schema_of(in), own_user(&in->req),
		    &item_of(in)->document, &in->is_found);
	if (in->is_found && in->found.owner != NULL)
		item_of(in)->document.owner = in->found.owner;
	return in->is_same ? FLOW_NEXT : request_vectors(&in->req);
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
