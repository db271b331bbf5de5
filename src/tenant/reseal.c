/* SPDX-License-Identifier: MIT */
/*
 * reseal: whether seal_keys opens what the catalog holds, and how one key replaces another.
 *
 *	[look] -> [judge] -> [announced] -> [batch] -> [seal] -> [saved] -> done, when none is left
 *	  ^          |            |            ^                    |
 *	  +- sleep <-+------------+------------+--------------------+
 *
 * It sleeps when the catalog is away, and goes back to [batch] while there are more rows.
 *
 * [look] takes one password of each key that sealed any, and opens it. Where none of their keys is
 * among ours, seal_keys is wrong: the start fails, before a tenant is made that no other replica
 * can open. Then all rows that the first key did not seal are sealed anew with it, so that the
 * other keys can be left out; but only when all replicas can read what it seals. That is known from
 * public.seal_readers: a replica notes there which keys it has for reading only, and takes from it
 * those that it does not have. So a key that became the first without that step seals what is new,
 * and replicas without it go on reading the rest.
 *
 * A password is replaced only where the row still holds the one that was opened: replicas may do
 * this together, and a tenant may be provisioned meanwhile.
 */
#include <stdlib.h>

#include "tenant/reseal_rows.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_sql.h"

#define HOLDER RESEAL_HOLDER

static const struct backoff reseal_backoff = { 250 * 1000, 30 * 1000000, 200 };
/* From one round of a watcher to the next: soon at first, for then replicas that write with the
 * other key are being replaced. */
static const struct backoff round_backoff = { 1000000, 15 * 1000000, 150 };

struct reseal {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	const struct seal *seal; /* borrowed */
	char prefix[SEAL_PREFIX_LEN + 1];
	char last[TENANT_ID_MAX + 1]; /* of the batch before: the ids after it are next */
	bool is_watching;	      /* for ever, and only what was written lately */
	struct pg_result result;      /* owned */
	struct buf rows;	      /* owned: JSON, for [seal] */
	uint64_t resealed;
	bool *goes_on; /* borrowed: the caller's; NULL when watching */
	struct timer timer;
	unsigned tries;	 /* that did not reach the catalog */
	unsigned rounds; /* of a watcher */
};

static flow_step_fn reseal_look, reseal_judge, reseal_announced, reseal_batch, reseal_seal,
    reseal_saved;
static flow_release_fn reseal_release;

static const struct flow_step reseal_steps[] = {
	{ "look", reseal_look },
	{ "judge", reseal_judge },
	{ "announced", reseal_announced },
	{ "batch", reseal_batch },
	{ "seal", reseal_seal },
	{ "saved", reseal_saved },
	{ NULL, NULL },
};

static const struct flow_kind reseal_kind = { "reseal", reseal_steps, NULL, reseal_release };

/* All again, later: nothing that was done is undone or done twice. */
static enum flow_rc
reseal_retry(struct reseal *r)
{
	log_event(LOG_WARNING, "tenant.seal_wait", NULL,
	    "The sealed passwords in the catalog cannot be read or sealed anew: %s. It is tried "
	    "again.",
	    r->result.failure.message);
	r->last[0] = '\0';
	flow_goto(&r->flow, reseal_look);
	return flow_sleep(&r->flow, &r->timer, backoff_us(&reseal_backoff, ++r->tries, 0));
}

/* ---- whether the keys are the right ones ---- */

/* The newest of each key: what is old may have been spoiled. */
static enum flow_rc
reseal_look(struct flow *f)
{
	struct reseal *r = FLOW_OF(f, struct reseal, &reseal_kind);
	struct pg_query q = {
		.sql = "SELECT DISTINCT ON (" SEALED_WITH ") tenant_id, db_password_sealed, "
		       "pg_catalog.count(*) OVER (PARTITION BY " SEALED_WITH ") "
		       "FROM public.tenants WHERE db_password_sealed IS NOT NULL "
		       "ORDER BY " SEALED_WITH ", updated_at DESC LIMIT 100",
	};

	if (r->is_watching)
		return flow_goto(f, reseal_batch);
	return catalog_run(f, r->catalog, CATALOG_TENANTS, HOLDER, &q, &r->result);
}

/* One password of a key: true when that is ours. */
static bool
reseal_judge_row(const struct reseal *r, unsigned row)
{
	const char *id = pg_text(&r->result, row, 0), *count = pg_text(&r->result, row, 2);
	struct slice sealed = pg_value(&r->result, row, 1);
	bool known = seal_knows(r->seal, sealed);
	struct buf plain;

	buf_init(&plain, RESEAL_PLAIN_MAX);
	if (!known)
		log_event(LOG_ERR, "tenant.seal_foreign", NULL,
		    "The list seal_keys lacks the key of %s passwords in public.tenants, of tenant "
		    "%s for "
		    "instance: those tenants cannot be served. Add that key, after the first.",
		    count, id);
	else if (!reseal_open(r->seal, id, sealed, &plain))
		log_event(LOG_ERR, "tenant.seal_broken", NULL,
		    "The sealed password of tenant %s does not open, although its key is there: it "
		    "was changed, or is another tenant's. Set the row's state to 'failed'.",
		    id);
	buf_wipe(&plain);
	return known;
}

#define OUR_PREFIXES "pg_catalog.string_to_array($1, ',')"

/* In one statement, whose SELECT sees the table as it was before: the first key's row. Prefixes
 * have no commas. */
