/* SPDX-License-Identifier: MIT */
/*
 * reseal_rows: see the header.
 */
#include "tenant/reseal_rows.h"

#include <jansson.h>
#include <stdio.h>

#include "tenantgate/base/json.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_sql.h"

#define ROWS_AT_ONCE "50" /* sealed in one turn of the loop: a millisecond */
#define SEALED_MAX   4096

enum flow_rc
reseal_select(struct flow *f, struct catalog *c, const char *prefix, const char *last,
    bool is_recent, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT tenant_id, db_password_sealed FROM public.tenants "
		       "WHERE db_password_sealed IS NOT NULL AND " SEALED_WITH PG_DIFFERS "$1 "
		       "AND tenant_id" PG_ABOVE "$2 AND (NOT $3::boolean "
		       "OR updated_at" PG_ABOVE "(" PG_NOW PG_MINUS "interval '10 minutes')) "
		       "ORDER BY tenant_id LIMIT " ROWS_AT_ONCE,
		.params = { PG_TEXT(prefix), PG_TEXT(last), PG_TEXT(is_recent ? "t" : "f") },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, RESEAL_HOLDER, &q, out);
}

bool
reseal_open(const struct seal *seal, const char *id, struct slice sealed, struct buf *plain)
{
	char context[TENANT_KEY_SIZE];

	row_seal_context(context, id);
	buf_reserve(plain, RESEAL_PLAIN_MAX);
	return seal_decrypt(seal, sealed, slice_str(context), plain);
}

/* Appends the row to the list; leaves out what does not open. */
static void
reseal_row(const struct seal *seal, const struct pg_result *result, unsigned row, json_t *list)
{
	const char *id = pg_text(result, row, 0), *old = pg_text(result, row, 1);
	char context[TENANT_KEY_SIZE];
	struct buf plain, sealed;

	buf_init(&plain, RESEAL_PLAIN_MAX);
	buf_init(&sealed, SEALED_MAX);
	row_seal_context(context, id);
	if (reseal_open(seal, id, slice_str(old), &plain) &&
	    seal_encrypt(seal, buf_view(&plain), slice_str(context), &sealed))
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s}", "id", id, "old", old, "new", sealed.data));
	buf_wipe(&plain);
	buf_free(&sealed);
}

unsigned
reseal_rows(const struct seal *seal, const struct pg_result *result, char last[TENANT_ID_MAX + 1],
    struct buf *rows)
{
	unsigned n = pg_rows(result), sealed;
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		reseal_row(seal, result, i, list);
	if (n > 0)
		snprintf(last, TENANT_ID_MAX + 1, "%s", pg_text(result, n - 1, 0));
	buf_reset(rows);
	json_put(rows, list);
	sealed = rows->failed ? 0 : (unsigned)json_array_size(list);
	json_decref(list);
	return sealed;
}

enum flow_rc
reseal_save(struct flow *f, struct catalog *c, const char *rows, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants AS t SET db_password_sealed = n.new "
		       "FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS n("
		       "id pg_catalog.text, old pg_catalog.text, new pg_catalog.text) "
		       "WHERE t.tenant_id" PG_EQUALS "n.id "
		       "AND t.db_password_sealed" PG_EQUALS "n.old",
		.params = { PG_TEXT(rows) },
		.param_count = 1,
	};

	return catalog_run(f, c, CATALOG_TENANTS, RESEAL_HOLDER, &q, out);
}

bool
reseal_is_refused(const struct pg_result *result)
{
	return result->status == PG_SQL_ERROR &&
	    (strcmp(result->failure.sqlstate, "25006") == 0 ||
		strcmp(result->failure.sqlstate, "42501") == 0);
}
