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

/* $1: the lease's holder that asks. */
const char *index_look_statement(int schema_version);

/* False: the database is not of this schema, or without pgvector. */
bool index_look_read(const struct pg_result *, int schema_version, struct index_look *);

#endif
