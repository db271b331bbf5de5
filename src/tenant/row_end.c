/* SPDX-License-Identifier: MIT */
/*
 * row_end: see the header. A tenant that is deleted is 'suspended' in the column state, with
 * deleted_at beside it: builds that do not know the column refuse it, and claim it no more than
 * they claim a suspended one.
 */
#include "tenant/row_end.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenant/row_sql.h"
#include "tenant/tenant_record.h"

#define IS_SUSPENDED "state" PG_EQUALS "'suspended'"
/* The lease of who is at work stays: the order is gone on with when that one has seen it, so no two
 * calls of the provider race. What rests does so no longer. */
#define SET_ORDER(order) \
	"end_order = '" order "', end_serial = end_serial" PG_PLUS "1, end_ordered_at = " PG_NOW \
	", end_error = NULL, updated_at = " PG_NOW \
	", end_until = CASE WHEN end_attempt IS NOT NULL THEN end_until END "
#define SET_SUSPENDED \
	"suspended_from = CASE WHEN " IS_SUSPENDED " THEN suspended_from ELSE state END, " \
	"suspended_at = CASE WHEN " IS_SUSPENDED " THEN coalesce(suspended_at, " PG_NOW ") " \
	"ELSE " PG_NOW " END, state = 'suspended', "

/* The receipt begins with the deletion. One that is ordered again rests no longer. */
static const char order_delete[] = "WITH t AS (UPDATE public.tenants SET deleted_at = " PG_NOW
				   ", " SET_SUSPENDED SET_ORDER("delete") OF_TENANT
    " AND deleted_at IS NULL RETURNING *),"
    " again AS (UPDATE public.tenants SET end_until = NULL" OF_TENANT
    " AND deleted_at IS NOT NULL AND end_order IS NOT NULL AND end_attempt IS NULL)"
    " INSERT INTO public.tenant_receipts (tenant_id, deleted_at, reason, provider, region,"
    " project_name, project_id) SELECT tenant_id, deleted_at, $2, provider, region,"
    " project_name, project_id FROM t ON CONFLICT DO NOTHING";

static const char order_suspend[] =
    "UPDATE public.tenants SET suspend_reason = coalesce($2, suspend_reason),"
    " " SET_SUSPENDED SET_ORDER("suspend") OF_TENANT " AND deleted_at IS NULL";

/* It stays suspended until its endpoint is enabled. */
static const char order_resume[] = "UPDATE public.tenants SET " SET_ORDER("resume") OF_TENANT
    " AND deleted_at IS NULL AND " IS_SUSPENDED " AND ($2::pg_catalog.text IS NULL OR true)";

static const char *const order_sql[] = {
	[TENANT_SUSPEND] = order_suspend,
	[TENANT_RESUME] = order_resume,
	[TENANT_DELETE] = order_delete,
};

