/* SPDX-License-Identifier: MIT */
/*
 * document_store: a document and its chunks into the tenant's database, whole or not at all.
 *
 *	[begin] --> [put] --> [clear] --> [copy] --> [commit] --> done
 *	               \         |          /           /
 *	                +--------+---------+-----------+--> [rollback] --> failed, first reason
 *
 * Moved by the steps below, one statement each. What always holds:
 *  - The document's row is written first: of two requests that store the same id at the same time,
 *    the second waits there until the first has ended, so their chunks never mix.
 *  - Vectors go out by binary COPY, encoded piece by piece as the socket takes them: no second copy
 *    of all vectors is ever in memory.
 *  - A connection that is lost takes its transaction with it, and no rollback is sent.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "retrieval/document_owner.h"

#define PIECE		((size_t)32 << 10) /* bytes encoded at a time; one row more at most */
#define COPY_TIMEOUT_US (300 * 1000000ull) /* of the COPY; the flow's deadline holds too */
#define NUMBER_SIZE	24		   /* a uint64_t in decimal */

struct document_store {
	struct flow flow;
	struct pool_lease *lease;	 /* borrowed */
	int schema_version;		 /* of the tenant's database */
	struct document *document;	 /* borrowed; what store_document() says is filled */
	const struct chunk_list *chunks; /* borrowed */
	const float *const *vectors;	 /* borrowed: one of each chunk */
	unsigned dimensions;
	store_progress_fn *progress;
	void *progress_arg;	      /* borrowed */
	size_t row;		      /* of the COPY: the one to be sent next */
	struct pg_result result;      /* owned: of the last statement but ROLLBACK */
	struct pg_result rollback;    /* owned: not looked at */
	char numbers[3][NUMBER_SIZE]; /* parameters as text */
};

/* created_at is that of these bytes: a replaced document is as new as one stored for the first
 * time. */
#define PUT_DOCUMENT(columns, values, changes, returned) \
	"INSERT INTO public.document AS row (id, title, file_name, mime_type, metadata," \
	" sha256, bytes, pages, chunks" columns \
	") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9" values \
	") ON CONFLICT (id) DO UPDATE SET title = excluded.title," \
	" file_name = excluded.file_name, mime_type = excluded.mime_type," \
	" metadata = excluded.metadata, sha256 = excluded.sha256," \
	" bytes = excluded.bytes, pages = excluded.pages," \
	" chunks = excluded.chunks, created_at = " PG_NOW changes \
	" RETURNING " PG_RFC3339("created_at") returned

static const char put_plainly[] = PUT_DOCUMENT("", "", "", "");

/* Whoever replaces a document does not take it from whose it is. */
static const char put_with_owner[] =
    PUT_DOCUMENT(", owner_id, expires_at", ", " OWNER_GIVEN("$10") ", " EXPIRY_GIVEN("$11"),
	", owner_id = coalesce(row.owner_id, excluded.owner_id),"
	" expires_at = " EXPIRY_GIVEN_OR_KEPT("$11", "row."),
	", " OWNER_STORED("") ", " EXPIRY_STORED(""));

static flow_step_fn store_begin, store_put, store_clear, store_copy, store_commit, store_done,
    store_rollback, store_failed;

static const struct flow_step document_store_steps[] = {
	{ "store_begin", store_begin },
	{ "store_put", store_put },
	{ "store_clear", store_clear },
	{ "store_copy", store_copy },
	{ "store_commit", store_commit },
	{ "store_done", store_done },
	{ "store_rollback", store_rollback },
	{ "store_failed", store_failed },
	{ NULL, NULL },
};

static const struct flow_kind document_store_kind = { .name = "store",
	.steps = document_store_steps };

static struct document_store *
document_store_of(struct flow *f)
{
	return FLOW_OF(f, struct document_store, &document_store_kind);
}

static void
document_store_clear(void *arg)
{
	struct document_store *s = arg;

	pg_clear(&s->result);
	pg_clear(&s->rollback);
}

/* Every step looks first whether the statement of the one before succeeded. */
static bool
store_succeeded(struct document_store *s)
{
	return s->result.status == PG_OK;
}

/* After an SQL error the transaction is still open: it is rolled back, so the connection can be
 * lent again. After a lost one or a timeout there is none to roll back on. */
static enum flow_rc
store_failure(struct flow *f)
{
	struct document_store *s = document_store_of(f);

	if (s->result.status == PG_SQL_ERROR)
		return flow_goto(f, store_rollback);
	return pg_check(f, &s->result, ERR_NONE, "store the document");
}

static enum flow_rc
store_run(struct flow *f, const struct pg_query *q, struct pg_result *out)
{
	pg_clear(out);
	return pg_run(f, document_store_of(f)->lease->conn, q, out);
}

/* The one statement that may be sent to a second connection: nothing was sent before it. */
static enum flow_rc
store_begin(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	const struct pg_query q = { .sql = "BEGIN" };

	flow_defer(f, document_store_clear, s);
	return pool_read(f, s->lease, &q, &s->result);
}

