/* SPDX-License-Identifier: MIT */
/*
 * row_view: what operators see of tenants, as a table: what a member is called, where it comes
 * from, and whether a list has it too. The statements and the JSON are made of that table.
 */
#include <stdlib.h>
#include <string.h>

#include "tenant/row.h"
#include "tenant/row_sql.h"
#include "tenant/tenant_internal.h"
#include "tenantgate/base/json.h"
#include "tenantgate/tenant/view.h"

enum view_type {
	VIEW_TEXT,
	VIEW_COUNT,
	VIEW_DETAIL, /* of last_error: what tenants hear */
	VIEW_CAUSE,  /* the rest of it */
};

struct view_member {
	const char *name;
	const char *sql;
	enum view_type type;
	bool in_list;
};

/* A wish is 'provisioning' to whoever asks (row_profile.c). */
#define VIEW_STATE \
	"CASE WHEN t.deleted_at IS NULL AND t." IS_FAILED " AND t.attempts" PG_EQUALS "0" \
	" THEN 'provisioning' ELSE " STATE_WORD("t") " END"
#define ACTIVE_KEYS \
	"(SELECT pg_catalog.count(*) FROM public.api_keys k WHERE k.tenant_id" PG_EQUALS \
	"t.tenant_id AND k.revoked_at IS NULL AND coalesce(k.expires_at" PG_ABOVE PG_NOW \
	", true))"

/* Whether Neon has what is wished of it (tenant/wishes.h). */
#define VIEW_NEON \
	"CASE WHEN t.provider" PG_DIFFERS "'neon' THEN NULL" \
	" WHEN t.neon_error IS NOT NULL THEN 'failed'" \
	" WHEN t.neon_wished" PG_DIFFERS "t.neon_applied OR t.neon_held IS NOT NULL" \
	" THEN 'pending' ELSE 'applied' END"