enum flow_rc
row_end_order(struct flow *f, struct catalog *c, const char *id, enum tenant_order order,
    const char *reason, struct pg_result *out)
{
	struct pg_query q = {
		.sql = order_sql[order],
		.params = { PG_TEXT(id), PG_TEXT(reason) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(id), &q, out);
}

/* ---- the work ---- */

/* In this order, of row_end_claim(). */
enum end_column {
	ORDER,
	SERIAL,
	ORDERED_AGO,
	STAGE,
	PROVIDER,
	PROJECT_NAME,
	PROJECT_ID,
	ENDPOINT_ID,
	HOST,
	DBNAME,
	USER,
	POSTED_AGO,
	IS_BEING_MADE,
};

/* The first that is not in the receipt. */
#define STAGE_OF_RECEIPT \
	"(SELECT CASE WHEN r.requests_ended_at IS NULL THEN 'requests'" \
	" WHEN r.database_deleted_at IS NULL THEN 'database'" \
	" WHEN r.redis_cleared_at IS NULL THEN 'redis' ELSE 'catalog' END" \
	" FROM public.tenant_receipts r WHERE r.tenant_id" PG_EQUALS "t.tenant_id" \
	" AND r.deleted_at" PG_EQUALS "t.deleted_at)"

#define OF_WORK \
	" WHERE t.tenant_id" PG_EQUALS "$1 AND t.end_attempt" PG_EQUALS \
	"$2 AND t.end_serial" PG_EQUALS "$3::int"
#define LEASE_FROM(param) PG_NOW PG_PLUS "(" param "::int" PG_TIMES "interval '1 millisecond')"

enum flow_rc
row_end_claim(struct flow *f, struct catalog *c, const struct row_end_work *w,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants t SET end_attempt = $2, end_until = " LEASE_FROM(
		    "$3") " WHERE t.tenant_id" PG_EQUALS "$1 AND t.end_order IS NOT NULL"
			  " AND (t.end_until IS NULL OR t.end_until" PG_BELOW PG_NOW
			  " OR t.end_attempt" PG_EQUALS "$2) RETURNING t.end_order, t.end_serial,"
			  " extract(epoch FROM " PG_NOW PG_MINUS "t.end_ordered_at)::int,"
			  " " STAGE_OF_RECEIPT ", t.provider, t.project_name, t.project_id,"
			  " t.endpoint_id, t.db_host, t.db_name, t.db_user,"
			  " extract(epoch FROM " PG_NOW PG_MINUS "t.posted_at)::int,"
			  " t.suspended_from" PG_EQUALS
			  "'provisioning' AND t.lease_until" PG_ABOVE PG_NOW,
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(w->lease_ms) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

static const char *const order_words[] = {
	[TENANT_SUSPEND] = "suspend",
	[TENANT_RESUME] = "resume",
	[TENANT_DELETE] = "delete",
};

static const char *const stage_words[] = {
	[END_REQUESTS] = "requests",
	[END_DATABASE] = "database",
	[END_REDIS] = "redis",
	[END_CATALOG] = "catalog",
};

static unsigned
word_index(const char *const *words, unsigned count, const char *word)
{
	unsigned i;

	for (i = 0; i + 1 < count && strcmp(words[i], word) != 0; i++)
		;
	return i;
}

static void
end_text(char *out, size_t size, const struct pg_result *r, enum end_column col)
{
	snprintf(out, size, "%s", pg_text(r, 0, col));
}

void
row_end_read(const struct pg_result *r, struct row_end_work *w, struct row_end_task *task,
    struct tenant_row *row)
{
	struct tenant *t = &row->tenant;

	memset(row, 0, sizeof(*row));
	snprintf(t->id, sizeof(t->id), "%s", w->id);
	end_text(w->serial, sizeof(w->serial), r, SERIAL);
	task->order = (enum tenant_order)word_index(order_words, 3, pg_text(r, 0, ORDER));
	task->stage = (enum end_stage)word_index(stage_words, 4, pg_text(r, 0, STAGE));
	task->ordered_ago_s = (int)strtol(pg_text(r, 0, ORDERED_AGO), NULL, 10);
	task->is_being_made = pg_text(r, 0, IS_BEING_MADE)[0] == 't';
	(void)provider_parse(pg_text(r, 0, PROVIDER), &t->provider);
	end_text(row->project_name, sizeof(row->project_name), r, PROJECT_NAME);
	end_text(row->project_id, sizeof(row->project_id), r, PROJECT_ID);
	end_text(row->endpoint_id, sizeof(row->endpoint_id), r, ENDPOINT_ID);
	end_text(t->host, sizeof(t->host), r, HOST);
	end_text(t->dbname, sizeof(t->dbname), r, DBNAME);
	end_text(t->user, sizeof(t->user), r, USER);
	row->is_posted = pg_value(r, 0, POSTED_AGO).p != NULL;
	row->posted_ago_s = (int)strtol(pg_text(r, 0, POSTED_AGO), NULL, 10);
}

enum flow_rc
row_end_busy(struct flow *f, struct catalog *c, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT 1 FROM public.tenants" OF_TENANT
		       " AND end_order IS NOT NULL AND end_attempt IS NOT NULL",
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(id), &q, out);
}

