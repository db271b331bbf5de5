/* SPDX-License-Identifier: MIT */
/*
 * vector_search: the chunks nearest to a query, by cosine distance (pgvector's <=>).
 *
 * Exactly or by the index (search_way.h) is a matter of what the connection's note says, and no
 * guess of the planner's; it is asked for once a connection, and each result says whether it still
 * holds. An older note is right too, only slower.
 *
 *	[ask] --> [asked] --> [write] --> [prepared] --> [set] --> [is set] --> [query] --> [read]
 *	  ^ | known               ^ | is prepared          ^ |  as the session's    ^          |
 *	  | +---------------------+ +----------------------+ +----------------------+          |
 *	  |                       ^                                                            |
 *	  |                       +-- too many chunks for an exact search ---------------------+
 *	  |                                                                                    |
 *	  +-- what was known does not hold: [undone] <-- [undo] <------------------------------+
 *	                             done <----+
 *
 * Every name and operator has its schema, for a role's search path may lead anywhere (ALTER ROLE
 * ... SET search_path). pgvector's is wherever somebody has made or moved it to; where it is moved
 * under a connection, the server says that there is no such operator, and it is asked for again.
 *
 * The session has the settings of search_settings(). Behind a pooler it has none, and a search for
 * many chunks wants others: then they are set for a transaction around the statement.
 *
 * Never with a bound on the distance inside the index scan: where nothing is so near, an iterative
 * scan walks the whole graph, for seconds: anybody could keep a database busy with it.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/search_hits.h"
#include "retrieval/search_name.h"
#include "retrieval/search_parameters.h"
#include "retrieval/search_way.h"
#include "retrieval/vector_settings.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/search_filter.h"

#define SQL_MAX	     ((16u << 10) + SEARCH_FILTER_SQL_MAX)
#define SCHEMA_USUAL "public"
#define RESTARTS_MAX 2

struct vector_search {
	struct flow flow;
	struct pool_lease *lease;      /* borrowed */
	struct hits *hits;	       /* borrowed: filled */
	struct search_request request; /* what it points to is borrowed */
	struct search_way way;	       /* its bound is 0 before the first */
	unsigned restarts;
	bool in_transaction;
	bool again;			     /* from the beginning, when the transaction is over */
	char name[PG_PREPARED_NAME_MAX + 1]; /* of the statement; "": it is not prepared */
	char settings[VECTOR_SETTINGS_SIZE];
	struct buf sql; /* owned */
	struct search_parameters parameters;
	struct pg_result result; /* owned */
};

static flow_step_fn vector_search_ask, vector_search_asked, vector_search_write,
    vector_search_prepared, vector_search_set, vector_search_is_set, vector_search_query,
    vector_search_read, vector_search_undo, vector_search_undone;
static flow_release_fn vector_search_release;

static const struct flow_step vector_search_steps[] = {
	{ "vector_search_ask", vector_search_ask },
	{ "vector_search_asked", vector_search_asked },
	{ "vector_search_write", vector_search_write },
	{ "vector_search_prepared", vector_search_prepared },
	{ "vector_search_set", vector_search_set },
	{ "vector_search_is_set", vector_search_is_set },
	{ "vector_search_query", vector_search_query },
	{ "vector_search_read", vector_search_read },
	{ "vector_search_undo", vector_search_undo },
	{ "vector_search_undone", vector_search_undone },
	{ NULL, NULL },
};

static const struct flow_kind vector_search_kind = { .name = "vector_search",
	.steps = vector_search_steps,
	.release = vector_search_release };

static struct vector_search *
vector_search_of(struct flow *f)
{
	return FLOW_OF(f, struct vector_search, &vector_search_kind);
}

static void
vector_search_release(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);

	buf_free(&s->sql);
	search_parameters_free(&s->parameters);
	pg_clear(&s->result);
}

/* ---- what is known ---- */

static bool
has_tail(const struct vector_search *s)
{
	return s->request.schema_version >= RETRIEVAL_SCHEMA_TAIL;
}

static enum flow_rc
vector_search_ask(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);

	if (search_note_of(s->lease->conn)->is_known)
		return flow_goto(f, vector_search_write);
	return has_tail(s) ? search_note_ask(f, s->lease, &s->result)
			   : search_note_ask_schema(f, s->lease, &s->result);
}

/* Without pgvector the statement fails, with the server's reason; without the row all chunks are
 * searched exactly. */
static enum flow_rc
vector_search_asked(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "search");

	if (rc == FLOW_NEXT)
		(void)search_note_learn(search_note_of(s->lease->conn), &s->result);
	return rc;
}

/* ---- the statement ---- */

static enum flow_rc
vector_search_write(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);
	struct search_note *n = search_note_of(s->lease->conn);
	struct pg_conn *c = s->lease->conn;
	struct err err = { .code = ERR_NONE };

	if (!search_note_allows(n, &s->request, &err))
		return flow_fail_err(f, &err);
	if (s->way.bound == 0)
		s->way = search_way_first(&s->request, &n->index);
	search_name(s->way.way, &s->request, c, n, s->name);
	if (s->name[0] != '\0' && pg_is_prepared(c, s->name))
		return flow_goto(f, vector_search_set);
	buf_reset(&s->sql);
	if (!vector_statement(&s->sql, s->way.way, n->schema[0] != '\0' ? n->schema : SCHEMA_USUAL,
		&n->index, &s->request))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	if (s->name[0] == '\0' || !pg_may_prepare(c)) {
		s->name[0] = '\0';
		return flow_goto(f, vector_search_set);
	}
	return pg_prepare(f, c, s->name, s->sql.data, &s->result);
}

