/* SPDX-License-Identifier: MIT */
/*
 * adopt: the order of an adoption.
 *
 *	[row] --> [source]: the project at Neon is looked at --> [others]
 *	    --> [trial]: the database is --> [write] --> [written] --> [claim] --> [mark]: done
 *	           | another's, by its own word                           |
 *	           +--------------------------> [undo] <------------------+
 *
 *	killed before [write]		nothing was changed
 *	between [write] and [claim]	the tenant has the address, and not the database yet: its
 *					first contact claims it, or fails where another was first
 *	between [claim] and [mark]	the tenant has its database; others may not see at Neon that
 *					the project is taken
 *
 * The same call again ends all three, with the row as it was where the database is another's. Of
 * two adoptions of one project, or for one tenant, the catalog lets one in (adopt_row.c), and of an
 * adoption and a removal (removal_claim.h); of two of one database by several addresses, the
 * database itself (owner_mark.c).
 *
 * A project's compute may be disabled: one that takes no login is the tenant's nevertheless, and
 * claimed by its first contact.
 */
#include "tenant/adopt.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenant/removal_claim.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"

#define ADOPT_US (90 * 1000000ull)

struct adopt {
	struct flow flow;
	struct tenants *tenants;   /* borrowed */
	struct tenant_adoption *a; /* borrowed: the caller's */
	struct tenant_row row;	   /* as it is to be; holds a password, wiped */
	struct adopt_project project;
	struct adopt_trial trial;
	struct err why;		 /* of the trial, or the claim */
	bool is_written;	 /* the row has the address */
	struct pg_result result; /* owned */
	struct buf sealed;	 /* owned */
	char port[8];
};

static flow_step_fn adopt_look, adopt_looked, adopt_source, adopt_others, adopt_is_alone,
    adopt_database, adopt_claims, adopt_write, adopt_written, adopt_own, adopt_owned, adopt_undo,
    adopt_undone, adopt_mark;
static flow_end_fn adopt_end;
static flow_release_fn adopt_release;

static const struct flow_step adopt_steps[] = {
	{ "look", adopt_look },
	{ "row", adopt_looked },
	{ "source", adopt_source },
	{ "others", adopt_others },
	{ "alone", adopt_is_alone },
	{ "trial", adopt_database },
	{ "removal", adopt_claims },
	{ "write", adopt_write },
	{ "written", adopt_written },
	{ "claim", adopt_own },
	{ "claimed", adopt_owned },
	{ "undo", adopt_undo },
	{ "undone", adopt_undone },
	{ "mark", adopt_mark },
	{ NULL, NULL },
};

static const struct flow_kind adopt_kind = { "tenant_adopt", adopt_steps, adopt_end,
	adopt_release };

static struct adopt *
adopt_of(struct flow *f)
{
	return FLOW_OF(f, struct adopt, &adopt_kind);
}

/* ---- what the tenant has ---- */

static enum flow_rc
adopt_look(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	if (!name_tenant(slice_str(a->a->id)))
		return flow_fail(f, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct it.",
		    TENANT_ID_MAX);
	return row_select(f, a->tenants->catalog, a->a->id, &a->result);
}

static bool
adopt_fill(struct adopt *a, struct err *err)
{
	struct tenants *ts = a->tenants;

	memset(&a->row, 0, sizeof(a->row));
	snprintf(a->row.tenant.id, sizeof(a->row.tenant.id), "%s", a->a->id);
	name_project(a->row.project_name, ts->conf->environment, a->a->id);
	if (a->a->url != NULL)
		return adopt_url_read(a->a->url, &a->row, err);
	if (ts->conf->provider != PROVIDER_NEON || !name_provider_id(slice_str(a->a->project_id))) {
		err_set(err, ERR_INVALID_FIELD,
		    "A project can be adopted with provider = neon, by its id: letters, digits and "
		    "'-', at most %d. Give that, or the database's URL.",
		    PROVIDER_ID_SIZE - 1);
		return false;
	}
	snprintf(a->row.project_id, sizeof(a->row.project_id), "%s", a->a->project_id);
	return true;
}

/* The row's statement decides; this is for the sentence, and so that nothing is asked of others in
 * vain. */