/* The first is the id. d: sums of its documents; u: its row of public.users. */
static const struct view_member members[] = {
	{ "id", "t.tenant_id", VIEW_TEXT, true },
	{ "state", VIEW_STATE, VIEW_TEXT, true },
	{ "plan", "t.plan", VIEW_TEXT, true },
	{ "provider", "t.provider", VIEW_TEXT, true },
	{ "region", "t.region", VIEW_TEXT, true },
	{ "documents", "d.ready", VIEW_COUNT, true },
	{ "bytes", "d.bytes", VIEW_COUNT, true },
	{ "error", "t.last_error", VIEW_DETAIL, true },
	{ "errorCause", "t.last_error", VIEW_CAUSE, false },
	{ "errorAt", "CASE WHEN t.last_error IS NOT NULL THEN " PG_RFC3339("t.updated_at") " END",
	    VIEW_TEXT, false },
	{ "attempts", "t.attempts", VIEW_COUNT, false },
	{ "attempt", "t.attempt_id", VIEW_TEXT, false },
	{ "leaseUntil", PG_RFC3339("t.lease_until"), VIEW_TEXT, false },
	{ "notBefore", PG_RFC3339("t.not_before"), VIEW_TEXT, false },
	{ "name", "u.name", VIEW_TEXT, false },
	{ "email", "u.email", VIEW_TEXT, false },
	{ "projectName", "t.project_name", VIEW_TEXT, false },
	{ "projectId", "t.project_id", VIEW_TEXT, false },
	{ "endpointId", "t.endpoint_id", VIEW_TEXT, false },
	{ "branchId", "t.branch_id", VIEW_TEXT, false },
	{ "host", "t.db_host", VIEW_TEXT, false },
	{ "port", "t.db_port", VIEW_COUNT, false },
	{ "database", "t.db_name", VIEW_TEXT, false },
	{ "role", "t.db_user", VIEW_TEXT, false },
	{ "neon", VIEW_NEON, VIEW_TEXT, false },
	{ "neonError", "t.neon_error", VIEW_DETAIL, false },
	{ "schemaVersion", "t.schema_version", VIEW_COUNT, false },
	{ "chunks", "d.chunks", VIEW_COUNT, false },
	{ "documentsIngesting", "d.ingesting", VIEW_COUNT, false },
	{ "documentsFailed", "d.failed", VIEW_COUNT, false },
	{ "documentsSweptAt", PG_RFC3339("t.documents_swept_at"), VIEW_TEXT, false },
	{ "keys", ACTIVE_KEYS, VIEW_COUNT, false },
	{ "suspendedAt", PG_RFC3339("t.suspended_at"), VIEW_TEXT, false },
	{ "suspendReason", "t.suspend_reason", VIEW_TEXT, false },
	{ "order", "t.end_order", VIEW_TEXT, false },
	{ "orderError", "t.end_error", VIEW_DETAIL, false },
	{ "deletedAt", PG_RFC3339("t.deleted_at"), VIEW_TEXT, false },
	{ "adoptedAt", PG_RFC3339("t.adopted_at"), VIEW_TEXT, false },
	{ "createdAt", PG_RFC3339("t.created_at"), VIEW_TEXT, false },
	{ "updatedAt", PG_RFC3339("t.updated_at"), VIEW_TEXT, true },
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* Behind those of one tenant, for tenant_limits_read(). */
enum limits_column {
	OWN_SETTINGS = MEMBERS,
	OWN_RATE,
	OWN_PLAN,
	OWN_DOCUMENTS,
	OWN_BYTES,
};
#define LIMITS_COLUMNS \
	", t.settings::pg_catalog.text, t.requests_per_minute, t.plan," \
	" d.ready" PG_PLUS "d.ingesting, d.bytes" PG_PLUS "d.bytes_ingesting"

#define DOCUMENTS_OF(status) "pg_catalog.count(*) FILTER (WHERE o.status" PG_EQUALS "'" status "')"
#define SUM_OF(column, status) \
	"coalesce(pg_catalog.sum(" column ") FILTER (WHERE o.status" PG_EQUALS "'" status "'), 0)"
#define BYTES_INGESTING SUM_OF("greatest(o.bytes, o.attempt_bytes)", "ingesting")
#define DOCUMENTS_SUMS \
	" CROSS JOIN LATERAL (SELECT " DOCUMENTS_OF("ready") " AS ready, " DOCUMENTS_OF( \
	    "ingesting") " AS ingesting, " DOCUMENTS_OF("failed") " AS failed, " SUM_OF("o.bytes", \
	    "ready") " AS bytes, " SUM_OF("o.chunks", \
	    "ready") " AS chunks, " BYTES_INGESTING " AS bytes_ingesting" \
		     " FROM public.documents o WHERE o.user_id" PG_EQUALS "t.tenant_id) AS d"

#define BYTEWISE "(t.tenant_id COLLATE pg_catalog.\"C\")"

/* Each fits an index of tenants_listed (catalog/schema_operators.c). No id has a '~', which is
 * above all bytes that an id may have. */
static const struct {
	const char *word, *sql;
} statuses[] = {
	{ "ready", " AND t.deleted_at IS NULL AND t." IS_READY },
	{ "failed", " AND t.deleted_at IS NULL AND t." IS_FAILED " AND t.attempts" PG_ABOVE "0" },
	{ "provisioning",
	    " AND t.deleted_at IS NULL AND (t." IS_PROVISIONING " OR (t." IS_FAILED
	    " AND t.attempts" PG_EQUALS "0))" },
	{ "suspended", " AND t.deleted_at IS NULL AND t.state" PG_EQUALS "'suspended'" },
	{ "deleting", " AND t.deleted_at IS NOT NULL AND t.end_order IS NOT NULL" },
	{ "deleted", " AND t.deleted_at IS NOT NULL AND t.end_order IS NULL" },
};
const char tenant_status_words[] = "ready, failed, provisioning, suspended, deleting or deleted";

static const char *
status_sql(const char *word)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (strcmp(statuses[i].word, word) == 0)
			return statuses[i].sql;
	return NULL;
}

bool
tenant_status_known(const char *word)
{
	return status_sql(word) != NULL;
}

static void
put_columns(struct buf *b, bool for_list)
{
	const char *between = "SELECT ";

	for (size_t i = 0; i < MEMBERS; i++) {
		if (for_list && !members[i].in_list)
			continue;
		buf_puts(b, between);
		buf_puts(b, members[i].sql);
		between = ", ";
	}
}

#define STATEMENT_MAX (32u << 10)

static const char *
list_statement(struct arena *arena, const struct tenant_page *page)
{
	struct buf b;
	const char *sql;

	buf_init(&b, STATEMENT_MAX);
	put_columns(&b, true);
	buf_printf(&b,
	    " FROM (SELECT * FROM public.tenants t WHERE " BYTEWISE PG_AT_LEAST "$1"
	    " AND " BYTEWISE PG_BELOW "$2 AND " BYTEWISE PG_ABOVE "$3%s%s"
	    " ORDER BY " BYTEWISE " LIMIT $4::bigint) AS t" DOCUMENTS_SUMS " ORDER BY " BYTEWISE,
	    page->status != NULL ? status_sql(page->status) : "",
	    page->plan != NULL ? " AND t.plan" PG_EQUALS "$5" : "");
	sql = b.failed ? NULL : arena_slice(arena, buf_view(&b));
	buf_free(&b);
	return sql;
}

