/* SPDX-License-Identifier: MIT */
/*
 * pool: connections to tenants' databases, pooled. There is one pool per database target, shared by
 * all workers, and one budget of server connections for the whole process. Both limits are exact
 * whatever the number of workers.
 *
 *	server:  [login] --> [idle] <--> [active] --> [resetting] --> [idle]
 *	             \          \           \              \
 *	              +----------+-----------+--------------+--> [closing] --> freed
 *
 * A target is identified by its key (opaque bytes of the caller's, one key for each tenant's
 * database). A pool's borrowers are served in order of arrival; a grant to a waiter on another
 * worker goes through that worker's mailbox. Any worker may call; a lease stays on its flow's
 * worker.
 *
 * Who is served, when many tenants want (base/budget.h has the rule): a pool *holds* what is lent,
 * logging in, resetting or closing. An idle connection is free, whoever's it is: a cache. Of the
 * pools that wait, the one that holds least for its weight is next, then whose first waiter came
 * first; it must leave the headroom, so that one tenant alone uses about three quarters and a tenth
 * is for those that hold nothing. The rule is asked for an idle connection of the pool's own too.
 *  - A connection younger than a *quantum* serves its own pool's waiters first: a login is dear.
 *  - To make room for a login an idle connection is closed, of the pool with the fewest uses for
 *    each of its connections. A pool's only one is kept from pools that have one (at most half of
 *    the budget is so kept): a busy tenant does not take a quiet one's connection.
 *  - A new pool waits a moment for the logins that are under way before it takes the only
 *    connection of one that comes again and again.
 *  - A host of several tenants computes for so many short statements at once; which tenant's is
 *    next is decided here, not by its processors. As many logins to it may be under way.
 *  - A server (host and port) that refuses logins because it is full has a limit of its own from
 *    then on, over all pools that connect there: what is in use, then a twentieth more every 10 s.
 *
 * A login that fails for what passes (a wake, a restart, a helper thread that is not free) is tried
 * again until server_connect_timeout is over. A connection that is lost in use takes its siblings
 * with it; one that went silent makes them suspect: each is probed before it is lent again.
 *
 * After a failed login the target is left alone for a while, longer each time. Meanwhile borrowers
 * are given the reason, if the pool has no connection. That belongs to the target: pool_forget()
 * does not end it; another host, password or role does.
 *
 * One lock guards all pools. What it covers is list work, a few hundred nanoseconds (before a login
 * into a full budget also a scan of the idle connections); it is held across no callback, no system
 * call and no other lock, except libc's malloc.
 */
#ifndef TENANTGATE_POOL_H
#define TENANTGATE_POOL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/condition.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/dns.h"
#include "tenantgate/wire/pg.h"

struct pools;
struct pool;

/* Where PgBouncer has the setting, name and meaning are its own. Times are microseconds. */
struct pool_conf {
	unsigned	default_pool_size;	/* servers of a pool whose target names no size */
	unsigned	max_server_connections;	/* of all pools: the process's budget */
	unsigned	max_waiting;		/* waiters of a pool; more fail at once */
	uint64_t	query_wait_timeout_us;	/* of a waiter: then ERR_POOL_TIMEOUT */
	uint64_t	server_connect_timeout_us; /* lookup, connect and login together */
	/* After a failed login no other is tried for this long (by chance down to half of it),
	 * twice as long after each further one, four times at most. In a pool without any server,
	 * borrowers are given the reason meanwhile. */
	uint64_t	server_login_retry_us;
	uint64_t	server_idle_timeout_us;	/* an idle server is closed then; 0: never */
	uint64_t	server_lifetime_us;	/* from its login; then closed when idle; 0: off */
	uint64_t	server_lifetime_jitter_us; /* up to so much longer, by chance */
	uint64_t	pool_idle_timeout_us;	/* a pool without servers and waiters is freed */
	/* Short statements (of less than 5 ms) that a host of several tenants is given at once; 0:
	 * as many as there are processors, where it is on this machine, else any number. */
	unsigned	max_host_statements;
	const char	*settings; /* of each session (pg_target); NULL: none. Borrowed */
	unsigned	max_scram_iterations;	/* a server that asks for more is refused */
	bool		single_owner;	/* all pools serve one owner: no headroom is kept free */
	bool		hosts_are_shared; /* from the first pool on: a cluster has many databases */
};
void	pool_conf_init(struct pool_conf *);

/*
 * What the pool does with a connection: wire/pg in production (pools_open(conf, NULL)), fakes in
 * tests. connect and reset wake the flow plainly and report failures in their result; state, alive
 * and close are called on any thread and never block.
 */
