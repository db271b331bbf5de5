/* SPDX-License-Identifier: MIT */
/*
 * provision: one tenant's database, made exactly once whoever asks.
 *
 *	[claim] --> ours --> [work] --> [settle] --> done, or failed with the attempt's reason
 *	   ^  |                (a keeper renews the lease meanwhile)
 *	   |  +--> not ours --> [peek] --> ready: done
 *	   |                      |  ^
 *	   +-- lease expired <----+--+ nap: another worker or replica is at it
 *
 * What always holds: one such flow a tenant on a worker (asking for it is a seat in its join), one
 * attempt a tenant anywhere (the lease in the row). It has a deadline of its own and goes on when
 * everybody has left. A failed attempt is written down, with all that was learnt.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/attempt.h"
#include "tenant/lease_renewer.h"
#include "tenant/provision.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

#define FINISH_US (15 * 1000000ull) /* beyond the attempt's own deadline */

static const struct backoff peek_backoff = { 150 * 1000, 1000000, 150 };

struct provision {
	struct flow flow;
	struct provision_handle handle;
	struct tenants *tenants;      /* borrowed */
	struct tenant_record *record; /* the door's */
	char attempt_id[ATTEMPT_ID_LEN + 1];
	char project_name[PROJECT_NAME_SIZE];
	struct row_claim claim;	 /* borrows the three above */
	struct tenant_row row;	 /* wiped */
	struct pg_result result; /* owned */
	struct attempt attempt;
	struct err why;	       /* the attempt's outcome */
	struct lease_renewer *renewer; /* owned until let go */
	struct timer poll_timer;
	unsigned peeks;	  /* that found another at it */
	bool others_work; /* another was seen at it */
};

static flow_step_fn provision_claim, provision_claimed, provision_peek, provision_check,
    provision_work, provision_finish, provision_finished;
static flow_end_fn provision_end;
static flow_release_fn provision_release;

static const struct flow_step provision_steps[] = {
	{ "claim", provision_claim },
	{ "claimed", provision_claimed },
	{ "peek", provision_peek },
	{ "check", provision_check },
	{ "work", provision_work },
	{ "finish", provision_finish },
	{ "finished", provision_finished },
	{ NULL, NULL },
};

static const struct flow_kind provision_kind = { "provision", provision_steps, provision_end,
	provision_release };

static const char *
provision_id(const struct provision *p)
{
	return p->record->tenant.id;
}

/* ---- whose it is ---- */

static enum flow_rc
provision_claim(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	return row_claim(f, p->tenants->catalog, &p->claim, &p->result);
}

static enum flow_rc
provision_read(struct provision *p)
{
	struct err err = { 0 };

	if (!row_read(&p->result, provision_id(p), p->tenants->seal, &p->row, &err))
		return flow_fail_err(&p->flow, &err);
	return FLOW_NEXT;
}

static enum flow_rc
provision_claimed(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	enum flow_rc rc = catalog_check(f, &p->result, "claim of a tenant");

	if (rc != FLOW_NEXT || pg_rows(&p->result) == 0)
		return rc;
	rc = provision_read(p);
	return rc == FLOW_NEXT ? flow_goto(f, provision_work) : rc;
}

static enum flow_rc
provision_peek(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	return row_select(f, p->tenants->catalog, provision_id(p), &p->result);
}

static enum flow_rc
provision_failed_elsewhere(struct provision *p)
{
	if (p->others_work)
		return flow_fail(&p->flow, ERR_NEON, "the attempt to make the database failed");
	return flow_goto(&p->flow, provision_claim);
}

static enum flow_rc
provision_poll_wait(struct provision *p)
{
	p->others_work = true;
	flow_goto(&p->flow, provision_peek);
	return flow_sleep(&p->flow, &p->poll_timer, backoff_us(&peek_backoff, ++p->peeks, 0));
}

