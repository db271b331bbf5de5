/* SPDX-License-Identifier: MIT */
/*
 * key_list: the operators' statements on keys that are there: a page of them, one, one revoked.
 */
#include <stdio.h>

#include "auth/auth_key.h"
#include "auth/key_sql.h"
#include "tenantgate/auth/key_catalog.h"
#include "tenantgate/base/mutation.h"

#define OPERATORS SLICE_LIT("operators") /* who takes turns in the lane */

/* What is null is folded away when the statement is planned, with its values at hand, so that each
 * selection has its index. $4 and $5: the row before; the first comparison is the index's. */
static const char list_sql[] =
    "SELECT " KEY_COLUMNS " FROM public.api_keys AS k"
    " WHERE ($1::pg_catalog.text IS NULL OR (k.tenant_id" PG_EQUALS "$1))"
    " AND ($2::pg_catalog.text IS NULL OR (k.kind" PG_EQUALS "$2))"
    " AND ($3::pg_catalog.text IS NULL OR pg_catalog.starts_with(k.note, $3))"
    " AND ($4::pg_catalog.text IS NULL OR"
    " ((k.created_at" PG_AT_MOST "$4::pg_catalog.text::pg_catalog.timestamptz)"
    " AND ((k.created_at" PG_BELOW "$4::pg_catalog.text::pg_catalog.timestamptz)"
    " OR (k.key_id" PG_ABOVE "$5))))"
    " ORDER BY k.created_at DESC, k.key_id LIMIT $6::bigint";

enum flow_rc
keys_list(struct flow *f, struct catalog *c, struct key_page *page, struct pg_result *out)
{
	struct pg_query q = {
		.sql = list_sql,
		.params = { PG_TEXT(mutated(MUTATION_KEY_LIST, page->tenant)), PG_TEXT(page->kind),
		    PG_TEXT(page->note_prefix), PG_TEXT(page->after_created),
		    PG_TEXT(page->after_id), PG_TEXT(page->rows) },
		.param_count = 6,
	};

	snprintf(page->rows, sizeof(page->rows), "%u", page->limit + 1);
	return catalog_run(f, c, CATALOG_KEYS, OPERATORS, &q, out);
}

static enum flow_rc
key_statement(struct flow *f, struct catalog *c, const char *sql, const char *id,
    struct pg_result *out)
{
	struct pg_query q = { .sql = sql, .params = { PG_TEXT(id) }, .param_count = 1 };

	return catalog_run(f, c, CATALOG_KEYS, OPERATORS, &q, out);
}

enum flow_rc
key_describe(struct flow *f, struct catalog *c, const char *id, struct pg_result *out)
{
	return key_statement(f, c,
	    "SELECT " KEY_COLUMNS " FROM public.api_keys AS k WHERE (k.key_id" PG_EQUALS "$1)", id,
	    out);
}

/* Repeated, it leaves the time of the first. */
enum flow_rc
key_revoke(struct flow *f, struct catalog *c, const char *id, struct pg_result *out)
{
	return key_statement(f, c,
	    "UPDATE public.api_keys AS k SET revoked_at = coalesce(k.revoked_at, " PG_NOW ")"
	    " WHERE (k.key_id" PG_EQUALS "$1) RETURNING " KEY_COLUMNS,
	    id, out);
}

bool
key_row(const struct pg_result *r, unsigned i, struct listed_key *k)
{
	if (i >= pg_rows(r))
		return false;
	*k = (struct listed_key){
		.id = pg_value(r, i, 0).p,
		.kind = pg_value(r, i, 1).p,
		.tenant = pg_value(r, i, 2).p,
		.note = pg_value(r, i, 3).p,
		.scopes = pg_value(r, i, 4).p,
		.state = pg_value(r, i, 5).p,
		.created_at = pg_value(r, i, 6).p,
		.expires_at = pg_value(r, i, 7).p,
		.last_used_at = pg_value(r, i, 8).p,
		.revoked_at = pg_value(r, i, 9).p,
		.created_exactly = pg_value(r, i, 10).p,
	};
	return true;
}

bool
key_id_valid(struct slice id)
{
	return id.len == KEY_ID_LEN && key_text_is_alphanumeric(id);
}
