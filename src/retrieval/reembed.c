/* SPDX-License-Identifier: MIT */
/*
 * reembed: what there is to be embedded anew, and the table in which new vectors wait (see the
 * header). They are put there by reembed_put.c, and in their place by reembed_switch.c.
 *
 *	[ask] --> [asked] --> [copied] --> [sweep] --> [make] --> [count] --> [counted] --> done
 *
 * The waiting table's name is one of ours, of hexadecimal digits: it needs no quotes.
 */
#include "tenantgate/retrieval/reembed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/embeddings_copy.h"
#include "retrieval/search_note.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/wire/pg_sql.h"

#define SQL_MAX	 1024
#define COUNT_US (300 * 1000000ull) /* of many chunks, whose rows are a page each */

struct reembed_beginning {
	struct flow flow;
	struct reembed *reembed; /* borrowed */
	char sql[SQL_MAX];
	struct pg_result result; /* owned */
};

static flow_step_fn reembed_ask, reembed_asked, reembed_copied, reembed_sweep, reembed_make,
    reembed_count, reembed_counted;
static flow_release_fn reembed_beginning_release;

static const struct flow_step reembed_begin_steps[] = {
	{ "reembed_ask", reembed_ask },
	{ "reembed_asked", reembed_asked },
	{ "reembed_copied", reembed_copied },
	{ "reembed_sweep", reembed_sweep },
	{ "reembed_make", reembed_make },
	{ "reembed_count", reembed_count },
	{ "reembed_counted", reembed_counted },
	{ NULL, NULL },
};

static const struct flow_kind reembed_begin_kind = { .name = "reembed_begin",
	.steps = reembed_begin_steps,
	.release = reembed_beginning_release };

void
reembed_init(struct reembed *r, struct pool_lease *lease, const struct vector_model *model)
{
	char text[VECTOR_MODEL_SIZE + 16];
	uint8_t digest[SHA256_SIZE];

	memset(r, 0, sizeof(*r));
	r->lease = lease;
	r->model = *model;
	snprintf(text, sizeof(text), "%s %u", model->name, model->dimensions);
	sha256(slice_str(text), digest);
	snprintf(r->table, sizeof(r->table), "chunk_next_%02x%02x%02x%02x", digest[0], digest[1],
	    digest[2], digest[3]);
}

static struct reembed_beginning *
reembed_beginning_of(struct flow *f)
{
	return FLOW_OF(f, struct reembed_beginning, &reembed_begin_kind);
}

static enum flow_rc
reembed_ask(struct flow *f)
{
	struct reembed_beginning *b = reembed_beginning_of(f);

	return search_note_ask(f, b->reembed->lease, &b->result);
}

static enum flow_rc
reembed_run(struct flow *f, const char *sql, uint64_t timeout_us)
{
	struct reembed_beginning *b = reembed_beginning_of(f);
	const struct pg_query q = { .sql = sql, .timeout_us = timeout_us };

	pg_clear(&b->result);
	return pg_run(f, b->reembed->lease->conn, &q, &b->result);
}

static enum flow_rc
reembed_asked(struct flow *f)
{
	struct reembed_beginning *b = reembed_beginning_of(f);
	struct reembed *r = b->reembed;
	struct search_note note = { 0 };
	enum flow_rc rc = pg_check(f, &b->result, ERR_NONE, "look up whose the vectors are");

	if (rc != FLOW_NEXT)
		return rc;
	if (!search_note_learn(&note, &b->result))
		return flow_fail(f, ERR_OUTDATED,
		    "The tenant's database does not say whose its vectors are. Ask something of it "
		    "first, which brings it up to date.");
	snprintf(r->schema, sizeof(r->schema), "%s",
	    note.schema[0] != '\0' ? note.schema : "public");
	snprintf(r->stored, sizeof(r->stored), "%s", note.model);
	r->stored_dimensions = note.dimensions;
	r->is_done =
	    note.model[0] != '\0' && vectors_are_of(note.model, note.dimensions, &r->model);
	return reembed_run(f,
	    "SELECT FROM public.retrieval r JOIN pg_catalog.pg_attribute a ON a.attrelid" PG_EQUALS
	    "'public.chunk'::pg_catalog.regclass::pg_catalog.oid AND a.attname" PG_EQUALS
	    "'embedding' WHERE r.one AND " EMBEDDINGS_ARE_LEFT,
	    0);
}

/* What an app's own table has left to be copied is of the model of before, and would be nobody's
 * afterwards. */
static enum flow_rc
reembed_copied(struct flow *f)
{
	struct reembed_beginning *b = reembed_beginning_of(f);
	enum flow_rc rc = pg_check(f, &b->result, ERR_NONE, "look for an app's own vectors");

	if (rc != FLOW_NEXT || b->reembed->is_done || pg_rows(&b->result) == 0)
		return rc;
	return flow_fail(f, ERR_CONFLICT,
	    "The tenant's table public.embeddings is not copied yet. Search for something in its "
	    "documents, which begins that; the log says embeddings.copied at the end.");
}

