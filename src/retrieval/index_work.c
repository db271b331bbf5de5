/* SPDX-License-Identifier: MIT */
/*
 * index_work: does for a tenant's index what the rule says (index_rule.c), step by step:
 *
 *	[borrow] --> [look] --> [decide] --> nothing to do: [release], if it has the lease; done
 *	   ^                     |   |   |
 *	   +--- sleep <----------+   |   |  another is at it
 *	   +--- [share] <------------+   |  it has no turn yet
 *	   |                             v
 *	   |                          [claim] --> [act] --> [settings] --> [run] --> [acted] --+
 *	   +-----------------------------------------------------------------------------------+
 *
 * What always holds:
 *  - Each round begins with what the database says, so that whatever a kill has left is found: an
 *    index that is not whole is dropped, one that is whole and not published is published.
 *  - The lease keeps others off while steps are short. A build takes longer than the lease; it is
 *    seen by its lock (index_look.c), and its server process ends soon after the client's end
 *    does, or ends its work well, which then serves whoever comes next.
 *  - Rows change their branch by an UPDATE alone, or by the number that is published: a search in
 *    any snapshot finds each in exactly one.
 *  - The connection is one of the tenant's pool, given back between steps, and beside its size
 *    while a step takes long; no row is waited for that others have locked.
 */
#include "retrieval/index_look.h"
#include "retrieval/index_statement.h"
#include "retrieval/index_tenants.h"
#include "retrieval/text_fill.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"

#define WORK_ARENA    (64u << 10)
#define MERGER_LEN    20
#define LOOK_US	      (60 * 1000000ull) /* between two looks where nothing changes */
#define FAILED_US     (60 * 1000000ull) /* after a failure, until the next try */
#define OTHERS_US     (2 * 1000000ull)	/* until the other's work is looked at again */
#define OTHERS_MAX    1800		/* looks at it: an hour */
#define ROUNDS_MAX    2000
#define STATEMENT_MAX 2048
#define MERGES_MAX    20 /* between two looks at the whole */

struct index_work {
	struct flow flow;
	struct indexing *indexing; /* borrowed, as pools */
	struct pools *pools;
	const char *tenant;	   /* arena */
	int schema_version;
	enum language language;	   /* of documents that say none */
	struct pool_target target; /* key: arena; pg owned */
	struct pool_lease lease;
	struct share_grant turn;
	struct timer timer;
	struct index_look look;
	struct index_decision decision; /* borrows from the look */
	char merger[MERGER_LEN + 1];	/* the lease's holder */
	bool has_lease, has_left;
	struct sketch_try sketches;
	unsigned rounds, waits, merges;
	uint64_t began_us; /* of the step under way, monotonic */
	struct buf sql;	   /* owned */
	struct index_order order;
	struct pg_result result; /* owned */
};

static flow_step_fn index_work_words, index_work_borrow, index_work_look, index_work_decide,
    index_work_claim, index_work_act, index_work_settings, index_work_run, index_work_acted,
    index_work_release, index_work_released;
static flow_end_fn index_work_end;
static flow_release_fn index_work_release_memory;

static const struct flow_step index_work_steps[] = {
	{ "index_words", index_work_words },
	{ "index_borrow", index_work_borrow },
	{ "index_look", index_work_look },
	{ "index_decide", index_work_decide },
	{ "index_claim", index_work_claim },
	{ "index_act", index_work_act },
	{ "index_settings", index_work_settings },
	{ "index_run", index_work_run },
	{ "index_acted", index_work_acted },
	{ "index_release", index_work_release },
	{ "index_released", index_work_released },
	{ NULL, NULL },
};

static const struct flow_kind index_work_kind = { .name = "index_work",
	.steps = index_work_steps,
	.end = index_work_end,
	.release = index_work_release_memory };

static struct index_work *
index_work_of(struct flow *f)
{
	return FLOW_OF(f, struct index_work, &index_work_kind);
}

static enum flow_rc
index_work_words(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	const struct text_fill_order order = { w->pools, &w->target, w->indexing->budget, w->tenant,
		w->schema_version, w->language };

	return text_fill(f, &order);
}

static enum flow_rc
index_work_borrow(struct flow *f)
{
	struct index_work *w = index_work_of(f);

	return pool_borrow(f, w->pools, &w->target, &w->lease);
}

