/* SPDX-License-Identifier: MIT */
/*
 * catalog: the main database. The authority on tenants, keys and documents; its schema is made and
 * migrated by us at start. Rooms above bring their own SQL and run it through catalog_run().
 *
 * One per process; any worker. Borrows from a pool of its own, so that tenants' databases cannot
 * starve it.
 */
#ifndef TENANTGATE_CATALOG_H
#define TENANTGATE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/err.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"
#include "tenantgate/wire/pg.h"

struct catalog;

struct catalog_conf {
	const char	*url;		/* postgresql://user:password@host[:port]/db[?sslmode=] */
	unsigned	 pool_size;
	uint64_t	 query_timeout_us;
	uint64_t	 connect_timeout_us;
};

/* NULL with err set when the URL is malformed. Connects when first asked. */
struct catalog	*catalog_open(const struct catalog_conf *, struct err *);
void		 catalog_close(struct catalog *);
/* As pools_attach() and pools_detach(): every worker, on its thread, once. */
void		 catalog_attach(struct catalog *, struct worker *, struct dns *);
void		 catalog_detach(struct catalog *, struct worker *);

/* One statement on a borrowed connection, given back before the wait is over. The query is copied,
 * its strings are borrowed until then; *out is cleared first. Wakes plainly when the statement
 * failed (out->status; PG_LOST also when no connection was to be had). A connection that died idle
 * is replaced once: a statement should bear being repeated. catalog_check() turns a failure into
 * ERR_CATALOG and logs the server's words. */
enum flow_rc	 catalog_run(struct flow *, struct catalog *, const struct pg_query *,
		    struct pg_result *out) __attribute__((warn_unused_result));
enum flow_rc	 catalog_check(struct flow *, const struct pg_result *, const char *what)
		    __attribute__((warn_unused_result));

/* Brings the schema to this build's version: under an advisory lock, so of several replicas
 * starting at once one does it and the others find it done. Retries while the catalog cannot be
 * reached, until the flow's deadline. Fails with ERR_CATALOG. A schema newer than this build's is
 * an error. */
enum flow_rc	 catalog_migrate(struct flow *, struct catalog *)
		    __attribute__((warn_unused_result));
/* True once the catalog was reached (readiness). Any thread. */
bool		 catalog_was_reached(const struct catalog *);

#endif
