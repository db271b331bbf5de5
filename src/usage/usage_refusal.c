/* SPDX-License-Identifier: MIT */
/*
 * usage_refusal: see the header.
 */
#include "usage/usage_refusal.h"

#include <stdio.h>
#include <string.h>

#include "tenantgate/base/log.h"

/* Classes of SQLSTATE (PostgreSQL's appendix A) that are about what is in a row. Not 42, a
 * privilege or a table: that is of every row, and an operator mends it. P0 is what somebody's
 * trigger raises. */
bool
usage_is_refused(const struct pg_result *r)
{
	static const char classes[][3] = { "21", "22", "23", "27", "44", "P0" };

	if (r->status != PG_SQL_ERROR)
		return false;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(r->failure.sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

void
usage_refusal_drop(struct usage_refusal *u, struct usage_tally *t, const struct pg_result *r)
{
	if (u->rows++ == 0) {
		usage_tally_name(t, u->first);
		(void)snprintf(u->why, sizeof(u->why), "SQLSTATE %s, %.120s", r->failure.sqlstate,
		    r->failure.message);
	}
	usage_tally_forget(t, &u->count);
}

void
usage_refusal_tell(const struct usage_refusal *u)
{
	if (u->rows == 0)
		return;
	log_event(LOG_ERR, "usage.refused", NULL,
	    "The catalog refuses %u rows of usage for what is in them (the first: %s; %s): %llu "
	    "requests (%llu tokens in, %llu out, %llu embedded) were dropped; look at the table "
	    "tenant_usage, and add them by hand where they are billed.",
	    u->rows, u->first, u->why, (unsigned long long)u->count.requests,
	    (unsigned long long)u->count.input_tokens, (unsigned long long)u->count.output_tokens,
	    (unsigned long long)u->count.embedding_tokens);
}
