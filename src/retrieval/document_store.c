/* SPDX-License-Identifier: MIT */
/*
 * document_store: a document and its chunks into the tenant's database, whole or not at all.
 *
 *	[begin] --> [put] --> [clear] --> [vectors] --> [chunks] --> [counted] --> [words]
 *	              |          |            |             |             |           |
 *	              +----------+------------+-------------+-------------+-----------+
 *	                         | any fails, or rows are gone                        v
 *	                     [rollback] --> failed                    [worded] --> [commit] --> done
 *
 * Moved by the steps below, one statement each. What always holds:
 *  - The document's row is written first: of two requests that store the same id at the same time,
 *    the second waits there until the first has ended, so their chunks never mix.
 *  - Chunks come by binary COPY from here, or out of the staging table in their order; there are as
 *    many as the document's row says, or the transaction is rolled back.
 *  - The vectors are of the model that made the tenant's others (vector_model.h): its row is held
 *    until the commit, so that no `reembed` ends in between. The first ones make it theirs.
 *  - A connection that is lost takes its transaction with it, and no rollback is sent.
 *  - The first reason of a failure is the one told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/chunk_copy.h"
#include "retrieval/document_put.h"
#include "retrieval/text_store.h"

#define MOVE_TIMEOUT_US (300 * 1000000ull) /* of all staged rows; the flow's deadline holds too */
#define NUMBER_SIZE	24		   /* a uint64_t in decimal */
#define INDEXED_AT_ONCE 20 /* chunks: what the vectors' index takes in a tenth of a second */

struct document_store {
	struct flow flow;
	struct pool_lease *lease;   /* borrowed */
	struct document *document;  /* borrowed; what store_document() says is filled */
	struct store_chunks chunks; /* its members borrowed */
	struct chunk_copy copy;
	bool is_tail;		      /* they do not go into the vectors' index at once */
	struct err why;		      /* other than a statement's */
	struct pg_result result;      /* owned: of the last statement but ROLLBACK */
	struct pg_result rollback;    /* owned: not looked at */
	char numbers[3][NUMBER_SIZE]; /* parameters as text */
};

static flow_step_fn store_begin, store_put, store_clear, store_vectors, store_chunks_in,
    store_counted, store_words, store_worded, store_commit, store_done, store_rollback,
    store_failed;

