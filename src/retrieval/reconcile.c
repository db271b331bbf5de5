/* SPDX-License-Identifier: MIT */
/*
 * reconcile: rows of the catalog's list that stayed 'ingesting' or 'deleting', because the process
 * that wrote them died, or lost its connection during the commit. The tenant's database knows which
 * of them are stored.
 *
 *	([delay]) --> [query] --> [check] --> none: done
 *	                             v
 *	             [borrow] --> [unstage] --> [find] --> [apply] --> [next] --> none left: done
 *	                 ^                                               |
 *	                 +-----------------------------------------------+
 *
 * [unstage]: what a dead attempt has staged of its vectors goes (retrieval/staging.h).
 * [find]: the version that a row 'deleting' names is deleted, now or again. [apply]: then its row
 * goes; what is stored becomes 'ready', as it is stored; what is not is 'failed'. A row in doubt,
 * without attempt and digest, belongs to nobody: it need not be old.
 *
 * A flow of its own in the background, with copies of all it needs, for the request that started it
 * ends at once. What fails is logged, and reconciled at a later request.
 */
#include <inttypes.h>
#include <stdio.h>

#include "retrieval/document_listing.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/retrieval/upkeep.h"
#include "retrieval/staging_forget.h"

#define ROWS		     "20"	/* at a time: a failure leaves the rest to later */
#define ARENA_MAX	     (2u << 20) /* bytes: a document has metadata of up to 16 KiB */
#define COMMIT_DELAY_US	     1000000ull /* a commit that was sent has ended by then */
#define RECONCILE_TIMEOUT_US (30 * 1000000ull)

struct reconciliation {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	struct pools *pools;	 /* borrowed */
	const char *tenant;	 /* arena */
	int schema_version;	 /* of the tenant's database */
	const char *only;	 /* arena; "" for any */
	struct timer delay;
	char stale_us[24];
	struct pool_target target; /* key: arena; pg owned */
	struct pg_result rows;	   /* owned: id, status, updated_at, sha256, created_at, attempt */
	unsigned at;		   /* index of the row under way */
	struct pool_lease lease;   /* held by [find] alone */
	struct document document;  /* arena */
	bool found;
	struct document_version version; /* of a row that is 'deleting': of the rows */
	struct pg_result result;	 /* owned: of the row's last statement */
};

static flow_step_fn reconcile_delay, reconcile_query, reconcile_check, reconcile_borrow,
    reconcile_unstage, reconcile_find, reconcile_apply, reconcile_next;
static flow_end_fn reconcile_end;
static flow_release_fn reconcile_release;

static const struct flow_step reconcile_steps[] = {
	{ "reconcile_delay", reconcile_delay },
	{ "reconcile_query", reconcile_query },
	{ "reconcile_check", reconcile_check },
	{ "reconcile_borrow", reconcile_borrow },
	{ "reconcile_unstage", reconcile_unstage },
	{ "reconcile_find", reconcile_find },
	{ "reconcile_apply", reconcile_apply },
	{ "reconcile_next", reconcile_next },
	{ NULL, NULL },
};

static const struct flow_kind reconcile_kind = { .name = "documents_reconcile",
	.steps = reconcile_steps,
	.end = reconcile_end,
	.release = reconcile_release };

static bool
row_is_deleting(const struct reconciliation *m)
{
	return strcmp(pg_text(&m->rows, m->at, 1), "deleting") == 0;
}

static const char *
row_id(const struct reconciliation *m)
{
	return pg_text(&m->rows, m->at, 0);
}

static const char *
row_seen(const struct reconciliation *m)
{
	return pg_text(&m->rows, m->at, 2);
}

/* For one document only: its request has just lost sight of the commit. Older rows need no wait. */
static enum flow_rc
reconcile_delay(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);

	return m->only[0] == '\0' ? FLOW_NEXT : flow_sleep(f, &m->delay, COMMIT_DELAY_US);
}

static enum flow_rc
reconcile_query(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);
	const struct pg_query q = {
		.sql =
		    "SELECT document_id, status, updated_at::pg_catalog.text, sha256,"
		    " " PG_RFC3339(
			"created_at") ", attempt FROM public.documents WHERE user_id" PG_EQUALS "$1"
				      " AND ($2" PG_EQUALS "'' OR document_id" PG_EQUALS "$2)"
				      " AND (status" PG_EQUALS "'deleting' OR (status" PG_EQUALS
				      "'ingesting'"
				      " AND ((attempt IS NULL AND sha256 IS NULL)"
				      " OR updated_at" PG_AT_MOST "(" PG_NOW PG_MINUS
				      "($3::bigint" PG_TIMES "interval '1 microsecond')))))"
				      " LIMIT " ROWS,
		.params = { PG_TEXT(mutated(MUTATION_RECONCILE_ROWS, m->tenant)), PG_TEXT(m->only),
		    PG_TEXT(m->stale_us) },
		.param_count = 3,
	};

	return catalog_run(f, m->catalog, CATALOG_DOCUMENTS, slice_str(m->tenant), &q, &m->rows);
}