/* ---- what came of a statement ---- */

/* Whether it is worth another try with what is asked for anew; then the flow goes to [undo]. */
static bool
vector_search_restarts(struct vector_search *s)
{
	if (!search_note_is_wrong(&s->result) || s->restarts++ == RESTARTS_MAX)
		return false;
	search_note_forget(search_note_of(s->lease->conn));
	pg_forget(s->lease->conn);
	s->again = true;
	return true;
}

/* A connection that is lost is exchanged by the statement itself, without a name. */
static enum flow_rc
vector_search_prepared(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);

	if (s->result.status == PG_LOST) {
		s->name[0] = '\0';
		return FLOW_NEXT;
	}
	if (vector_search_restarts(s))
		return flow_goto(f, vector_search_undo);
	return pg_check(f, &s->result, ERR_NONE, "search");
}

/* ---- settings of its own ---- */

static enum flow_rc
vector_search_set(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);
	struct pg_query q = { .sql = s->settings, .simple = true };

	if (!vector_settings(s->way.way, s->request.k, pg_conn_has_session(s->lease->conn),
		s->settings))
		return flow_goto(f, vector_search_query);
	s->in_transaction = true;
	return pool_read(f, s->lease, &q, &s->result);
}

static enum flow_rc
vector_search_is_set(struct flow *f)
{
	return pg_check(f, &vector_search_of(f)->result, ERR_NONE, "search");
}

/* The end of a transaction that has read, or of one that failed. */
static enum flow_rc
vector_search_undo(struct flow *f)
{
	static const struct pg_query q = { .sql = "ROLLBACK", .simple = true };
	struct vector_search *s = vector_search_of(f);

	if (!s->in_transaction)
		return FLOW_NEXT;
	s->in_transaction = false;
	return pg_run(f, s->lease->conn, &q, &s->result);
}

/* What was read is whole: a connection that is lost now is the pool's to find out. */
static enum flow_rc
vector_search_undone(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);

	if (!s->again)
		return FLOW_DONE;
	s->again = false;
	s->way.bound = 0;
	return flow_goto(f, vector_search_ask);
}

/* ---- the search ---- */

static enum flow_rc
vector_search_query(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);
	struct pg_query q = {
		.sql = s->sql.data,
		.prepared = s->name[0] != '\0' ? s->name : NULL,
	};

	search_parameters_give(&s->parameters, &s->request, s->way.way, s->way.bound, &q);
	return s->in_transaction ? pg_run(f, s->lease->conn, &q, &s->result)
				 : pool_read(f, s->lease, &q, &s->result);
}

/* Where the index has changed since the note was made, what was found is right, and the next search
 * asks anew. Where the vectors are another model's since, nothing was found: this one does. */
static bool
vectors_have_changed(struct vector_search *s, struct search_note *n)
{
	if (!has_tail(s) || search_note_compare(n, &s->result) || s->request.mode == SEARCH_TEXT ||
	    s->restarts++ == RESTARTS_MAX)
		return false;
	s->again = true;
	return true;
}

/* The documents have so many chunks that none was looked at. */
static bool
wants_another_way(struct vector_search *s, const struct search_note *n)
{
	if (s->way.way != WAY_EXACT_SOME || pg_rows(&s->result) == 0)
		return false;
	return search_way_next(&s->way, &n->index,
	    strtoll(pg_text(&s->result, 0, HIT_MATCHING), NULL, 10),
	    strtoll(pg_text(&s->result, 0, HIT_IN_ALL), NULL, 10));
}

static enum flow_rc
vector_search_read(struct flow *f)
{
	struct vector_search *s = vector_search_of(f);
	struct search_note *n = search_note_of(s->lease->conn);
	enum flow_rc rc;

	if (vector_search_restarts(s))
		return flow_goto(f, vector_search_undo);
	rc = pg_check(f, &s->result, ERR_NONE, "search");
	if (rc != FLOW_NEXT)
		return rc;
	if (vectors_have_changed(s, n))
		return flow_goto(f, vector_search_undo);
	if (wants_another_way(s, n))
		return flow_goto(f, vector_search_write);
	return search_hits_read(f, &s->result, s->request.min_score, s->hits);
}

enum flow_rc
search_chunks(struct flow *f, struct pool_lease *lease, const struct search_request *r,
    struct hits *hits)
{
	struct vector_search *s = arena_alloc(f->arena, sizeof(*s));

	assert(r->k >= 1 && r->k <= SEARCH_K_MAX && r->document_count <= SEARCH_DOCUMENTS_MAX);
	assert(r->mode != SEARCH_TEXT || r->schema_version >= RETRIEVAL_SCHEMA_TAIL);
	*hits = (struct hits){ 0 };
	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	s->lease = lease;
	s->hits = hits;
	s->request = *r;
	if (r->mode == SEARCH_TEXT)
		s->request.model = NULL; /* no vector is compared */
	if (!has_tail(s))
		s->request.mode = SEARCH_VECTOR;
	buf_init(&s->sql, SQL_MAX);
	if (!search_parameters_encode(&s->parameters, &s->request)) {
		search_parameters_free(&s->parameters);
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	}
	return flow_call(f, &s->flow, &vector_search_kind);
}
