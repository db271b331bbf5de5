/* SPDX-License-Identifier: MIT */
#include "retrieval/text_store.h"

#define STORE_TIMEOUT_US (300 * 1000000ull)

enum flow_rc
text_store(struct flow *f, struct pg_conn *conn, const char *document_id, enum language language,
    struct pg_result *out)
{
	const struct pg_query q = {
		.sql = text_store_statement,
		.params = { PG_TEXT(language_name(language)), PG_TEXT(document_id) },
		.param_count = 2,
		.timeout_us = STORE_TIMEOUT_US,
	};

	pg_clear(out);
	return pg_run(f, conn, &q, out);
}

enum flow_rc
text_take(struct flow *f, struct pg_conn *conn, const char *document_id, const char *attempt,
    enum language language, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = text_take_statement,
		.params = { PG_TEXT(language_name(language)), PG_TEXT(attempt),
		    PG_TEXT(document_id) },
		.param_count = 3,
		.timeout_us = STORE_TIMEOUT_US,
	};

	pg_clear(out);
	return pg_run(f, conn, &q, out);
}

enum flow_rc
text_store_missing(struct flow *f, struct pool_lease *lease, int schema_version,
    enum language language, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = text_has_places(schema_version) ? text_store_owed_statement
						       : text_store_missing_statement,
		.params = { PG_TEXT(language_name(language)) },
		.param_count = 1,
		.timeout_us = STORE_TIMEOUT_US,
	};

	return pool_read(f, lease, &q, out);
}
