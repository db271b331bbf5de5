/* SPDX-License-Identifier: MIT */
/*
 * key_sql: parts of the statements on public.api_keys, as row k.
 */
#ifndef AUTH_KEY_SQL_H
#define AUTH_KEY_SQL_H

#include "tenantgate/wire/pg_sql.h"

/* Of the secret: a limited key's is where builds that know no limits do not look
 * (catalog_schema.c, script 11). */
#define KEY_DIGEST	"coalesce(k.limited_sha256, k.secret_sha256)"
/* Null: everything. Names that are null, or of a later build, stay names: none of them is
 * "everything". */
#define KEY_SCOPE_LIST	"CASE WHEN (pg_catalog.cardinality(k.scopes)" PG_ABOVE "0)" \
			" THEN pg_catalog.array_to_string(k.scopes, ',', '-') END"
/* Microseconds since 1970; null: never. What no clock here comes to is for ever, or was. */
#define KEY_EXPIRY_US	"CASE WHEN k.expires_at IS NOT NULL THEN (extract(epoch FROM" \
			" greatest(least(k.expires_at, '9999-12-31Z'::pg_catalog.timestamptz)," \
			" '1970-01-02Z'::pg_catalog.timestamptz))" PG_TIMES "1000000)::bigint END"
#define KEY_FINITE(column) \
	"CASE WHEN pg_catalog.isfinite(" column ") THEN " PG_RFC3339(column) " END"
#define KEY_EXACTLY(column) \
	"pg_catalog.to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/* For key_row(), in its order. */
#define KEY_COLUMNS \
	"k.key_id, k.kind, k.tenant_id, k.note, " KEY_SCOPE_LIST "," \
	" CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'" \
	" WHEN (k.expires_at" PG_AT_MOST PG_NOW ") THEN 'expired' ELSE 'active' END, " \
	PG_RFC3339("k.created_at") ", " KEY_FINITE("k.expires_at") ", " \
	KEY_FINITE("k.last_used_at") ", " KEY_FINITE("k.revoked_at") ", " \
	KEY_EXACTLY("k.created_at")

#endif
