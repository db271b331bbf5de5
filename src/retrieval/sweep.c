/* SPDX-License-Identifier: MIT */
/*
 * sweep: the catalog's list of one tenant's documents against the tenant's database, which is the
 * authority: whichever of them was restored from a backup, they agree afterwards.
 *
 *	[claim] --> [borrow] --> [look] --> [stored] --> [enlist] --> [enlisted] --> no more stored
 *	               ^                                        |             |
 *	               +----------------------------------------+             v
 *	                    [listed] --> [compare] --> [read] --> [mend] --> [mended]
 *	                       ^                                                |
 *	                       |                                   [telling] <--+
 *	                       |                                       v        |
 *	                       +------- [turn], the last: done <--- [told] -----+
 *	                                (an app's own vectors are still being copied: another round)
 *
 * First what is stored and not listed gets a row that is in doubt; then rows that are ready, or in
 * doubt, become what is stored, or go. Of owners and times the database is told what the list alone
 * knows (sweep_mend.c). What always holds:
 *  - A row is changed only if it is still as it was seen before the tenant's database was read; and
 *    who stores, changes or deletes a document changes its row first (documents.c). So what is
 *    being written meanwhile is left alone.
 *  - A page is a bounded number of documents, and no connection to one database is held while the
 *    other is asked.
 *  - One sweep of a tenant at a time, over all replicas: the claim is a time in the tenant's row.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/document_owner.h"
#include "retrieval/sweep_mend.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/log.h"
#include "tenantgate/retrieval/upkeep.h"

#define IDS_PAGE	 500 /* ids of what is stored, at a time */
#define ROWS_PAGE	 SWEEP_ROWS_PAGE
#define ARRAY_MAX	 (512u << 10)
#define SWEEP_ARENA	 (1u << 20) /* bytes: the struct, and what catalog_run() makes of a page */
#define SWEEP_TIMEOUT_US (600 * 1000000ull)
/* While an app's own vectors are copied; what comes later the next sweep finds. */
#define COPY_PAUSE_US 1000000ull
#define COPY_ROUNDS   30
#define LIST_MEMORY   "the list of documents"

struct sweep {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	struct pools *pools;	 /* borrowed */
	atomic_uint *running;	 /* borrowed: counted down at the end */
	const char *tenant;	 /* arena */
	int schema_version;	 /* of the tenant's database */
	char interval_us[24];
	struct pool_target target; /* key: arena; pg owned */
	struct pool_lease lease;
	char cursor[DOCUMENT_ID_MAX + 1]; /* the last id of the page before */
	bool is_last;			  /* the page under way */
	bool is_adopted, is_copying;	  /* the database; an app's vectors, as a round began */
	unsigned rounds;		  /* while they are copied */
	struct timer pause;
	struct buf ids, seen;	       /* owned: text[] */
	struct pg_result page, result; /* owned */
	struct pg_result stored;       /* owned: one value, JSON; then what was told */
	unsigned long added, gone, mended, told;
};

static flow_step_fn sweep_claim, sweep_claimed, sweep_borrow, sweep_look, sweep_stored,
    sweep_enlist, sweep_enlisted, sweep_listed, sweep_compare, sweep_read, sweep_mend, sweep_mended,
    sweep_telling, sweep_told, sweep_turn;
static flow_end_fn sweep_end;
static flow_release_fn sweep_release;

static const struct flow_step sweep_steps[] = {
	{ "sweep_claim", sweep_claim },
	{ "sweep_claimed", sweep_claimed },
	{ "sweep_borrow", sweep_borrow },
	{ "sweep_look", sweep_look },
	{ "sweep_stored", sweep_stored },
	{ "sweep_enlist", sweep_enlist },
	{ "sweep_enlisted", sweep_enlisted },
	{ "sweep_listed", sweep_listed },
	{ "sweep_compare", sweep_compare },
	{ "sweep_read", sweep_read },
	{ "sweep_mend", sweep_mend },
	{ "sweep_mended", sweep_mended },
	{ "sweep_telling", sweep_telling },
	{ "sweep_told", sweep_told },
	{ "sweep_turn", sweep_turn },
	{ NULL, NULL },
};

static const struct flow_kind sweep_kind = { .name = "documents_sweep",
	.steps = sweep_steps,
	.end = sweep_end,
	.release = sweep_release };

static struct sweep *
sweep_of(struct flow *f)
{
	return FLOW_OF(f, struct sweep, &sweep_kind);
}

static enum flow_rc
sweep_claim(struct flow *f)
{
	struct sweep *s = sweep_of(f);

	return sweep_list_claim(f, s->catalog, s->tenant, s->interval_us, &s->result);
}

