/* SPDX-License-Identifier: MIT */
/*
 * tenant_tokens: the generation of a tenant's tokens, in its row: a token of another is refused.
 */
#include "tenant/row_sql.h"
#include "tenant/tenant_internal.h"
#include "tenantgate/base/mutation.h"

/* By the database's clock, as the column's default, but greater than before whatever that says. A
 * tombstone has no tokens. May be repeated. */
static const char next_generation[] =
    "UPDATE public.tenants SET token_generation = greatest(token_generation" PG_PLUS "1,"
    " (extract(epoch FROM " PG_NOW ")" PG_TIMES "1000000)::bigint)" OF_TENANT
    " AND deleted_at IS NULL";

enum flow_rc
tenant_tokens_revoke(struct flow *f, struct tenants *ts, const char *id, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = next_generation,
		.params = { PG_TEXT(mutated(MUTATION_TOKEN_GENERATION, id)) },
		.param_count = 1,
	};

	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}

/* What Redis has may be as old. */
void
tenant_look_anew(struct tenants *ts, const char *id)
{
	tenants_unpublish(ts, id);
	lookup_forget(ts->records, slice_str(id));
}
