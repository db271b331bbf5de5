/* SPDX-License-Identifier: MIT */
/*
 * owner_release: a database that stays when its tenant is deleted is nobody's any more.
 *
 *	[row] --> [login] --> [release] --> [released]
 *
 * It is another's by then perhaps, or gone: what comes of it is no reason to keep the deletion from
 * its end. A mark that stays names a tenant without a database, and may be taken over.
 */
#include "tenant/owner_mark.h"

#include <stdio.h>

#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_sql.h"

#define LOGIN_US   (10 * 1000000ull)
#define RELEASE_US (5 * 1000000ull)

static flow_step_fn release_row, release_login, release_send, release_done;
static flow_end_fn owner_release_end;

static const struct flow_step owner_release_steps[] = {
	{ "row", release_row },
	{ "login", release_login },
	{ "release", release_send },
	{ "released", release_done },
	{ NULL, NULL },
};

const struct flow_kind owner_release_kind = { "owner_release", owner_release_steps,
	owner_release_end, NULL };

static struct owner_release *
owner_release_of(struct flow *f)
{
	return FLOW_OF(f, struct owner_release, &owner_release_kind);
}

static enum flow_rc
release_row(struct flow *f)
{
	struct owner_release *r = owner_release_of(f);

	return row_select(f, r->tenants->catalog, r->row.tenant.id, &r->result);
}

static enum flow_rc
release_is_left(struct owner_release *r, const char *why)
{
	log_event(LOG_WARNING, "tenant.mark_left", NULL,
	    "The database of tenant %s, which is deleted, still says that it is its, for it could "
	    "not be told: %s. The next adoption takes it over; for one of another environment run "
	    "there: DELETE FROM " OWNER_TABLE ".",
	    r->row.tenant.id, why);
	return FLOW_DONE;
}

static enum flow_rc
release_login(struct flow *f)
{
	struct owner_release *r = owner_release_of(f);
	enum flow_rc rc = catalog_check(f, &r->result, "tenant look");
	char id[TENANT_ID_MAX + 1], key[TENANT_KEY_SIZE];
	struct pool_target target;
	struct err err = { 0 };

	if (rc != FLOW_NEXT || pg_rows(&r->result) == 0)
		return rc == FLOW_NEXT ? FLOW_DONE : rc;
	memcpy(id, r->row.tenant.id, sizeof(id));
	if (!row_read(&r->result, id, r->tenants->seal, &r->row, &err))
		return release_is_left(r, "its password does not open");
	if (!row_is_complete(&r->row))
		return FLOW_DONE;
	tenant_set_tls(r->tenants, &r->row.tenant);
	tenant_target(&r->row.tenant, &target, key);
	pg_clear(&r->result);
	return pg_connect(f, r->tenants->dns, &target.pg, LOGIN_US, &r->conn, &r->result);
}

static enum flow_rc
release_send(struct flow *f)
{
	struct owner_release *r = owner_release_of(f);
	const struct pg_query q = {
		.sql = "DELETE FROM " OWNER_TABLE " WHERE environment" PG_EQUALS "$1"
		       " AND tenant_id" PG_EQUALS "$2",
		.params = { PG_TEXT(r->tenants->conf->environment), PG_TEXT(r->row.tenant.id) },
		.param_count = 2,
		.timeout_us = RELEASE_US,
	};

	if (r->conn == NULL)
		return release_is_left(r, r->result.failure.message);
	pg_clear(&r->result);
	return pg_run(f, r->conn, &q, &r->result);
}

/* Without a table there is no mark: a build of before has adopted it. */
static enum flow_rc
release_done(struct flow *f)
{
	struct owner_release *r = owner_release_of(f);

	if (r->result.status == PG_OK || strcmp(r->result.failure.sqlstate, "42P01") == 0)
		return FLOW_DONE;
	return release_is_left(r, r->result.failure.message);
}

static void
owner_release_end(struct flow *f, const struct err *err)
{
	struct owner_release *r = owner_release_of(f);

	(void)err;
	pg_conn_close(r->conn);
	r->conn = NULL;
	pg_clear(&r->result);
	bytes_wipe(&r->row.tenant.password, sizeof(r->row.tenant.password));
}

void
owner_release_init(struct owner_release *r, struct tenants *ts, const char *id)
{
	memset(r, 0, sizeof(*r));
	r->tenants = ts;
	snprintf(r->row.tenant.id, sizeof(r->row.tenant.id), "%s", id);
}
