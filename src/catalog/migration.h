/* SPDX-License-Identifier: MIT */
/*
 * migration: one attempt to bring the schema to this build's version. The worker's thread.
 */
#ifndef CATALOG_MIGRATION_H
#define CATALOG_MIGRATION_H

#include "catalog/catalog_internal.h"

enum migration_verdict {
	MIGRATION_UNREACHED, /* no connection, it broke, no lock: worth another attempt */
	MIGRATION_REFUSED,   /* the login, the schema or a statement: it would be again */
	MIGRATION_DONE,
};

struct migration_attempt {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	enum migration_verdict verdict;
	struct pg_conn *conn;	 /* owned */
	struct pg_result result; /* owned */
	struct buf sql;		 /* owned */
	size_t script;		 /* index of the next to apply */
};

/* *a is the caller's memory, zeroed before the first, with the catalog set. Wakes plainly: the
 * verdict is in *a, the reason in *why. patience_us: the attempt ends then; 0: only when its own
 * statements do. */
enum flow_rc migration_run(struct flow *, struct migration_attempt *, struct err *why,
    uint64_t patience_us) __attribute__((warn_unused_result));

#endif