static enum flow_rc
index_work_look(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	const struct pg_query q = {
		.sql = index_look_statement(w->schema_version),
		.params = { PG_TEXT(w->merger) },
		.param_count = 1,
	};

	return pool_read(f, &w->lease, &q, &w->result);
}

/* ---- what is to be done, and whose turn it is ---- */

/* Another is at work, or has what is to be changed: it is looked at again, without a turn. */
static enum flow_rc
index_work_wait(struct flow *f)
{
	struct index_work *w = index_work_of(f);

	pool_return(&w->lease, POOL_CLEAN);
	share_give(&w->turn);
	if (w->waits == 0)
		log_event(LOG_DEBUG, "index.waits", NULL,
		    "Another is at work on tenant %s's index, or uses its table; it is looked at "
		    "again every %llu s.",
		    w->tenant, OTHERS_US / 1000000);
	if (w->waits++ == OTHERS_MAX)
		return flow_fail(f, ERR_TIMEOUT,
		    "Others have kept the index for an hour. Look for what locks the table.");
	flow_goto(f, index_work_borrow);
	return flow_sleep(f, &w->timer, OTHERS_US);
}

static enum flow_rc
index_work_take_turn(struct flow *f)
{
	struct index_work *w = index_work_of(f);

	pool_return(&w->lease, POOL_CLEAN);
	flow_goto(f, index_work_borrow);
	return share_take(f, w->indexing->budget, slice_str(w->tenant), 1, 1, &w->turn);
}

/* What has changed since it was looked at may want something. */
static enum flow_rc
index_work_rest(struct flow *f)
{
	struct index_work *w = index_work_of(f);

	w->has_left = index_tenant_leave(w->indexing, w->tenant, LOOK_US);
	if (!w->has_left)
		return flow_goto(f, index_work_look);
	pool_return(&w->lease, POOL_CLEAN);
	return FLOW_DONE;
}

static enum flow_rc
index_work_decide(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	enum flow_rc rc = pg_check(f, &w->result, ERR_NONE, "look at the index");

	if (rc != FLOW_NEXT)
		return rc;
	if (!index_look_read(&w->result, w->schema_version, &w->look))
		return index_work_rest(f);
	sketch_try_apply(&w->sketches, &w->look.state);
	w->decision = index_decide(&w->look.state, &index_hnsw);
	if (w->decision.action == INDEX_REST)
		return w->has_lease ? flow_goto(f, index_work_release) : index_work_rest(f);
	if (w->look.is_held)
		return index_work_wait(f);
	if (w->turn.budget == NULL)
		return index_work_take_turn(f);
	if (w->rounds++ == ROUNDS_MAX)
		return flow_fail(f, ERR_INTERNAL,
		    "The index was not made right in %d steps; look at the lines before.",
		    ROUNDS_MAX);
	return FLOW_NEXT;
}

static enum flow_rc
index_work_query(struct flow *f, const struct pg_query *q)
{
	struct index_work *w = index_work_of(f);

	pg_clear(&w->result);
	return pg_run(f, w->lease.conn, q, &w->result);
}

static enum flow_rc
index_work_claim(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	struct pg_query q;

	w->order = (struct index_order){
		.merger = w->merger,
		.state = &w->look.state,
		.decision = &w->decision,
		.kind = &index_hnsw,
		.memory_max = atomic_load(&w->indexing->memory_max),
		.sql = &w->sql,
	};
	q = index_claim_query(&w->order);
	return index_work_query(f, &q);
}

/* ---- one step ---- */

/* Of the server's own session. */
static bool
index_work_has_settings(const struct index_work *w)
{
	return (w->decision.action == INDEX_BUILD || w->decision.action == INDEX_DROP) &&
	    pg_conn_has_session(w->lease.conn);
}

static enum flow_rc
index_work_act(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	enum flow_rc rc = pg_check(f, &w->result, ERR_NONE, "begin to work on the index");

	if (rc != FLOW_NEXT)
		return rc;
	w->has_lease = pg_changed(&w->result) > 0;
	if (!w->has_lease)
		return index_work_wait(f);
	w->merges = 0;
	w->began_us = clock_mono_us();
	if (w->decision.action == INDEX_BUILD || w->decision.action == INDEX_DROP)
		pool_set_aside(&w->lease);
	return FLOW_NEXT;
}

static enum flow_rc
index_work_settings(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	const struct pg_query q =
	    index_settings_query(&w->order, pg_conn_has_session(w->lease.conn));

	return q.sql == NULL ? FLOW_NEXT : index_work_query(f, &q);
}

