/* SPDX-License-Identifier: MIT */
/*
 * row_upgrade: the SQL on a ready tenant's row by which its database is brought up to date
 * (upgrade.c). The lease is the columns that provisioning uses, which a ready row has no other use
 * for; after a failure it is the time before which nobody tries again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenant/row.h"
#include "tenant/row_sql.h"

/* $4: seconds. */
#define SET_LEASE  "lease_until = " PG_NOW PG_PLUS "($4::int" PG_TIMES "interval '1 second')"
#define OF_UPGRADE OF_TENANT " AND attempt_id" PG_EQUALS "$2 AND " IS_READY

enum flow_rc
row_upgrade_claim(struct flow *f, struct catalog *c, const struct row_upgrade *u,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET attempt_id = $2, " SET_LEASE OF_TENANT
		       " AND " IS_READY " AND schema_version" PG_BELOW "$3::int"
		       " AND (lease_until IS NULL OR lease_until" PG_BELOW PG_NOW
		       " OR attempt_id" PG_EQUALS "$2) RETURNING schema_version",
		.params = { PG_TEXT(u->id), PG_TEXT(u->attempt_id), PG_TEXT(u->version),
		    PG_TEXT(u->lease_s) },
		.param_count = 4,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(u->id), &q, out);
}

/* What the database can hold now it is told at the next contact: the sweep of its documents is due
 * (retrieval/sweep.c). */
enum flow_rc
row_upgrade_done(struct flow *f, struct catalog *c, const struct row_upgrade *u,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET schema_version = $3::int, lease_until = NULL,"
		       " last_error = NULL, documents_swept_at = NULL, updated_at = " PG_NOW
			   OF_UPGRADE,
		.params = { PG_TEXT(u->id), PG_TEXT(u->attempt_id), PG_TEXT(u->version) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(u->id), &q, out);
}

enum flow_rc
row_upgrade_failed(struct flow *f, struct catalog *c, const struct row_upgrade *u, const char *why,
    bool is_in_doubt, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET last_error = $3, " SET_LEASE ","
		       " schema_version = CASE WHEN $5::boolean THEN 0 ELSE schema_version END,"
		       " updated_at = " PG_NOW OF_UPGRADE,
		.params = { PG_TEXT(u->id), PG_TEXT(u->attempt_id), PG_TEXT(why),
		    PG_TEXT(u->lease_s), PG_TEXT(is_in_doubt ? "t" : "f") },
		.param_count = 5,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(u->id), &q, out);
}

enum flow_rc
row_upgrade_doubt(struct flow *f, struct catalog *c, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET schema_version = 0,"
		       " updated_at = " PG_NOW OF_TENANT " AND " IS_READY
		       " AND schema_version" PG_ABOVE "0",
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(id), &q, out);
}

void
row_read_limits(const struct pg_result *r, struct tenant_row *out)
{
	struct tenant *t = &out->tenant;
	const char *settings = pg_text(r, 0, 2);

	if (strlen(settings) < sizeof(out->settings))
		memcpy(out->settings, settings, strlen(settings) + 1);
	snprintf(t->plan, sizeof(t->plan), "%s", pg_text(r, 0, 0));
	t->requests_per_minute = (unsigned)strtoul(pg_text(r, 0, 1), NULL, 10);
	t->token_generation = strtoull(pg_text(r, 0, 3), NULL, 10);
}
