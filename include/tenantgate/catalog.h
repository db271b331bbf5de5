/* SPDX-License-Identifier: MIT */
/*
 * catalog: the main database. The authority on tenants, keys and documents; its schema is made and
 * migrated by us at start. Code of higher layers brings its own SQL and runs it by catalog_run().
 *
 * One per process, for any worker. It borrows from pools of its own, so that tenants' databases
 * cannot starve it; max_server_connections does not count them.
 *
 * Statements go by lanes, each of which may use only a part of the connections, so that what is
 * slow or flooded in one leaves connections to the others. Inside a lane holders (a tenant, a
 * network) take turns (loop/share.h): the one with the fewest statements under way is next, then
 * who came first.
 *
 *	lane			connections	because
 *	keys			a half		every request that is not cached waits for it
 *	unverified keys		a quarter	anybody may ask, without being anybody
 *	tenants			a half		as keys
 *	documents		a quarter	only an ingest waits for it
 *	looks			one		/readyz asks how the server is; and what may be late
 *
 * (Whole ones, at least 1.) Keys are one table, tenants and documents are another two that refer to
 * one another: when a lock holds up either, a quarter is left to the rest.
 */
#ifndef TENANTGATE_CATALOG_H
#define TENANTGATE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/condition.h"
#include "tenantgate/base/err.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"
#include "tenantgate/wire/pg.h"

struct catalog;

struct catalog_conf {
	const char	*url;		/* postgresql://user:password@host[:port]/db[?sslmode=] */
	unsigned	 pool_size;		/* connections; 0: 8 */
	uint64_t	 query_timeout_us;	/* one statement; 0: 10 s */
	uint64_t	 connect_timeout_us;	/* 0: the pool's default */
	const char	*ca_file;	/* of its server; NULL: the URL's, or the system's */
	unsigned	 max_scram_iterations;	/* 0: the pool's default */
};

/* conf is read, and its URL copied. NULL with err set when the URL is malformed. Connects when it
 * is first borrowed from. Closed when all workers are detached and freed. */
struct catalog	*catalog_open(const struct catalog_conf *, struct err *);
void		 catalog_close(struct catalog *);
/* As pools_attach() and pools_detach(): every worker, on its thread, once. */
void		 catalog_attach(struct catalog *, struct worker *, struct dns *);
void		 catalog_detach(struct catalog *, struct worker *);

enum catalog_lane {
	CATALOG_KEYS,
	CATALOG_UNVERIFIED_KEYS, /* auth.h */
	CATALOG_TENANTS,
	CATALOG_DOCUMENTS,
	/* And writes that nobody waits for. Failures shut nothing, nor does success open a lane. */
	CATALOG_LOOKS,
	CATALOG_LANES,
};

/* One statement on a borrowed connection, given back before the wait is over. holder: for whom, in
 * its lane; 1 to SHARE_HOLDER_MAX bytes. The query is copied, its strings and the holder are
 * borrowed until then; *out is cleared first, and the caller's to pg_clear(). Wakes plainly when
 * the statement failed (out->status; PG_LOST also when there was no connection, PG_REFUSED when
 * the holder has too many statements waiting in this lane, or waited too long, PG_UNSENT when
 * catalog_is_failing()). A connection that
 * died idle is replaced once, and nobody knows whether the statement had been run on it: a
 * statement must bear being repeated (out->is_repeated says that it may have been). */
enum flow_rc	 catalog_run(struct flow *, struct catalog *, enum catalog_lane,
		    struct slice holder, const struct pg_query *, struct pg_result *out)
		    __attribute__((warn_unused_result));
/* FLOW_NEXT for PG_OK; ERR_OVERLOADED with retry_after for PG_REFUSED; else ERR_CATALOG with
 * retry_after, and what the server said goes to the log, not to the caller. what: a few words for
 * both ("key lookup"). */
enum flow_rc	 catalog_check(struct flow *, const struct pg_result *, const char *what)
		    __attribute__((warn_unused_result));

/* Whether a failure passes by itself: the server was not reached, is full, starts, ends, or others
 * use a table. A statement that it cancelled, or refused, is not among them. */
bool		 catalog_failure_passes(const struct pg_result *);

/*
 * Brings the schema to this build's version, on a worker that is attached, by a connection beside
 * the pool's. Of several replicas starting at once one does it and the others find it done, behind
 * a pooler of transactions too. A schema that is of this version already is only read: that needs
 * no right to write, and a server that takes no writes will do.
 *
 * Fails with ERR_CATALOG, a reason, and what to do. At once, when waiting would not help: the login
 * is refused (role, password, database, CONNECT), a statement fails, the server takes no writes and
 * the schema is old, or the schema is newer than this build's, which would write to it by rules
 * that it does not know. While the catalog cannot be reached it tries again for ever, or until
 * patience_us have passed, and says so when the reason is another one, else once a minute.
 */
enum flow_rc	 catalog_migrate(struct flow *, struct catalog *)
		    __attribute__((warn_unused_result));
enum flow_rc	 catalog_migrate_within(struct flow *, struct catalog *, uint64_t patience_us)
		    __attribute__((warn_unused_result));
/* How many connections it may have at the server "host:port": its pool's size, or 0 when it is
 * another server's. Any thread. */
unsigned	 catalog_connections_at(const struct catalog *, struct slice host_key);
/* True once the catalog was reached (readiness). Any thread. */
bool		 catalog_was_reached(const struct catalog *);

/*
 * When it cannot be reached, or hangs, statements are refused at once after a few failures, with a
 * time after which to come back: one lane alone, or all of them when a probe has found the server
 * gone. A lane then lets one statement through from time to time; a server that is gone is only
 * probed, every second, until it answers.
 */
/* Whether statements of that lane are being refused: who has something to go on with should. Any
 * thread. */
bool		 catalog_is_failing(struct catalog *, enum catalog_lane);
/* Ill: it has not been reached yet, its last word was a failure, or it does not answer a lane.
 * For a minute after each call it is probed when nothing was heard of it for a second: what
 * somebody watches is true, and what nobody does may sleep. Any thread. */
void		 catalog_condition(struct catalog *, struct condition *);

#endif
