/* SPDX-License-Identifier: MIT */
/*
 * reembed_switch: new vectors in the place of the old ones, in one transaction.
 *
 *	[claim] --> [claimed] --> [forget] --> [find] --> [drop] --+      the index goes
 *	   ^            |                        ^                 |
 *	   +--(sleep)---+ another has it         +-----------------+
 *	                                         | none left
 *	   +-------------------------------------+
 *	   v
 *	[run] --> [ran] --> ... --> [run] --> [ran] --> done           one statement after another
 *	   ^         |  a lock is kept by others, or a chunk is left
 *	   |         v
 *	   +--(sleep)--[undone] <-- [undo]
 *
 * What always holds:
 *  - The index's lease keeps the merger from making the next one of the old vectors; searches are
 *    told that there is none before it is dropped.
 *  - In the transaction the row of public.retrieval is locked first, which every transaction that
 *    stores vectors holds (document_store.c): none that has seen the old model commits after it.
 *    Then the table is locked against writers, and no chunk is without a new vector.
 *  - With as many numbers as before, rows are changed, which readers do not wait for. With others
 *    it is another column, whose lock they do wait for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/search_note.h"
#include "retrieval/staging_schema.h"
#include "retrieval/vector_storage.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/reembed.h"
#include "tenantgate/wire/pg_sql.h"

#define SQL_MAX		   2048
#define STATEMENT_US	   (3600 * 1000000ull) /* all rows of a large tenant are written */
#define WAIT_US		   1000000ull
#define WAITS_MAX	   300
#define LOCK_NOT_TO_BE_HAD "55P03"
#define DEADLOCKED	   "40P01"

/* "~" is the waiting table, "@" pgvector's schema, "#" the numbers of a vector. */
static const char count_left[] = "SELECT pg_catalog.count(*) FROM public.chunk c WHERE NOT EXISTS"
				 " (SELECT FROM public.~ n WHERE n.id" PG_EQUALS "c.id)";
static const char note_model[] =
    "UPDATE public.retrieval SET embedding_model = $1, embedding_dimensions = $2::int,"
    " embedding_normalized = $3::boolean, merger = NULL, merger_until = NULL,"
    " indexed_to = 0, index_name = '', index_rows = 0, index_bytes = 0 WHERE one";
/* None counts any more (sketch_schema.h); what is left of them would stay as long as no index. */
static const char drop_sketches[] =
    "DO $$ BEGIN IF pg_catalog.to_regclass('public.chunk_sketch') IS NOT NULL THEN"
    " DELETE FROM public.chunk_sketch; END IF; END $$";

/* How it begins, and how it ends, whatever the column. */
#define FIRST \
	"BEGIN", "SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = '5s'", \
	    "SELECT FROM public.retrieval WHERE one FOR UPDATE", \
	    "LOCK TABLE public.chunk IN SHARE ROW EXCLUSIVE MODE", count_left
#define SET_VECTORS \
	"UPDATE public.chunk AS c SET embedding = n.embedding, hash = n.hash, tail = true" \
	" FROM public.~ n WHERE n.id" PG_EQUALS "c.id"
#define LAST drop_sketches, note_model, "DROP TABLE public.~", "COMMIT"

static const char *const same_column[] = { FIRST, SET_VECTORS, LAST, NULL };

/* The staged rows of others are of the old model, and would be refused. */
static const char *const other_column[] = { FIRST, "DROP TABLE IF EXISTS public.chunk_staged",
	"ALTER TABLE public.chunk DROP COLUMN embedding",
	"ALTER TABLE public.chunk ADD COLUMN embedding @.vector(#)",
	"DO $$ BEGIN " STORE_EMBEDDING("#") "END $$", SET_VECTORS,
	"ALTER TABLE public.chunk ALTER COLUMN embedding SET NOT NULL", MAKE_STAGED, LAST, NULL };

struct reembed_switch {
	struct flow flow;
	struct reembed *reembed;   /* borrowed */
	bool *is_switched;	   /* borrowed */
	const char *is_normalized; /* static; NULL: not known */
	unsigned at;		   /* the statement under way */
	unsigned waits;		   /* for others */
	bool again;		   /* when the transaction is undone */
	const char *const *statements;
	char number[12];
	char sql[SQL_MAX];
	struct timer timer;
	struct err why;
	struct pg_result result; /* owned */
	struct pg_result undone; /* owned: not looked at */
};