static enum flow_rc
reconcile_check(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);
	enum flow_rc rc = catalog_check(f, &m->rows, "look for unfinished documents");

	return rc == FLOW_NEXT && pg_rows(&m->rows) == 0 ? FLOW_DONE : rc;
}

static enum flow_rc
reconcile_borrow(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);

	return pool_borrow(f, m->pools, &m->target, &m->lease);
}

/* Of a row that is as old as no attempt becomes. One document's own may be another attempt's by
 * now. */
static enum flow_rc
reconcile_unstage(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);
	const char *attempt = pg_text(&m->rows, m->at, 5);

	if (m->only[0] != '\0' || attempt[0] == '\0')
		return FLOW_NEXT;
	return staging_forget_attempt(f, &m->lease, m->schema_version, attempt, &m->result);
}

/* An older database has no such table: that is no failure. */
static enum flow_rc
reconcile_find(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);
	enum flow_rc rc = m->result.status == PG_SQL_ERROR
	    ? FLOW_NEXT
	    : pg_check(f, &m->result, ERR_NONE, "take away what was staged");

	if (rc != FLOW_NEXT)
		return rc;
	pg_clear(&m->result);
	m->version =
	    (struct document_version){ pg_text(&m->rows, m->at, 3), pg_text(&m->rows, m->at, 4) };
	if (row_is_deleting(m))
		return store_delete(f, &m->lease, row_id(m), &m->version, &m->result);
	return store_find(f, &m->lease, m->schema_version, row_id(m), &m->document, &m->found);
}

/* The lease goes back before the catalog is written: no flow holds one while it waits for another
 * database. */
static enum flow_rc
reconcile_apply(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);
	enum flow_rc rc = pg_check(f, &m->result, ERR_NONE, "delete the document");

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&m->lease, POOL_CLEAN);
	if (row_is_deleting(m))
		return documents_drop(f, m->catalog, m->tenant, row_id(m), &m->version,
		    store_has_another(&m->result), &m->result);
	if (m->found)
		return documents_settle(f, m->catalog, m->tenant, &m->document, row_seen(m));
	return documents_lose(f, m->catalog, m->tenant, row_id(m), row_seen(m), &m->result);
}

static enum flow_rc
reconcile_next(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);
	enum flow_rc rc = catalog_check(f, &m->result, "reconcile the document");

	if (rc != FLOW_NEXT)
		return rc;
	pg_clear(&m->result);
	return ++m->at < pg_rows(&m->rows) ? flow_goto(f, reconcile_borrow) : FLOW_DONE;
}

/* A shutdown is no failure: another process, or this one's next start, goes on. */
static void
reconcile_end(struct flow *f, const struct err *err)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);
	char told[ERR_TOLD_SIZE];

	err_tell(err, told);
	pool_return(&m->lease, POOL_DIRTY);
	if (err_is(err) && err->code != ERR_SHUTDOWN)
		log_event(LOG_WARNING, "documents.reconcile_failed", NULL,
		    "The list of tenant %s is not reconciled, a later request tries again: %s",
		    m->tenant, told);
	else if (m->at > 0)
		log_event(LOG_NOTICE, "documents.reconciled", NULL,
		    "The catalog's list of tenant %s was reconciled: %u documents.", m->tenant,
		    m->at);
}

/* The flow itself lies in the arena; the target's copy of the password is wiped. */
static void
reconcile_release(struct flow *f)
{
	struct reconciliation *m = FLOW_OF(f, struct reconciliation, &reconcile_kind);
	struct arena *arena = f->arena;

	pg_clear(&m->rows);
	pg_clear(&m->result);
	pg_target_free(&m->target.pg);
	arena_free(arena);
}

void
documents_reconcile(struct worker *w, struct catalog *c, struct pools *pools,
    const struct pool_target *target, const char *tenant, int schema_version, const char *only,
    uint64_t stale_us)
{
	struct arena *arena = arena_new(ARENA_MAX);
	struct reconciliation *m = arena_first(arena, sizeof(*m));

	m->catalog = c;
	m->pools = pools;
	m->schema_version = schema_version;
	m->tenant = arena_strdup(arena, tenant);
	m->only = arena_strdup(arena, only);
	m->target = (struct pool_target){ .size = target->size };
	m->target.key = slice_of(arena_slice(arena, target->key), target->key.len);
	if (m->tenant == NULL || m->only == NULL || m->target.key.p == NULL) {
		log_event(LOG_WARNING, "documents.reconcile_failed", NULL,
		    "There is no memory to reconcile the list of documents; a later request does.");
		arena_free(arena);
		return;
	}
	pg_target_copy(&m->target.pg, &target->pg);
	snprintf(m->stale_us, sizeof(m->stale_us), "%" PRIu64, stale_us);
	flow_start(&m->flow, &reconcile_kind, w, arena);
	flow_deadline(&m->flow, RECONCILE_TIMEOUT_US);
}
