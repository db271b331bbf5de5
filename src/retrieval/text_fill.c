/* SPDX-License-Identifier: MIT */
/*
 * text_fill: see the header.
 *
 *	[borrow] --> [look] --> none is left: done
 *	   ^            |
 *	   |         [keep] --> [kept] --> they are another's at the moment: done
 *	   |                      |
 *	   +------- [share] <-----+ the first time
 *
 * The connection is given back between batches, so that no request waits for more than one.
 */
#include "retrieval/text_fill.h"

#include <string.h>

#include "retrieval/text_store.h"
#include "tenantgate/base/log.h"

#define BATCHES_MAX 100000 /* a batch has a document at least */

struct text_fill {
	struct flow flow;
	struct text_fill_order order;
	struct pool_lease lease;
	struct share_grant turn;
	unsigned batches;
	struct err why;
	struct pg_result result; /* owned */
};

static flow_step_fn text_fill_borrow, text_fill_look, text_fill_keep, text_fill_kept;
static flow_end_fn text_fill_end;

static const struct flow_step text_fill_steps[] = {
	{ "text_fill_borrow", text_fill_borrow },
	{ "text_fill_look", text_fill_look },
	{ "text_fill_keep", text_fill_keep },
	{ "text_fill_kept", text_fill_kept },
	{ NULL, NULL },
};

static const struct flow_kind text_fill_kind = { .name = "text_fill",
	.steps = text_fill_steps,
	.end = text_fill_end };

static struct text_fill *
text_fill_of(struct flow *f)
{
	return FLOW_OF(f, struct text_fill, &text_fill_kind);
}

static enum flow_rc
text_fill_borrow(struct flow *f)
{
	struct text_fill *t = text_fill_of(f);

	return pool_borrow(f, t->order.pools, t->order.target, &t->lease);
}

static enum flow_rc
text_fill_look(struct flow *f)
{
	struct text_fill *t = text_fill_of(f);
	const struct pg_query q = {
		.sql = text_has_places(t->order.schema_version)
		    ? "SELECT FROM public.document WHERE " TEXT_IS_OWED " LIMIT 1"
		    : "SELECT FROM public.document WHERE " TEXT_IS_MISSING " LIMIT 1",
	};

	pg_clear(&t->result);
	return pool_read(f, &t->lease, &q, &t->result);
}

static enum flow_rc
text_fill_keep(struct flow *f)
{
	struct text_fill *t = text_fill_of(f);
	enum flow_rc rc = pg_check(f, &t->result, ERR_NONE, "look for documents without words");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&t->result) == 0) {
		pool_return(&t->lease, POOL_CLEAN);
		return FLOW_DONE;
	}
	pg_clear(&t->result);
	return text_store_missing(f, &t->lease, t->order.schema_version, t->order.language,
	    &t->result);
}

static enum flow_rc
text_fill_kept(struct flow *f)
{
	struct text_fill *t = text_fill_of(f);
	enum flow_rc rc = pg_check(f, &t->result, ERR_NONE, "keep the words of documents");

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&t->lease, POOL_CLEAN);
	if (strcmp(pg_text(&t->result, 0, 0), "0") == 0 || t->batches++ == BATCHES_MAX)
		return FLOW_DONE;
	flow_goto(f, text_fill_borrow);
	if (t->turn.budget != NULL)
		return FLOW_NEXT;
	return share_take(f, t->order.budget, slice_str(t->order.tenant), 1, 1, &t->turn);
}

/* A database that went, or no connection free, is no news. */
static void
text_fill_end(struct flow *f, const struct err *err)
{
	struct text_fill *t = text_fill_of(f);
	bool passes = err->code == ERR_OVERLOADED || err->code == ERR_POOL_TIMEOUT;
	char told[ERR_TOLD_SIZE];

	pool_return(&t->lease, POOL_DIRTY);
	share_give(&t->turn);
	pg_clear(&t->result);
	if (!err_is(err) || err->code == ERR_SHUTDOWN)
		return;
	err_tell(err, told);
	log_event(passes ? LOG_INFO : LOG_WARNING, "words.failed", NULL,
	    "Some of tenant %s's documents are not found by their words until these are kept, "
	    "which "
	    "is tried again later: %s",
	    t->order.tenant, told);
}

enum flow_rc
text_fill(struct flow *f, const struct text_fill_order *order)
{
	struct text_fill *t = arena_alloc(f->arena, sizeof(*t));

	if (t == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the words of documents");
	t->order = *order;
	return flow_try(f, &t->flow, &text_fill_kind, &t->why);
}
