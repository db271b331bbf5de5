/* SPDX-License-Identifier: MIT */
/*
 * catalog_internal: what the files of this folder share.
 */
#ifndef CATALOG_CATALOG_INTERNAL_H
#define CATALOG_CATALOG_INTERNAL_H

#include <stdatomic.h>
#include <stddef.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/catalog.h"
#include "tenantgate/loop/share.h"

/* Immutable after catalog_open(), but for `reached`, which any worker reads without a lock, and
 * `dns`. */
struct catalog {
	struct pools *pools; /* owned */
	struct arena *arena; /* owned: the strings of target */
	struct pool_target target; /* one pool, whatever the worker */
	char *ca_file; /* owned: of conf, for target; or NULL */
	unsigned pool_size;
	struct share_budget *lanes[CATALOG_LANES]; /* owned */
	uint64_t query_timeout_us; /* of a query that names none */
	uint64_t connect_timeout_us;
	struct dns *dns[POOL_WORKERS_MAX]; /* borrowed; each of its worker, on its thread */
	atomic_bool reached;	   /* a connection was lent once; never false again */
};

/* catalog_lanes.c: the budgets of catalog.h's table, for a pool of that many connections. */
void catalog_lanes_open(struct share_budget *lanes[CATALOG_LANES], unsigned pool_size);
/* "lookups of tenants", for sentences. */
const char *catalog_lane_noun(enum catalog_lane);
void catalog_lanes_close(struct share_budget *lanes[CATALOG_LANES]);

/* login_remedy.c: what to do about a failed login that would fail again, as a sentence without its
 * stop; NULL when it may pass. */
const char *catalog_login_remedy(const struct pg_failure *);

/* One step of the schema's history. Its SQL never changes once it was released. */
struct schema_script {
	int version;	  /* 1, 2, 3 ... without gaps */
	const char *what; /* for the log */
	const char *sql;  /* several statements, run in one transaction */
};

/* In order of version: schema_scripts[n] has version n + 1. */
extern const struct schema_script schema_scripts[];
extern const size_t schema_script_count;

#endif