static bool
tenant_may_adopt(const struct adopt *a, const struct tenant_row *has)
{
	if (has->tenant.state != TENANT_FAILED && has->tenant.state != TENANT_READY)
		return false;
	if (has->project_id[0] != '\0')
		return strcmp(has->project_id, a->row.project_id) == 0;
	return !has->is_posted;
}

static enum flow_rc
adopt_looked(struct flow *f)
{
	struct adopt *a = adopt_of(f);
	enum flow_rc rc = catalog_check(f, &a->result, "tenant look");
	struct tenant_row *has;
	struct err err = { 0 };
	bool may;

	if (rc != FLOW_NEXT)
		return rc;
	if (!adopt_fill(a, &err))
		return flow_fail_err(f, &err);
	if (pg_rows(&a->result) == 0)
		return FLOW_NEXT;
	has = xcalloc(1, sizeof(*has));
	may =
	    row_read(&a->result, a->a->id, a->tenants->seal, has, &err) && tenant_may_adopt(a, has);
	a->a->was_ours = may && has->project_id[0] != '\0';
	bytes_wipe(has, sizeof(*has));
	free(has);
	if (err_is(&err))
		return flow_fail_err(f, &err);
	return may ? FLOW_NEXT : adopt_has_one(f, a->a->id);
}

/* ---- the source ---- */

static enum flow_rc
adopt_source(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	if (a->a->url != NULL)
		return FLOW_NEXT;
	return adopt_project_look(f, &a->project, a->tenants, &a->row);
}

static enum flow_rc
adopt_others(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	tenant_set_tls(a->tenants, &a->row.tenant);
	snprintf(a->port, sizeof(a->port), "%u", (unsigned)a->row.tenant.port);
	return adopt_row_others(f, a->tenants->catalog, &a->row, a->port, &a->result);
}

/* Where both have the address already, the database itself says which of the two has it. */
static enum flow_rc
adopt_is_alone(struct flow *f)
{
	struct adopt *a = adopt_of(f);
	enum flow_rc rc = catalog_check(f, &a->result, "tenants of the database");

	if (rc == FLOW_NEXT && pg_rows(&a->result) > 0 && !a->a->was_ours)
		return adopt_is_taken(f, pg_text(&a->result, 0, 0));
	return rc;
}

static enum flow_rc
adopt_database(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	if (a->a->is_left_asleep)
		return FLOW_NEXT;
	return adopt_try(f, &a->trial, a->tenants, &a->row, a->a, &a->why);
}

/* ---- what is written ---- */

/* Of a project only what the database itself has said counts; and an address that may not be
 * connected to is no tenant's. */
static bool
adopt_goes_on(struct adopt *a)
{
	if (!err_is(&a->why))
		return true;
	if (a->a->url != NULL || a->trial.conn != NULL || a->why.code == ERR_FORBIDDEN)
		return false;
	log_event(LOG_NOTICE, "tenant.adopted_unseen", a->flow.request_id,
	    "The database of project %s takes no login now: its tenant's first contact looks whose "
	    "it is. %s %s",
	    a->row.project_id, a->why.detail, a->why.cause);
	err_clear(&a->why);
	return true;
}

/* A removal that was killed long ago keeps nobody out. */
static enum flow_rc
adopt_claims(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	if (!adopt_goes_on(a))
		return flow_goto(f, adopt_undo);
	adopt_outcome(&a->row, a->project.name, &a->trial, a->a);
	if (a->a->is_dry_run)
		return FLOW_DONE;
	return removal_claim_expire(f, a->tenants->catalog, a->row.project_id, &a->result);
}

static enum flow_rc
adopt_write(struct flow *f)
{
	struct adopt *a = adopt_of(f);
	enum flow_rc rc = catalog_check(f, &a->result, "removal of the project");
	bool is_url = a->a->url != NULL;

	if (rc != FLOW_NEXT)
		return rc;
	if (!row_seal(a->tenants->seal, &a->row.tenant, &a->sealed))
		return flow_fail(f, ERR_INTERNAL,
		    "The tenant's password could not be encrypted for the catalog. The operator "
		    "should look at seal_keys.");
	a->a->stage = ADOPTION_WRITES;
	return adopt_row_write(f, a->tenants->catalog, &a->row,
	    provider_name(is_url ? PROVIDER_URL : PROVIDER_NEON), a->port, a->sealed.data,
	    &a->result);
}

