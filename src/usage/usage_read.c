/* SPDX-License-Identifier: MIT */
/*
 * usage_read: what is in the catalog's table tenant_usage, for a tenant and for operators.
 */
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/wire/pg_sql.h"
#include "usage/usage_tally.h"

#define DAY_US (86400 * 1000000ull)

/* In this order in both statements. */
enum usage_column {
	USAGE_TENANT,
	USAGE_DAY,
	USAGE_MODEL,
	USAGE_REQUESTS,
	USAGE_INPUT,
	USAGE_OUTPUT,
	USAGE_CALLS,
	USAGE_EMBEDDED,
	USAGE_DOCUMENTS,
	USAGE_BYTES,
};

static const char rows_of_tenant[] =
    "SELECT '', pg_catalog.to_char(day, 'YYYY-MM-DD'), model, requests, input_tokens,"
    "	output_tokens, embedding_calls,"
    "	embedding_tokens, documents, bytes FROM public.tenant_usage"
    " WHERE tenant_id" PG_EQUALS "$1 AND day" PG_AT_LEAST "$2::pg_catalog.date"
    " AND day" PG_AT_MOST "$3::pg_catalog.date ORDER BY day, model LIMIT $4::bigint";

/* The tenants of a page are found by the table's key, a step each, so that those behind it cost
 * nothing, however many days they have. Ids are in the order of their bytes, so those of a prefix
 * are one after another. */
static const char sums_of_tenants[] =
    "WITH RECURSIVE ids AS ("
    "	(SELECT tenant_id, 1 AS n FROM public.tenant_usage"
    "	    WHERE tenant_id" PG_ABOVE "$1 AND tenant_id" PG_AT_LEAST "$2"
    "	    AND pg_catalog.starts_with(tenant_id, $2) ORDER BY tenant_id LIMIT 1)"
    "	UNION ALL"
    "	SELECT next.tenant_id, ids.n" PG_PLUS "1 FROM ids, LATERAL ("
    "	    SELECT u.tenant_id FROM public.tenant_usage u WHERE u.tenant_id" PG_ABOVE
    "	    ids.tenant_id ORDER BY u.tenant_id LIMIT 1) AS next"
    "	    WHERE ids.n" PG_BELOW "$5::bigint"
    "	    AND pg_catalog.starts_with(next.tenant_id, $2))"
    " SELECT ids.tenant_id, '', '', pg_catalog.sum(u.requests), pg_catalog.sum(u.input_tokens),"
    "	pg_catalog.sum(u.output_tokens), pg_catalog.sum(u.embedding_calls),"
    "	pg_catalog.sum(u.embedding_tokens), pg_catalog.sum(u.documents),"
    "	pg_catalog.sum(u.bytes)"
    " FROM ids LEFT JOIN public.tenant_usage u ON u.tenant_id" PG_EQUALS "ids.tenant_id"
    "	AND u.day" PG_AT_LEAST "$3::pg_catalog.date AND u.day" PG_AT_MOST "$4::pg_catalog.date"
    " GROUP BY ids.tenant_id ORDER BY ids.tenant_id";

enum flow_rc
usage_read(struct flow *f, struct catalog *c, const char *tenant, const struct usage_days *days,
    struct pg_result *out)
{
	char *limit = arena_printf(f->arena, "%u", USAGE_READ_MAX + 1);
	const struct pg_query q = {
		.sql = rows_of_tenant,
		.params = { PG_TEXT(mutated(MUTATION_USAGE_READ, tenant)), PG_TEXT(days->from),
		    PG_TEXT(days->to), PG_TEXT(limit) },
		.param_count = 4,
	};

	if (limit == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the usage");
	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

enum flow_rc
usage_read_tenants(struct flow *f, struct catalog *c, const struct usage_page *page,
    struct pg_result *out)
{
	char *limit = arena_printf(f->arena, "%u", page->limit + 1);
	const struct pg_query q = {
		.sql = sums_of_tenants,
		.params = { PG_TEXT(page->after), PG_TEXT(page->prefix), PG_TEXT(page->days.from),
		    PG_TEXT(page->days.to), PG_TEXT(limit) },
		.param_count = 5,
	};

	if (limit == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the usage");
	return catalog_run(f, c, CATALOG_DOCUMENTS, SLICE_LIT("operators"), &q, out);
}

static const char tokens_of_month[] =
    "SELECT coalesce(pg_catalog.sum(input_tokens" PG_PLUS "output_tokens" PG_PLUS
    "embedding_tokens), 0) FROM public.tenant_usage"
    " WHERE tenant_id" PG_EQUALS "$1 AND day" PG_AT_LEAST "$2::pg_catalog.date";

enum flow_rc
usage_read_month(struct flow *f, struct catalog *c, const char *tenant, struct pg_result *out)
{
	char *first = arena_alloc(f->arena, USAGE_DAY_SIZE);
	const struct pg_query q = {
		.sql = tokens_of_month,
		.params = { PG_TEXT(tenant), PG_TEXT(first) },
		.param_count = 2,
	};

	if (first == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the usage");
	usage_day_text((uint32_t)(clock_wall_us() / DAY_US), first);
	memcpy(first + 8, "01", 2);
	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

uint64_t
usage_month_tokens(const struct pg_result *r)
{
	uint64_t tokens = strtoull(pg_text(r, 0, 0), NULL, 10);

	return tokens < USAGE_SUM_MAX ? tokens : USAGE_SUM_MAX;
}

static uint64_t
count_at(const struct pg_result *r, unsigned row, enum usage_column column)
{
	return strtoull(pg_text(r, row, column), NULL, 10);
}

void
usage_row_read(const struct pg_result *r, unsigned row, struct usage_row *out)
{
	*out = (struct usage_row){
		.tenant = pg_text(r, row, USAGE_TENANT),
		.day = pg_text(r, row, USAGE_DAY),
		.model = pg_text(r, row, USAGE_MODEL),
		.count = { .requests = count_at(r, row, USAGE_REQUESTS),
		    .input_tokens = count_at(r, row, USAGE_INPUT),
		    .output_tokens = count_at(r, row, USAGE_OUTPUT),
		    .embedding_calls = count_at(r, row, USAGE_CALLS),
		    .embedding_tokens = count_at(r, row, USAGE_EMBEDDED),
		    .documents = count_at(r, row, USAGE_DOCUMENTS),
		    .bytes = count_at(r, row, USAGE_BYTES) },
	};
}
