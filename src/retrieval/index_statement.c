/* SPDX-License-Identifier: MIT */
/*
 * index_statement: see the header.
 */
#include "retrieval/index_statement.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/embeddings_copy.h"
#include "retrieval/sketch.h"

/* A build is given so much more than its rows need now: others are stored meanwhile. */
#define MEMORY_SPARE 8 /* a part of it */
#define MEMORY_MIN   ((uint64_t)16 << 20)
#define COPY_US	     (120 * 1000000ull) /* of a batch, into an index too */
#define DROP_US	     (120 * 1000000ull) /* it waits for the transactions under way */

/* ---- the lease ---- */

struct pg_query
index_claim_query(const struct index_order *o)
{
	return (struct pg_query){
		.sql = "UPDATE public.retrieval SET merger = $1, merger_until = " INDEX_LEASE
		       " WHERE one AND (merger IS NULL OR merger_until IS NULL OR merger" PG_EQUALS
		       "$1 OR merger_until" PG_AT_MOST PG_NOW ")",
		.params = { PG_TEXT(o->merger) },
		.param_count = 1,
	};
}

struct pg_query
index_release_query(const struct index_order *o)
{
	return (struct pg_query){
		.sql = "UPDATE public.retrieval SET merger = NULL, merger_until = NULL"
		       " WHERE one AND merger" PG_EQUALS "$1",
		.params = { PG_TEXT(o->merger) },
		.param_count = 1,
	};
}

/* ---- builds and drops ---- */

static uint64_t
action_timeout_us(const struct index_order *o)
{
	return o->decision->action == INDEX_BUILD ? index_build_timeout_us(o->state->rows)
						  : DROP_US;
}

static uint64_t
build_memory(const struct index_order *o)
{
	uint64_t need = o->kind->memory(&o->state->column, o->state->rows);

	need += need / MEMORY_SPARE;
	if (need < MEMORY_MIN)
		need = MEMORY_MIN;
	return need < o->memory_max ? need : o->memory_max;
}

/*
 * Both wait for transactions that were there before them, however long those take. A server whose
 * client is gone looks for it, and ends; else a build would go on for nobody (the setting is of
 * PostgreSQL 14, so only what the server knows is set). More memory than is wanted here is the
 * operator's own word.
 */
static const char settings[] =
    "SELECT pg_catalog.set_config(s.name, CASE WHEN s.name" PG_EQUALS "'maintenance_work_mem'"
    " THEN greatest(s.setting::bigint, v.value::bigint)::pg_catalog.text ELSE v.value END, false)"
    " FROM (VALUES ('lock_timeout'::pg_catalog.text, '0'::pg_catalog.text),"
    " ('client_connection_check_interval', '2000'), ('statement_timeout', $1),"
    " ('maintenance_work_mem', $2), ('max_parallel_maintenance_workers', $3)) AS v(name, value)"
    " JOIN pg_catalog.pg_settings s ON s.name" PG_EQUALS "v.name WHERE v.value IS NOT NULL";

/* What a pooler gives to others afterwards is left alone, and a build is no part of a transaction:
 * there the table says whether it may have helpers. */
static struct pg_query
table_settings_query(const struct index_order *o)
{
	if (o->decision->action != INDEX_BUILD)
		return (struct pg_query){ .sql = NULL };
	return (struct pg_query){ .sql = o->kind->in_parallel(&o->state->column)
		    ? "ALTER TABLE public.chunk RESET (parallel_workers)"
		    : "ALTER TABLE public.chunk SET (parallel_workers = 0)" };
}

struct pg_query
index_settings_query(struct index_order *o, bool has_session)
{
	if (o->decision->action != INDEX_BUILD && o->decision->action != INDEX_DROP)
		return (struct pg_query){ .sql = NULL };
	if (!has_session)
		return table_settings_query(o);
	snprintf(o->numbers[0], sizeof(o->numbers[0]), "%" PRIu64, action_timeout_us(o) / 1000);
	snprintf(o->numbers[1], sizeof(o->numbers[1]), "%" PRIu64, build_memory(o) >> 10);
	return (struct pg_query){
		.sql = settings,
		.params = { PG_TEXT(o->numbers[0]), PG_TEXT(o->numbers[1]),
		    PG_TEXT(o->kind->in_parallel(&o->state->column) ? NULL : "0") },
		.param_count = 3,
	};
}

/* The statement that is in the order's buffer; the server ends it itself a moment earlier. */
static struct pg_query
written(const struct index_order *o)
{
	return (struct pg_query){
		.sql = o->sql->failed ? NULL : o->sql->data,
		.timeout_us = action_timeout_us(o) + 5 * 1000000ull,
	};
}

static struct pg_query
build_query(const struct index_order *o)
{
	(void)o->kind->create(&o->state->column, o->decision->bound, o->sql);
	return written(o);
}

/* The name is one that we have made (index_rule.c): it needs no quotes. */
static struct pg_query
drop_query(const struct index_order *o)
{
	buf_printf(o->sql, "DROP INDEX CONCURRENTLY IF EXISTS public.%s", o->decision->name);
	return written(o);
}

/* ---- what searches go by ---- */

/* Only upwards, and only what is whole. Counted at the same moment, so that what dies later is
 * known by the index's growth. */
