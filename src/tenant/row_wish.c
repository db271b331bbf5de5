/* SPDX-License-Identifier: MIT */
/*
 * row_wish: see the header. Times are the database's. neon_tries counts what failed of a wish; it
 * is -1 while Neon is asked to go back to what was, so that the reason why it is stays to be read.
 */
#include "tenant/row_wish.h"

#include "tenant/row_sql.h"

#define WISH_HOLDER SLICE_LIT("tenant_wishes")

/* Of a row `t`. */
#define IS_WISHING "(t.neon_wished" PG_DIFFERS "t.neon_applied OR t.neon_held IS NOT NULL)"
#define MAY_ASK \
	"t.provider" PG_EQUALS "'neon' AND t." IS_READY " AND " IS_WISHING \
	" AND coalesce(t.neon_until" PG_BELOW PG_NOW ", true)"
#define OF_WISH	  " WHERE t.tenant_id" PG_EQUALS "$1 AND t.neon_attempt" PG_EQUALS "$2"
#define GIVE_BACK "neon_attempt = NULL, neon_until = NULL"
#define IS_SAME	  "t.neon_wished" PG_EQUALS "$3::pg_catalog.jsonb"

/* Our own attempt passes too: the answer to a first try may have been lost. */
enum flow_rc
row_wish_claim(struct flow *f, struct catalog *c, const struct row_wish *w, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants t SET neon_attempt = $2, neon_until = " PG_NOW PG_PLUS
		       "($3::int" PG_TIMES "interval '1 millisecond')"
		       " WHERE t.tenant_id" PG_EQUALS "$1 AND ((" MAY_ASK
		       ") OR t.neon_attempt" PG_EQUALS "$2) RETURNING t.project_id, t.endpoint_id,"
		       " t.neon_wished::pg_catalog.text, t.neon_applied::pg_catalog.text,"
		       " t.neon_tries, t.neon_before::pg_catalog.text",
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(w->lease_ms) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

enum flow_rc
row_wish_note(struct flow *f, struct catalog *c, const struct row_wish *w, const char *applied,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants t SET neon_applied = $3::pg_catalog.jsonb" OF_WISH,
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(applied) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

/* A key that is held is there; one that is not leaves the row's value. */
#define HELD(name) "t.neon_held" PG_HAS "'" name "'"
#define PG_HAS	   " OPERATOR(pg_catalog.?) "
#define PG_TEXT_AT " OPERATOR(pg_catalog.->>) "
#define PG_AT	   " OPERATOR(pg_catalog.->) "

enum flow_rc
row_wish_settle(struct flow *f, struct catalog *c, const struct row_wish *w, const char *wished,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants t SET " GIVE_BACK
		       ", neon_applied = $3::pg_catalog.jsonb,"
		       " neon_tries = 0, neon_error = CASE WHEN " IS_SAME
		       " AND t.neon_tries" PG_AT_LEAST "0 THEN NULL ELSE t.neon_error END,"
		       " neon_before = CASE WHEN " IS_SAME " THEN NULL ELSE t.neon_before END,"
		       " plan = CASE WHEN " IS_SAME
		       " AND " HELD("plan") " THEN t.neon_held" PG_TEXT_AT "'plan' ELSE t.plan END,"
					    " settings = CASE WHEN " IS_SAME " AND " HELD(
						"settings") " THEN t.neon_held" PG_AT
							    "'settings' ELSE t.settings END,"
							    " neon_held = CASE WHEN " IS_SAME
							    " THEN NULL ELSE t.neon_held END,"
							    " updated_at = " PG_NOW OF_WISH
							    " RETURNING " IS_SAME,
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(wished) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

enum flow_rc
row_wish_refuse(struct flow *f, struct catalog *c, const struct row_wish *w, const char *wished,
    const char *back, const char *why, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants t SET " GIVE_BACK ","
		       " neon_tries = CASE WHEN " IS_SAME " THEN -1 ELSE 0 END,"
		       " neon_error = CASE WHEN " IS_SAME " THEN $5 ELSE t.neon_error END,"
		       " neon_held = CASE WHEN " IS_SAME " THEN NULL ELSE t.neon_held END,"
		       " neon_wished = CASE WHEN " IS_SAME " THEN $4::pg_catalog.jsonb"
		       " ELSE t.neon_wished END, neon_before = CASE WHEN " IS_SAME
		       " THEN NULL ELSE t.neon_before END, updated_at = " PG_NOW OF_WISH
		       " RETURNING " IS_SAME,
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(wished), PG_TEXT(back),
		    PG_TEXT(why) },
		.param_count = 5,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

enum flow_rc
row_wish_fail(struct flow *f, struct catalog *c, const struct row_wish *w, const char *wait_s,
    const char *why, struct pg_result *out)
{
	struct pg_query q = {
		.sql =
		    "UPDATE public.tenants t SET neon_attempt = NULL, neon_until = " PG_NOW PG_PLUS
		    "($3::int" PG_TIMES "interval '1 second'),"
		    " neon_tries = CASE WHEN t.neon_tries" PG_BELOW "0 THEN -1"
		    " ELSE t.neon_tries" PG_PLUS
		    "1 END, neon_error = CASE WHEN t.neon_tries" PG_BELOW
		    "0 THEN t.neon_error ELSE $4 END, updated_at = " PG_NOW OF_WISH,
		.params = { PG_TEXT(w->id), PG_TEXT(w->attempt), PG_TEXT(wait_s), PG_TEXT(why) },
		.param_count = 4,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(w->id), &q, out);
}

#define PAGE_TEXT_OF(n) #n
#define PAGE_TEXT(n)	PAGE_TEXT_OF(n)

enum flow_rc
row_wish_list(struct flow *f, struct catalog *c, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT t.tenant_id FROM public.tenants t WHERE " MAY_ASK
		       " ORDER BY t.neon_until NULLS FIRST LIMIT " PAGE_TEXT(WISH_PAGE),
	};

	return catalog_run(f, c, CATALOG_TENANTS, WISH_HOLDER, &q, out);
}