/* What another attempt has left of other models, or of this one that is in place. */
static enum flow_rc
reembed_sweep(struct flow *f)
{
	struct reembed_beginning *b = reembed_beginning_of(f);
	const struct reembed *r = b->reembed;

	snprintf(b->sql, sizeof(b->sql),
	    "DO $$ DECLARE t pg_catalog.name; BEGIN FOR t IN SELECT relname"
	    " FROM pg_catalog.pg_class WHERE relnamespace" PG_EQUALS
	    "'public'::pg_catalog.regnamespace AND relkind" PG_EQUALS "'r'"
	    " AND relname OPERATOR(pg_catalog.~) '^chunk_next_[0-9a-f]{8}$'"
	    " AND relname" PG_DIFFERS "'%s' LOOP EXECUTE"
	    " pg_catalog.format('DROP TABLE IF EXISTS public.%%I', t); END LOOP; END $$",
	    r->is_done ? "" : r->table);
	return reembed_run(f, b->sql, 0);
}

/* As public.chunk stores its vectors (retrieval_schema.c), so that it is as fast to be read. */
static enum flow_rc
reembed_make(struct flow *f)
{
	struct reembed_beginning *b = reembed_beginning_of(f);
	const struct reembed *r = b->reembed;
	enum flow_rc rc = pg_check(f, &b->result, ERR_NONE, "look for what waits of other models");

	if (rc != FLOW_NEXT)
		return rc;
	if (r->is_done)
		return FLOW_DONE;
	snprintf(b->sql, sizeof(b->sql),
	    "CREATE TABLE IF NOT EXISTS public.%s (id bigint PRIMARY KEY,"
	    " hash pg_catalog.bytea NOT NULL, embedding %s.vector(%u) NOT NULL)"
	    " WITH (toast_tuple_target = 8160)",
	    r->table, r->schema, r->model.dimensions);
	return reembed_run(f, b->sql, 0);
}

static enum flow_rc
reembed_count(struct flow *f)
{
	struct reembed_beginning *b = reembed_beginning_of(f);
	enum flow_rc rc = pg_check(f, &b->result, ERR_NONE, "make a place for new vectors");

	if (rc != FLOW_NEXT)
		return rc;
	snprintf(b->sql, sizeof(b->sql),
	    "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE n.id IS NULL),"
	    " (SELECT atttypmod FROM pg_catalog.pg_attribute WHERE attrelid" PG_EQUALS
	    "'public.chunk'::pg_catalog.regclass AND attname" PG_EQUALS "'embedding')"
	    " FROM public.chunk c LEFT JOIN public.%s n ON n.id" PG_EQUALS "c.id",
	    b->reembed->table);
	return reembed_run(f, b->sql, COUNT_US);
}

static enum flow_rc
reembed_counted(struct flow *f)
{
	struct reembed_beginning *b = reembed_beginning_of(f);
	enum flow_rc rc = pg_check(f, &b->result, ERR_NONE, "count the chunks");

	if (rc == FLOW_NEXT) {
		b->reembed->chunks = strtoull(pg_text(&b->result, 0, 0), NULL, 10);
		b->reembed->left = strtoull(pg_text(&b->result, 0, 1), NULL, 10);
		b->reembed->column = (int)strtol(pg_text(&b->result, 0, 2), NULL, 10);
	}
	return rc;
}

static void
reembed_beginning_release(struct flow *f)
{
	pg_clear(&reembed_beginning_of(f)->result);
}

enum flow_rc
reembed_begin(struct flow *f, struct reembed *r)
{
	struct reembed_beginning *b = arena_alloc(f->arena, sizeof(*b));

	if (b == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the command");
	b->reembed = r;
	return flow_call(f, &b->flow, &reembed_begin_kind);
}

/* ---- batches ---- */

enum flow_rc
reembed_next(struct flow *f, struct reembed *r, int64_t after, struct pg_result *out)
{
	char sql[SQL_MAX], id[24];
	const struct pg_query q = { .sql = sql, .params = { PG_TEXT(id) }, .param_count = 1 };

	snprintf(id, sizeof(id), "%" PRId64, after);
	snprintf(sql, sizeof(sql),
	    "SELECT id, content FROM (SELECT id, content, bytes, pg_catalog.sum(bytes)"
	    "  OVER (ORDER BY id) AS bytes_so_far FROM (SELECT c.id, c.content,"
	    "   pg_catalog.octet_length(c.content) AS bytes FROM public.chunk c"
	    "   WHERE c.id" PG_ABOVE "$1::bigint AND NOT EXISTS (SELECT FROM public.%s n"
	    "    WHERE n.id" PG_EQUALS "c.id) ORDER BY c.id LIMIT 1000) a) b"
	    " WHERE (bytes_so_far" PG_MINUS "bytes)" PG_BELOW "4194304 ORDER BY id",
	    r->table);
	pg_clear(out);
	return pg_run(f, r->lease->conn, &q, out);
}
