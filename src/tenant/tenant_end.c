/* SPDX-License-Identifier: MIT */
/*
 * tenant_end: what an order (row_end.h) leaves to be done, step by step, each of which may be
 * repeated:
 *
 *	suspend: tell all --> the endpoint is disabled --> Redis' copies are gone --> done
 *	resume:  the endpoint is enabled --> done --> tell all
 *	delete:  tell all --> the database goes --> Redis' keys --> the listing, the keys --> done
 *
 *	[claim] --> [claimed] --> what is next of it:
 *	  ^ ^ ^	       | not ours   [provider] --> [provided] --+
 *	  | | |	       v	    [redis] <--> [replied] -----+--> [note] --> [claim]
 *	  | | +- [look] [looked]    [documents] --> [emptied] --+--> [done] --> [over]
 *	  | |				 any failure: [fail] --> over
 *	  | +-- a stage of a deletion is noted
 *	  +---- there was a newer order meanwhile
 *
 * What always holds:
 *  - One such flow a tenant on a worker, one at work anywhere, by lease in the row, which each
 *    [claim] renews. Its deadline ends before the lease does, counted from before the claim was
 *    sent: no step is begun, or gone on with, when another may have the work.
 *  - The order is in the row before, and the tenant refused from then on. What is done is noted
 *    after: a process that is killed in between does it again.
 *  - A tenant is told of (tenant_forget) at the beginning by each who takes the work up, for the
 *    one before may have been killed before it did.
 *  - A stage that fails leaves the rest owed, and is tried again by the watch (tenant_ends.c).
 */
#include "tenant/tenant_end.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenant/end_database.h"
#include "tenant/end_redis.h"
#include "tenant/end_time.h"
#include "tenant/row_end.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"

#define BUSY_US (250 * 1000ull) /* between looks while another is at work */

struct tenant_end {
	struct flow flow;
	struct end_handle handle;
	struct tenants *tenants; /* borrowed */
	char id[TENANT_ID_MAX + 1];
	char attempt[ATTEMPT_ID_LEN + 1];
	struct row_end_work work; /* borrows the two above */
	struct row_end_task task;
	struct tenant_row row;	 /* without a password */
	struct pg_result result; /* owned */
	union {
		struct end_database database;
		struct end_redis redis;
	} child;	/* one at a time */
	struct err why; /* of the stage that failed */
	char last_error[512];
	char stored_bytes[24], projects_left[160];
	struct timer timer;
	uint64_t claimed_us; /* monotonic: before the claim was sent */
	bool has_told;	     /* all replicas, of this order */
	bool is_worked;	     /* the lease was ours once */
};

static flow_step_fn end_claim, end_claimed, end_look, end_looked, end_provider, end_provided,
    end_redis, end_replied, end_documents, end_emptied, end_note, end_noted, end_done, end_over,
    end_fail;
static flow_end_fn tenant_end_end;
static flow_release_fn tenant_end_release;

static const struct flow_step tenant_end_steps[] = {
	{ "claim", end_claim },
	{ "claimed", end_claimed },
	{ "look", end_look },
	{ "looked", end_looked },
	{ "provider", end_provider },
	{ "provided", end_provided },
	{ "redis", end_redis },
	{ "replied", end_replied },
	{ "documents", end_documents },
	{ "emptied", end_emptied },
	{ "note", end_note },
	{ "noted", end_noted },
	{ "done", end_done },
	{ "over", end_over },
	{ "fail", end_fail },
	{ NULL, NULL },
};

static const struct flow_kind tenant_end_kind = { "tenant_end", tenant_end_steps, tenant_end_end,
	tenant_end_release };

static struct tenant_end *
tenant_end_of(struct flow *f)
{
	return FLOW_OF(f, struct tenant_end, &tenant_end_kind);
}

/* ---- whose work it is, and what is next ---- */

static void
lease_write(struct tenant_end *e, uint64_t us)
{
	snprintf(e->work.lease_ms, sizeof(e->work.lease_ms), "%llu",
	    (unsigned long long)(us / 1000));
}

static enum flow_rc
end_claim(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);

	lease_write(e, e->tenants->conf->lease_us);
	e->claimed_us = clock_mono_us();
	return row_end_claim(f, e->tenants->catalog, &e->work, &e->result);
}

