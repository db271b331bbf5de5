/* SPDX-License-Identifier: MIT */
/*
 * catalog_internal: what the files of this folder share.
 */
#ifndef CATALOG_CATALOG_INTERNAL_H
#define CATALOG_CATALOG_INTERNAL_H

#include <stdatomic.h>
#include <stddef.h>

#include "catalog/catalog_breaker.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/catalog.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/loop/timer.h"

/* Looks at the server when the breaker wants it, once a second at the most. Worker 0's. */
struct catalog_probe {
	struct flow flow; /* first */
	struct catalog *catalog; /* borrowed */
	struct worker *worker;	 /* borrowed */
	struct timer timer;
	struct pool_lease lease;
	struct pg_result result; /* owned */
	uint64_t began_us;
	bool is_running;
	bool was_replaced; /* the one repetition was used */
	struct task task;  /* ends a rest */
	atomic_bool rests, is_posted; /* any thread */
};

/* Immutable after catalog_open(), but for `reached`, which any worker reads without a lock, the
 * breaker, which has its own, `dns`, and the probe. */
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
	struct catalog_breaker breaker;
	struct catalog_probe probe;
};

/* catalog.c: whether too many wait here, as against a server that has no connection free. */
bool	 catalog_is_queue_full(const struct err *);
/* catalog_lanes.c: the budgets of catalog.h's table, for a pool of that many connections. */
void catalog_lanes_open(struct share_budget *lanes[CATALOG_LANES], unsigned pool_size);
void catalog_lanes_close(struct share_budget *lanes[CATALOG_LANES]);

/* login_remedy.c: what to do about a failed login that would fail again, as a sentence without its
 * stop; NULL when it may pass. */
const char *catalog_login_remedy(const struct pg_failure *);

/* catalog_probe.c. Any thread: the breaker may want to know now. */
void probe_wanted(struct catalog *);
/* On worker 0's thread; its flows have ended before the detach. */
void probe_attach(struct catalog *, struct worker *);
void probe_detach(struct catalog *);

/* One step of the schema's history. Its SQL never changes once it was released. */
struct schema_script {
	int version;	  /* 1, 2, 3 ... without gaps */
	int oldest_build; /* that goes on working beside it, by the version it knows; 0: none older
			   * than this script's own */
	const char *what; /* for the log */
	const char *sql;  /* several statements, run in one transaction */
};

/* In order of version: schema_scripts[n] has version n + 1. */
extern const struct schema_script schema_scripts[];
extern const size_t schema_script_count;

#endif
