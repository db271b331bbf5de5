/* SPDX-License-Identifier: MIT */
#include "retrieval/staging_forget.h"

#include "retrieval/text_store.h"

#define OF_ATTEMPT "attempt" PG_EQUALS "$1"
#define OLD \
	"staged_at" PG_AT_MOST "(" PG_NOW PG_MINUS "($1::bigint" PG_TIMES \
	"interval '1 microsecond'))"

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
	const char *sql = text_has_places(schema_version)
	    ? STAGED_WORDS_GO(OF_ATTEMPT) " " STAGED_CHUNKS_GO(OF_ATTEMPT)
	    : STAGED_CHUNKS_GO(OF_ATTEMPT);

	return staging_forget(f, lease, sql, attempt, out);
}

/* No attempt lives longer than the deadline of its request. */
enum flow_rc
staging_forget_old(struct flow *f, struct pool_lease *lease, int schema_version, const char *ago_us,
    struct pg_result *out)
{
	const char *sql = text_has_places(schema_version)
	    ? STAGED_WORDS_GO(OLD) " " STAGED_CHUNKS_GO(OLD)
	    : STAGED_CHUNKS_GO(OLD);

	return staging_forget(f, lease, sql, ago_us, out);
}