/* The row refuses the tenant already: who looks it up from now on hears so. */
static void
end_tell(struct tenant_end *e)
{
	if (!e->has_told)
		tenant_forget(e->tenants, e->id);
	e->has_told = true;
}

/* On a cluster of one's own an attempt to make it has nothing before each statement that it could
 * be stopped by: its lease is waited for, within which it has ended. */
static enum flow_rc
end_begin_database(struct tenant_end *e)
{
	if (!e->task.is_being_made || e->row.tenant.provider != PROVIDER_POSTGRES)
		return flow_goto(&e->flow, end_provider);
	flow_goto(&e->flow, end_claim);
	return flow_sleep(&e->flow, &e->timer, BUSY_US);
}

static enum flow_rc
end_begin_stage(struct tenant_end *e)
{
	struct flow *f = &e->flow;

	switch (e->task.stage) {
	case END_REQUESTS:
		return flow_goto(f, end_note);
	case END_DATABASE:
		return end_begin_database(e);
	case END_REDIS:
		return flow_goto(f, end_redis);
	case END_CATALOG:
		break;
	}
	return flow_goto(f, end_documents);
}

static enum flow_rc
end_claimed(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);
	enum flow_rc rc = catalog_check(f, &e->result, "tenant's end");
	bool is_same = e->is_worked;
	enum tenant_order before = e->task.order;
	uint64_t left_us;

	if (rc != FLOW_NEXT || pg_rows(&e->result) == 0)
		return rc;
	row_end_read(&e->result, &e->work, &e->task, &e->row);
	e->is_worked = true;
	if (!end_time_left(e->claimed_us, e->tenants->conf->lease_us, &left_us))
		return FLOW_DONE; /* the lease runs out; the watch takes it up */
	flow_deadline(f, left_us);
	if (is_same && before != e->task.order)
		e->has_told = false;
	if (e->task.order == TENANT_RESUME)
		return flow_goto(f, end_provider);
	end_tell(e);
	return e->task.order == TENANT_SUSPEND ? flow_goto(f, end_provider) : end_begin_stage(e);
}

/* Nothing to do, it rests, or another is at it: whose end is waited for, for the sake of those who
 * wait for this flow. A killed one's lease runs out meanwhile. */
static enum flow_rc
end_look(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);

	return row_end_busy(f, e->tenants->catalog, e->id, &e->result);
}

static enum flow_rc
end_looked(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);
	enum flow_rc rc = catalog_check(f, &e->result, "tenant's end");

	if (rc != FLOW_NEXT || pg_rows(&e->result) == 0)
		return rc == FLOW_NEXT ? FLOW_DONE : rc;
	flow_goto(f, end_claim);
	return flow_sleep(f, &e->timer, BUSY_US);
}

/* ---- its endpoint, or its database ---- */

static enum flow_rc
end_provider(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);

	return end_database_try(f, &e->child.database, e->tenants, &e->row, e->task.order,
	    e->tenants->conf->lease_us * 3 / 4, &e->why);
}

static enum flow_rc
end_provided(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);

	if (err_is(&e->why))
		return flow_goto(f, end_fail);
	if (e->task.order == TENANT_RESUME)
		return flow_goto(f, end_done);
	if (e->task.order == TENANT_SUSPEND)
		return flow_goto(f, end_redis);
	snprintf(e->stored_bytes, sizeof(e->stored_bytes), "%s",
	    end_database_stored(&e->child.database));
	snprintf(e->projects_left, sizeof(e->projects_left), "%s",
	    end_database_left(&e->child.database));
	return flow_goto(f, end_note);
}

/* ---- its keys in Redis ---- */

static enum flow_rc
end_redis(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);

	memset(&e->child, 0, sizeof(e->child));
	e->child.redis = (struct end_redis){
		.tenants = e->tenants,
		.id = e->id,
		.is_deleted = e->task.order == TENANT_DELETE,
		.ordered_ago_s = e->task.ordered_ago_s,
	};
	return flow_try(f, &e->child.redis.flow, &end_redis_kind, &e->why);
}

static enum flow_rc
end_replied(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);

	if (err_is(&e->why))
		return flow_goto(f, end_fail);
	return flow_goto(f, e->task.order == TENANT_DELETE ? end_note : end_done);
}