static enum flow_rc
sweep_claimed(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	enum flow_rc rc = catalog_check(f, &s->result, "begin to compare the list of documents");

	if (rc != FLOW_NEXT || pg_changed(&s->result) == 0)
		return rc != FLOW_NEXT ? rc : FLOW_DONE; /* another has just done it */
	s->is_adopted = pg_text(&s->result, 0, 0)[0] == 't';
	return FLOW_NEXT;
}

static enum flow_rc
sweep_borrow(struct flow *f)
{
	struct sweep *s = sweep_of(f);

	return pool_borrow(f, s->pools, &s->target, &s->lease);
}

/* While an app's own table is copied (embeddings_copy.h), what a round finds is not all there will
 * be: another round follows. */
static enum flow_rc
sweep_look(struct flow *f)
{
	struct sweep *s = sweep_of(f);

	pg_clear(&s->stored);
	if (!s->is_adopted || s->cursor[0] != '\0' || s->schema_version < RETRIEVAL_SCHEMA_TAIL)
		return FLOW_NEXT;
	return sweep_look_for_copy(f, &s->lease, &s->stored);
}

static enum flow_rc
sweep_stored(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	bool is_first = s->cursor[0] == '\0' && s->schema_version >= RETRIEVAL_SCHEMA_TAIL;

	if (is_first)
		s->is_copying = s->stored.status == PG_OK && pg_rows(&s->stored) > 0;
	_Static_assert(IDS_PAGE == 500 && DOCUMENT_ID_MAX == 128, "the statement's numbers");
	return sweep_stored_page(f, &s->lease, s->schema_version, s->cursor, &s->page);
}

/* The page's first column as an array, and the cursor behind it. */
static bool
page_read(struct sweep *s, unsigned page_rows)
{
	unsigned rows = pg_rows(&s->page);
	const char *texts[IDS_PAGE];

	for (unsigned i = 0; i < rows; i++)
		texts[i] = pg_text(&s->page, i, 0);
	s->is_last = rows < page_rows;
	if (rows > 0)
		snprintf(s->cursor, sizeof(s->cursor), "%s", texts[rows - 1]);
	buf_reset(&s->ids);
	return pg_text_array(&s->ids, texts, rows);
}

static enum flow_rc
sweep_enlist(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	enum flow_rc rc = pg_check(f, &s->page, ERR_NONE, "look through the documents");

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&s->lease, POOL_CLEAN);
	if (!page_read(s, IDS_PAGE))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, LIST_MEMORY);
	return sweep_list_add(f, s->catalog, s->tenant, s->ids.data, &s->result);
}

static enum flow_rc
sweep_enlisted(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	enum flow_rc rc = catalog_check(f, &s->result, "list what is stored");

	if (rc != FLOW_NEXT)
		return rc;
	s->added += (unsigned long)pg_changed(&s->result);
	if (!s->is_last)
		return flow_goto(f, sweep_borrow);
	s->cursor[0] = '\0';
	return FLOW_NEXT;
}

static enum flow_rc
sweep_listed(struct flow *f)
{
	struct sweep *s = sweep_of(f);

	return sweep_list_page(f, s->catalog, s->tenant, s->cursor, &s->page);
}

static enum flow_rc
sweep_round_ends(struct sweep *s)
{
	if (!s->is_copying || ++s->rounds >= COPY_ROUNDS)
		return FLOW_DONE;
	s->cursor[0] = '\0';
	flow_goto(&s->flow, sweep_borrow);
	return flow_sleep(&s->flow, &s->pause, COPY_PAUSE_US);
}

static enum flow_rc
sweep_compare(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	enum flow_rc rc = catalog_check(f, &s->page, "look through the list of documents");
	const char *seen[ROWS_PAGE];

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&s->page) == 0)
		return sweep_round_ends(s);
	for (unsigned i = 0; i < pg_rows(&s->page); i++)
		seen[i] = pg_text(&s->page, i, 1);
	buf_reset(&s->seen);
	if (!page_read(s, ROWS_PAGE) || !pg_text_array(&s->seen, seen, pg_rows(&s->page)))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, LIST_MEMORY);
	return pool_borrow(f, s->pools, &s->target, &s->lease);
}

static enum flow_rc
sweep_read(struct flow *f)
{
	struct sweep *s = sweep_of(f);

	return sweep_read_stored(f, &s->lease, s->schema_version, s->ids.data, &s->stored);
}