enum flow_rc
tenants_list(struct flow *f, struct tenants *ts, const struct tenant_page *page,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = list_statement(f->arena, page),
		.params = { PG_TEXT(page->prefix),
		    PG_TEXT(arena_printf(f->arena, "%s~", page->prefix)), PG_TEXT(page->after),
		    PG_TEXT(arena_printf(f->arena, "%u", page->limit + 1)), PG_TEXT(page->plan) },
		.param_count = page->plan != NULL ? 5 : 4,
	};

	if (q.sql == NULL || q.params[1].data == NULL || q.params[3].data == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the list of tenants");
	return catalog_run(f, ts->catalog, CATALOG_TENANTS, SLICE_LIT("operators"), &q, out);
}

static const char *
look_statement(struct arena *arena)
{
	struct buf b;
	const char *sql;

	buf_init(&b, STATEMENT_MAX);
	put_columns(&b, false);
	buf_puts(&b,
	    LIMITS_COLUMNS " FROM public.tenants t LEFT JOIN public.users u ON u.user_id" PG_EQUALS
			   "t.tenant_id" DOCUMENTS_SUMS " WHERE t.tenant_id" PG_EQUALS "$1");
	sql = b.failed ? NULL : arena_slice(arena, buf_view(&b));
	buf_free(&b);
	return sql;
}

enum flow_rc
tenant_look(struct flow *f, struct tenants *ts, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = look_statement(f->arena),
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	if (q.sql == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant");
	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}

/* ---- as JSON ---- */

/* row_error_write(): the detail, a new line, the cause. Older rows have a cause alone. */
static struct slice
error_part(struct slice text, enum view_type type)
{
	const char *nl = text.len > 0 ? memchr(text.p, '\n', text.len) : NULL;
	size_t first = nl == NULL ? 0 : (size_t)(nl - text.p);

	if (type == VIEW_CAUSE)
		return nl == NULL ? text : slice_of(nl + 1, text.len - first - 1);
	return nl == NULL ? text : slice_of(text.p, first);
}

static void
put_view_member(struct buf *b, const struct view_member *m, struct slice value)
{
	if (value.p != NULL && (m->type == VIEW_DETAIL || m->type == VIEW_CAUSE))
		value = error_part(value, m->type);
	buf_printf(b, "\"%s\":", m->name);
	if (value.p == NULL)
		buf_puts(b, "null");
	else if (m->type == VIEW_COUNT)
		buf_slice(b, value);
	else
		json_put_string(b, value);
}

static void
put_view_members(struct buf *b, const struct pg_result *r, unsigned row, bool for_list)
{
	unsigned col = 0;

	for (size_t i = 0; i < MEMBERS; i++) {
		if (for_list && !members[i].in_list)
			continue;
		if (col > 0)
			buf_putc(b, ',');
		put_view_member(b, &members[i], pg_value(r, row, col++));
	}
}

void
tenants_list_put(struct buf *b, const struct pg_result *r, unsigned row)
{
	put_view_members(b, r, row, true);
}

void
tenant_look_put(struct buf *b, const struct pg_result *r)
{
	put_view_members(b, r, 0, false);
}

const char *
tenant_row_id(const struct pg_result *r, unsigned row)
{
	return pg_text(r, row, 0);
}

void
tenant_limits_read(const struct tenants *ts, const struct pg_result *r, struct tenant_limits *out)
{
	const char *id = tenant_row_id(r, 0);

	out->plan = plan_of_name(&ts->conf->plans, pg_text(r, 0, OWN_PLAN), id);
	out->own = plan_resolve(out->plan, pg_value(r, 0, OWN_SETTINGS), id);
	if (out->own != NULL)
		out->plan = out->own;
	out->requests_per_minute = (unsigned)strtoul(pg_text(r, 0, OWN_RATE), NULL, 10);
	out->documents = strtoull(pg_text(r, 0, OWN_DOCUMENTS), NULL, 10);
	out->bytes = strtoull(pg_text(r, 0, OWN_BYTES), NULL, 10);
}
