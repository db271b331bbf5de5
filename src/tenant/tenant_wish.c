/* SPDX-License-Identifier: MIT */
/*
 * tenant_wish: asks Neon for what is wished of a ready tenant's database.
 *
 *	[claim] --> [claimed] --> nothing is pending, or another is at it: done
 *	   ^            |
 *	   |            v				    done by Neon
 *	   |         [change] (neon_change.c) --> [changed] -----------> [write]: settle
 *	   |                                        |  refused --------> [write]: refuse
 *	   |                                        |  it is away -----> [write]: fail, later again
 *	   +------------- [written] <---------------+
 *
 * What always holds:
 *  - One such flow a tenant on a worker; over all replicas the lease in the row decides, which is
 *    longer than the flow's part at Neon may take. So Neon is asked for one wish after another.
 *  - Killed anywhere, the row says what is wished and what Neon is known to have; when the lease is
 *    over the watch of any replica (tenant_wishes_watch()), or the same request, begins again. All
 *    that is asked of Neon may be asked twice.
 *  - A wish that changes meanwhile is seen when this one is written down: then all begins again.
 *  - What Neon refuses becomes what was before, and where Neon has a part of it already, that is
 *    asked for next.
 */
#include "tenant/tenant_wish.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenant/neon_change.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"
#include "tenantgate/tenant/wishes.h"

#define ROUNDS_MAX     16		/* of wishes that come while others are asked for */
#define LEASE_SPARE_US (5 * 1000000ull) /* for the catalog's statements */

static const struct backoff wish_backoff = { 2 * 1000000ull, 300 * 1000000ull, 200 };

struct wish {
	struct flow flow;
	struct wish_handle handle;
	struct tenants *tenants; /* borrowed */
	struct tenant_row row;	 /* ids alone */
	struct row_wish claim;
	char attempt_id[ATTEMPT_ID_LEN + 1];
	json_t *wished, *applied, *before; /* owned; before may be NULL */
	struct neon_change change;
	struct pg_result result;	   /* owned */
	struct buf wished_text, back_text; /* owned */
	struct err why;			   /* of the change */
	char last_error[512], wait_s[12];
	unsigned tries; /* that failed before, of this wish */
	unsigned rounds;
	bool is_over; /* the write that is under way is the last */
};

static flow_step_fn wish_claim, wish_claimed, wish_change, wish_changed, wish_written;
static flow_end_fn wish_end;
static flow_release_fn wish_release;

static const struct flow_step wish_steps[] = {
	{ "claim", wish_claim },
	{ "claimed", wish_claimed },
	{ "change", wish_change },
	{ "changed", wish_changed },
	{ "written", wish_written },
	{ NULL, NULL },
};

static const struct flow_kind wish_kind = { "tenant_wish", wish_steps, wish_end, wish_release };

/* How long Neon is asked in one go: a call may take its time, and be sent again. */
static uint64_t
change_us(const struct tenants_conf *conf)
{
	return conf->lease_us + 2 * conf->neon_timeout_us;
}

static enum flow_rc
wish_claim(struct flow *f)
{
	struct wish *w = FLOW_OF(f, struct wish, &wish_kind);

	if (w->rounds++ == ROUNDS_MAX)
		return FLOW_DONE;
	return row_wish_claim(f, w->tenants->catalog, &w->claim, &w->result);
}

static void
wish_forget_values(struct wish *w)
{
	json_decref(w->wished);
	json_decref(w->applied);
	json_decref(w->before);
	w->wished = w->applied = w->before = NULL;
}

static json_t *
claim_object(const struct pg_result *r, unsigned column, struct err *err)
{
	struct slice text = pg_value(r, 0, column);

	return text.p == NULL ? NULL : json_read_object(text, err);
}

static enum flow_rc
wish_claimed(struct flow *f)
{
	struct wish *w = FLOW_OF(f, struct wish, &wish_kind);
	enum flow_rc rc = catalog_check(f, &w->result, "what is wished of Neon");
	const struct pg_result *r = &w->result;
	struct err err = { 0 };

	if (rc != FLOW_NEXT || pg_rows(r) == 0)
		return rc == FLOW_NEXT ? FLOW_DONE : rc;
	snprintf(w->row.project_id, PROVIDER_ID_SIZE, "%s", pg_text(r, 0, 0));
	snprintf(w->row.endpoint_id, PROVIDER_ID_SIZE, "%s", pg_text(r, 0, 1));
	w->tries = pg_text(r, 0, 4)[0] == '-' ? 0 : (unsigned)strtoul(pg_text(r, 0, 4), NULL, 10);
	wish_forget_values(w);
	w->wished = claim_object(r, 2, &err);
	w->applied = claim_object(r, 3, &err);
	w->before = claim_object(r, 5, &err);
	buf_reset(&w->wished_text);
	if (w->wished == NULL || w->applied == NULL || !json_put(&w->wished_text, w->wished))
		return flow_fail(f, ERR_INTERNAL,
		    "The tenant's columns neon_wished and neon_applied cannot be read; look at its "
		    "row "
		    "in public.tenants.");
	return FLOW_NEXT;
}

