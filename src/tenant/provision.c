/* SPDX-License-Identifier: MIT */
/*
 * provision: one tenant's database, made exactly once whoever asks, and whenever a process dies.
 *
 *	[acquire] --> ours --> [work] --> [finish] --> [finished]: ready, or the attempt's reason
 *	   |                   (the lease renewer keeps the row ours meanwhile)
 *	   +--> ready elsewhere: done
 *
 * Moved by the worker's loop; the flow belongs to the tenant, not to a request.
 *
 * What always holds:
 *  - One such flow a tenant on a worker: in tenants->provisions, which later requests join.
 *  - One attempt a tenant anywhere: row_claim() is one statement, so the database decides between
 *    workers and replicas; each later write names the attempt and changes nothing when another
 *    attempt has the row.
 *  - It has a deadline of its own and goes on when everybody who waited has left.
 *
 * Whenever it is killed (kill -9, power), the row says enough for the next contact, once the
 * lease has run out, to go on without making a second database:
 *
 *	killed              the row then holds          the next attempt
 *	------              ------------------          ----------------
 *	before the claim,   (no row)                    begins anew
 *	  in the queue
 *	after the claim     state, lease                lists by name: none; creates
 *	after the fence     and posted_at               lists by name: none, but the POST may come:
 *	                                                fails, with Retry-After, for as long as that
 *	                                                is possible; then creates
 *	while Neon creates  and posted_at               the same; or it is listed already: adopts it
 *	after the 201,      and posted_at               lists by name: adopts it (Neon keeps the
 *	  before the save                               password: store_passwords)
 *	after the save      address, sealed password;   asks for no creation: waits for Neon's
 *	                    no posted_at                operations, logs in, applies the schema
 *	within the schema   the same                    applies it from its first statement: each is
 *	                                                harmless when repeated
 *	after [ready]       ready                       is not needed
 *	after [finish]      failed, what was saved      claims at once, for there is no lease; after
 *	                                                not_before, when the provider refused
 *
 * With provider postgres the rows between claim and save are one: role and database have names
 * derived from the tenant, the server refuses to create them twice, and the refusal is adoption.
 * A process that was only stopped (SIGSTOP, a paused machine) changes nothing in the row when it
 * wakes after its lease, and its next renewal ends the attempt (lease_renewer.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/acquire.h"
#include "tenant/attempt.h"
#include "tenant/lease_renewer.h"
#include "tenant/provision.h"
#include "tenant/provision_count.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

#define FINISH_US (15 * 1000000ull) /* for the outcome, beyond the attempt's deadline */
struct provision {
	struct flow flow;
	struct provision_handle handle;
	struct tenants *tenants;	     /* borrowed */
	struct tenant_record *record;	     /* borrowed: handle's reference */
	char attempt_id[ATTEMPT_ID_LEN + 1]; /* random: names us in every write */
	char project_name[PROJECT_NAME_SIZE];
	struct row_claim claim;	   /* borrows record's id and the two above */
	struct neon_ticket ticket; /* left at the end */
	struct tenant_row row;	   /* holds the password: wiped at the end */
	struct pg_result result;   /* owned */
	struct row_acquisition acquisition;
	struct attempt attempt;
	struct err why;		       /* the attempt's outcome */
	char told[ERR_TOLD_SIZE];      /* the same for operators' log */
	char last_error[512];	       /* the same, as the row has it */
	struct row_failure failure;    /* the same for the catalog */
	struct lease_renewer *renewer; /* owned; NULL while no attempt of ours is at work */
	uint64_t began_us;	       /* when the row became ours; monotonic */
};

static flow_step_fn provision_acquire, provision_work, provision_finish, provision_finished;
static flow_end_fn provision_end;
static flow_release_fn provision_release;

