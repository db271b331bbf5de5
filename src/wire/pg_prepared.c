/* SPDX-License-Identifier: MIT */
/*
 * pg_prepared: statements that stay with a connection, under names that the server keeps for its
 * session. A pooler in between may give the next transaction another session, so there is none
 * behind one.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "wire/pg_conn.h"

bool
pg_is_prepared(const struct pg_conn *c, const char *name)
{
	for (unsigned i = 0; i < c->prepared_count; i++) {
		if (strcmp(c->prepared[i], name) == 0)
			return true;
	}
	return false;
}

bool
pg_may_prepare(const struct pg_conn *c)
{
	return !c->is_bare && c->prepared_count < PG_PREPARED_MAX;
}

enum flow_rc
pg_prepare(struct flow *f, struct pg_conn *c, const char *name, const char *sql,
    struct pg_result *out)
{
	assert(c->magic == PG_CONN_MAGIC && c->flow == NULL);
	assert(strlen(name) <= PG_PREPARED_NAME_MAX && pg_may_prepare(c));
	if (pg_conn_state(c) == PG_BROKEN || PQsendPrepare(c->pq, name, sql, 0, NULL) != 1)
		return pg_op_refuse(c, out);
	snprintf(c->preparing, sizeof(c->preparing), "%s", name);
	return pg_op_begin(f, c, PG_PHASE_RESULTS, 0, 0, out);
}

void
pg_prepare_end(struct pg_conn *c)
{
	if (c->preparing[0] == '\0' || c->prepared_count == PG_PREPARED_MAX)
		return;
	memcpy(c->prepared[c->prepared_count++], c->preparing, sizeof(c->preparing));
}

void
pg_forget(struct pg_conn *c)
{
	assert(c->magic == PG_CONN_MAGIC);
	c->prepared_count = 0;
}