static enum flow_rc
wish_change(struct flow *f)
{
	struct wish *w = FLOW_OF(f, struct wish, &wish_kind);
	enum flow_rc rc;

	neon_change_init(&w->change, w->tenants, &w->row, &w->claim, w->wished, w->applied);
	w->why = (struct err){ 0 };
	rc = flow_try(f, &w->change.flow, &neon_change_kind, &w->why);
	flow_deadline(&w->change.flow, change_us(w->tenants->conf));
	return rc;
}

/* ---- what came of it ---- */

static enum flow_rc
wish_refused(struct wish *w)
{
	json_t *back = w->before != NULL ? w->before : w->applied;

	log_event(LOG_WARNING, "tenant.neon_refused", NULL,
	    "Neon refuses what is wished of tenant %s's database, and the wish is taken back: %s "
	    "%s",
	    w->row.tenant.id, w->why.detail, w->why.cause);
	neon_settings_go_back(back, w->applied);
	buf_reset(&w->back_text);
	if (!json_put(&w->back_text, back))
		return flow_fail(&w->flow, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's settings");
	return row_wish_refuse(&w->flow, w->tenants->catalog, &w->claim, w->wished_text.data,
	    w->back_text.data, w->last_error, &w->result);
}

static enum flow_rc
wish_failed(struct wish *w)
{
	uint64_t us =
	    backoff_us(&wish_backoff, w->tries + 1, (uint64_t)w->why.retry_after * 1000000);

	snprintf(w->wait_s, sizeof(w->wait_s), "%u", (unsigned)((us + 999999) / 1000000));
	log_event(LOG_WARNING, "tenant.neon_pending", NULL,
	    "Neon does not have what is wished of tenant %s's database yet, and is asked again in "
	    "%s s "
	    "or later: %s %s",
	    w->row.tenant.id, w->wait_s, w->why.detail, w->why.cause);
	w->is_over = true;
	return row_wish_fail(&w->flow, w->tenants->catalog, &w->claim, w->wait_s, w->last_error,
	    &w->result);
}

static enum flow_rc
wish_changed(struct flow *f)
{
	struct wish *w = FLOW_OF(f, struct wish, &wish_kind);

	w->is_over = false;
	if (!err_is(&w->why))
		return row_wish_settle(f, w->tenants->catalog, &w->claim, w->wished_text.data,
		    &w->result);
	row_error_write(w->last_error, sizeof(w->last_error), &w->why);
	return w->change.is_refused ? wish_refused(w) : wish_failed(w);
}

/* Another look: the wish may be another by now, or be what it goes back to. Plan and settings may
 * hold from now on. */
static enum flow_rc
wish_written(struct flow *f)
{
	struct wish *w = FLOW_OF(f, struct wish, &wish_kind);
	enum flow_rc rc = catalog_check(f, &w->result, "what Neon has");

	if (rc != FLOW_NEXT)
		return rc;
	if (!err_is(&w->why))
		tenant_forget(w->tenants, w->row.tenant.id);
	return w->is_over ? FLOW_DONE : flow_goto(f, wish_claim);
}

static void
wish_end(struct flow *f, const struct err *err)
{
	struct wish *w = FLOW_OF(f, struct wish, &wish_kind);
	struct err none = { 0 };

	if (err_is(err) && err->code != ERR_SHUTDOWN)
		log_event(LOG_WARNING, "tenant.neon_pending", NULL,
		    "What is wished of tenant %s's database is not seen to, and waits: %s %s",
		    w->row.tenant.id, err->detail, err->cause);
	map_take(w->tenants->wishes, slice_str(w->row.tenant.id));
	join_finish(&w->handle.join, &none);
}

static void
wish_release(struct flow *f)
{
	struct wish *w = FLOW_OF(f, struct wish, &wish_kind);

	wish_forget_values(w);
	pg_clear(&w->result);
	buf_free(&w->wished_text);
	buf_free(&w->back_text);
	free(w);
}

static void
wish_fill(struct wish *w, struct tenants *ts, const char *id)
{
	w->tenants = ts;
	snprintf(w->row.tenant.id, sizeof(w->row.tenant.id), "%s", id);
	id_random(w->attempt_id, ATTEMPT_ID_LEN);
	w->claim = (struct row_wish){ .id = w->row.tenant.id, .attempt = w->attempt_id };
	snprintf(w->claim.lease_ms, sizeof(w->claim.lease_ms), "%llu",
	    (unsigned long long)((change_us(ts->conf) + LEASE_SPARE_US) / 1000));
	buf_init(&w->wished_text, NEON_SETTINGS_SIZE);
	buf_init(&w->back_text, NEON_SETTINGS_SIZE);
	join_init(&w->handle.join);
}

struct wish_handle *
wish_handle_get(struct tenants *ts, const char *id)
{
	struct wish_handle *h = map_get(ts->wishes, slice_str(id));
	struct wish *w;

	if (h != NULL)
		return h;
	w = xcalloc(1, sizeof(*w));
	wish_fill(w, ts, id);
	if (!map_put(ts->wishes, slice_str(id), &w->handle)) {
		buf_free(&w->wished_text);
		buf_free(&w->back_text);
		free(w);
		return NULL;
	}
	flow_start(&w->flow, &wish_kind, ts->worker, NULL);
	return &w->handle;
}