/* ---- a deletion's stages ---- */

#define NOTE(set) \
	"UPDATE public.tenant_receipts r SET " set " FROM public.tenants t" OF_WORK \
	" AND r.tenant_id" PG_EQUALS "t.tenant_id AND r.deleted_at" PG_EQUALS "t.deleted_at" \
	" AND ($4::pg_catalog.text IS NULL OR true) AND ($5::pg_catalog.text IS NULL OR true)"

/* Neon keeps a deleted project for 7 days (its POST /projects/{id}/recover), counted here from the
 * order, which came before: it is never later than Neon's. */
static const char *const note_sql[] = {
	[END_REQUESTS] = NOTE("requests_ended_at = coalesce(r.requests_ended_at, " PG_NOW ")"),
	[END_DATABASE] = NOTE(
	    "database_deleted_at = coalesce(r.database_deleted_at, " PG_NOW "), "
	    "recoverable_until = CASE WHEN r.provider" PG_EQUALS "'neon' AND r.project_id IS NOT "
	    "NULL THEN r.deleted_at" PG_PLUS "interval '7 days' END, stored_bytes = "
	    "coalesce($4::bigint, r.stored_bytes), projects_left = $5"),
	[END_REDIS] = NOTE("redis_cleared_at = coalesce(r.redis_cleared_at, " PG_NOW ")"),
	[END_CATALOG] = NULL, /* row_end_done() */
};

