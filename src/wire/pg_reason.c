/* SPDX-License-Identifier: MIT */
/*
 * pg_reason: what a failed login or statement means for the one who asked: one table, read from the
 * top. SQLSTATEs are PostgreSQL's appendix A; a row without one, or with XX000, goes by words:
 * Neon's proxy gives its own refusals no SQLSTATE of theirs (proxy/src/error.rs), and libpq's
 * failures to connect have none.
 */
#define _GNU_SOURCE /* strcasestr */
#include <string.h>

#include "wire/pg_conn.h"

#define OPERATOR "The operator finds the reason in the log."

/* ---- reasons ---- */

static const struct pg_reason starting = {
	.code = ERR_DATABASE_AWAY,
	.retry_after = 1,
	.passes = true,
	.detail = "The tenant's database is starting. Try again in a moment.",
};

static const struct pg_reason stopped = {
	.code = ERR_DATABASE_AWAY,
	.retry_after = 1,
	.passes = true,
	.detail = "The tenant's database was stopped or restarted. Try again in a moment.",
};

static const struct pg_reason unreached = {
	.code = ERR_DATABASE_AWAY,
	.retry_after = 2,
	.passes = true,
	.is_contact = true,
	.detail = "The tenant's database cannot be reached. Try again in a moment.",
};

static const struct pg_reason silent = {
	.code = ERR_DATABASE_AWAY,
	.retry_after = 2,
	.is_contact = true,
	.detail = "The tenant's database did not answer in time. Try again in a moment.",
};

static const struct pg_reason switched_off = {
	.code = ERR_DATABASE_AWAY,
	.retry_after = 60,
	.detail = "The tenant's database is switched off at its provider. Ask the operator to "
		  "switch it on.",
};

static const struct pg_reason read_only = {
	.code = ERR_DATABASE_AWAY,
	.retry_after = 5,
	.detail = "The tenant's database takes no writes now. Try again later.",
};

static const struct pg_reason scant = {
	.code = ERR_DATABASE_AWAY,
	.retry_after = 5,
	.is_full = true,
	.detail = "The tenant's database is short of memory or disk. Try again later.",
};

static const struct pg_reason full = {
	.code = ERR_OVERLOADED,
	.retry_after = 1,
	.is_full = true,
	.detail = "The tenant's database has no connection free. Try again in a moment.",
};

static const struct pg_reason quota = {
	.code = ERR_DATABASE_QUOTA,
	.retry_after = 60,
	.detail = "The tenant's database has used up a quota. Ask the operator to raise it, or try "
		  "again later.",
};

static const struct pg_reason locked_out = {
	.code = ERR_DATABASE,
	.detail = "The tenant's database refused the login on record. " OPERATOR,
};

static const struct pg_reason gone = {
	.code = ERR_DATABASE,
	.detail = "The tenant's database is not there. " OPERATOR,
};

/* A column or table of ours: the database was set back in time, or another's hand was at it. */
static const struct pg_reason outdated = {
	.code = ERR_OUTDATED,
	.retry_after = 1,
	.detail =
	    "The tenant's database is older than it should be, and is brought up to date. Try "
	    "again in a moment.",
};

static const struct pg_reason unsafe = {
	.code = ERR_DATABASE,
	.detail = "No safe connection to the tenant's database could be made. " OPERATOR,
};

static const struct pg_reason forbidden = {
	.code = ERR_DATABASE,
	.detail = "The tenant's database is at an address that this server may not connect to. "
		  "Ask the operator to look at the address, or at allowed_networks.",
};

static const struct pg_reason unknown = {
	.code = ERR_DATABASE,
	.detail = "The tenant's database failed. Try again. " OPERATOR,
};

static const struct pg_reason ours = {
	.code = ERR_OVERLOADED,
	.retry_after = 1,
	.passes = true,
	.detail = "Too many logins to databases are being computed. Try again in a moment.",
};

/* ---- the table ---- */

struct reason_row {
	const char *sqlstate;		/* a prefix of it; "": the server gave none */
	const char *words;		/* in the message, in any case; NULL: any message */
	const struct pg_reason *reason; /* static */
};

static const struct reason_row rows[] = {
	/* Neon's, before the rows of the same class. */
	{ "XX000", "temporarily unavailable", &starting },
	{ "XX000", "connect to compute", &starting },
	{ "XX000", "quota", &quota },
	{ "53100", "size limit", &quota },
	{ "XX000", "disabled", &switched_off },
	{ "XX000", "too many", &full },
	{ "XX000", "permit to connect", &full },
	{ "XX000", "endpoint", &gone },
	/* PgBouncer's "no more connections allowed (max_client_conn)". */
	{ "08P01", "connections allowed", &full },
	{ "53300", NULL, &full },
	{ "53", NULL, &scant },
	{ "57P03", NULL, &starting },
	{ "57P", NULL, &stopped },
	{ "08", NULL, &unreached },
	{ "25006", NULL, &read_only },
	{ "28", NULL, &locked_out },
	{ "3D000", NULL, &gone },
	{ "42703", NULL, &outdated },
	{ "42P01", NULL, &outdated },
	/* libpq's, the system's, and those of wire/: a name that is not there (libevent's words),
	 * or name servers that do not answer as they should. */
	{ "", "name does not exist", &gone },
	{ "", "no records in the reply", &gone },
	{ "", "looking up", &unreached },
	{ "", "certificate", &unsafe },
	{ "", "does not support SSL", &unsafe },
	{ "", "refused", &unreached },
	{ "", "reset", &unreached },
	{ "", "closed the connection", &unreached },
	{ "", "EOF", &unreached },
	{ "", "broken pipe", &unreached },
	{ "", "unreachable", &unreached },
	{ "", "no route", &unreached },
	{ "", "timed out", &unreached },
	{ "", "no connection to the server", &unreached },
	{ "", "connection is closed", &unreached },
	{ "", "SSL", &unsafe },
	{ "", "channel binding", &unsafe },
};

static bool
has_words(const char *text, const char *words)
{
	return words == NULL || strcasestr(text, words) != NULL;
}

static bool
row_matches(const struct reason_row *row, const struct pg_failure *failure)
{
	size_t len = strlen(row->sqlstate);

	if (len == 0 && failure->sqlstate[0] != '\0')
		return false;
	return strncmp(failure->sqlstate, row->sqlstate, len) == 0 &&
	    has_words(failure->message, row->words);
}

const struct pg_reason *
pg_reason(const struct pg_result *r)
{
	if (r->status == PG_REFUSED)
		return &ours;
	if (r->status == PG_TIMEOUT)
		return &silent;
	if (r->failure.is_forbidden)
		return &forbidden;
	if (r->failure.is_tls)
		return &unsafe;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (row_matches(&rows[i], &r->failure))
			return rows[i].reason;
	return &unknown;
}

enum flow_rc
pg_check(struct flow *f, const struct pg_result *r, enum err_code code, const char *what)
{
	const struct pg_reason *reason = pg_reason(r);
	struct err err = { .retry_after = reason->retry_after };

	if (r->status == PG_OK)
		return FLOW_NEXT;
	if (code == ERR_NONE)
		code = r->status == PG_TIMEOUT ? ERR_TIMEOUT : reason->code;
	err_set(&err, code, "%s", reason->detail);
	if (r->failure.sqlstate[0] == '\0')
		err_cause(&err, "%s: %s", what, r->failure.message);
	else
		err_cause(&err, "%s: %s, SQLSTATE %s", what, r->failure.message,
		    r->failure.sqlstate);
	return flow_fail_err(f, &err);
}
