/* SPDX-License-Identifier: MIT */
/*
 * pool: the lending desk. One pool per database target, shared by all workers; one budget of
 * server connections for the whole process. Limits are exact whatever the number of workers.
 *
 *	connection:  [login] --> [idle] <--> [lent] --> [resetting] --> [idle]
 *	                 \          \           \            \
 *	                  +----------+-----------+------------+--> closed
 *
 * A target is known by its key alone (the caller's opaque bytes: a tenant's database). Waiters are
 * served in order of arrival; a grant to one on another worker goes through that worker's mailbox.
 * Any worker may call; a lease stays on the flow's worker.
 *
 * When the whole budget is out, a slot that comes free goes first to the pool that has none and
 * has waited longest: a busy tenant cannot starve a quiet one. Idle connections of other pools
 * are closed to make room, the longest idle first.
 *
 * One lock guards all pools: what it covers is list work, a few hundred nanoseconds. It is held
 * across no callback, no system call and no other lock, save libc's malloc.
 */
#ifndef TENANTGATE_POOL_H
#define TENANTGATE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/dns.h"
#include "tenantgate/wire/pg.h"

struct pools;
struct pool;

/* Names and meanings are PgBouncer's where it has one. */
struct pool_conf {
	unsigned	default_pool_size;	/* connections; a target may say less */
	unsigned	max_server_connections;	/* whole process */
	unsigned	max_waiting;		/* waiters a pool; more fail at once */
	uint64_t	query_wait_timeout_us;	/* ERR_POOL_TIMEOUT after that */
	uint64_t	server_connect_timeout_us;
	uint64_t	server_login_retry_us;	/* at most; waiters get the reason */
	uint64_t	server_idle_timeout_us;
	uint64_t	server_lifetime_us;
	uint64_t	server_lifetime_jitter_us;
	uint64_t	pool_idle_timeout_us;	/* an empty pool is forgotten */
};
void	pool_conf_init(struct pool_conf *);

/* What the pool asks of a connection; wire/pg in production (NULL), fakes in tests. */
struct pool_ops {
	enum flow_rc	(*connect)(struct flow *, struct dns *, const struct pg_target *,
			    uint64_t timeout_us, struct pg_conn **out, struct pg_result *why);
	enum flow_rc	(*reset)(struct flow *, struct pg_conn *, struct pg_result *out);
	bool		(*alive)(struct pg_conn *);
	enum pg_conn_state (*state)(const struct pg_conn *);
	void		(*close)(struct pg_conn *);
};

/* One per process, before the workers start; closed when the workers have been freed (their last
 * letters bring connections back) and all is returned. */
struct pools	*pools_open(const struct pool_conf *, const struct pool_ops *);
void		 pools_close(struct pools *);
/* Each worker that borrows, on its thread, once: the resolver its logins use; the worker with
 * index 0 keeps the janitor (idle, lifetime). Before http opens; and the undoing, when the worker's
 * flows have ended (logins and resets are flows too: abort all until none is left). */
#define POOL_WORKERS_MAX 256
void		 pools_attach(struct pools *, struct worker *, struct dns *);
void		 pools_detach(struct pools *, struct worker *);

struct pool_target {
	struct slice		key;	/* borrowed for the call */
	struct pg_target	pg;	/* borrowed; kept as a copy, password wiped at the end */
	unsigned		size;	/* 0: default_pool_size */
};

/* In the borrower's struct, zeroed. conn is NULL when nothing is held. */
struct pool_lease {
	struct pg_conn	*conn;
	struct pool	*pool;
	void		*server;	/* the pool's own record */
	bool		 reused;	/* an idle connection: it may have died unnoticed */
};

/* Fails: ERR_POOL_TIMEOUT, ERR_OVERLOADED (too many wait), ERR_DATABASE (login failed, why). */
enum flow_rc	 pool_borrow(struct flow *, struct pools *, const struct pool_target *,
		    struct pool_lease *) __attribute__((warn_unused_result));

enum pool_hygiene {
	POOL_CLEAN,	/* only our own statements ran, no session state was touched */
	POOL_DIRTY,	/* anything may have been set: reset before the next borrower */
};
/* Idempotent. A connection that is not PG_IDLE, or broken, is reset or closed as needed. */
void		 pool_return(struct pool_lease *, enum pool_hygiene);

/* The target changed or is gone (password, host, deleted): idle connections are closed, lent ones
 * when they come back, the next borrow uses the new target. */
void		 pool_forget(struct pools *, struct slice key);

struct pool_stats {
	unsigned pools, server_idle, server_active, server_login, client_waiting;
	uint64_t borrowed_total, created_total, wait_us_total;
};
void		 pools_stats(struct pools *, struct pool_stats *);

#endif
