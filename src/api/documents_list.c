/* SPDX-License-Identifier: MIT */
/*
 * documents_list: GET /documents. A page of the catalog's list; no tenant's database is asked, so
 * one that sleeps sleeps on, and a tenant that has none yet has no documents.
 */
#include <stdlib.h>

#include "api/document_json.h"
#include "api/documents_cursor.h"
#include "api/handlers.h"
#include "api/ingest_body.h"
#include "api/own.h"
#include "api/owner_id.h"
#include "api/respond.h"
#include "tenantgate/base/json.h"

#define LIST_MAX (8u << 20) /* bytes of one response */

struct documents_listing {
	struct request req; /* first */
	struct documents_page page;
	struct pg_result rows; /* owned */
};

static flow_step_fn documents_list_read, documents_list_query, documents_list_respond;
static flow_end_fn documents_list_end;

static const struct flow_step documents_list_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "parse", documents_list_read },
	{ "list", documents_list_query },
	{ "respond", documents_list_respond },
	{ NULL, NULL },
};

static const struct flow_kind documents_list_kind = { "documents_list", documents_list_steps,
	documents_list_end, request_release };

static struct documents_listing *
documents_listing_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct documents_listing, req.flow, &documents_list_kind);
}

static bool
read_status(struct slice text, const char **out, struct err *err)
{
	static const char *const known[] = { "ingesting", "ready", "failed", "deleting" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_is(text, known[i])) {
			*out = known[i];
			return true;
		}
	err_set(err, ERR_INVALID_FIELD,
	    "The status must be one of ingesting, ready, failed, deleting.");
	return false;
}

static enum flow_rc
documents_list_read(struct flow *f)
{
	struct documents_listing *l = documents_listing_of(f);
	struct slice limit = http_query_get(l->req.x, "limit", f->arena);
	struct slice status = http_query_get(l->req.x, "status", f->arena);
	struct slice owner = http_query_get(l->req.x, "ownerId", f->arena);
	struct slice cursor = http_query_get(l->req.x, "cursor", f->arena);
	struct err err = { 0 };

	l->page = (struct documents_page){ "", "", "", NULL, DOCUMENTS_LIMIT_DEFAULT };
	if (!ingest_query_decodes(http_query(l->req.x), &err))
		return flow_fail_err(f, &err);
	if (limit.p != NULL && !documents_limit_read(limit, &l->page.limit, &err))
		return flow_fail_err(f, &err);
	if (status.p != NULL && !read_status(status, &l->page.status, &err))
		return flow_fail_err(f, &err);
	if (owner.p != NULL && !owner_id_read(owner, f->arena, &l->page.owner, &err))
		return flow_fail_err(f, &err);
	if (cursor.p != NULL && !documents_cursor_read(cursor, f->arena, &l->page))
		err_set(&err, ERR_INVALID_FIELD,
		    "The cursor is not one of ours; begin again without it.");
	l->page.owner = own_owner(&l->req, l->page.owner);
	return err_is(&err) ? flow_fail_err(f, &err) : FLOW_NEXT;
}

static enum flow_rc
documents_list_query(struct flow *f)
{
	struct documents_listing *l = documents_listing_of(f);

	return documents_list(f, l->req.ctx->catalog, l->req.tenant_id, &l->page, &l->rows);
}

/* The row past the limit only says that there is a next page. */
static void
put_page(struct buf *b, const struct documents_listing *l)
{
	unsigned count = documents_count(&l->rows);
	bool more = count > l->page.limit;
	struct listed_document row;

	buf_puts(b, "{\"documents\":[");
	for (unsigned i = 0; i < count - more; i++) {
		documents_row(&l->rows, i, &row);
		if (i > 0)
			buf_putc(b, ',');
		document_json(b, &row);
	}
	buf_printf(b,
	    "],\"total\":%llu,\"nextCursor\":", (unsigned long long)documents_total(&l->rows));
	if (!more) {
		buf_puts(b, "null}");
		return;
	}
	buf_putc(b, '"');
	documents_cursor_put(b, &row);
	buf_puts(b, "\"}");
}

static enum flow_rc
documents_list_respond(struct flow *f)
{
	struct documents_listing *l = documents_listing_of(f);
	enum flow_rc rc = catalog_check(f, &l->rows, "list documents");
	struct buf b;

	if (rc != FLOW_NEXT)
		return rc;
	buf_init(&b, LIST_MAX);
	put_page(&b, l);
	if (!b.failed)
		respond_json(l->req.x, 200, &b);
	buf_free(&b);
	return http_status(l->req.x) != 0 ? FLOW_DONE
					  : flow_fail(f, ERR_OVERLOADED,
						"The page does not fit into the memory that is "
						"free now. Ask for a smaller limit.");
}

static void
documents_list_end(struct flow *f, const struct err *err)
{
	struct documents_listing *l = documents_listing_of(f);

	pg_clear(&l->rows);
	request_end(&l->req, err);
}

void
documents_list_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct documents_listing), &documents_list_kind)
	    ->asleep = true;
}