/* ---- the catalog ---- */

static enum flow_rc
end_documents(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);

	return row_end_documents(f, e->tenants->catalog, &e->work, &e->result);
}

/* A batch at a time: each claim between two of them renews the lease. */
static enum flow_rc
end_emptied(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);
	enum flow_rc rc = catalog_check(f, &e->result, "deleted tenant's documents");

	if (rc != FLOW_NEXT || pg_rows(&e->result) == 0)
		return rc == FLOW_NEXT ? FLOW_DONE : rc; /* the work is another's */
	if (strcmp(pg_text(&e->result, 0, 0), "0") == 0)
		return flow_goto(f, end_done);
	return flow_goto(f, end_claim);
}

static enum flow_rc
end_note(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);
	struct row_end_note note = {
		.stage = e->task.stage,
		.stored_bytes = text_or_null(e->stored_bytes),
		.projects_left = text_or_null(e->projects_left),
	};

	return row_end_note(f, e->tenants->catalog, &e->work, &note, &e->result);
}

/* The claim reads what is noted. */
static enum flow_rc
end_noted(struct flow *f)
{
	enum flow_rc rc = catalog_check(f, &tenant_end_of(f)->result, "receipt of a deletion");

	return rc == FLOW_NEXT ? flow_goto(f, end_claim) : rc;
}

static enum flow_rc
end_done(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);

	return row_end_done(f, e->tenants->catalog, &e->work, e->task.order, &e->result);
}

static enum flow_rc
end_over(struct flow *f)
{
	static const char *const done[] = { "suspended", "resumed", "deleted" };
	struct tenant_end *e = tenant_end_of(f);
	enum flow_rc rc = catalog_check(f, &e->result, "tenant's end");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_changed(&e->result) == 0)
		return flow_goto(f, end_claim);
	log_event(LOG_NOTICE, "tenant.ended", NULL, "Tenant %s is %s.", e->id, done[e->task.order]);
	tenant_forget(e->tenants, e->id);
	return FLOW_DONE;
}

/* ---- what is left ---- */

/* The last step: whether it was written is not looked at, for the lease runs out, or has been
 * taken. */
static enum flow_rc
end_fail(struct flow *f)
{
	struct tenant_end *e = tenant_end_of(f);
	uint64_t rest_us =
	    end_rest_us(e->tenants->conf->lease_us, e->why.retry_after, e->task.ordered_ago_s);
	char told[ERR_TOLD_SIZE];

	err_tell(&e->why, told);
	log_event(LOG_WARNING, "tenant.end_failed", NULL,
	    "Tenant %s is refused, but not all is done of its end, which is gone on with in %llu "
	    "s: %s",
	    e->id, (unsigned long long)(rest_us / 1000000), told);
	row_error_write(e->last_error, sizeof(e->last_error), &e->why);
	lease_write(e, rest_us);
	return row_end_fail(f, e->tenants->catalog, &e->work, e->last_error, &e->result);
}

/* ---- beginning and end ---- */

static void
tenant_end_end(struct flow *f, const struct err *err)
{
	struct tenant_end *e = tenant_end_of(f);

	(void)err; /* who waits for it looks at the row */
	pg_clear(&e->result);
	map_take(e->tenants->ends, slice_str(e->id));
	join_finish(&e->handle.join, &(struct err){ 0 });
}

static void
tenant_end_release(struct flow *f)
{
	free(tenant_end_of(f));
}

struct end_handle *
tenant_end_handle(struct tenants *ts, const char *id)
{
	struct end_handle *there = map_get(ts->ends, slice_str(id));
	struct tenant_end *e;

	if (there != NULL)
		return there;
	e = xcalloc(1, sizeof(*e));
	e->tenants = ts;
	snprintf(e->id, sizeof(e->id), "%s", id);
	id_random(e->attempt, ATTEMPT_ID_LEN);
	e->work = (struct row_end_work){ .id = e->id, .attempt = e->attempt };
	join_init(&e->handle.join);
	if (!map_put(ts->ends, slice_str(id), &e->handle)) {
		free(e);
		return NULL;
	}
	flow_start(&e->flow, &tenant_end_kind, ts->worker, NULL);
	return &e->handle;
}