static flow_step_fn switch_claim, switch_claimed, switch_forget, switch_find, switch_drop,
    switch_run, switch_ran, switch_undo, switch_undone;
static flow_release_fn switch_release;

static const struct flow_step switch_steps[] = {
	{ "switch_claim", switch_claim },
	{ "switch_claimed", switch_claimed },
	{ "switch_forget", switch_forget },
	{ "switch_find", switch_find },
	{ "switch_drop", switch_drop },
	{ "switch_run", switch_run },
	{ "switch_ran", switch_ran },
	{ "switch_undo", switch_undo },
	{ "switch_undone", switch_undone },
	{ NULL, NULL },
};

static const struct flow_kind switch_kind = { .name = "reembed_switch",
	.steps = switch_steps,
	.release = switch_release };

static struct reembed_switch *
switch_of(struct flow *f)
{
	return FLOW_OF(f, struct reembed_switch, &switch_kind);
}

static enum flow_rc
switch_query(struct reembed_switch *s, struct pg_query *q, const char *sql)
{
	q->sql = sql;
	q->timeout_us = STATEMENT_US;
	pg_clear(&s->result);
	return pg_run(&s->flow, s->reembed->lease->conn, q, &s->result);
}

/* ---- the index goes ---- */

static enum flow_rc
switch_claim(struct flow *f)
{
	struct pg_query q = { .params = { PG_TEXT(switch_of(f)->reembed->table) },
		.param_count = 1 };

	return switch_query(switch_of(f), &q,
	    "UPDATE public.retrieval SET merger = $1, merger_until = " PG_NOW PG_PLUS
	    "interval '10 minutes' WHERE one AND (merger IS NULL OR merger" PG_EQUALS
	    "$1 OR merger_until IS NULL OR merger_until" PG_AT_MOST PG_NOW ")");
}

static enum flow_rc
switch_waits(struct reembed_switch *s, flow_step_fn *then)
{
	if (s->waits++ == WAITS_MAX)
		return flow_fail(&s->flow, ERR_CONFLICT,
		    "Others have kept the tenant's chunks or their index for five minutes. Run the "
		    "command again when they have ended; it goes on from here.");
	flow_goto(&s->flow, then);
	return flow_sleep(&s->flow, &s->timer, WAIT_US);
}

static enum flow_rc
switch_claimed(struct flow *f)
{
	struct reembed_switch *s = switch_of(f);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "take the index's lease");

	if (rc != FLOW_NEXT)
		return rc;
	return pg_changed(&s->result) == 0 ? switch_waits(s, switch_claim) : FLOW_NEXT;
}

/* Searches do without it from now on: exactly, and by nothing that is about to go. */
static enum flow_rc
switch_forget(struct flow *f)
{
	struct pg_query q = { 0 };

	return switch_query(switch_of(f), &q,
	    "UPDATE public.retrieval SET indexed_to = 0, index_name = '', index_rows = 0,"
	    " index_bytes = 0 WHERE one");
}

static enum flow_rc
switch_find(struct flow *f)
{
	struct reembed_switch *s = switch_of(f);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "give up the index");
	struct pg_query q = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	return switch_query(s, &q,
	    "SELECT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', n.nspname,"
	    " c.relname) FROM pg_catalog.pg_index i"
	    " JOIN pg_catalog.pg_class c ON c.oid" PG_EQUALS "i.indexrelid"
	    " JOIN pg_catalog.pg_namespace n ON n.oid" PG_EQUALS "c.relnamespace"
	    " JOIN pg_catalog.pg_am a ON a.oid" PG_EQUALS "c.relam"
	    " WHERE i.indrelid" PG_EQUALS "'public.chunk'::pg_catalog.regclass"
	    " AND a.amname" PG_EQUALS "ANY ('{hnsw,ivfflat}'::pg_catalog.name[]) LIMIT 1");
}

