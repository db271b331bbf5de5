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

struct reason_row {
	const char *sqlstate; /* a prefix; "" with `is_bare`: the server gave none */
	const char *words;    /* in the message, whatever their case; NULL: any message */
	struct pg_reason reason;
};

#define AWAY(s, text, ...) { ERR_DATABASE_AWAY, s, .detail = text, __VA_ARGS__ }

#define STARTING \
	AWAY(1, "The tenant's database is starting. Try again in a moment.", .passes = true)
#define STOPPED \
	AWAY(1, "The tenant's database was stopped or restarted. Try again in a moment.", \
	    .passes = true)
#define UNREACHED \
	AWAY(2, "The tenant's database cannot be reached. Try again in a moment.", .passes = true, \
	    .is_contact = true)
#define SWITCHED_OFF \
	AWAY(60, "The tenant's database is switched off at its provider. Ask the operator to " \
		 "switch it on.")
#define FULL(s) \
	{ ERR_OVERLOADED, s, .is_full = true, \
		.detail = "The tenant's database has no connection free. Try again in a moment." }
#define QUOTA \
	{ ERR_DATABASE_QUOTA, 60, \
		.detail = "The tenant's database has used up a quota. Ask the operator to raise it, " \
			  "or try again later." }
#define SHORT \
	AWAY(5, "The tenant's database is short of memory or disk. Try again later.", \
	    .is_full = true)
#define LOGIN \
	{ ERR_DATABASE, 0, \
		.detail = "The tenant's database refused the login on record. " OPERATOR }
#define GONE \
	{ ERR_DATABASE, 0, .detail = "The tenant's database is not there. " OPERATOR }
#define UNSAFE \
	{ ERR_DATABASE, 0, \
		.detail = "No safe connection to the tenant's database could be made. " OPERATOR }

static const struct reason_row rows[] = {
	/* Neon's, by words; before those by class. */
	{ "XX000", "temporarily unavailable", STARTING },
	{ "XX000", "quota", QUOTA },
	{ "53100", "size limit", QUOTA },
	{ "XX000", "disabled", SWITCHED_OFF },
	{ "XX000", "too many", FULL(5) },
	{ "XX000", "permit to connect", FULL(5) },
	{ "XX000", "connect to compute", STARTING },
	{ "XX000", "endpoint", GONE },
	/* A pooler's: PgBouncer answers "no more connections allowed (max_client_conn)". */
	{ "08P01", "connections allowed", FULL(1) },
	{ "53300", NULL, FULL(1) },
	{ "53", NULL, SHORT },
	{ "57P03", NULL, STARTING },
	{ "57P", NULL, STOPPED },
	{ "08", NULL, UNREACHED },
	{ "25006", NULL, AWAY(5, "The tenant's database takes no writes now. Try again later.") },
	{ "28", NULL, LOGIN },
	{ "3D000", NULL, GONE },
	{ "", "certificate", UNSAFE },
	{ "", "does not support SSL", UNSAFE },
	{ "", "refused", UNREACHED },
	{ "", "reset", UNREACHED },
	{ "", "closed the connection", UNREACHED },
	{ "", "EOF", UNREACHED },
	{ "", "broken pipe", UNREACHED },
	{ "", "unreachable", UNREACHED },
	{ "", "no route", UNREACHED },
	{ "", "timed out", UNREACHED },
	{ "", "no connection to the server", UNREACHED },
	{ "", "connection is closed", UNREACHED },
	{ "", "SSL", UNSAFE },
	{ "", "channel binding", UNSAFE },
};

static const struct pg_reason ours = { ERR_OVERLOADED, 1, .passes = true,
	.detail = "Too many logins to databases are being computed. Try again in a moment." };
static const struct pg_reason silent =
    AWAY(2, "The tenant's database did not answer in time. Try again in a moment.",
	.is_contact = true);
static const struct pg_reason other = { ERR_DATABASE, 0,
	.detail = "The tenant's database failed. Try again. " OPERATOR };

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
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (row_matches(&rows[i], &r->failure))
			return &rows[i].reason;
	return &other;
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