struct pool_ops {
	enum flow_rc	(*connect)(struct flow *, struct dns *, const struct pg_target *,
			    uint64_t timeout_us, struct pg_conn **out, struct pg_result *why);
	enum flow_rc	(*reset)(struct flow *, struct pg_conn *, struct pg_result *out);
	/* A round trip with a short deadline. NULL: what is alive is good. */
	enum flow_rc	(*probe)(struct flow *, struct pg_conn *, struct pg_result *out);
	bool		(*alive)(struct pg_conn *);
	enum pg_conn_state (*state)(const struct pg_conn *);
	void		(*close)(struct pg_conn *);
	/* The same, waiting until the server has ended its side. NULL: close is all there is. */
	enum flow_rc	(*end)(struct flow *, struct pg_conn *, uint64_t timeout_us);
	/* What the server's max_connections is: asked at the first login to a host, and again at a
	 * login after POOL_ASK_AGAIN_US. Wakes plainly; told reads the result, 0 when it has none.
	 * ask may be NULL: nothing is ever known. */
	enum flow_rc	(*ask)(struct flow *, struct pg_conn *, struct pg_result *out);
	unsigned	(*told)(const struct pg_result *);
};
#define POOL_ASK_AGAIN_US (600 * 1000000ull)

/* One per process, opened before the workers start. Closed when the workers have been freed (the
 * tasks left in their mailboxes bring granted connections back) and every lease is returned. */
struct pools	*pools_open(const struct pool_conf *, const struct pool_ops *);
void		 pools_close(struct pools *);
/*
 * Other settings, for all that is decided from now on; who waits or logs in keeps the times that it
 * began with. No connection that is lent is closed: a lower max_server_connections is reached as
 * they come back, idle ones going at once. settings, max_scram_iterations and the last two stay as
 * they were opened. Any thread.
 */
void		 pools_configure(struct pools *, const struct pool_conf *);
/* Called once by each worker that borrows, on its thread, before it accepts requests: gives the
 * resolver that its logins use. The worker with index 0 also runs the janitor. pools_detach() is
 * for when the worker's flows have ended; logins and resets are flows too, so abort all until none
 * is left. A connection returned after that is closed rather than reset. */
#define POOL_WORKERS_MAX 256
void		 pools_attach(struct pools *, struct worker *, struct dns *);
void		 pools_detach(struct pools *, struct worker *);

struct pool_target {
	struct slice		key;	/* borrowed for the call; not empty */
	struct pg_target	pg;	/* borrowed; the pool's copy is wiped when it is freed */
	unsigned		size;	/* 0: default_pool_size */
	unsigned		weight;	/* divides what it holds, in the order; 0: 1 */
	bool			is_paced; /* the borrower tries again by itself: a failed login is
					 * told at once, whatever its reason */
};

/* A member of the borrower's struct, zeroed before the first borrow. */
struct pool_lease {
	struct pg_conn	*conn;		/* borrowed; NULL when nothing is held */
	struct pool	*pool;		/* borrowed; valid while conn is held */
	void		*server;	/* the pool's own record of the connection */
	bool		 reused;	/* was lent before: it may have died while it was idle */
	bool		 login_failed;	/* a login that was made while we waited: the target may be
					 * out of date. Not set when the answer came from
					 * back-off */
	bool		 login_is_final; /* with it: TLS, the certificate or the address is not as
					 * the target wants it: another try is of no use */
	bool		 login_refused;	/* the same, and for a reason that waiting does not mend:
					 * the role, its password or the database */
};

/* Fails with ERR_POOL_TIMEOUT (query_wait_timeout), ERR_OVERLOADED (max_waiting, or a server that
 * is full), or when the login failed with what pg_reason() makes of it: ERR_DATABASE,
 * ERR_DATABASE_AWAY, ERR_DATABASE_QUOTA; always with the reason, that is, which limit was reached,
 * and retry_after. While the pool has nothing but logins under way, it waits for them beyond
 * query_wait_timeout, up to server_connect_timeout: a database that wakes is waited for. An aborted
 * borrow holds nothing, or a lease that it was granted just before: return the lease in a deferred
 * cleanup either way. */
enum flow_rc	 pool_borrow(struct flow *, struct pools *, const struct pool_target *,
		    struct pool_lease *) __attribute__((warn_unused_result));

enum pool_hygiene {
	POOL_CLEAN,	/* only our own statements ran, no session state was touched */
	POOL_DIRTY,	/* settings, temporary tables, locks may be left: reset it first */
};
/* On the borrower's worker. Idempotent: an empty lease is nothing to return. A connection left in
 * a transaction is reset whatever the borrower says; one that is busy or broken is closed. */
void		 pool_return(struct pool_lease *, enum pool_hygiene);
/* The lease is for long: until it is returned the pool may have a connection more than its size, so
 * that who waits for a pool of few is not kept waiting by it. The budget of the process, and its
 * host's, are as they are. On the borrower's worker. */