/* One after another; then the transaction begins. */
static enum flow_rc
switch_drop(struct flow *f)
{
	struct reembed_switch *s = switch_of(f);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "look for an index");
	struct pg_query q = { 0 };

	if (rc != FLOW_NEXT || pg_rows(&s->result) == 0)
		return rc;
	snprintf(s->sql, sizeof(s->sql), "%s", pg_text(&s->result, 0, 0));
	flow_goto(f, switch_find);
	return switch_query(s, &q, s->sql);
}

/* ---- the transaction ---- */

static void
switch_write(struct reembed_switch *s, const char *template)
{
	const struct reembed *r = s->reembed;
	size_t n = 0;

	for (; *template != '\0' && n < sizeof(s->sql); template ++) {
		size_t left = sizeof(s->sql) - n;

		if (*template == '~')
			n += (size_t)snprintf(s->sql + n, left, "%s", r->table);
		else if (*template == '@')
			n += (size_t)snprintf(s->sql + n, left, "%s", r->schema);
		else if (*template == '#')
			n += (size_t)snprintf(s->sql + n, left, "%u", r->model.dimensions);
		else
			s->sql[n++] = *template;
	}
	s->sql[n < sizeof(s->sql) ? n : sizeof(s->sql) - 1] = '\0';
}

static enum flow_rc
switch_run(struct flow *f)
{
	struct reembed_switch *s = switch_of(f);
	const struct reembed *r = s->reembed;
	const char *template = s->statements[s->at];
	struct pg_query q = { 0 };

	if (template == note_model) {
		snprintf(s->number, sizeof(s->number), "%u", r->model.dimensions);
		q.params[0] = PG_TEXT(r->model.name);
		q.params[1] = PG_TEXT(s->number);
		q.params[2] = PG_TEXT(s->is_normalized);
		q.param_count = 3;
	}
	switch_write(s, template);
	return switch_query(s, &q, s->sql);
}

static bool
others_have_it(const struct pg_result *r)
{
	return r->status == PG_SQL_ERROR &&
	    (strcmp(r->failure.sqlstate, LOCK_NOT_TO_BE_HAD) == 0 ||
		strcmp(r->failure.sqlstate, DEADLOCKED) == 0);
}

/* A chunk that has come meanwhile ends the transaction, well: it is to be embedded first. */
static enum flow_rc
switch_ran(struct flow *f)
{
	struct reembed_switch *s = switch_of(f);
	const char *statement = s->statements[s->at];

	s->again = others_have_it(&s->result);
	if (s->result.status == PG_SQL_ERROR)
		return flow_goto(f, switch_undo);
	if (s->result.status != PG_OK)
		return pg_check(f, &s->result, ERR_NONE, "put new vectors in their place");
	if (statement == count_left && strcmp(pg_text(&s->result, 0, 0), "0") != 0)
		return flow_goto(f, switch_undo);
	*s->is_switched = s->statements[++s->at] == NULL;
	return *s->is_switched ? FLOW_DONE : flow_goto(f, switch_run);
}

static enum flow_rc
switch_undo(struct flow *f)
{
	struct reembed_switch *s = switch_of(f);
	const struct pg_query q = { .sql = "ROLLBACK" };

	return pg_run(f, s->reembed->lease->conn, &q, &s->undone);
}

static enum flow_rc
switch_undone(struct flow *f)
{
	struct reembed_switch *s = switch_of(f);

	pg_clear(&s->undone);
	if (!s->again)
		return pg_check(f, &s->result, ERR_NONE, "put new vectors in their place");
	s->at = 0;
	return switch_waits(s, switch_run);
}

static void
switch_release(struct flow *f)
{
	struct reembed_switch *s = switch_of(f);

	timer_free(&s->timer);
	pg_clear(&s->result);
	pg_clear(&s->undone);
}

enum flow_rc
reembed_switch(struct flow *f, struct reembed *r, const bool *is_normalized, bool *is_switched)
{
	struct reembed_switch *s = arena_alloc(f->arena, sizeof(*s));

	*is_switched = false;
	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the switch");
	s->reembed = r;
	s->is_switched = is_switched;
	if (is_normalized != NULL)
		s->is_normalized = *is_normalized ? "true" : "false";
	s->statements = r->column == (int)r->model.dimensions ? same_column : other_column;
	return flow_call(f, &s->flow, &switch_kind);
}
