/* SPDX-License-Identifier: MIT */
/*
 * index_look: one statement, and what it says of a tenant's database: its chunks, its indexes, and
 * whether somebody is at work there.
 */
#ifndef RETRIEVAL_INDEX_LOOK_H
#define RETRIEVAL_INDEX_LOOK_H

#include "retrieval/index_rule.h"

struct index_look {
	struct index_state state;
	bool is_held; /* another has the lease, or builds or drops an index of the table now */
};

extern const char index_look_sql[]; /* $1: the lease's holder that asks */

/* False: the database is not of this schema, or without pgvector. */
bool index_look_read(const struct pg_result *, struct index_look *);

#endif