static enum flow_rc
store_put(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	const struct document *d = s->document;
	struct pg_query q = {
		.sql = put_plainly,
		.params = { PG_TEXT(d->id), PG_TEXT(d->title), PG_TEXT(d->file_name),
		    PG_TEXT(d->mime_type), PG_TEXT(d->metadata), PG_TEXT(d->sha256),
		    PG_TEXT(s->numbers[0]), PG_TEXT(s->numbers[1]), PG_TEXT(s->numbers[2]) },
		.param_count = 9,
	};

	if (!store_succeeded(s))
		return store_failure(f);
	snprintf(s->numbers[0], NUMBER_SIZE, "%" PRIu64, d->bytes);
	snprintf(s->numbers[1], NUMBER_SIZE, "%u", d->pages);
	snprintf(s->numbers[2], NUMBER_SIZE, "%u", d->chunks);
	if (document_has_owner(s->schema_version)) {
		q.sql = put_with_owner;
		q.params[q.param_count++] = PG_TEXT(d->owner);
		q.params[q.param_count++] = PG_TEXT(d->expires_at);
	}
	return store_run(f, &q, &s->result);
}

/* What there is no memory for is only missing from the response. */
static void
store_read_put(struct document_store *s)
{
	struct document *d = s->document;

	d->created_at = arena_strdup(s->flow.arena, pg_text(&s->result, 0, 0));
	if (d->created_at == NULL)
		d->created_at = "";
	if (!document_has_owner(s->schema_version))
		return;
	d->owner = arena_strdup(s->flow.arena, pg_text(&s->result, 0, 1));
	if (pg_value(&s->result, 0, 2).p != NULL)
		d->stored_expires_at = arena_strdup(s->flow.arena, pg_text(&s->result, 0, 2));
}

/* The old chunks go. */
static enum flow_rc
store_clear(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	const struct pg_query q = {
		.sql = "DELETE FROM public.chunk WHERE document_id" PG_EQUALS "$1",
		.params = { PG_TEXT(s->document->id) },
		.param_count = 1,
	};

	if (!store_succeeded(s))
		return store_failure(f);
	store_read_put(s);
	return store_run(f, &q, &s->result);
}

/* ---- COPY: PostgreSQL's manual, COPY, "Binary Format" ---- */

/* A field is its length in bytes (int32), then its bytes in the type's binary form. */
static void
copy_put_field(struct buf *b, const void *bytes, size_t n)
{
	buf_be32(b, (uint32_t)n);
	buf_add(b, bytes, n);
}

static void
copy_put_int(struct buf *b, unsigned value)
{
	buf_be32(b, 4);
	buf_be32(b, value);
}

/* A row is its count of fields (int16), then the fields in the order of store_copy()'s columns. */
static void
copy_put_row(struct document_store *s, struct buf *b)
{
	const struct chunk *c = &s->chunks->items[s->row];

	buf_be16(b, 5);
	copy_put_field(b, s->document->id, strlen(s->document->id));
	copy_put_int(b, c->index);
	if (c->page == 0)
		buf_be32(b, UINT32_MAX); /* length -1: null */
	else
		copy_put_int(b, c->page);
	copy_put_field(b, c->content.p, c->content.len);
	buf_be32(b, (uint32_t)PG_BINARY_VECTOR_SIZE(s->dimensions));
	pg_binary_vector(b, s->vectors[s->row], s->dimensions);
	s->row++;
}

/* A pg_fill_fn: the next rows. A buf that failed ends the COPY as failed, and so the
 * transaction. */
static bool
store_fill(struct buf *b, void *arg)
{
	struct document_store *s = arg;

	if (s->row == 0)
		pg_binary_copy_begin(b);
	while (s->row < s->chunks->count && b->len < PIECE && !b->failed)
		copy_put_row(s, b);
	if (b->failed)
		return false;
	s->progress(s->progress_arg, s->row);
	if (s->row < s->chunks->count)
		return true;
	pg_binary_copy_end(b);
	return false;
}

static enum flow_rc
store_copy(struct flow *f)
{
	struct document_store *s = document_store_of(f);

	if (!store_succeeded(s))
		return store_failure(f);
	pg_clear(&s->result);
	s->row = 0;
	return pg_copy_in(f, s->lease->conn,
	    "COPY public.chunk (document_id, chunk_index, page, content, embedding)"
	    " FROM STDIN (FORMAT binary)",
	    store_fill, s, 0, COPY_TIMEOUT_US, &s->result);
}

static enum flow_rc
store_commit(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	const struct pg_query q = { .sql = "COMMIT" };

	if (!store_succeeded(s))
		return store_failure(f);
	return store_run(f, &q, &s->result);
}

static enum flow_rc
store_done(struct flow *f)
{
	if (!store_succeeded(document_store_of(f)))
		return store_failure(f);
	return FLOW_DONE;
}

static enum flow_rc
store_rollback(struct flow *f)
{
	const struct pg_query q = { .sql = "ROLLBACK" };

	return store_run(f, &q, &document_store_of(f)->rollback);
}

/* Whatever became of the rollback: the server rolls back what it does not commit. */
static enum flow_rc
store_failed(struct flow *f)
{
	return pg_check(f, &document_store_of(f)->result, ERR_NONE, "store the document");
}

enum flow_rc
store_document(struct flow *f, struct pool_lease *lease, int schema_version, struct document *d,
    const struct chunk_list *chunks, const float *const *vectors, unsigned dimensions,
    store_progress_fn *progress, void *arg)
{
	struct document_store *s = arena_alloc(f->arena, sizeof(*s));

	assert(dimensions > 0 && dimensions <= INT16_MAX);
	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "storing the document");
	s->lease = lease;
	s->schema_version = schema_version;
	s->document = d;
	s->chunks = chunks;
	s->vectors = vectors;
	s->dimensions = dimensions;
	s->progress = progress;
	s->progress_arg = arg;
	return flow_call(f, &s->flow, &document_store_kind);
}
