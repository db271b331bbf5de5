/* SPDX-License-Identifier: MIT */
/*
 * documents_delete: DELETE /documents/{id}.
 *
 * The version that is stored is looked up, and the intent to delete it goes into the catalog's
 * list; then it goes from the tenant's database, with its chunks in one transaction; then its row
 * from the list. From the third on it is not found by a search. What is stored by the third and was
 * not at the first (by an ingest that had begun before) goes too, for it would be found after the
 * 204: it is named in its turn. A process that dies in between has
 * left the intent, and the tenant's next contact goes on from there (retrieval/reconcile.c).
 */
#include "api/document_json.h"
#include "api/handlers.h"
#include "api/own.h"

#define ROUNDS_MAX 3 /* one for each ingest that was under way; more is left to the background */

struct document_deletion {
	struct request req;	/* first */
	const char *id;		/* arena */
	struct document stored; /* arena */
	bool found;		/* ... in the tenant's database */
	struct document_version version;
	bool has_another;	 /* stored in its place meanwhile */
	unsigned rounds;	 /* that found another, and began again */
	struct pg_result result; /* owned: of the last statement */
};

static flow_step_fn documents_delete_look, documents_delete_looked, documents_delete_find,
    documents_delete_mark, documents_delete_marked, documents_delete_erase, documents_delete_drop,
    documents_delete_respond;
static flow_end_fn documents_delete_end;

static const struct flow_step documents_delete_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "look", documents_delete_look },
	{ "looked", documents_delete_looked },
	{ "find_wait", request_borrow },
	{ "find", documents_delete_find },
	{ "mark", documents_delete_mark },
	{ "marked", documents_delete_marked },
	{ "erase", documents_delete_erase },
	{ "drop", documents_delete_drop },
	{ "respond", documents_delete_respond },
	{ NULL, NULL },
};

static const struct flow_kind documents_delete_kind = { "documents_delete", documents_delete_steps,
	documents_delete_end, request_release };

static struct document_deletion *
document_deletion_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct document_deletion, req.flow, &documents_delete_kind);
}

static enum flow_rc
documents_delete_look(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);
	struct err err = { 0 };

	d->id = document_path_id(&d->req, &err);
	if (d->id == NULL)
		return flow_fail_err(f, &err);
	return documents_get(f, d->req.ctx->catalog, d->req.tenant_id, d->id, own_user(&d->req),
	    &d->result);
}

static enum flow_rc
document_is_absent(struct flow *f)
{
	struct err err = { 0 };

	document_not_found(&err);
	return flow_fail_err(f, &err);
}

/* A tenant whose database is not made yet has nothing to delete: the list says so by itself. */
static enum flow_rc
documents_delete_looked(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);
	enum flow_rc rc = catalog_check(f, &d->result, "find the document");

	if (rc != FLOW_NEXT)
		return rc;
	if (documents_count(&d->result) == 0)
		return document_is_absent(f);
	pg_clear(&d->result);
	return request_database(f);
}

static enum flow_rc
documents_delete_find(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);

	return store_find(f, &d->req.lease, d->req.tenant.schema_version, d->id, &d->stored,
	    &d->found);
}

static enum flow_rc
documents_deleted(struct document_deletion *d)
{
	http_reply(d->req.x, 204, NULL, slice_of(NULL, 0));
	return FLOW_DONE;
}

/* What was stored in the place of the version that is erased: only if the row still names that one.
 * Else the deletion has ended, and what is there may have been begun since. */
static enum flow_rc
documents_delete_mark_next(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);
	const struct document_version erased = d->version;

	if (!d->found) {
		d->has_another = false;
		flow_goto(f, documents_delete_respond);
		return documents_drop(f, d->req.ctx->catalog, d->req.tenant_id, d->id, &erased,
		    false, &d->result);
	}
	d->version = (struct document_version){ d->stored.sha256, d->stored.created_at };
	return documents_mark_next(f, d->req.ctx->catalog, d->req.tenant_id, d->id, &erased,
	    &d->version, &d->result);
}

/* No connection is held while the catalog is written. */
static enum flow_rc
documents_delete_mark(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);

	pool_return(&d->req.lease, POOL_CLEAN);
	if (d->rounds > 0)
		return documents_delete_mark_next(f);
	if (d->found && d->stored.owner != NULL && !own_sees(&d->req, d->stored.owner))
		return document_is_absent(f);
	d->version = (struct document_version){ "", "" };
	if (d->found)
		d->version = (struct document_version){ d->stored.sha256, d->stored.created_at };
	return documents_mark(f, d->req.ctx->catalog, d->req.tenant_id, d->id, own_user(&d->req),
	    &d->version, &d->result);
}

/* The row has gone where another has deleted the document meanwhile. */
static enum flow_rc
documents_delete_marked(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);
	enum flow_rc rc = catalog_check(f, &d->result, "note the deletion");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_changed(&d->result) > 0)
		return request_borrow(f);
	return d->rounds > 0 ? documents_deleted(d) : document_is_absent(f);
}

static enum flow_rc
documents_delete_erase(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);

	pg_clear(&d->result);
	return store_delete(f, &d->req.lease, d->id, &d->version, &d->result);
}

static enum flow_rc
documents_delete_drop(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);
	enum flow_rc rc = pg_check(f, &d->result, ERR_NONE, "delete the document");

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&d->req.lease, POOL_CLEAN);
	d->req.has_changed_chunks = true;
	d->has_another = store_has_another(&d->result);
	if (d->has_another && d->rounds++ < ROUNDS_MAX)
		return flow_goto(f, request_borrow);
	return documents_drop(f, d->req.ctx->catalog, d->req.tenant_id, d->id, &d->version,
	    d->has_another, &d->result);
}

static enum flow_rc
documents_delete_respond(struct flow *f)
{
	struct document_deletion *d = document_deletion_of(f);
	enum flow_rc rc = catalog_check(f, &d->result, "take the document from the list");

	if (rc != FLOW_NEXT)
		return rc;
	if (d->has_another)
		request_finish_deletion(&d->req, d->id);
	return documents_deleted(d);
}

static void
documents_delete_end(struct flow *f, const struct err *err)
{
	struct document_deletion *d = document_deletion_of(f);

	pg_clear(&d->result);
	request_end(&d->req, err);
}

void
documents_delete_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct document_deletion), &documents_delete_kind);
}
