/* SPDX-License-Identifier: MIT */
/*
 * login_remedy: which failed logins would fail again however long one waits, and what to do.
 *
 * PostgreSQL says it by SQLSTATE. PgBouncer (1.18) has one for all that it refuses, 08P01, the
 * server's own refusals that it passes on included, and there the words decide. They are English:
 * PgBouncer knows no other language. What it says of a server that is away, full or just refused
 * others ("server login has been failing, try again later") is none of these: that may pass.
 */
#include <string.h>

#include "catalog/catalog_internal.h"

#define ROLE_REMEDY	"Correct the user or the password in catalog_url"
#define DATABASE_REMEDY "Create the database, or correct its name in catalog_url"
#define CONNECT_REMEDY	"Grant the user of catalog_url CONNECT on the database"
#define POOLER_STATE	"08P01"

static const struct {
	const char *sqlstate;
	const char *words; /* in the message; NULL: whatever it says */
	const char *remedy;
} login_remedies[] = {
	{ "28P01", NULL, ROLE_REMEDY },
	{ "28000", NULL,
	    "See whether the user of catalog_url exists, may log in, and is let in by "
	    "pg_hba.conf" },
	{ "3D000", NULL, DATABASE_REMEDY },
	{ "42501", NULL, CONNECT_REMEDY },
	{ POOLER_STATE, "authentication failed", ROLE_REMEDY },
	{ POOLER_STATE, "no such user", ROLE_REMEDY },
	{ POOLER_STATE, "no such database", DATABASE_REMEDY },
	{ POOLER_STATE, "permission denied for database", CONNECT_REMEDY },
	{ POOLER_STATE, "does not exist",
	    "Create what is missing, or correct catalog_url or the pooler's own configuration" },
};

const char *
catalog_login_remedy(const struct pg_failure *why)
{
	size_t i;

	if (why->is_tls)
		return "Look at that, sslmode and catalog_ca_file";
	for (i = 0; i < sizeof(login_remedies) / sizeof(login_remedies[0]); i++) {
		if (strcmp(why->sqlstate, login_remedies[i].sqlstate) == 0 &&
		    (login_remedies[i].words == NULL ||
			strstr(why->message, login_remedies[i].words) != NULL))
			return login_remedies[i].remedy;
	}
	return NULL;
}
