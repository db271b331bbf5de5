/* SPDX-License-Identifier: MIT */
/*
 * reseal_now: sealing anew because an operator asks, some rows at a time, so that he sees how far
 * it is, and is told at once what is in the way. (At the start, and behind it: reseal.c.)
 *
 *	[count]: how many there are, and whether the first key is known to all replicas
 *	[select] --> [seal] --> [saved]: some rows
 */
#include <stdlib.h>

#include "tenant/reseal_rows.h"
#include "tenant/tenant_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/wire/pg_sql.h"

#define PASSES_MAX 10

struct reseal_now {
	struct flow flow;
	struct catalog *catalog; /* borrowed, as the next two */
	const struct seal *seal;
	struct tenants_resealing *state;
	char prefix[SEAL_PREFIX_LEN + 1];
	struct pg_result result; /* owned */
	struct buf rows;	 /* owned */
	unsigned sealed;	 /* of these rows */
};

static flow_step_fn reseal_now_select, reseal_now_seal, reseal_now_saved, reseal_now_count,
    reseal_now_counted;
static flow_end_fn reseal_now_end;
static flow_release_fn reseal_now_release;

static const struct flow_step reseal_now_steps[] = {
	{ "select", reseal_now_select },
	{ "seal", reseal_now_seal },
	{ "saved", reseal_now_saved },
	{ NULL, NULL },
};

static const struct flow_step reseal_count_steps[] = {
	{ "count", reseal_now_count },
	{ "counted", reseal_now_counted },
	{ NULL, NULL },
};

static const struct flow_kind reseal_now_kind = { "reseal_now", reseal_now_steps, reseal_now_end,
	reseal_now_release };
static const struct flow_kind reseal_count_kind = { "reseal_count", reseal_count_steps,
	reseal_now_end, reseal_now_release };

/* ---- some rows ---- */

/* What was written while it was sealed anew may have the other key still: all again, until a pass
 * has missed none. "Done" is what operators take the other key away by. */
static enum flow_rc
reseal_now_pass(struct reseal_now *r)
{
	struct tenants_resealing *s = r->state;

	s->is_done = s->missed == 0;
	if (s->is_done)
		return FLOW_DONE;
	if (++s->passes == PASSES_MAX)
		return flow_fail(&r->flow, ERR_CONFLICT,
		    "Passwords are written as fast as they are sealed anew. Look which replica has "
		    "another key first in seal_keys, then ask again.");
	s->missed = s->unopened = 0;
	s->last[0] = '\0';
	return FLOW_DONE;
}

static enum flow_rc
reseal_now_select(struct flow *f)
{
	struct reseal_now *r = FLOW_OF(f, struct reseal_now, &reseal_now_kind);

	return reseal_select(f, r->catalog, r->prefix, r->state->last, false, &r->result);
}

static enum flow_rc
reseal_now_seal(struct flow *f)
{
	struct reseal_now *r = FLOW_OF(f, struct reseal_now, &reseal_now_kind);
	enum flow_rc rc = catalog_check(f, &r->result, "passwords to be sealed anew");
	unsigned found;

	if (rc != FLOW_NEXT)
		return rc;
	found = pg_rows(&r->result);
	if (found == 0)
		return reseal_now_pass(r);
	r->sealed = reseal_rows(r->seal, &r->result, r->state->last, &r->rows);
	r->state->unopened += found - r->sealed;
	if (r->sealed == 0)
		return FLOW_DONE;
	return reseal_save(f, r->catalog, r->rows.data, &r->result);
}

static enum flow_rc
reseal_now_saved(struct flow *f)
{
	struct reseal_now *r = FLOW_OF(f, struct reseal_now, &reseal_now_kind);
	enum flow_rc rc;

	if (reseal_is_refused(&r->result))
		return flow_fail(f, ERR_CATALOG,
		    "The main database takes no writes, so its passwords stay as they are sealed. "
		    "Keep all keys in seal_keys, and try again when it does.");
	rc = catalog_check(f, &r->result, "passwords sealed anew");
	if (rc != FLOW_NEXT)
		return rc;
	r->state->resealed += pg_changed(&r->result);
	r->state->missed += r->sealed - pg_changed(&r->result);
	return FLOW_NEXT;
}

/* ---- how many there are ---- */

static enum flow_rc
reseal_now_count(struct flow *f)
{
	struct reseal_now *r = FLOW_OF(f, struct reseal_now, &reseal_count_kind);
	struct pg_query q = {
		.sql = "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE " SEALED_WITH
		    PG_DIFFERS "$1), EXISTS (SELECT FROM public.seal_readers "
		       "WHERE prefix" PG_EQUALS "$1) "
		       "FROM public.tenants WHERE db_password_sealed IS NOT NULL",
		.params = { PG_TEXT(r->prefix) },
		.param_count = 1,
	};

	return catalog_run(f, r->catalog, CATALOG_TENANTS, RESEAL_HOLDER, &q, &r->result);
}

static enum flow_rc
reseal_now_counted(struct flow *f)
{
	struct reseal_now *r = FLOW_OF(f, struct reseal_now, &reseal_count_kind);
	enum flow_rc rc = catalog_check(f, &r->result, "sealed passwords");

	if (rc != FLOW_NEXT)
		return rc;
	r->state->passwords = strtoull(pg_text(&r->result, 0, 0), NULL, 10);
	r->state->left = strtoull(pg_text(&r->result, 0, 1), NULL, 10);
	if (r->state->left > 0 && pg_text(&r->result, 0, 2)[0] != 't')
		return flow_fail(f, ERR_CONFLICT,
		    "The first of seal_keys is not known to be readable by all replicas. Start all "
		    "of them with it behind the other first, then with it in front.");
	return FLOW_DONE;
}

/* ---- beginning and end ---- */

static struct reseal_now *
reseal_now_of(struct flow *f)
{
	return (struct reseal_now *)flow_checked(f, f->kind);
}

static void
reseal_now_end(struct flow *f, const struct err *err)
{
	struct reseal_now *r = reseal_now_of(f);

	(void)err;
	pg_clear(&r->result);
	buf_free(&r->rows);
}

static void
reseal_now_release(struct flow *f)
{
	free(reseal_now_of(f));
}

static enum flow_rc
reseal_now_begin(struct flow *f, struct tenants *ts, struct tenants_resealing *state,
    const struct flow_kind *kind)
{
	struct reseal_now *r = xcalloc(1, sizeof(*r));

	r->catalog = ts->catalog;
	r->seal = ts->seal;
	r->state = state;
	seal_prefix(ts->seal, r->prefix);
	buf_init(&r->rows, RESEAL_ROWS_MAX);
	return flow_call(f, &r->flow, kind);
}

enum flow_rc
tenants_reseal_count(struct flow *f, struct tenants *ts, struct tenants_resealing *state)
{
	return reseal_now_begin(f, ts, state, &reseal_count_kind);
}

enum flow_rc
tenants_reseal_some(struct flow *f, struct tenants *ts, struct tenants_resealing *state)
{
	return reseal_now_begin(f, ts, state, &reseal_now_kind);
}