static enum flow_rc
adopt_written(struct flow *f)
{
	struct adopt *a = adopt_of(f);
	enum flow_rc rc;

	if (a->result.status == PG_SQL_ERROR && strcmp(a->result.failure.sqlstate, "23505") == 0)
		return flow_fail(f, ERR_CONFLICT,
		    "This database has just become another tenant's, or is being removed as an "
		    "orphan. Look at it again, or take another.");
	rc = catalog_check(f, &a->result, "adoption");
	if (rc != FLOW_NEXT)
		return rc;
	if (pg_changed(&a->result) != 1)
		return adopt_has_one(f, a->a->id);
	a->is_written = true;
	a->a->stage = ADOPTION_WRITTEN;
	tenant_forget(a->tenants, a->a->id);
	return FLOW_NEXT;
}

/* ---- what the database itself is told ---- */

static enum flow_rc
adopt_own(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	if (a->trial.conn == NULL)
		return FLOW_NEXT;
	return adopt_claim(f, &a->trial, &a->why);
}

static enum flow_rc
adopt_owned(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	return flow_goto(f, err_is(&a->why) ? adopt_undo : adopt_mark);
}

/* ---- what was written, where the database is another's ---- */

/* Only the database's own no is final. Any other failure leaves the row, with which the same
 * request goes on. */
static bool
adopt_is_to_undo(const struct adopt *a)
{
	bool is_final = a->why.code == ERR_CONFLICT || a->why.code == ERR_FORBIDDEN;

	return is_final && a->trial.conn != NULL && (a->is_written || a->a->was_ours) &&
	    !a->a->is_dry_run;
}

static enum flow_rc
adopt_undo(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	if (!adopt_is_to_undo(a))
		return flow_fail_err(f, &a->why);
	return adopt_row_undo(f, a->tenants->catalog, &a->row, tenants_provider_name(a->tenants),
	    &a->result);
}

static enum flow_rc
adopt_undone(struct flow *f)
{
	struct adopt *a = adopt_of(f);
	enum flow_rc rc = catalog_check(f, &a->result, "undoing of an adoption");

	if (rc != FLOW_NEXT)
		return rc;
	a->a->stage = ADOPTION_WRITES; /* nothing of it is left */
	tenant_forget(a->tenants, a->a->id);
	return flow_fail_err(f, &a->why);
}

/* ---- what Neon is told ---- */

static enum flow_rc
adopt_mark(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	if (a->a->url != NULL || strcmp(a->project.name, a->row.project_name) == 0)
		return FLOW_DONE;
	return adopt_project_mark(f, &a->project, a->tenants, &a->row);
}

/* ---- beginning and end ---- */

static void
adopt_end(struct flow *f, const struct err *err)
{
	struct adopt *a = adopt_of(f);

	if (!err_is(err))
		adopt_tell_effective(a->tenants, a->a);
	adopt_trial_close(&a->trial);
	pg_clear(&a->result);
	buf_free(&a->sealed);
}

static void
adopt_release(struct flow *f)
{
	struct adopt *a = adopt_of(f);

	bytes_wipe(&a->row, sizeof(a->row));
	free(a);
}

static struct adopt *
adopt_new(struct tenants *ts, struct tenant_adoption *adoption)
{
	struct adopt *a = xcalloc(1, sizeof(*a));

	a->tenants = ts;
	a->a = adoption;
	buf_init(&a->sealed, 4096);
	return a;
}

enum flow_rc
tenant_adopt(struct flow *f, struct tenants *ts, struct tenant_adoption *adoption)
{
	struct adopt *a = adopt_new(ts, adoption);
	enum flow_rc rc = flow_call(f, &a->flow, &adopt_kind);

	flow_deadline(&a->flow, ADOPT_US);
	return rc;
}

enum flow_rc
tenant_adopt_or_tell(struct flow *f, struct tenants *ts, struct tenant_adoption *adoption,
    struct err *why)
{
	struct adopt *a = adopt_new(ts, adoption);
	enum flow_rc rc = flow_try(f, &a->flow, &adopt_kind, why);

	flow_deadline(&a->flow, ADOPT_US);
	return rc;
}