static const struct flow_step provision_steps[] = {
	{ "acquire", provision_acquire },
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

static enum flow_rc
provision_acquire(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	p->acquisition = (struct row_acquisition){
		.tenants = p->tenants,
		.claim = &p->claim,
		.row = &p->row,
		.ticket = &p->ticket,
		.ready_at_us = &p->handle.ready_at_us,
	};
	return row_acquire(f, &p->acquisition);
}

static void
provision_begin(struct provision *p)
{
	p->began_us = clock_mono_us();
	flow_deadline(&p->flow, p->tenants->conf->provision_deadline_us + FINISH_US);
}

/* The attempt's failure comes back in `why` rather than fail us, for it has to be written down. It
 * cannot run before this step has returned, so the renewer's pointer to it is good. */
static enum flow_rc
provision_work(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	enum flow_rc rc;

	if (!p->acquisition.is_ours)
		return FLOW_DONE;
	provision_begin(p);
	log_event(LOG_NOTICE, "tenant.provisioning", f->request_id,
	    "Attempt %d to provision tenant %s begins%s.", p->row.attempts, provision_id(p),
	    p->row.project_id[0] != '\0' ? " with what an earlier one saved" : "");
	attempt_init(&p->attempt, p->tenants, &p->row, &p->ticket);
	rc = flow_try(f, &p->attempt.flow, &attempt_kind, &p->why);
	flow_deadline(&p->attempt.flow, p->tenants->conf->provision_deadline_us);
	p->renewer = renewer_start(p->tenants, &p->claim, &p->attempt.flow);
	return rc;
}

/*
 * Writes a failure down and gives the lease back, so that the next contact need not wait for it to
 * run out. posted_at stays when a creation got no clear response: the next attempt then must not
 * create at once. A password that opened nothing goes, so that it is fetched or set anew.
 */
static enum flow_rc
provision_finish(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	renewer_stop(&p->renewer);
	neon_ticket_leave(p->tenants, &p->ticket);
	if (!err_is(&p->why))
		return FLOW_DONE;
	err_tell(&p->why, p->told);
	log_event(LOG_WARNING, "tenant.provision_failed", f->request_id,
	    "Tenant %s was not provisioned (step %s); a request tries again in %d s or later: %s",
	    provision_id(p), flow_step_name(&p->attempt.flow), p->row.wait_s, p->told);
	row_error_write(p->last_error, sizeof(p->last_error), &p->why);
	p->failure = (struct row_failure){
		.why = p->last_error,
		.keep_posted = p->row.is_posted,
		.forget_password = p->attempt.is_locked_out,
	};
	snprintf(p->failure.wait_s, sizeof(p->failure.wait_s), "%d", p->row.wait_s);
	snprintf(p->failure.asked_s, sizeof(p->failure.asked_s), "%d", p->row.asked_s);
	snprintf(p->failure.refusals, sizeof(p->failure.refusals), "%d", p->row.refusals);
	return row_fail(f, p->tenants->catalog, &p->row, &p->failure, &p->result);
}

/* Whether the failure was written is not looked at: when it was not (the catalog is away, the lease
 * was lost), the row stays as a kill would have left it, and its lease runs out. */
static enum flow_rc
provision_finished(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	return flow_fail_err(f, &p->why);
}

/* Later creations are timed by this one. */
static void
provision_record(const struct provision *p)
{
	if (p->row.is_new || p->tenants->conf->provider != PROVIDER_NEON)
		shared_pace_add(p->tenants->shared,
		    (struct neon_creation_times){
			.made_us = p->row.operations_us,
			.whole_us = clock_mono_us() - p->began_us,
			.calls = p->row.calls,
		    });
}

/* For metrics: an attempt that was at work. A cluster of one's own does not tell whether it made
 * the database now or for an attempt before. */
static void
provision_tell(const struct provision *p, const struct err *err)
{
	bool is_new = p->row.is_new || p->tenants->conf->provider != PROVIDER_NEON;

	if (p->began_us != 0)
		provision_count(p->tenants->worker,
		    err_is(err) || p->row.tenant.state != TENANT_READY, is_new,
		    clock_mono_us() - p->began_us);
}

/*
 * Before the waiters are woken, the record they share is filled, kept in this worker's cache and,
 * when ready, published. A timeout of ours becomes the provider's failure: to a waiter, ERR_TIMEOUT
 * means that its own time is over (provision_wait_check).
 */
static void
provision_end(struct flow *f, const struct err *err)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	struct tenants *ts = p->tenants;
	struct err outcome = *err;

	renewer_stop(&p->renewer);
	neon_ticket_leave(ts, &p->ticket);
	atomic_fetch_sub(&ts->shared->provisions, 1);
	if (!err_is(err)) {
		record_fill(p->record, &ts->conf->plans, &p->row.tenant, p->row.settings);
		lookup_put(ts->records, slice_str(provision_id(p)), &p->record->base);
	}
	if (!err_is(err) && p->row.tenant.state == TENANT_READY) {
		log_event(LOG_NOTICE, "tenant.ready", f->request_id,
		    "Tenant %s is ready after %.1f s.", provision_id(p),
		    (double)flow_age_us(f) / 1e6);
		provision_record(p);
		tenants_publish(ts, p->record);
	}
	provision_tell(p, err);
	if (outcome.code == ERR_TIMEOUT)
		outcome.code = ERR_NEON;
	map_take(ts->provisions, slice_str(mutated(MUTATION_PROVISION, provision_id(p))));
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

/* False: there is no memory. */
static bool
provision_fill(struct provision *p, struct tenants *ts, const char *id)
{
	const struct tenants_conf *conf = ts->conf;

	p->tenants = ts;
	p->record = p->handle.record = record_new(slice_str(id));
	name_project(p->project_name, conf->environment, id);
	id_random(p->attempt_id, ATTEMPT_ID_LEN);
	neon_ticket_init(&p->ticket, p->project_name);
	p->claim = (struct row_claim){
		.id = provision_id(p),
		.attempt = p->attempt_id,
		.provider = tenants_provider_name(ts),
		.region = conf->provider == PROVIDER_NEON ? conf->neon_region : NULL,
		.project_name = p->project_name,
	};
	snprintf(p->claim.lease_ms, sizeof(p->claim.lease_ms), "%llu",
	    (unsigned long long)(conf->lease_us / 1000));
	return map_put(ts->provisions, slice_str(mutated(MUTATION_PROVISION, id)), &p->handle);
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
	/* Until the queue tells its place: as if it were the last of this process. */
	p->ticket.before = atomic_fetch_add(&ts->shared->provisions, 1);
	p->ticket.all = p->ticket.before + 1;
	p->handle.ready_at_us = clock_mono_us() + neon_ticket_ready_us(ts, &p->ticket);
	join_init(&p->handle.join);
	flow_start(&p->flow, &provision_kind, ts->worker, NULL);
	return &p->handle;
}