static enum flow_rc
sweep_mend(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	enum flow_rc rc;

	if (document_lacks_owner(&s->stored, &s->schema_version))
		return flow_goto(f, sweep_read);
	rc = pg_check(f, &s->stored, ERR_NONE, "look through the documents");
	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&s->lease, POOL_CLEAN);
	return sweep_mend_rows(f, s->catalog, s->tenant, s->ids.data, s->seen.data,
	    pg_text(&s->stored, 0, 0), &s->result);
}

/* A database without the columns is told nothing. */
static enum flow_rc
sweep_mended(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	enum flow_rc rc = catalog_check(f, &s->result, "mend the list of documents");
	struct mended_page page;

	if (rc != FLOW_NEXT)
		return rc;
	page = sweep_mended_page(&s->result);
	s->gone += page.gone;
	s->mended += page.mended;
	if (page.untold == NULL || !document_has_owner(s->schema_version))
		return flow_goto(f, sweep_turn);
	return pool_borrow(f, s->pools, &s->target, &s->lease);
}

static enum flow_rc
sweep_telling(struct flow *f)
{
	struct sweep *s = sweep_of(f);

	return sweep_tell(f, &s->lease, sweep_mended_page(&s->result).untold, &s->stored);
}

static enum flow_rc
sweep_told(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	enum flow_rc rc = pg_check(f, &s->stored, ERR_NONE, "tell whose the documents are");

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&s->lease, POOL_CLEAN);
	s->told += (unsigned long)pg_changed(&s->stored);
	return FLOW_NEXT;
}

static enum flow_rc
sweep_turn(struct flow *f)
{
	struct sweep *s = sweep_of(f);

	return s->is_last ? sweep_round_ends(s) : flow_goto(f, sweep_listed);
}

/* What a sweep that failed has not mended a later one will. */
static void
sweep_end(struct flow *f, const struct err *err)
{
	struct sweep *s = sweep_of(f);
	char told[ERR_TOLD_SIZE];

	err_tell(err, told);
	pool_return(&s->lease, POOL_DIRTY);
	atomic_fetch_sub(s->running, 1);
	if (err_is(err) && err->code != ERR_SHUTDOWN)
		log_event(LOG_WARNING, "documents.sweep_failed", NULL,
		    "The list of tenant %s was not compared with its database, which is tried "
		    "again later: %s",
		    s->tenant, told);
	if (s->added + s->gone + s->mended + s->told > 0)
		log_event(LOG_NOTICE, "documents.swept", NULL,
		    "The list of tenant %s did not agree with its database: %lu documents were not "
		    "listed, %lu rows were corrected or completed, %lu had none and are gone; of "
		    "%lu documents the database had no owner or time and has it now.",
		    s->tenant, s->added, s->mended, s->gone, s->told);
}

/* The flow itself lies in the arena; the target's copy of the password is wiped. */
static void
sweep_release(struct flow *f)
{
	struct sweep *s = sweep_of(f);
	struct arena *arena = f->arena;

	buf_free(&s->ids);
	buf_free(&s->seen);
	pg_clear(&s->page);
	pg_clear(&s->stored);
	pg_clear(&s->result);
	pg_target_free(&s->target.pg);
	arena_free(arena);
}

bool
documents_sweep(struct worker *w, struct catalog *c, struct pools *pools,
    const struct pool_target *target, const char *tenant, int schema_version, uint64_t interval_us,
    atomic_uint *running)
{
	struct arena *arena;
	struct sweep *s;

	if (atomic_fetch_add(running, 1) >= DOCUMENTS_SWEEPS_MAX) {
		atomic_fetch_sub(running, 1);
		return false;
	}
	arena = arena_new(SWEEP_ARENA);
	s = arena_first(arena, sizeof(*s));
	s->catalog = c;
	s->pools = pools;
	s->running = running;
	s->schema_version = schema_version;
	s->tenant = arena_strdup(arena, tenant);
	s->target = (struct pool_target){ .size = target->size };
	s->target.key = slice_of(arena_slice(arena, target->key), target->key.len);
	if (s->tenant == NULL || s->target.key.p == NULL) {
		atomic_fetch_sub(running, 1);
		arena_free(arena);
		return false;
	}
	pg_target_copy(&s->target.pg, &target->pg);
	buf_init(&s->ids, ARRAY_MAX);
	buf_init(&s->seen, ARRAY_MAX);
	snprintf(s->interval_us, sizeof(s->interval_us), "%" PRIu64, interval_us);
	flow_start(&s->flow, &sweep_kind, w, arena);
	flow_deadline(&s->flow, SWEEP_TIMEOUT_US);
	return true;
}
