/* SPDX-License-Identifier: MIT */
/*
 * documents_chunks: GET /documents/{id}/chunks. A page of what a document was cut into, from the
 * tenant's database, in order. The cursor is the index of the last one.
 */
#include <stdlib.h>

#include "api/document_json.h"
#include "api/documents_cursor.h"
#include "api/handlers.h"
#include "api/ingest_body.h"
#include "api/own.h"
#include "api/respond.h"
#include "tenantgate/base/json.h"

#define CHUNKS_MAX    (16u << 20) /* bytes of one response */
#define CURSOR_DIGITS 9		  /* of an index */

struct chunks_listing {
	struct request req; /* first */
	const char *id;	    /* arena */
	unsigned limit;
	int after;
	struct pg_result rows; /* owned */
};

static flow_step_fn documents_chunks_read, documents_chunks_query, documents_chunks_respond;
static flow_end_fn documents_chunks_end;

static const struct flow_step documents_chunks_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "parse", documents_chunks_read },
	{ "provision", request_database },
	{ "expire", request_expire },
	{ "pool_wait", request_borrow },
	{ "chunks", documents_chunks_query },
	{ "respond", documents_chunks_respond },
	{ NULL, NULL },
};

static const struct flow_kind documents_chunks_kind = { "documents_chunks", documents_chunks_steps,
	documents_chunks_end, request_release };

static struct chunks_listing *
chunks_listing_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct chunks_listing, req.flow, &documents_chunks_kind);
}

static bool
read_after(struct slice text, int *out, struct err *err)
{
	int n = 0;
	bool ok = text.len > 0 && text.len <= CURSOR_DIGITS;

	for (size_t i = 0; ok && i < text.len; i++) {
		ok = text.p[i] >= '0' && text.p[i] <= '9';
		n = n * 10 + (text.p[i] - '0');
	}
	if (!ok)
		err_set(err, ERR_INVALID_FIELD,
		    "The cursor is not one of ours; begin again without it.");
	*out = n;
	return ok;
}

static enum flow_rc
documents_chunks_read(struct flow *f)
{
	struct chunks_listing *c = chunks_listing_of(f);
	struct slice limit = http_query_get(c->req.x, "limit", f->arena);
	struct slice cursor = http_query_get(c->req.x, "cursor", f->arena);
	struct err err = { 0 };

	c->limit = DOCUMENTS_LIMIT_DEFAULT;
	c->after = -1;
	c->id = document_path_id(&c->req, &err);
	if (c->id == NULL || !ingest_query_decodes(http_query(c->req.x), &err) ||
	    (limit.p != NULL && !documents_limit_read(limit, &c->limit, &err)) ||
	    (cursor.p != NULL && !read_after(cursor, &c->after, &err)))
		return flow_fail_err(f, &err);
	return FLOW_NEXT;
}

/* One more than asked for says that there is a next page. */
static enum flow_rc
documents_chunks_query(struct flow *f)
{
	struct chunks_listing *c = chunks_listing_of(f);
	struct err err = { 0 };

	if (!own_is_known(&c->req, &err))
		return flow_fail_err(f, &err);
	return store_chunks(f, &c->req.lease, c->req.tenant.schema_version, c->id,
	    own_user(&c->req), c->after, c->limit + 1, &c->rows);
}

static void
put_chunk(struct buf *b, const struct pg_result *rows, unsigned i)
{
	const char *page = pg_text(rows, i, 1);

	buf_printf(b, "%s{\"chunk\":%s,\"page\":%s,\"content\":", i > 0 ? "," : "",
	    pg_text(rows, i, 0), page[0] != '\0' ? page : "null");
	json_put_string(b, pg_value(rows, i, 2));
	buf_putc(b, '}');
}

/* How many of the rows the page has: as many as were asked for, or whose contents have come. */
static unsigned
chunks_in_page(const struct chunks_listing *c)
{
	unsigned count = pg_rows(&c->rows), n = 0;

	while (n < count && n < c->limit && pg_value(&c->rows, n, 2).p != NULL)
		n++;
	return n;
}

static void
put_chunks(struct buf *b, const struct chunks_listing *c)
{
	unsigned count = chunks_in_page(c);

	buf_puts(b, "{\"chunks\":[");
	for (unsigned i = 0; i < count; i++)
		put_chunk(b, &c->rows, i);
	buf_printf(b, "],\"total\":%s,", pg_text(&c->rows, 0, 3));
	if (pg_value(&c->rows, 0, 4).p != NULL)
		buf_printf(b, "\"indexed\":%s,", pg_text(&c->rows, 0, 4));
	buf_puts(b, "\"nextCursor\":");
	if (count > 0 && count < pg_rows(&c->rows))
		buf_printf(b, "\"%s\"}", pg_text(&c->rows, count - 1, 0));
	else
		buf_puts(b, "null}");
}

static enum flow_rc
chunks_send(struct flow *f)
{
	struct chunks_listing *c = chunks_listing_of(f);
	struct buf b;

	buf_init(&b, CHUNKS_MAX);
	put_chunks(&b, c);
	if (!b.failed)
		respond_json(c->req.x, 200, &b);
	buf_free(&b);
	if (http_status(c->req.x) != 0)
		return FLOW_DONE;
	return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the chunks");
}

static enum flow_rc
documents_chunks_respond(struct flow *f)
{
	struct chunks_listing *c = chunks_listing_of(f);
	enum flow_rc rc = pg_check(f, &c->rows, ERR_NONE, "read the document's chunks");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&c->req.lease, POOL_CLEAN);
	if (pg_rows(&c->rows) > 0)
		return chunks_send(f);
	document_not_found(&err);
	return flow_fail_err(f, &err);
}

static void
documents_chunks_end(struct flow *f, const struct err *err)
{
	struct chunks_listing *c = chunks_listing_of(f);

	pg_clear(&c->rows);
	request_end(&c->req, err);
}

void
documents_chunks_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct chunks_listing), &documents_chunks_kind);
}
