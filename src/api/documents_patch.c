/* SPDX-License-Identifier: MIT */
/*
 * documents_patch: PATCH /documents/{id}. The title, file name and metadata of a document.
 *
 * As in an ingest: the intent goes into the catalog's list, then the tenant's database is written,
 * then the list says 'ready' again, with what the database holds. What fails in between is
 * reconciled; the same request may be sent again.
 */
#include "api/body_job.h"
#include "api/document_json.h"
#include "api/documents_patch_body.h"
#include "api/handlers.h"
#include "api/own.h"
#include "tenantgate/base/random.h"

#define PATCH_NODES_MAX 10000

struct document_patch_job {
	struct body_job job; /* first */
	struct document_change change;
};

struct document_patch {
	struct request req; /* first */
	void *job;	    /* owned: struct document_patch_job */
	const char *id;	    /* arena */
	char attempt[DOCUMENT_ATTEMPT_LEN + 1];
	bool is_claimed;	 /* the row is ours, and not yet ready again */
	struct pg_result result; /* owned: of the last statement */
	struct document document;
	bool found, in_doubt;
};

static flow_step_fn documents_patch_parse, documents_patch_claim, documents_patch_claimed,
    documents_patch_store, documents_patch_stored, documents_patch_list, documents_patch_look,
    documents_patch_respond;
static flow_end_fn documents_patch_end;

static const struct flow_step documents_patch_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "provision", request_database },
	{ "body", request_body },
	{ "parse", documents_patch_parse },
	{ "claim", documents_patch_claim },
	{ "claimed", documents_patch_claimed },
	{ "store", documents_patch_store },
	{ "stored", documents_patch_stored },
	{ "list", documents_patch_list },
	{ "look", documents_patch_look },
	{ "respond", documents_patch_respond },
	{ NULL, NULL },
};

static const struct flow_kind documents_patch_kind = { "documents_patch", documents_patch_steps,
	documents_patch_end, request_release };

static struct document_patch *
document_patch_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct document_patch, req.flow, &documents_patch_kind);
}

/* An offload_fn. */
static void
patch_job_read(void *arg)
{
	struct document_patch_job *j = arg;
	json_t *root = body_job_json(&j->job, PATCH_NODES_MAX);

	if (root != NULL)
		(void)documents_patch_read(root, j->job.arena, &j->change, &j->job.err);
	json_decref(root);
}

static enum flow_rc
documents_patch_parse(struct flow *f)
{
	struct document_patch *p = document_patch_of(f);
	struct document_patch_job *j;
	struct err err = { 0 };

	p->id = document_path_id(&p->req, &err);
	if (p->id == NULL)
		return flow_fail_err(f, &err);
	p->job = j = body_job_new(&p->req, sizeof(*j));
	return body_job_run(f, j->job.body.len, patch_job_read, body_job_free, &p->job);
}

/* The flag is set before the wait: from the moment the statement is sent, the row may be ours. */
static enum flow_rc
documents_patch_claim(struct flow *f)
{
	struct document_patch *p = document_patch_of(f);
	const struct document_patch_job *j = p->job;
	struct err err = j->job.err;

	if (err_is(&err) || !own_is_known(&p->req, &err))
		return flow_fail_err(f, &err);
	id_random(p->attempt, DOCUMENT_ATTEMPT_LEN);
	p->is_claimed = true;
	return documents_claim(f, p->req.ctx->catalog, p->req.tenant_id, p->id, own_user(&p->req),
	    p->attempt, &p->result);
}

static enum flow_rc
documents_patch_claimed(struct flow *f)
{
	struct document_patch *p = document_patch_of(f);
	enum flow_rc rc = catalog_check(f, &p->result, "note the change");
	enum document_claim claim;
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	claim = documents_claimed(&p->result);
	pg_clear(&p->result);
	p->is_claimed = claim == DOCUMENT_CLAIMED;
	if (claim == DOCUMENT_ABSENT)
		document_not_found(&err);
	else if (claim == DOCUMENT_BUSY)
		err_set(&err, ERR_CONFLICT,
		    "The document is not ready: it is being stored or deleted, or has failed. See "
		    "its status, and try again later.");
	return err_is(&err) ? flow_fail_err(f, &err) : request_borrow(f);
}

static enum flow_rc
documents_patch_store(struct flow *f)
{
	struct document_patch *p = document_patch_of(f);
	const struct document_patch_job *j = p->job;

	return store_change(f, &p->req.lease, p->req.tenant.schema_version, p->id,
	    own_user(&p->req), &j->change, &p->result);
}

static enum flow_rc
documents_patch_stored(struct flow *f)
{
	struct document_patch *p = document_patch_of(f);
	enum flow_rc rc = pg_check(f, &p->result, ERR_NONE, "change the document");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_changed(&p->result) == 0)
		return flow_goto(f, documents_patch_list);
	return store_find(f, &p->req.lease, p->req.tenant.schema_version, p->id, &p->document,
	    &p->found);
}

static enum flow_rc
documents_patch_list(struct flow *f)
{
	struct document_patch *p = document_patch_of(f);
	struct err err = { 0 };

	pool_return(&p->req.lease, POOL_CLEAN);
	if (!p->found) {
		document_not_found(&err);
		return flow_fail_err(f, &err);
	}
	p->document.expires_at = ((const struct document_patch_job *)p->job)->change.expires_at;
	return documents_ready(f, p->req.ctx->catalog, p->req.tenant_id, &p->document, p->attempt,
	    &p->in_doubt);
}

static enum flow_rc
documents_patch_look(struct flow *f)
{
	struct document_patch *p = document_patch_of(f);

	p->is_claimed = p->in_doubt;
	request_expiry_changed(&p->req, p->document.expires_at);
	return documents_get(f, p->req.ctx->catalog, p->req.tenant_id, p->id, own_user(&p->req),
	    &p->result);
}

static enum flow_rc
documents_patch_respond(struct flow *f)
{
	struct document_patch *p = document_patch_of(f);
	enum flow_rc rc = catalog_check(f, &p->result, "find the document");

	return rc == FLOW_NEXT ? document_respond(f, &p->result) : rc;
}

static void
documents_patch_end(struct flow *f, const struct err *err)
{
	struct document_patch *p = document_patch_of(f);

	if (p->is_claimed)
		request_reconcile(&p->req, p->id);
	pg_clear(&p->result);
	body_job_end(&p->req, body_job_free, p->job, 0);
	request_end(&p->req, err);
}

void
documents_patch_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct document_patch), &documents_patch_kind);
}
