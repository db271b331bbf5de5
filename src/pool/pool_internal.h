/* SPDX-License-Identifier: MIT */
/*
 * pool_internal: the structs that the files of pool/ share. Private to the folder.
 *
 * What always holds while nobody has the lock:
 *  - pools.used is the number of servers, closing ones included, and at most
 *    conf.max_server_connections. A pool's count is the same for that pool, and at most its size
 *    (unless a borrower has named a smaller size since).
 *  - A pool with waiters has no idle server.
 *  - A pool is on exactly one of the place lists; pool_changed() moves it.
 *  - Only server_move() changes a server's state. A server in LOGIN, ACTIVE or RESETTING belongs to
 *    its worker; an IDLE one to the lists, that is, to whoever has the lock; a CLOSING one to the
 *    thread whose struct deferred it is on.
 */
#ifndef TENANTGATE_POOL_POOL_INTERNAL_H
#define TENANTGATE_POOL_POOL_INTERNAL_H

#include <sys/queue.h>

#include <pthread.h>

#include "tenantgate/base/map.h"
#include "tenantgate/loop/timer.h"
#include "tenantgate/loop/worker.h"
#include "tenantgate/pool.h"

enum server_state {
	SERVER_LOGIN,
	SERVER_IDLE,
	SERVER_ACTIVE,
	SERVER_RESETTING,
	SERVER_CLOSING,		/* still counts: its socket is open until it has been closed */
	SERVER_STATES,
};

/* One connection to a database, from the decision to log in until it is closed. */
struct server {
	struct flow		 flow;		/* its login, later its resets: one at a time */
	struct task		 task;		/* starts the login on its worker */
	struct pool		*pool;		/* borrowed: outlives its servers */
	struct worker		*worker;	/* borrowed: of its login, borrower, reset */
	struct pg_conn		*conn;		/* owned; NULL until the login is done */
	struct pg_result	 result;	/* owned: of the login, then of the reset */
	enum server_state	 state;
	bool			 used;		/* has been lent at least once */
	uint64_t		 expires_us;	/* monotonic: lifetime's end; UINT64_MAX: never */
	uint64_t		 idle_since_us;	/* monotonic; valid while IDLE */
	TAILQ_ENTRY(server)	 pool_link;	/* on pool.idle, the last used first */
	TAILQ_ENTRY(server)	 link;		/* on pools.idle, the longest idle first; else on
						 * a list of struct deferred */
};
TAILQ_HEAD(server_list, server);

enum waiter_state {
	WAITER_QUEUED,
	WAITER_NOTIFIED,	/* its task, with the server or the error, is on its way */
	WAITER_LEFT,		/* notified, but the flow is gone: the task returns the server */
};

/* A borrower in a pool's queue. Its memory is its own and not the flow's, for the flow may be gone
 * before the task arrives. Freed on its worker. */
struct waiter {
	TAILQ_ENTRY(waiter)	 link;		/* on pool.waiters; else on deferred.notify */
	enum waiter_state	 state;
	struct pools		*pools;		/* borrowed */
	struct pool		*pool;		/* borrowed; NULL when no longer QUEUED */
	struct flow		*flow;		/* borrowed; not to be touched once LEFT */
	struct worker		*worker;	/* borrowed: the flow's */
	struct pool_lease	*lease;		/* borrowed: in the flow's struct */
	struct task		 task;		/* brings it the outcome */
	struct timer		 timer;		/* query_wait_timeout; its own worker's */
	struct server		*server;	/* the outcome: granted, ACTIVE; or NULL and */
	struct err		 err;		/* why not */
	uint64_t		 serial;	/* order of arrival over all pools */
	uint64_t		 since_us;	/* monotonic */
};
TAILQ_HEAD(waiter_list, waiter);

/* The list a pool is on; each list in the order in which its pools came onto it. */
enum pool_place {
	POOL_EMPTY,		/* no server, no waiter: to be freed when it stays so */
	POOL_WANTS_FIRST,	/* wants a slot and has no server at all: served first */
	POOL_WANTS_MORE,	/* wants another slot */
	POOL_BACKOFF,		/* would want one, but a login has just failed */
	POOL_SATISFIED,		/* needs no slot, or may have no more */
	POOL_PLACES,
};