static enum flow_rc
reseal_announce(struct reseal *r)
{
	char prefix[SEAL_PREFIX_LEN + 1];
	struct pg_query q = {
		.sql = "WITH gone AS (DELETE FROM public.seal_readers "
		       "WHERE prefix" PG_DIFFERS "ALL (" OUR_PREFIXES ")), "
		       "here AS (INSERT INTO public.seal_readers (prefix) "
		       "SELECT DISTINCT pg_catalog.unnest((" OUR_PREFIXES ")[2:]) "
		       "ON CONFLICT DO NOTHING) SELECT 1 FROM public.seal_readers "
		       "WHERE prefix" PG_EQUALS "pg_catalog.split_part($1, ',', 1)",
		.param_count = 1,
	};

	buf_reset(&r->rows);
	for (size_t i = 0; seal_prefix_of(r->seal, i, prefix); i++)
		buf_printf(&r->rows, "%s%s", i > 0 ? "," : "", prefix);
	q.params[0] = PG_TEXT(r->rows.data);
	return catalog_run(&r->flow, r->catalog, CATALOG_TENANTS, HOLDER, &q, &r->result);
}

static enum flow_rc
reseal_judge(struct flow *f)
{
	struct reseal *r = FLOW_OF(f, struct reseal, &reseal_kind);
	unsigned n, known = 0;

	if (r->result.status != PG_OK)
		return reseal_retry(r);
	n = pg_rows(&r->result);
	for (unsigned i = 0; i < n; i++)
		known += reseal_judge_row(r, i);
	if (n > 0 && known == 0)
		return flow_fail(f, ERR_CATALOG,
		    "The seal_keys given open none of the passwords in the catalog (tenant %.60s's "
		    "for "
		    "instance): they were sealed with another key. Add that key to seal_keys.",
		    pg_text(&r->result, 0, 0));
	return reseal_announce(r);
}

/* Nothing is to be sealed anew unless the first key was announced before. */
static enum flow_rc
reseal_announced(struct flow *f)
{
	struct reseal *r = FLOW_OF(f, struct reseal, &reseal_kind);

	char second[SEAL_PREFIX_LEN + 1];

	if (reseal_is_refused(&r->result)) {
		log_event(LOG_WARNING, "tenant.seal_kept", NULL,
		    "The catalog takes no writes, so its passwords stay as they are sealed: %s. "
		    "Keep all keys in seal_keys.",
		    r->result.failure.message);
		return FLOW_DONE;
	}
	if (r->result.status != PG_OK)
		return reseal_retry(r);
	if (pg_rows(&r->result) == 0)
		return FLOW_DONE;
	*r->goes_on = seal_prefix_of(r->seal, 1, second);
	return FLOW_NEXT;
}

/* ---- sealing anew ---- */

static enum flow_rc
reseal_batch(struct flow *f)
{
	struct reseal *r = FLOW_OF(f, struct reseal, &reseal_kind);

	return reseal_select(f, r->catalog, r->prefix, r->last, r->is_watching, &r->result);
}

/* A watcher begins anew after a while. */
static enum flow_rc
reseal_finish(struct reseal *r)
{
	if (r->resealed > 0)
		log_event(LOG_NOTICE, "tenant.resealed", NULL,
		    "%llu passwords in the catalog were sealed anew, with the first of seal_keys.",
		    (unsigned long long)r->resealed);
	if (!r->is_watching)
		return FLOW_DONE;
	r->resealed = 0;
	r->last[0] = '\0';
	flow_goto(&r->flow, reseal_batch);
	return flow_sleep(&r->flow, &r->timer, backoff_us(&round_backoff, ++r->rounds, 0));
}

static enum flow_rc
reseal_seal(struct flow *f)
{
	struct reseal *r = FLOW_OF(f, struct reseal, &reseal_kind);

	if (r->result.status != PG_OK)
		return reseal_retry(r);
	if (pg_rows(&r->result) == 0)
		return reseal_finish(r);
	if (reseal_rows(r->seal, &r->result, r->last, &r->rows) == 0)
		return flow_goto(f, reseal_batch);
	return reseal_save(f, r->catalog, r->rows.data, &r->result);
}

static enum flow_rc
reseal_saved(struct flow *f)
{
	struct reseal *r = FLOW_OF(f, struct reseal, &reseal_kind);

	if (reseal_is_refused(&r->result))
		return reseal_finish(r);
	if (r->result.status != PG_OK)
		return reseal_retry(r);
	r->resealed += pg_changed(&r->result);
	return flow_goto(f, reseal_batch);
}

static void
reseal_release(struct flow *f)
{
	struct reseal *r = FLOW_OF(f, struct reseal, &reseal_kind);

	pg_clear(&r->result);
	buf_free(&r->rows);
	free(r);
}

static enum flow_rc
reseal_begin(struct flow *f, struct catalog *c, const struct seal *seal, bool *goes_on)
{
	struct reseal *r = xcalloc(1, sizeof(*r));

	r->catalog = c;
	r->seal = seal;
	r->goes_on = goes_on;
	r->is_watching = goes_on == NULL;
	seal_prefix(seal, r->prefix);
	buf_init(&r->rows, RESEAL_ROWS_MAX);
	return flow_call(f, &r->flow, &reseal_kind);
}

enum flow_rc
tenants_reseal(struct flow *f, struct catalog *c, const struct seal *seal, bool *goes_on)
{
	*goes_on = false;
	return reseal_begin(f, c, seal, goes_on);
}

enum flow_rc
tenants_reseal_watch(struct flow *f, struct catalog *c, const struct seal *seal)
{
	return reseal_begin(f, c, seal, NULL);
}