enum flow_rc
row_end_note(struct flow *f, struct catalog *c, const struct row_end_work *w,
    const struct row_end_note *note, struct pg_result *out)
{
	struct pg_query q = {
		.sql = note_sql[note->stage],
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(w->serial),
		    PG_TEXT(note->stored_bytes), PG_TEXT(note->projects_left) },
		.param_count = 5,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

/* One statement, so that what goes is counted once. */
enum flow_rc
row_end_documents(struct flow *f, struct catalog *c, const struct row_end_work *w,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql =
		    "WITH mine AS (SELECT t.tenant_id, t.deleted_at FROM public.tenants t" OF_WORK
		    "), k AS (UPDATE public.api_keys SET revoked_at = " PG_NOW
		    " FROM mine WHERE api_keys.tenant_id" PG_EQUALS "mine.tenant_id"
		    " AND revoked_at IS NULL RETURNING 1),"
		    " batch AS (SELECT d.user_id, d.document_id FROM public.documents d, mine"
		    " WHERE d.user_id" PG_EQUALS "mine.tenant_id LIMIT 1000 FOR UPDATE OF d),"
		    " d AS (DELETE FROM public.documents d USING batch"
		    " WHERE d.user_id" PG_EQUALS "batch.user_id"
		    " AND d.document_id" PG_EQUALS "batch.document_id"
		    " RETURNING d.status" PG_EQUALS "'ready' AS is_ready, d.bytes, d.chunks),"
		    " n AS (SELECT pg_catalog.count(*) FILTER (WHERE is_ready) AS documents,"
		    " coalesce(pg_catalog.sum(bytes) FILTER (WHERE is_ready), 0) AS bytes,"
		    " coalesce(pg_catalog.sum(chunks) FILTER (WHERE is_ready), 0) AS chunks,"
		    " pg_catalog.count(*) AS gone FROM d)"
		    " UPDATE public.tenant_receipts r SET documents = r.documents" PG_PLUS
		    "n.documents, bytes = r.bytes" PG_PLUS "n.bytes::bigint,"
		    " chunks = r.chunks" PG_PLUS "n.chunks::bigint,"
		    " keys = r.keys" PG_PLUS "(SELECT pg_catalog.count(*) FROM k)::int"
		    " FROM mine, n WHERE r.tenant_id" PG_EQUALS "mine.tenant_id"
		    " AND r.deleted_at" PG_EQUALS "mine.deleted_at RETURNING n.gone",
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(w->serial) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

/* ---- its end ---- */

#define NOTHING_OWED \
	"end_order = NULL, end_attempt = NULL, end_until = NULL, end_error = NULL, updated_at " \
	"= " PG_NOW
/* Of a tenant that was suspended by hand nobody has noted what it was. */
#define WAS_READY \
	"coalesce(t.suspended_from" PG_EQUALS "'ready', t.schema_version" PG_ABOVE "0)" \
	" AND t.project_id IS NOT NULL AND t.db_host IS NOT NULL AND t.db_port IS NOT NULL" \
	" AND t.db_name IS NOT NULL AND t.db_user IS NOT NULL AND t.db_password_sealed IS NOT " \
	"NULL"

/* One that was not ready becomes a wish (row_profile.c): its next contact goes on with what is
 * there. The row in users stays for the tombstone, without anything that says who it was. */
static const char *const done_sql[] = {
	[TENANT_SUSPEND] = "UPDATE public.tenants t SET " NOTHING_OWED OF_WORK,
	[TENANT_RESUME] =
	    "UPDATE public.tenants t SET state = CASE WHEN " WAS_READY
	    " THEN 'ready' ELSE 'failed' END, attempts = CASE WHEN " WAS_READY
	    " THEN t.attempts ELSE 0 END, not_before = NULL, lease_until = NULL,"
	    " suspended_from = NULL, suspended_at = NULL, suspend_reason = NULL, " NOTHING_OWED
		OF_WORK,
	[TENANT_DELETE] =
	    "WITH r AS (UPDATE public.tenant_receipts r SET catalog_cleared_at = " PG_NOW
	    " FROM public.tenants t" OF_WORK " AND r.tenant_id" PG_EQUALS "t.tenant_id"
	    " AND r.deleted_at" PG_EQUALS "t.deleted_at),"
	    " v AS (DELETE FROM public.vector_databases v USING public.tenants t" OF_WORK
	    " AND v.user_id" PG_EQUALS "t.tenant_id),"
	    " u AS (UPDATE public.users u SET name = NULL, email = NULL, avatar_url = NULL"
	    " FROM public.tenants t" OF_WORK " AND u.user_id" PG_EQUALS "t.tenant_id)"
	    " UPDATE public.tenants t SET plan = '', settings = '{}', requests_per_minute = NULL,"
	    " project_id = NULL, endpoint_id = NULL, branch_id = NULL, db_host = NULL,"
	    " db_port = NULL, db_name = NULL, db_user = NULL, db_password_sealed = NULL,"
	    " db_sslmode = NULL, db_channel_binding = NULL, adopted_at = NULL, schema_version = 0, "
	    "attempt_id = NULL, lease_until = NULL,"
	    " posted_at = NULL, last_error = NULL, " NOTHING_OWED OF_WORK,
};

enum flow_rc
row_end_done(struct flow *f, struct catalog *c, const struct row_end_work *w,
    enum tenant_order order, struct pg_result *out)
{
	struct pg_query q = {
		.sql = done_sql[order],
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(w->serial) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

enum flow_rc
row_end_fail(struct flow *f, struct catalog *c, const struct row_end_work *w, const char *why,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants t SET end_attempt = NULL, end_error = $4, "
		       "end_until = " LEASE_FROM("$5") OF_WORK,
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(w->serial), PG_TEXT(why),
		    PG_TEXT(w->lease_ms) },
		.param_count = 5,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

enum flow_rc
row_end_list(struct flow *f, struct catalog *c, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT tenant_id FROM public.tenants WHERE end_order IS NOT NULL"
		       " AND coalesce(end_until" PG_BELOW PG_NOW ", true)"
		       " ORDER BY end_until NULLS FIRST LIMIT 16",
	};

	_Static_assert(END_PAGE == 16, "as the statement says");
	return catalog_run(f, c, CATALOG_TENANTS, SLICE_LIT("tenant ends"), &q, out);
}
