/* SPDX-License-Identifier: MIT */
#include "retrieval/staging_forget.h"

#include <string.h>

#include "retrieval/text_store.h"

static enum flow_rc
staging_forget(struct flow *f, struct pool_lease *lease, const char *sql, const char *param,
    struct pg_result *out)
{
	const struct pg_query q = { .sql = sql, .params = { PG_TEXT(param) }, .param_count = 1 };

	return pool_read(f, lease, &q, out);
}

enum flow_rc
staging_forget_attempt(struct flow *f, struct pool_lease *lease, int schema_version,
    const char *attempt, struct pg_result *out)
{
	const char *sql = text_has_places(schema_version) ? staging_forget_statement
							  : STAGED_CHUNKS_GO(STAGED_OF_ATTEMPT);

	return staging_forget(f, lease, sql, attempt, out);
}

bool
staging_forgets_more(const struct pg_result *r)
{
	return pg_rows(r) > 0 && strcmp(pg_text(r, 0, 0), STAGED_SEGMENTS_MAX) == 0;
}

/* No attempt lives longer than the deadline of its request. */
enum flow_rc
staging_forget_old(struct flow *f, struct pool_lease *lease, int schema_version, const char *ago_us,
    struct pg_result *out)
{
	const char *sql = text_has_places(schema_version) ? staging_forget_old_statement
							  : STAGED_CHUNKS_GO(STAGED_AGO);

	return staging_forget(f, lease, sql, ago_us, out);
}