static const struct flow_step document_store_steps[] = {
	{ "store_begin", store_begin },
	{ "store_put", store_put },
	{ "store_clear", store_clear },
	{ "store_vectors", store_vectors },
	{ "store_chunks", store_chunks_in },
	{ "store_counted", store_counted },
	{ "store_words", store_words },
	{ "store_worded", store_worded },
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

/* The statement that may be sent to a second connection: nothing was sent before it. Staged rows
 * come by their index, which has their order: a sort would write all of them once more. */
static enum flow_rc
store_begin(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	struct pg_query q = { .sql = "BEGIN" };

	flow_defer(f, document_store_clear, s);
	if (s->chunks.rows == NULL)
		q = (struct pg_query){ .sql = "BEGIN; SET LOCAL enable_sort = off",
			.simple = true };
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
	if (document_has_owner(s->chunks.schema_version)) {
		q.sql = put_with_owner;
		q.params[q.param_count++] = PG_TEXT(d->owner);
		q.params[q.param_count++] = PG_TEXT(d->expires_at);
		q.params[q.param_count++] = PG_TEXT(s->chunks.in_place_of);
	}
	return store_run(f, &q, &s->result);
}

static bool
store_has_tail(const struct document_store *s)
{
	return s->chunks.schema_version >= RETRIEVAL_SCHEMA_TAIL;
}

/* What there is no memory for is only missing from the response. */
static void
store_read_put(struct document_store *s)
{
	struct document *d = s->document;

	d->created_at = arena_strdup(s->flow.arena, pg_text(&s->result, 0, 0));
	if (d->created_at == NULL)
		d->created_at = "";
	if (!document_has_owner(s->chunks.schema_version))
		return;
	d->owner = arena_strdup(s->flow.arena, pg_text(&s->result, 0, 1));
	if (pg_value(&s->result, 0, 2).p != NULL)
		d->stored_expires_at = arena_strdup(s->flow.arena, pg_text(&s->result, 0, 2));
}

/* It has come under that id since somebody looked. */
static enum flow_rc
store_is_anothers(struct flow *f)
{
	const struct document_terms terms = { .admission = DOCUMENT_ANOTHERS };

	document_terms_refuse(&terms, &document_store_of(f)->why);
	return flow_goto(f, store_rollback);
}

/* The old chunks go. */
static enum flow_rc
store_clear(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	struct pg_query q = {
		.sql = "DELETE FROM public.chunk WHERE document_id" PG_EQUALS "$1",
		.params = { PG_TEXT(s->document->id) },
		.param_count = 1,
	};

	if (!store_succeeded(s))
		return store_failure(f);
	if (pg_rows(&s->result) == 0)
		return store_is_anothers(f);
	store_read_put(s);
	if (store_has_tail(s))
		q.sql = "WITH gone AS (DELETE FROM public.chunk WHERE document_id" PG_EQUALS
			"$1) SELECT indexed_to, embedding_model, embedding_dimensions"
			" FROM public.retrieval WHERE one FOR KEY SHARE";
	return store_run(f, &q, &s->result);
}

/* A few chunks go into the index at once, where there is one; others wait for the next one in the
 * tail. */
static bool
chunks_are_tail(const struct document_store *s)
{
	return s->document->chunks > INDEXED_AT_ONCE || pg_rows(&s->result) == 0 ||
	    strtoull(pg_text(&s->result, 0, 0), NULL, 10) == 0;
}

/* The model is noted with the first vectors. */
static enum flow_rc
store_note_model(struct document_store *s)
{
	const struct vector_model *model = &s->chunks.model;
	const struct pg_query q = {
		.sql = NOTE_MODEL,
		.params = { PG_TEXT(model->name), PG_TEXT(s->numbers[0]),
		    PG_TEXT(chunks_normalized(&s->chunks)) },
		.param_count = 3,
	};

	snprintf(s->numbers[0], NUMBER_SIZE, "%u", model->dimensions);
	return store_run(&s->flow, &q, &s->result);
}

/* Whose the vectors are that are there. Below RETRIEVAL_SCHEMA_TAIL nobody knows. */
static enum flow_rc
store_vectors(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	const char *stored;
	unsigned dimensions;

	if (!store_succeeded(s))
		return store_failure(f);
	s->is_tail = !store_has_tail(s) || chunks_are_tail(s);
	if (!store_has_tail(s) || pg_rows(&s->result) == 0 || s->chunks.model.name == NULL)
		return FLOW_NEXT;
	stored = pg_text(&s->result, 0, 1);
	dimensions = (unsigned)strtoul(pg_text(&s->result, 0, 2), NULL, 10);
	if (stored[0] == '\0')
		return store_note_model(s);
	if (vectors_are_of(stored, dimensions, &s->chunks.model))
		return FLOW_NEXT;
	vectors_refuse(stored, dimensions, &s->chunks.model, &s->why);
	return flow_goto(f, store_rollback);
}

static enum flow_rc
store_move(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	const struct pg_query q = {
		.sql = MOVE_CHUNKS,
		.params = { PG_TEXT(s->document->id), PG_TEXT(s->chunks.attempt) },
		.param_count = 2,
		.timeout_us = MOVE_TIMEOUT_US,
	};

	return store_run(f, &q, &s->result);
}

static enum flow_rc
store_chunks_in(struct flow *f)
{
	struct document_store *s = document_store_of(f);

	if (!store_succeeded(s))
		return store_failure(f);
	if (s->chunks.rows == NULL)
		return store_move(f);
	s->copy.columns = store_has_tail(s) ? CHUNK_NEW : CHUNK_OLD;
	s->copy.tail = s->is_tail;
	pg_clear(&s->result);
	return chunk_copy_run(f, s->lease->conn, &s->copy, &s->result);
}

/* A server that crashed has emptied the staging table, and the attempt goes on behind it; or it was
 * taken for dead, and swept. */
static enum flow_rc
store_lost(struct flow *f)
{
	struct document_store *s = document_store_of(f);

	err_set(&s->why, ERR_DATABASE_AWAY,
	    "The database was restarted while the document was on its way. Send it again.");
	err_cause(&s->why, "Rows of public.chunk_staged or public.text_staged are gone.");
	s->why.retry_after = 1;
	return flow_goto(f, store_rollback);
}

/* What was staged stays until the commit; then chunks_discard() has it gone. */
static enum flow_rc
store_counted(struct flow *f)
{
	struct document_store *s = document_store_of(f);

	if (!store_succeeded(s))
		return store_failure(f);
	if (s->chunks.rows != NULL || pg_changed(&s->result) == s->document->chunks)
		return FLOW_NEXT;
	return store_lost(f);
}

/* Words of a large document take several times as long as all the rest: they are there by now, or,
 * in a database of before, text_fill.c keeps them behind the commit, which index_work.c begins at
 * once. */
static enum flow_rc
store_words(struct flow *f)
{
	struct document_store *s = document_store_of(f);
	const struct document *d = s->document;
	struct pg_conn *c = s->lease->conn;

	if (!store_succeeded(s))
		return store_failure(f);
	if (s->chunks.has_words)
		return text_take(f, c, d->id, s->chunks.attempt, s->chunks.language, &s->result);
	if (!store_has_tail(s) || d->chunks > CHUNK_WORDS_AT_ONCE)
		return flow_goto(f, store_commit);
	return text_store(f, c, d->id, s->chunks.language, &s->result);
}

static enum flow_rc
store_worded(struct flow *f)
{
	struct document_store *s = document_store_of(f);

	if (!store_succeeded(s))
		return store_failure(f);
	if (s->chunks.has_words &&
	    strtoul(pg_text(&s->result, 0, 0), NULL, 10) != s->document->chunks)
		return store_lost(f);
	return FLOW_NEXT;
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
	struct document_store *s = document_store_of(f);

	if (err_is(&s->why))
		return flow_fail_err(f, &s->why);
	return pg_check(f, &s->result, ERR_NONE, "store the document");
}

enum flow_rc
store_document(struct flow *f, struct pool_lease *lease, struct document *d,
    const struct store_chunks *chunks, store_progress_fn *progress, void *arg)
{
	struct document_store *s = arena_alloc(f->arena, sizeof(*s));

	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "storing the document");
	s->lease = lease;
	s->document = d;
	s->chunks = *chunks;
	s->copy = (struct chunk_copy){ .owner = d->id,
		.rows = chunks->rows,
		.progress = progress,
		.progress_arg = arg };
	return flow_call(f, &s->flow, &document_store_kind);
}
