/* SPDX-License-Identifier: MIT */
/*
 * row_end_view: what of a tenant's end is done and what is owed, and its receipt, for people; and
 * how a tombstone is taken away.
 */
#include <stdio.h>

#include "tenant/row.h"
#include "tenant/row_sql.h"
#include "tenant/tenant_internal.h"
#include "tenantgate/tenant/ends.h"

/* In this order. */
enum view_column {
	STATE,
	REASON,
	OWED,
	OWED_WHY,
	PROJECT,
	DOCUMENTS,
	KEYS,
	SUSPENDED_AT,
	R_ORDERED_AT,
	R_REASON,
	R_PROVIDER,
	R_REGION,
	R_PROJECT_ID,
	R_STORED_BYTES,
	R_DOCUMENTS,
	R_BYTES,
	R_CHUNKS,
	R_KEYS,
	R_PROJECTS_LEFT,
	R_REQUESTS,
	R_DATABASE,
	R_REDIS,
	R_CATALOG,
	R_RECOVERABLE,
};

#define TIME_OF(column) \
	"pg_catalog.to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "
#define OF_RECEIPT \
	TIME_OF("r.deleted_at") \
	"r.reason, r.provider, r.region, r.project_id, r.stored_bytes, r.documents, r.bytes, " \
	"r.chunks, r.keys, r.projects_left, " TIME_OF("r.requests_ended_at") \
	    TIME_OF("r.database_deleted_at") TIME_OF("r.redis_cleared_at") \
		TIME_OF("r.catalog_cleared_at") TIME_OF("r.recoverable_until")
#define OF_NOW \
	"CASE WHEN t.provider" PG_EQUALS "'neon' THEN t.project_id END, " \
	"(SELECT pg_catalog.count(*) FROM public.documents d WHERE d.user_id" PG_EQUALS \
	"t.tenant_id AND d.status" PG_EQUALS "'ready'), " \
	"(SELECT pg_catalog.count(*) FROM public.api_keys k WHERE k.tenant_id" PG_EQUALS \
	"t.tenant_id AND k.revoked_at IS NULL), " TIME_OF("t.suspended_at")

/* One row, whatever there is. */
static const char describe_sql[] = "SELECT " STATE_WORD(
    "t") ", t.suspend_reason, t.end_order, t.end_error, " OF_NOW OF_RECEIPT "1"
	 " FROM (SELECT $1::pg_catalog.text AS id) AS q"
	 " LEFT JOIN public.tenants t ON t.tenant_id" PG_EQUALS "q.id"
	 " LEFT JOIN LATERAL (SELECT * FROM public.tenant_receipts s WHERE s.tenant_id" PG_EQUALS
	 "q.id ORDER BY s.deleted_at DESC LIMIT 1) AS r ON true";

enum flow_rc
tenant_end_describe(struct flow *f, struct tenants *ts, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = describe_sql,
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}

static const char *
view_text(const struct pg_result *r, enum view_column col)
{
	return pg_value(r, 0, col).p;
}

static void
view_receipt(const struct pg_result *r, struct tenant_receipt *out)
{
	*out = (struct tenant_receipt){
		.ordered_at = view_text(r, R_ORDERED_AT),
		.reason = view_text(r, R_REASON),
		.provider = view_text(r, R_PROVIDER),
		.region = view_text(r, R_REGION),
		.project_id = view_text(r, R_PROJECT_ID),
		.stored_bytes = view_text(r, R_STORED_BYTES),
		.documents = view_text(r, R_DOCUMENTS),
		.bytes = view_text(r, R_BYTES),
		.chunks = view_text(r, R_CHUNKS),
		.keys = view_text(r, R_KEYS),
		.projects_left = view_text(r, R_PROJECTS_LEFT),
		.requests_ended_at = view_text(r, R_REQUESTS),
		.database_deleted_at = view_text(r, R_DATABASE),
		.redis_cleared_at = view_text(r, R_REDIS),
		.catalog_cleared_at = view_text(r, R_CATALOG),
		.recoverable_until = view_text(r, R_RECOVERABLE),
	};
}

bool
tenant_end_read(const struct pg_result *r, struct tenant_end_view *out)
{
	struct err why = { 0 };

	*out = (struct tenant_end_view){
		.state = view_text(r, STATE),
		.suspended_at = view_text(r, SUSPENDED_AT),
		.reason = view_text(r, REASON),
		.owed = view_text(r, OWED),
		.project_id = view_text(r, PROJECT),
		.documents = view_text(r, DOCUMENTS),
		.keys = view_text(r, KEYS),
		.has_receipt = view_text(r, R_ORDERED_AT) != NULL,
	};
	if (out->owed != NULL && view_text(r, OWED_WHY) != NULL) {
		row_error_read(pg_text(r, 0, OWED_WHY), ERR_NEON,
		    "The last try has failed; there is another one by itself.", &why);
		snprintf(out->owed_why, sizeof(out->owed_why), "%s", why.detail);
	}
	view_receipt(r, &out->receipt);
	return out->state != NULL || out->has_receipt;
}

/* users has the row that the others hang on (ON DELETE CASCADE). The keys are those whose records
 * may still be kept somewhere. */
static const char recreate_sql[] =
    "WITH gone AS (DELETE FROM public.users u USING public.tenants t WHERE u.user_id" PG_EQUALS
    "$1 AND t.tenant_id" PG_EQUALS "u.user_id AND t.deleted_at IS NOT NULL"
    " AND t.end_order IS NULL RETURNING u.user_id)"
    " SELECT k.key_id FROM gone LEFT JOIN public.api_keys k ON k.tenant_id" PG_EQUALS
    "gone.user_id AND k.revoked_at IS NOT NULL ORDER BY k.revoked_at DESC LIMIT 1000";

enum flow_rc
tenant_recreate(struct flow *f, struct tenants *ts, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = recreate_sql,
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}