static enum flow_rc
index_work_run(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	enum flow_rc rc = pg_check(f, &w->result, ERR_NONE, "prepare work on the index");
	struct pg_query q;

	if (rc != FLOW_NEXT)
		return rc;
	q = index_action_query(&w->order);
	if (q.sql == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "a statement");
	return index_work_query(f, &q);
}

/* A batch that is not full was the last, for what nobody else has locked. */
static enum flow_rc
index_work_merged(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	uint64_t rows = pg_changed(&w->result);

	if (rows == 0)
		return index_work_wait(f);
	pool_return(&w->lease, POOL_CLEAN);
	if (rows < INDEX_MERGE_ROWS || ++w->merges == MERGES_MAX)
		return flow_goto(f, index_work_borrow);
	flow_goto(f, index_work_run);
	return index_work_borrow(f);
}

static enum flow_rc
index_work_acted(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	enum flow_rc rc = FLOW_NEXT;

	if (!sketch_try_note(&w->sketches, &w->order, &w->result))
		rc = pg_check(f, &w->result, ERR_NONE, "work on the index");
	if (rc != FLOW_NEXT)
		return rc;
	if (w->decision.action == INDEX_MERGE)
		return index_work_merged(f);
	index_log(&w->order, w->tenant, clock_mono_us() - w->began_us, &w->result);
	pool_return(&w->lease, index_work_has_settings(w) ? POOL_DIRTY : POOL_CLEAN);
	return flow_goto(f, index_work_borrow);
}

/* ---- the end ---- */

static enum flow_rc
index_work_release(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	const struct pg_query q = index_release_query(&w->order);

	return index_work_query(f, &q);
}

static enum flow_rc
index_work_released(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	enum flow_rc rc = pg_check(f, &w->result, ERR_NONE, "end work on the index");

	if (rc != FLOW_NEXT)
		return rc;
	w->has_lease = false;
	share_give(&w->turn);
	return index_work_rest(f);
}

/* Its lease ends by itself. Too many at once, or a database that went, is no news. */
static void
index_work_end(struct flow *f, const struct err *err)
{
	struct index_work *w = index_work_of(f);
	bool passes = err->code == ERR_OVERLOADED || err->code == ERR_POOL_TIMEOUT;
	char told[ERR_TOLD_SIZE];

	pool_return(&w->lease, POOL_DIRTY);
	if (!w->has_left)
		index_tenant_fail(w->indexing, w->tenant, FAILED_US);
	if (!err_is(err) || err->code == ERR_SHUTDOWN)
		return;
	err_tell(err, told);
	log_event(passes ? LOG_INFO : LOG_WARNING, "index.failed", NULL,
	    "Tenant %s's chunks are found, but more slowly, until its index is right, which "
	    "is tried again later: %s",
	    w->tenant, told);
}

/* The flow itself lies in the arena; the target's copy of the password is wiped. */
static void
index_work_release_memory(struct flow *f)
{
	struct index_work *w = index_work_of(f);
	struct arena *arena = f->arena;

	buf_free(&w->sql);
	pg_clear(&w->result);
	pg_target_free(&w->target.pg);
	arena_free(arena);
}

void
indexing_look(struct worker *worker, struct indexing *x, struct pools *pools,
    const struct pool_target *target, const char *tenant, int schema_version,
    enum language language, bool has_changed)
{
	struct arena *arena;
	struct index_work *w;

	if (!index_tenant_enter(x, tenant, has_changed))
		return;
	arena = arena_new(WORK_ARENA);
	w = arena_first(arena, sizeof(*w));
	w->indexing = x;
	w->pools = pools;
	w->tenant = arena_strdup(arena, tenant);
	w->schema_version = schema_version;
	w->language = language;
	w->target = *target;
	w->target.key = slice_of(arena_slice(arena, target->key), target->key.len);
	if (w->tenant == NULL || w->target.key.p == NULL) {
		index_tenant_fail(x, tenant, FAILED_US);
		arena_free(arena);
		return;
	}
	pg_target_copy(&w->target.pg, &target->pg);
	buf_init(&w->sql, STATEMENT_MAX);
	id_random(w->merger, MERGER_LEN);
	flow_start(&w->flow, &index_work_kind, worker, arena);
	flow_defer(&w->flow, share_give_later, &w->turn);
}