void		 pool_set_aside(struct pool_lease *);

/* One statement that may be sent twice: a read, or one whose first run left nothing behind when it
 * was cut off (BEGIN). When the connection is lost before its result was whole, the lease is
 * exchanged for one of a fresh connection, and the statement sent once more, and no third time. The
 * query's texts and the lease are borrowed until the wait is over. A lease without a pool (a
 * connection of the caller's own) is not exchanged. Wakes as pg_run() does; fails as pool_borrow()
 * does when there is no other connection. */
enum flow_rc	 pool_read(struct flow *, struct pool_lease *, const struct pg_query *,
		    struct pg_result *out) __attribute__((warn_unused_result));

/* For a target that may have changed or is gone, or whose connections may have died: idle ones are
 * closed now, active ones when they are returned. A back-off goes on for this same target; a
 * borrower with another target (host, role, password) gets a new pool. Any thread. */
void		 pool_forget(struct pools *, struct slice key);
/* Ends the back-off of a target, for a caller that paces its own tries: one who waits for a
 * database that is just starting. Any thread. */
void		 pool_retry_now(struct pools *, struct slice key);

/* ---- servers that several pools or processes share ---- */

/* A database server as it is seen from here; its key is "host:port". */
struct pool_host_stats {
	struct slice	key;		/* borrowed for the call */
	unsigned	max_connections; /* as the server says; 0: not known */
	unsigned	used;		/* connections, idle ones too */
	unsigned	want;		/* held, waited for, or used within the last 10 s */
	unsigned	limit;		/* that holds here now; UINT_MAX: none */
	unsigned	part;		/* the same without what refusals taught */
	bool		is_shared;	/* by several keys, at one time at least */
	bool		is_told;	/* part came from pools_host_limit() */
};
typedef void pool_host_fn(const struct pool_host_stats *, void *arg);

/* Calls fn without the lock once for each host that pools connect to: those that are shared, or the
 * others, of which there may be as many as tenants. Any thread. */
void		 pools_hosts(struct pools *, bool is_shared, pool_host_fn *, void *arg);
/* Before the workers start: hosts that several keys share are divided among processes. Such a host
 * has a tenth of what it takes for clients until pools_host_limit() says how much; two connections
 * until it has said its max_connections. `wanted`, on any thread and without the lock, tells that a
 * host needs its first limit, or more than it has. */
typedef void pools_wanted_fn(void *arg);
void		 pools_divide(struct pools *, pools_wanted_fn *wanted, void *arg);
/* Of max_connections, for superusers, reserved, and others' tools: the rest is for clients. */
#define POOL_HOST_RESERVED 17
/* At most so many connections to that host from now on, for all pools; UINT_MAX: no limit. What is
 * open above it is closed as it comes back, idle ones at once. A host that no pool connects to is
 * passed over. Any thread. */
void		 pools_host_limit(struct pools *, struct slice host_key, unsigned limit);
/* So many processes like this one live: a pool's size is then at most
 * (max_connections - POOL_HOST_RESERVED) / live, and 1 at least, where max_connections is known.
 * Any thread. */
void		 pools_replicas(struct pools *, unsigned live);

/* A moment's counts over all pools, in pgbouncer_exporter's words; resetting counts as active. The
 * totals only grow: leases granted, logins made, time spent in queues. Any thread. */
struct pool_stats {
	unsigned pools, server_idle, server_active, server_login, client_waiting;
	unsigned client_active;	/* leases */
	unsigned server_max;	/* of all that can be had */
	uint64_t maxwait_us;	/* of who has waited longest */
	uint64_t borrowed_total, created_total, wait_us_total;
};
void		 pools_stats(struct pools *, struct pool_stats *);

/* A pool at a moment, for operators, in PgBouncer's words; texts that are too long are cut. */
#define POOL_VIEW_TEXT 192
struct pool_view {
	char		key[POOL_VIEW_TEXT], host[POOL_VIEW_TEXT], database[POOL_VIEW_TEXT];
	unsigned	client_waiting, server_active, server_idle, server_login, size;
	uint64_t	maxwait_us;	/* of the first that waits */
	uint64_t	retry_us;	/* until the next login, after one that has failed */
	struct err	failure;	/* of that login; no code: none has failed */
};
/* Up to `max`, first those that somebody waits for or whose login has failed; *all: how many
 * there are. The lock is held for a look at each, a microsecond for a hundred. Any thread. */
unsigned	 pools_view(struct pools *, struct pool_view *out, unsigned max, unsigned *all);
/* That of a key; false when there is none. Any thread. */
bool		 pool_view_of(struct pools *, struct slice key, struct pool_view *out);
/* Ill when what tenants share is used up and waited for: the process's connections, or those of a
 * server that several connect to. Any thread. */
void		 pools_condition(struct pools *, struct condition *);

#endif