static const char publish[] =
    "UPDATE public.retrieval SET indexed_to = $1, index_name = $2,"
    " index_rows = (SELECT coalesce(pg_catalog.sum(chunks), 0)::bigint FROM "
    "public.document)" PG_MINUS
    "(SELECT pg_catalog.count(*) FROM public.chunk WHERE tail AND id" PG_ABOVE "$1),"
    " index_bytes = pg_catalog.pg_relation_size(pg_catalog.to_regclass($3))"
    " WHERE one AND indexed_to" PG_BELOW "$1 AND EXISTS (SELECT FROM pg_catalog.pg_index"
    " WHERE indexrelid" PG_EQUALS "pg_catalog.to_regclass($3)::pg_catalog.oid AND indisvalid)";

static struct pg_query
publish_query(struct index_order *o)
{
	snprintf(o->numbers[0], sizeof(o->numbers[0]), "%" PRId64, o->decision->bound);
	snprintf(o->qualified, sizeof(o->qualified), "public.%s", o->decision->name);
	return (struct pg_query){
		.sql = publish,
		.params = { PG_TEXT(o->numbers[0]), PG_TEXT(o->decision->name),
		    PG_TEXT(o->qualified) },
		.param_count = 3,
	};
}

static struct pg_query
forget_query(struct index_order *o)
{
	snprintf(o->numbers[0], sizeof(o->numbers[0]), "%" PRId64, o->state->indexed_to);
	return (struct pg_query){
		.sql =
		    "UPDATE public.retrieval SET indexed_to = 0, index_name = '', index_rows = 0,"
		    " index_bytes = 0 WHERE one AND indexed_to" PG_EQUALS
		    "$1 AND index_name" PG_EQUALS "$2",
		.params = { PG_TEXT(o->numbers[0]), PG_TEXT(o->state->index_name) },
		.param_count = 2,
	};
}

/* ---- row by row ---- */

/* The lease is renewed with it; without it nothing is merged. A row that is being changed or
 * deleted by others is left for the next time: nobody waits for anybody. */
static const char merge[] =
    "WITH kept AS (UPDATE public.retrieval SET merger_until = " INDEX_LEASE
    " WHERE one AND merger" PG_EQUALS "$1 RETURNING 1),"
    " batch AS (SELECT id FROM public.chunk WHERE tail AND id" PG_ABOVE "$2"
    "  ORDER BY id LIMIT 50 FOR NO KEY UPDATE SKIP LOCKED)"
    " UPDATE public.chunk SET tail = false WHERE id" PG_EQUALS "ANY (ARRAY(SELECT id FROM batch))"
    " AND (SELECT pg_catalog.count(*) FROM kept)" PG_EQUALS "1";

static struct pg_query
merge_query(struct index_order *o)
{
	_Static_assert(INDEX_MERGE_ROWS == 50, "the statement's number");
	snprintf(o->numbers[0], sizeof(o->numbers[0]), "%" PRId64, o->state->indexed_to);
	return (struct pg_query){
		.sql = merge,
		.params = { PG_TEXT(o->merger), PG_TEXT(o->numbers[0]) },
		.param_count = 2,
	};
}

static struct pg_query
sketch_query(const struct index_order *o)
{
	sketch_statement_write(o->sql, &o->state->column, o->state->indexed_to);
	return (struct pg_query){
		.sql = o->sql->failed ? NULL : o->sql->data,
		.simple = true,
	};
}

bool
sketch_try_note(struct sketch_try *t, const struct index_order *o, const struct pg_result *r)
{
	bool is_late = r->status == PG_SQL_ERROR &&
	    (strcmp(r->failure.sqlstate, SKETCH_LOCKED) == 0 ||
		strcmp(r->failure.sqlstate, SKETCH_LATE) == 0);
	bool is_done = r->status == PG_OK && pg_changed(r) == 0;

	t->others_first = o->decision->action == INDEX_SKETCH && (is_late || is_done);
	if (t->others_first && is_done) {
		t->tried_behind = o->state->indexed_to;
		t->tried_from = o->state->sketched_to;
	}
	return t->others_first;
}

/* Where a step has made none and is no further, the next vectors do not fit. */
void
sketch_try_apply(const struct sketch_try *t, struct index_state *s)
{
	bool fits_none = t->tried_behind != 0 && t->tried_behind == s->indexed_to &&
	    t->tried_from == s->sketched_to;

	if (t->others_first || fits_none)
		s->has_sketches = false;
}

static struct pg_query
copy_query(const struct index_order *o)
{
	return (struct pg_query){
		.sql = embeddings_copy_sql,
		.params = { PG_TEXT(o->merger) },
		.param_count = 1,
		.timeout_us = COPY_US,
	};
}

struct pg_query
index_action_query(struct index_order *o)
{
	buf_reset(o->sql);
	switch (o->decision->action) {
	case INDEX_BUILD:
		return build_query(o);
	case INDEX_DROP:
		return drop_query(o);
	case INDEX_PUBLISH:
		return publish_query(o);
	case INDEX_FORGET:
		return forget_query(o);
	case INDEX_SKETCH:
		return sketch_query(o);
	case INDEX_MERGE:
		return merge_query(o);
	case INDEX_COPY:
		return copy_query(o);
	case INDEX_REST:
		break;
	}
	assert(!"an action without a statement");
	abort();
}
