/* SPDX-License-Identifier: MIT */
/* pg_result: reading results, and bringing the server's failures and libpq's into one form. */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/pg_conn.h"

/* The first line only (libpq adds DETAIL and LOCATION lines, and hints of several), no controls: it
 * goes into responses and log lines. Its stop goes too: it is quoted inside a sentence. */
void
pg_failure_text(struct pg_failure *failure, const char *sqlstate, const char *text)
{
	char *p;
	size_t len;

	snprintf(failure->sqlstate, sizeof(failure->sqlstate), "%s", sqlstate);
	snprintf(failure->message, sizeof(failure->message), "%s", text);
	failure->message[strcspn(failure->message, "\r\n")] = '\0';
	for (p = failure->message; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	len = strlen(failure->message);
	if (len > 0 && failure->message[len - 1] == '.')
		failure->message[len - 1] = '\0';
}

/* "28P01: " (five digits and capitals: SQLSTATE, in every locale). */
static bool
starts_with_sqlstate(const char *text)
{
	unsigned i;

	for (i = 0; i < 5; i++)
		if (!isdigit((unsigned char)text[i]) && !isupper((unsigned char)text[i]))
			return false;
	return text[5] == ':' && text[6] == ' ';
}

/*
 * A failed login leaves no PGresult, only a text, for instance:
 *
 *	connection to server at "db.example" (192.0.2.7), port 5432 failed: FATAL:  28P01: password
 *	authentication failed for user "app"
 *
 * The SQLSTATE is in it because login_start() asks for verbose errors. The server's own message
 * begins after its severity; without one, what failed was the system's (connect, TLS), and it
 * begins after "failed: ". A server whose lc_messages is not English writes another severity: the
 * whole text is then the message, and there is no SQLSTATE.
 */
void
pg_failure_login(struct pg_failure *failure, const char *text)
{
	static const char *const severities[] = { "FATAL:  ", "PANIC:  ", "ERROR:  " };
	char sqlstate[6] = "";
	const char *p;
	unsigned i;

	for (i = 0; i < sizeof(severities) / sizeof(severities[0]); i++) {
		p = strstr(text, severities[i]);
		if (p == NULL)
			continue;
		p += strlen(severities[i]);
		if (starts_with_sqlstate(p)) {
			memcpy(sqlstate, p, 5);
			p += 7;
		}
		pg_failure_text(failure, sqlstate, p);
		return;
	}
	p = strstr(text, "failed: ");
	pg_failure_text(failure, "", p != NULL ? p + strlen("failed: ") : text);
}

void
pg_failure_result(struct pg_failure *failure, const PGresult *res)
{
	const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (text == NULL)
		text = PQresultErrorMessage(res);
	pg_failure_text(failure, sqlstate != NULL ? sqlstate : "", text);
}

unsigned
pg_rows(const struct pg_result *r)
{
	return r->owned == NULL ? 0 : (unsigned)PQntuples(r->owned);
}

struct slice
pg_value(const struct pg_result *r, unsigned row, unsigned col)
{
	assert(row < pg_rows(r) && col < (unsigned)PQnfields(r->owned));
	if (PQgetisnull(r->owned, (int)row, (int)col))
		return slice_of(NULL, 0);
	return slice_of(PQgetvalue(r->owned, (int)row, (int)col),
	    (size_t)PQgetlength(r->owned, (int)row, (int)col));
}

const char *
pg_text(const struct pg_result *r, unsigned row, unsigned col)
{
	struct slice value = pg_value(r, row, col);

	return value.p == NULL ? "" : value.p;
}

uint64_t
pg_changed(const struct pg_result *r)
{
	return r->changed;
}

void
pg_clear(struct pg_result *r)
{
	PQclear(r->owned);
	memset(r, 0, sizeof(*r));
}
