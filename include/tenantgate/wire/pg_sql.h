/* SPDX-License-Identifier: MIT */
/*
 * pg_sql: parts of SQL that mean the same whatever the role's search path leads to. A bare operator
 * or function is looked up along that path, which ALTER ROLE sets where a login cannot say
 * otherwise (behind a pooler that takes no options), and somebody's of the same name may come
 * first; or be nearer in its types, though it comes last (PostgreSQL's manual, "Operator Type
 * Resolution"). IN, NULLIF and CASE x WHEN look "=" up the same way. Not so: coalesce, greatest,
 * extract, AT TIME ZONE, and the types with names of two words or SQL's own (int, bigint, boolean,
 * interval).
 *
 * Written so, all operators bind alike: put brackets.
 */
#ifndef TENANTGATE_WIRE_PG_SQL_H
#define TENANTGATE_WIRE_PG_SQL_H

#define PG_EQUALS	" OPERATOR(pg_catalog.=) "
#define PG_DIFFERS	" OPERATOR(pg_catalog.<>) "
#define PG_BELOW	" OPERATOR(pg_catalog.<) "
#define PG_AT_MOST	" OPERATOR(pg_catalog.<=) "
#define PG_AT_LEAST	" OPERATOR(pg_catalog.>=) "
#define PG_ABOVE	" OPERATOR(pg_catalog.>) "
#define PG_PLUS		" OPERATOR(pg_catalog.+) "
#define PG_MINUS	" OPERATOR(pg_catalog.-) "
#define PG_TIMES	" OPERATOR(pg_catalog.*) "
#define PG_NOW		"pg_catalog.now()"

/* A timestamptz as RFC 3339 text in UTC, with milliseconds. */
#define PG_RFC3339(column)	"pg_catalog.to_char(" column " AT TIME ZONE 'UTC'," \
				" 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

#endif