struct pool {
	TAILQ_ENTRY(pool)	 link;		/* on pools.places[place] */
	enum pool_place		 place;
	struct pools		*pools;		/* borrowed */
	struct pg_target	 target;	/* owned */
	char			*key;		/* owned */
	size_t			 key_len;	/* bytes */
	unsigned		 size;		/* servers at most; the last borrower's word */
	bool			 retired;	/* out of by_key; freed with its last server */
	unsigned		 servers[SERVER_STATES]; /* how many are in each state */
	unsigned		 count;		/* of all states */
	struct server_list	 idle;		/* the last used first */
	struct waiter_list	 waiters;	/* in order of arrival */
	unsigned		 waiting;	/* their number */
	uint64_t		 retry_us;	/* monotonic: no login before; 0: none failed */
	struct err		 failure;	/* of the last failed login; valid with retry_us */
	uint64_t		 empty_since_us; /* monotonic; valid while POOL_EMPTY */
};
TAILQ_HEAD(pool_list, pool);

/* A worker that borrows; the place of one not attached is zeroed. */
struct pool_worker {
	struct worker	*worker;	/* borrowed; NULL: not attached */
	struct dns	*dns;		/* borrowed; to be used on that worker only */
};

struct pools {
	pthread_mutex_t		 lock;		/* guards all but conf, ops and the janitor's */
	struct pool_conf	 conf;		/* never changes */
	struct pool_ops		 ops;		/* never changes */
	struct map		*by_key;	/* owned; without the retired ones */
	struct pool_list	 places[POOL_PLACES]; /* owned: every pool, retired ones too */
	unsigned		 place_counts[POOL_PLACES];
	struct server_list	 idle;		/* of all pools, the longest idle first */
	unsigned		 servers[SERVER_STATES]; /* of all pools, by state */
	unsigned		 used;		/* of all states: slots of the budget */
	unsigned		 waiting;	/* waiters of all pools */
	uint64_t		 serial;	/* the next waiter's */
	struct pool_worker	 workers[POOL_WORKERS_MAX]; /* by worker_index() */
	struct timer		 janitor;	/* worker 0's thread only */
	uint64_t		 janitor_us;	/* from one round to the next */
	uint64_t		 borrowed_total, created_total, wait_us_total;
};

/* What was decided under the lock and is done after it: posting to a mailbox takes that mailbox's
 * lock, and closing is a system call. On the stack of whoever takes the lock. */
struct deferred {
	struct waiter_list	notify;		/* whose task is posted */
	struct server_list	logins;		/* whose login is posted */
	struct server_list	closes;		/* CLOSING */
};

/* pools.c */
void	 pools_lock(struct pools *, struct deferred *);
void	 pools_unlock(struct pools *, struct deferred *);	/* and does what was deferred */

/* pool.c; under the lock */
struct pool	*pool_find(struct pools *, const struct pool_target *, struct deferred *);
void		 pool_retire(struct pool *, struct deferred *);
void		 pool_free(struct pool *);
/* To be called after any change of a pool: fails the waiters of one whose login failed, puts it on
 * its place's list, gives free slots out. A retired pool may have been freed afterwards. */
void		 pool_changed(struct pool *, struct deferred *);
bool		 pool_in_backoff(const struct pool *);	/* a login failed a moment ago */
unsigned	 pool_live(const struct pool *);	/* servers that are not closing */
/* How long after a failed login no other is tried, with jitter. To be called before the lock is
 * taken, for the random numbers are a system call. */
uint64_t	 pool_login_wait(const struct pool_conf *);
/* The reason of a failed login as "message (SQLSTATE 28P01)", without a stop. Takes no lock. */
#define LOGIN_REASON_SIZE 216
void		 pool_login_reason(const struct pg_failure *, char out[LOGIN_REASON_SIZE]);
void		 pool_login_failed(struct pool *, const struct pg_result *, uint64_t wait_us);

/* pool_server.c; under the lock, unless said */
void		 server_move(struct server *, enum server_state);
void		 server_launch(struct pool *, struct deferred *);
/* To be closed after the lock; its slot is free when server_gone() has been called. The caller
 * calls pool_changed(), unless the server was idle, for then the pool has no waiters to fail. */
void		 server_drop(struct server *, struct deferred *);
/* A usable server without a borrower: to the next waiter, to the idle ones, or closed. */
void		 server_offer(struct server *, struct deferred *);
void		 server_gone(struct server *, struct deferred *);	/* closed: frees it */
void		 server_login(void *server);	/* a task's fn; not under the lock */
void		 server_reset(struct server *);	/* on its worker; with the lock or without */
/* struct pool_ops' reset over a real connection; not under the lock. */
enum flow_rc	 server_reset_session(struct flow *, struct pg_conn *, struct pg_result *);

/* borrow.c; under the lock, unless said */
void		 waiter_grant(struct waiter *, struct server *, struct deferred *);
void		 waiter_fail(struct waiter *, const struct err *, struct deferred *);
void		 waiter_notified(void *waiter);	/* a task's fn; not under the lock */

/* janitor.c; not under the lock */
void		 janitor_open(struct pools *, struct worker *);

#endif
