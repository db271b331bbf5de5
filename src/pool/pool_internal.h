/* SPDX-License-Identifier: MIT */
/*
 * pool_room: the tables behind the lending desk. Private to pool/.
 *
 * What always holds, whenever the lock is free:
 *  - used is the number of servers, closing ones included: <= conf.max_server_connections. A
 *    pool's count is the same for itself: <= its size (when the size was not made smaller since).
 *  - A pool with waiters has no idle server.
 *  - A pool is on exactly one of the place lists; pool_changed() is the one that moves it.
 *  - A server's state is moved by server_move() alone; LENT, LOGIN and RESETTING belong to one
 *    worker, IDLE and CLOSING to nobody.
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
	SERVER_CLOSING,
	SERVER_STATES,
};

struct server {
	struct flow		 flow;		/* its login, later its resets */
	struct task		 task;		/* begins the login on its worker */
	struct pool		*pool;		/* borrowed: outlives its servers */
	struct worker		*worker;	/* where it logs in, is lent, is reset */
	struct pg_conn		*conn;		/* owned; NULL before the login */
	struct pg_result	 result;	/* of the login, the reset */
	enum server_state	 state;
	bool			 used;		/* was lent before */
	uint64_t		 expires_us;	/* end of its lifetime; UINT64_MAX: never */
	uint64_t		 idle_since_us;
	TAILQ_ENTRY(server)	 pool_link;	/* pool's idle ones, latest first */
	TAILQ_ENTRY(server)	 link;		/* all idle ones, oldest first; or a chore */
};
TAILQ_HEAD(server_list, server);

enum waiter_state {
	WAITER_QUEUED,
	WAITER_NOTIFIED,	/* a task with the server or the error is on its way */
	WAITER_LEFT,	/* and finds nobody: what it carries goes back */
};

/* A borrower in the queue; memory of its own, freed on its worker. */
struct waiter {
	TAILQ_ENTRY(waiter)	 link;		/* the pool's queue; or a chore */
	enum waiter_state	 state;
	struct pools		*pools;		/* borrowed */
	struct pool		*pool;		/* borrowed; while QUEUED */
	struct flow		*flow;		/* borrowed */
	struct worker		*worker;	/* borrowed: the flow's */
	struct pool_lease	*lease;		/* borrowed: the flow's */
	struct task		 task;
	struct timer		 timer;		/* query_wait_timeout */
	struct server		*server;	/* granted; or */
	struct err		 err;
	uint64_t		 serial;	/* order of arrival over all pools */
	uint64_t		 since_us;
};
TAILQ_HEAD(waiter_list, waiter);

enum pool_place {
	POOL_EMPTY,		/* no server, nobody waits; longest so first */
	POOL_WANTS_FIRST,	/* wants a slot and has no server at all */
	POOL_WANTS_MORE,	/* wants another slot */
	POOL_BACKOFF,		/* would want one, but a login has just failed */
	POOL_SATISFIED,
	POOL_PLACES,
};

struct pool {
	TAILQ_ENTRY(pool)	 link;
	enum pool_place		 place;
	struct pools		*pools;		/* borrowed */
	struct pg_target	 target;	/* owned */
	char			*key;		/* owned */
	size_t			 key_len;
	unsigned		 size;
	bool			 retired;	/* forgotten: goes when its last server has gone */
	unsigned		 servers[SERVER_STATES];
	unsigned		 count;		/* of them all */
	struct server_list	 idle;
	struct waiter_list	 waiters;
	unsigned		 waiting;
	uint64_t		 retry_us;	/* no login before; 0: none has failed */
	struct err		 failure;	/* the last failed login's */
	uint64_t		 empty_since_us;
};
TAILQ_HEAD(pool_list, pool);

/* A worker that borrows. */
struct pool_worker {
	struct worker	*worker;	/* NULL: not attached */
	struct dns	*dns;
};

struct pools {
	pthread_mutex_t		 lock;		/* guards all below but conf and ops */
	struct pool_conf	 conf;
	struct pool_ops		 ops;
	struct map		*by_key;	/* not the retired ones */
	struct pool_list	 places[POOL_PLACES];
	unsigned		 place_counts[POOL_PLACES];
	struct server_list	 idle;
	unsigned		 servers[SERVER_STATES];
	unsigned		 used;
	unsigned		 waiting;
	uint64_t		 serial;
	struct pool_worker	 workers[POOL_WORKERS_MAX];
	struct timer		 janitor;	/* worker 0 */
	uint64_t		 janitor_us;
	uint64_t		 borrowed_total, created_total, wait_us_total;
};

/* What was decided under the lock and is done after it. */
struct deferred {
	struct waiter_list	notify;
	struct server_list	logins;
	struct server_list	closes;
};

/* pools.c */
void	 pools_lock(struct pools *, struct deferred *);
void	 pools_unlock(struct pools *, struct deferred *);	/* and does the deferred */

/* pool.c; under the lock */
struct pool	*pool_find(struct pools *, const struct pool_target *, struct deferred *);
void		 pool_retire(struct pool *, struct deferred *);
void		 pool_free(struct pool *);
/* After any change: who is failed, who is hungry, who gets the free slots. The pool may be gone
 * afterwards, if it was retired. */
void		 pool_changed(struct pool *, struct deferred *);
bool		 pool_in_backoff(const struct pool *);
unsigned	 pool_live(const struct pool *);	/* servers that are not closing */
/* How long after a failed login no other is tried. Before the lock is taken: it asks for chance. */
uint64_t	 pool_login_wait(const struct pool_conf *);
void		 pool_login_failed(struct pool *, const struct pg_result *, uint64_t wait_us);

/* pool_server.c; under the lock, unless said */
void		 server_move(struct server *, enum server_state);
void		 server_launch(struct pool *, struct deferred *);
void		 server_drop(struct server *, struct deferred *);
void		 server_offer(struct server *, struct deferred *);
void		 server_gone(struct server *, struct deferred *);	/* after its close */
void		 server_login(void *server);	/* a task's fn; not under the lock */
void		 server_reset(struct server *);	/* not under the lock */
/* struct pool_ops' reset over a real connection; not under the lock. */
enum flow_rc	 server_reset_session(struct flow *, struct pg_conn *, struct pg_result *);

/* borrow.c; under the lock, unless said */
void		 waiter_grant(struct waiter *, struct server *, struct deferred *);
void		 waiter_fail(struct waiter *, const struct err *, struct deferred *);
void		 waiter_notified(void *waiter);	/* a task's fn; not under the lock */

/* janitor.c; not under the lock */
void		 janitor_open(struct pools *, struct worker *);

#endif