static enum flow_rc
provision_check(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	enum flow_rc rc = catalog_check(f, &p->result, "look at a tenant");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&p->result) == 0)
		return flow_goto(f, provision_claim);
	rc = provision_read(p);
	if (rc != FLOW_NEXT)
		return rc;
	switch (p->row.tenant.state) {
	case TENANT_READY:
	case TENANT_SUSPENDED:
		return FLOW_DONE;
	case TENANT_FAILED:
	case TENANT_UNKNOWN:
		return provision_failed_elsewhere(p);
	case TENANT_PROVISIONING:
		break;
	}
	return p->row.lease_expired ? flow_goto(f, provision_claim) : provision_poll_wait(p);
}

/* ---- ours ---- */

static enum flow_rc
provision_work(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	enum flow_rc rc;

	log_event(LOG_NOTICE, "tenant.provisioning", f->request_id, "%s: attempt %d%s",
	    provision_id(p), p->row.attempts, p->row.project_id[0] != '\0' ? ", goes on" : "");
	attempt_init(&p->attempt, p->tenants, &p->row);
	rc = flow_try(f, &p->attempt.flow, &attempt_kind, &p->why);
	flow_deadline(&p->attempt.flow, p->tenants->conf->provision_deadline_us);
	p->renewer = renewer_start(p->tenants, &p->claim, &p->attempt.flow);
	return rc;
}

static enum flow_rc
provision_finish(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	renewer_stop(&p->renewer);
	if (!err_is(&p->why))
		return FLOW_DONE;
	log_event(LOG_WARNING, "tenant.provision_failed", f->request_id, "%s: %s: %s",
	    provision_id(p), flow_step_name(&p->attempt.flow), p->why.detail);
	return row_fail(f, p->tenants->catalog, &p->row, p->why.detail, p->row.is_posted,
	    p->attempt.is_locked_out, &p->result);
}

/* The row may not say so (the catalog is away, the lease was lost): the lease then runs out. */
static enum flow_rc
provision_finished(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	return flow_fail_err(f, &p->why);
}

static void
provision_end(struct flow *f, const struct err *err)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	struct tenants *ts = p->tenants;
	struct err outcome = *err;

	renewer_stop(&p->renewer);
	if (!err_is(err)) {
		record_fill(p->record, &p->row.tenant);
		lookup_put(ts->records, slice_str(provision_id(p)), &p->record->base);
	}
	if (!err_is(err) && p->row.tenant.state == TENANT_READY) {
		log_event(LOG_NOTICE, "tenant.ready", f->request_id, "%s: %.1f s", provision_id(p),
		    (double)flow_age_us(f) / 1e6);
		tenants_publish(ts, &p->row.tenant);
	}
	if (outcome.code == ERR_TIMEOUT)
		outcome.code = ERR_NEON;
	map_take(ts->provisions, slice_str(provision_id(p)));
	join_finish(&p->handle.join, &outcome);
}

static void
provision_release(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	pg_clear(&p->result);
	lookup_unref(&p->record->base);
	bytes_wipe(&p->row, sizeof(p->row));
	free(p);
}

static bool
provision_fill(struct provision *p, struct tenants *ts, const char *id)
{
	const struct tenants_conf *conf = ts->conf;

	p->tenants = ts;
	p->record = p->handle.record = record_new(slice_str(id));
	if (!name_project(p->project_name, conf->environment, id))
		return false;
	id_random(p->attempt_id, ATTEMPT_ID_LEN);
	p->claim = (struct row_claim){
		.id = provision_id(p),
		.attempt = p->attempt_id,
		.provider = tenants_provider_name(ts),
		.region = conf->provider == PROVIDER_NEON ? conf->neon_region : NULL,
		.project_name = p->project_name,
	};
	snprintf(p->claim.lease_ms, sizeof(p->claim.lease_ms), "%llu",
	    (unsigned long long)(conf->lease_us / 1000));
	return map_put(ts->provisions, slice_str(id), &p->handle);
}

struct provision_handle *
provision_start(struct tenants *ts, const char *id)
{
	struct provision *p = xcalloc(1, sizeof(*p));

	if (!provision_fill(p, ts, id)) {
		lookup_unref(&p->record->base);
		free(p);
		return NULL;
	}
	join_init(&p->handle.join);
	flow_start(&p->flow, &provision_kind, ts->worker, NULL);
	flow_deadline(&p->flow, ts->conf->provision_deadline_us + FINISH_US);
	return &p->handle;
}
