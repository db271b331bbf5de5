/* SPDX-License-Identifier: MIT */
/*
 * row_sql: parts of the statements on public.tenants. Private to row*.c.
 */
#ifndef TENANT_ROW_SQL_H
#define TENANT_ROW_SQL_H

#include "tenantgate/wire/pg_sql.h"

#define IS_PROVISIONING "state" PG_EQUALS "'provisioning'"
#define IS_FAILED	"state" PG_EQUALS "'failed'"
#define IS_READY	"state" PG_EQUALS "'ready'"
#define OF_TENANT	" WHERE tenant_id" PG_EQUALS "$1"
/* Of statements whose first parameters are the tenant and the attempt. */
#define OF_ATTEMPT	OF_TENANT " AND attempt_id" PG_EQUALS "$2 AND " IS_PROVISIONING

/* As row_read() takes them. */
#define ROW_COLUMNS \
	"state, plan, requests_per_minute, db_host, db_port, db_name, db_user, " \
	"db_password_sealed, db_sslmode, project_name, project_id, endpoint_id, " \
	"branch_id, attempt_id, attempts, coalesce(lease_until" PG_BELOW PG_NOW ", true), " \
	"extract(epoch FROM " PG_NOW PG_MINUS "posted_at)::int, refusals, " \
	"greatest(0, pg_catalog.ceil(extract(epoch FROM not_before" PG_MINUS PG_NOW ")))::int, " \
	"last_error, provider, schema_version, neon_wished::pg_catalog.text, " \
	"(extract(epoch FROM pg_catalog.clock_timestamp())" PG_TIMES "1000)::bigint, region, " \
	"settings::pg_catalog.text, deleted_at IS NOT NULL, db_channel_binding, " \
	"token_generation"

/* A row's state for people: one word more than the column has, for builds of before know no
 * tombstones. t: the alias of public.tenants. */
#define STATE_WORD(t) \
	"CASE WHEN " t ".deleted_at IS NULL THEN " t ".state " \
	"WHEN " t ".end_order IS NULL THEN 'deleted' ELSE 'deleting' END"

#endif
