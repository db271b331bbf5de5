/* SPDX-License-Identifier: MIT */
/*
 * pool_internal: the structs that the files of pool/ share. Private to the folder.
 *
 * What always holds while nobody has the lock:
 *  - pools.open is the number of servers, closing ones included, and at most
 *    conf.max_server_connections. A server that waits for another's slot (its *heir*) is not
 *    counted until it has it. A pool's count is the number of its servers, heirs included.
 *  - What a pool holds in both budgets, the process's and its host's, is its servers in LOGIN,
 *    ACTIVE, RESETTING and CLOSING, without those whose slot an heir gets: open = held + idle.
 *  - A host's open connections are at most its limit, unless that was lowered since.
 *  - A pool is on exactly one of the place lists, in a budget's order only in POOL_WAITS or
 *    POOL_WAITS_HOST, and in its host's order of logins only in POOL_WAITS_LOGIN;
 *    pool_place_update() moves it.
 *  - When budget_next() names a pool, it can be given nothing now: pools_pass() has run.
 *  - Only server_move() changes a server's state. A server in LOGIN, ACTIVE or RESETTING belongs to
 *    its worker; an IDLE one to the lists, that is, to whoever has the lock; a CLOSING one to the
 *    thread whose struct deferred it is on; an heir that waits to the one whose slot it gets.
 */
#ifndef TENANTGATE_POOL_POOL_INTERNAL_H
#define TENANTGATE_POOL_POOL_INTERNAL_H

#include <sys/queue.h>

#include <limits.h>
#include <pthread.h>

#include "tenantgate/base/budget.h"
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
	struct pg_result	 asked;		/* owned: max_connections, as the server says */
	enum server_state	 state;
	struct server		*heir;		/* CLOSING: gets the slot; or NULL */
	bool			 used, is_aside; /* has been lent; is so for long: pool.aside */
	bool			 is_suspect;	/* lent; was idle while a sibling went silent */
	bool			 is_known;	/* a login to its pool's target had worked before */
	bool			 is_paced;	/* its pool's at the launch */
	unsigned		 tries;		/* logins begun */
	struct timer		 pause;		/* between them */
	bool			 asks;		/* its login asks for max_connections */
	unsigned		 generation;	/* its pool's at the launch; older is out of date */
	unsigned		 failures;	/* its pool's at the launch */
	uint64_t		 login_began_us, connect_timeout_us; /* monotonic; of the launch */
	uint64_t		 logged_in_us;	/* monotonic; then login_us is what it took */
	uint64_t		 login_us;
	uint64_t		 expires_us;	/* monotonic: lifetime's end; UINT64_MAX: never */
	uint64_t		 idle_since_us;	/* monotonic; valid while IDLE */
	uint64_t		 young_since_us; /* monotonic; 0: not on host.young */
	TAILQ_ENTRY(server)	 young_link;	/* on host.young */
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
	bool			 is_final;	/* see struct pool_lease, login_is_final */
	bool			 is_refused;	/* with why not: the pool's */
	bool			 was_idle;	/* the server: to be checked before it is used */
	uint64_t		 serial;	/* order of arrival over all pools */
	uint64_t		 since_us, wait_timeout_us, connect_timeout_us;	/* of its arrival */
	uint64_t		 queued_us;	/* monotonic: of its place in the queue */
};
TAILQ_HEAD(waiter_list, waiter);

/* The list a pool is on; each list in the order in which its pools came onto it. */
enum pool_place {
	POOL_EMPTY,		/* no server, no waiter: to be freed when it stays so */
	POOL_WAITS,		/* has waiters to serve: in the process's order */
	POOL_WAITS_HOST,	/* the same, but its host is full: in that host's order */
	POOL_WAITS_LOGIN,	/* the same, but its host has logins enough under way */
	POOL_HELD_BACK,		/* waits a moment before it takes a victim */
	POOL_BACKOFF,		/* would log in, but a login has failed */
	POOL_SATISFIED,		/* nobody to serve, or logins enough are coming */
	POOL_PLACES,
};

/* A limit that was learned by being refused: from `at_us` on it grows. Zeroed: none. */
struct pool_limit {
	unsigned	 limit;		/* 0: none is known */
	uint64_t	 at_us;		/* monotonic: of its last rise */
};

/* How often something happened, in each of the last ten seconds. */
#define POOL_RATE_S	10
struct pool_rate {
	uint64_t	 second;	/* monotonic, of the newest count */
	unsigned	 counts[POOL_RATE_S];
};

/* A database server: where pools connect to. There while a pool is. */
struct pool_host {
	char			*key;		/* owned: "host:port" */
	unsigned		 refs;		/* pools that connect there */
	char			*first_key;	/* owned: of its first pool */
	size_t			 first_key_len;	/* bytes */
	bool			 is_shared;	/* by two keys or more, at one time at least */
	struct budget		 budget;	/* of its limit; pools that wait for the host */
	unsigned		 open;		/* connections; and heirs whose slot is elsewhere */
	unsigned		 servers[SERVER_STATES]; /* of its pools, by state */
	unsigned		 want;		/* sum of its pools' */
	uint64_t		 round;		/* of pools_hosts(), that it was last shown in */
	uint64_t		 recent_round;	/* of pools_hosts(), that recent is of */
	unsigned		 recent;	/* idle connections used a moment ago */
	struct pool_limit	 learned;	/* from refusals: 53300 */
	unsigned		 young_max;	/* short statements at once, and logins; UINT_MAX:
						 * any number */
	uint64_t		 launched_us;	/* monotonic: of the last login's beginning */
	struct heap		 logins;	/* pools that wait for a login's turn */
	unsigned		 young_count;	/* on the list */
	struct server_list	 young;		/* lent a moment ago, in that order */
	const struct pool	*served;	/* the last one; NULL when it is gone */
	uint64_t		 crowd_us;	/* monotonic: it was another than the one before */
	unsigned		 leased;	/* pools_host_limit(); UINT_MAX: none */
	bool			 is_told;	/* leased came from there */
	unsigned		 max_connections; /* as it says; 0: not known */
	uint64_t		 asked_us;	/* monotonic; 0: never */
	TAILQ_ENTRY(pool_host)	 link;		/* on pools.hosts[is_shared] */
	TAILQ_ENTRY(pool_host)	 limited_link;	/* on pools.limited, while learned.limit != 0 */
};
TAILQ_HEAD(pool_host_list, pool_host);

struct pool {
	TAILQ_ENTRY(pool)	 link;		/* on pools.places[place] */
	enum pool_place		 place;
	struct pools		*pools;		/* borrowed */
	struct pool_host	*host;		/* borrowed: counted */
	struct budget_holder	 holder;	/* of the process's budget */
	struct budget_holder	 host_holder;	/* of its host's */
	struct pg_target	 target;	/* owned */
	char			*key;		/* owned */
	size_t			 key_len;	/* bytes */
	struct pool		*older;		/* borrowed: same key, another target; or NULL */
	unsigned		 size;		/* servers at most; the last borrower's word */
	unsigned		 generation;	/* pool_forget() raises it */
	bool			 forgotten;	/* and nobody has borrowed since */
	bool			 retired;	/* out of by_key; freed with its last server */
	bool			 waits_for_host; /* until its host has room */
	bool			 waits_for_login; /* until its host has a login less under way */
	struct heap_item	 login_item;	/* in host.logins: without a server first, */
	bool			 login_is_first; /* then in order of arrival */
	uint64_t		 login_serial;
	bool			 is_overdue;	/* pool_turns_overdue(), as of its place */
	bool			 held_back;	/* until pools_pass() asks for it again */
	unsigned		 servers[SERVER_STATES]; /* how many are in each state */
	unsigned		 count, aside;	/* of all states; of them beside the size */
	unsigned		 leaving;	/* CLOSING ones whose slot an heir gets */
	struct server_list	 idle;		/* the last used first */
	struct waiter_list	 waiters;	/* in order of arrival */
	unsigned		 waiting;	/* their number */
	unsigned		 want;		/* its part of host.want */
	double			 uses;		/* leases, decayed until */
	uint64_t		 uses_us;	/* monotonic: of the last one */
	uint64_t		 served_us;	/* monotonic: the same, at first of its beginning */
	struct pool_rate	 grants;	/* to its waiters and others */
	struct pool_limit	 learned;	/* the role's or the database's own: 53300 */
	uint64_t		 retry_us;	/* monotonic: no login before; 0: none failed */
	unsigned		 failures;	/* one after another; a success clears them */
	bool			 has_worked;	/* a login has, once */
	bool			 is_paced;	/* failures are told at once; as size */
	uint64_t		 suspect_us;	/* monotonic: when a server broke in use: those idle
						 * then are probed first; 0: none has */
	struct err		 failure;	/* of the last failed login; valid with retry_us */
	bool			 is_untrusted;	/* with it: TLS, or the server's certificate */
	bool			 is_refused;	/* the same: login_is_denied() */
	uint64_t		 said_us;	/* monotonic: when it was logged; 0: never */
	uint64_t		 empty_since_us; /* monotonic; valid while POOL_EMPTY */
};
TAILQ_HEAD(pool_list, pool);

/* A worker that borrows; the place of one not attached is zeroed. */
struct pool_worker {
	struct worker	*worker;	/* borrowed; NULL: not attached */
	struct dns	*dns;		/* borrowed; to be used on that worker only */
};

struct pools {
	pthread_mutex_t		 lock;		/* guards all but ops and the janitor's */
	struct pool_conf	 conf;		/* pools_configure() */
	struct pool_ops		 ops;		/* never changes */
	struct map		*by_key;	/* owned; the newest of each key */
	struct map		*by_host;	/* owned */
	struct pool_host_list	 hosts[2];	/* the same, by is_shared; shown last: at the end */
	struct pool_host_list	 limited;	/* of these, with a limit that grows */
	uint64_t		 hosts_round;	/* calls of pools_hosts() */
	struct budget		 budget;	/* of server connections */
	struct pool_list	 places[POOL_PLACES]; /* owned: every pool, retired ones too */
	unsigned		 place_counts[POOL_PLACES];
	struct server_list	 idle;		/* of all pools, the longest idle first */
	unsigned		 servers[SERVER_STATES]; /* of all pools, by state */
	unsigned		 open;		/* connections: slots of the budget */
	unsigned		 replicas;	/* processes that share the servers; 1 or more */
	unsigned		 waiting;	/* waiters of all pools */
	unsigned		 pools_waiting;	/* pools that have waiters */
	uint64_t		 serial;	/* the next waiter's */
	struct pool_worker	 workers[POOL_WORKERS_MAX]; /* by worker_index() */
	pools_wanted_fn		*wanted;	/* never changes; NULL: hosts are not divided */
	void			*wanted_arg;	/* borrowed */
	struct timer		 janitor;	/* worker 0's thread only */
	uint64_t		 janitor_us;	/* from one round to the next */
	uint64_t		 janitor_rest_us; /* the same while nobody waits for time to pass */
	struct task		 janitor_task;	/* ends a rest */
	bool			 janitor_rests, janitor_posted, janitor_hurries; /* guarded */
	struct timer		 busy_timer;	/* worker 0's thread only */
	struct task		 busy_task;	/* starts it */
	bool			 busy_timer_runs; /* or will, when the task has run */
	uint64_t		 launched_us;	/* monotonic: of the last login's beginning */
	struct pool_rate	 grants;
	uint64_t		 borrowed_total, created_total, wait_us_total;
};

/* What was decided under the lock and is done after it: posting to a mailbox takes that mailbox's
 * lock, and closing is a system call. On the stack of whoever takes the lock. */
struct deferred {
	struct waiter_list	notify;		/* whose task is posted */
	struct server_list	logins;		/* whose login is posted */
	struct server_list	closes;		/* CLOSING */
	bool			host_wanted;	/* a shared host needs a higher limit */
	bool			host_busy;	/* somebody waits for what only time may bring */
};

/* All functions are to be called under the lock, unless said. */

/* pools.c */
void	 pools_lock(struct pools *, struct deferred *);
void	 pools_unlock(struct pools *, struct deferred *);	/* and does what was deferred */

/* pool.c */
struct pool	*pool_find(struct pools *, const struct pool_target *, struct deferred *);
void		 pool_retire(struct pool *, struct deferred *);
void		 pool_free(struct pool *);
void		 pool_place_update(struct pool *);	/* after any change of counts */
/* To be called after any change of a pool: fails the waiters of one whose login failed, updates its
 * place, serves who is next. A retired pool may have been freed afterwards. */
void		 pool_changed(struct pool *, struct deferred *);
unsigned	 pool_live(const struct pool *);	/* servers that are not closing */

/* pool_rule.c */
unsigned	 pool_own_limit(struct pool *);	/* servers that it may have at once */
void		 pools_pass(struct pools *, struct deferred *);
/* A usable server without a borrower: to its own waiter in its quantum, else to the idle ones, or
 * closed. */
void		 server_offer(struct server *, struct deferred *);

/* pool_victim.c */
void		 pool_count_use(struct pool *);	/* a server of it was lent */
/* The idle server to close so that this pool may log in; of its own host only, when that is full.
 * NULL: none may be closed for it. */
struct server	*pool_victim(const struct pool *asker, bool same_host);
/* It is better to wait a moment than to close this one. */
bool		 pool_victim_is_guarded(const struct pool *asker, const struct server *victim,
		    bool same_host);

/* pool_host.c */
struct pool_host *pool_host_find(struct pools *, const struct pool_target *);	/* counts */
void		 pool_host_release(struct pools *, struct pool_host *);
unsigned	 pool_host_limit(const struct pool_host *);	/* UINT_MAX: none */
unsigned	 pool_host_clients(const struct pool_host *);	/* of all processes */
/* The server has said its max_connections. */
void		 pool_host_told(struct pools *, struct pool_host *, unsigned max,
		    struct deferred *);
bool		 pool_host_has_room(const struct pool_host *);	/* for one connection more */
unsigned	 pool_host_in_use(const struct pool_host *);	/* logged in, not closing */
/* The first that waits for this host, if it is admitted; or NULL. */
struct pool	*pool_host_next(const struct pool_host *);
/* The first pool that waits for this host goes into the process's order, if the host admits it. */
void		 pool_host_promote(struct pool_host *);
void		 pool_host_refused(struct pools *, struct pool_host *);	/* 53300: it is full */
void		 pool_host_confirm(struct pool_host *);	/* a login there has worked */
void		 pools_hosts_rise(struct pools *, struct deferred *);

bool		 pool_turns_overdue(const struct pool *);	/* pool.c */
void		 pools_notice_overdue(struct pools *, struct deferred *);	/* janitor.c */
/* pool_busy.c */
unsigned	 pool_host_young_max(const struct pools *, const struct pg_target *);
void		 server_is_young(struct server *);
/* The pool's server is lent: now, by the monotonic clock. */
void		 pool_host_count_use(struct pool *, uint64_t now);
void		 server_is_young_no_more(struct server *);	/* idempotent */
/* No other short statement of this pool now. */
bool		 pool_host_is_busy(const struct pool *);
bool		 pool_host_logs_in(const struct pool_host *);	/* no other login now */
void		 pool_login_order_init(struct heap *);
void		 pool_login_order(struct pool *, bool waits);	/* into it, out of it, or moved */
void		 pool_host_login_next(struct pool_host *);	/* its turn, if there is one */
/* The worker to which the timer's start is to be posted, after the lock; NULL: it runs already. */
struct worker	*busy_timer_claim(struct pools *);
void		 busy_timer_post(struct pools *, struct worker *);	/* not under the lock */
void		 busy_timer_open(struct pools *, struct worker *);	/* not under the lock */

/* pool_limit.c: a limit that was learned by a refusal */
void		 pool_limit_learn(struct pool_limit *, unsigned in_use);
void		 pool_limit_confirm(struct pool_limit *, unsigned in_use); /* so many are there */
void		 pool_limit_rise(struct pool_limit *, unsigned most); /* past `most` it is gone */
unsigned	 pool_limit_value(const struct pool_limit *);	/* UINT_MAX: none */

/* pool_backoff.c */
bool		 pool_in_backoff(const struct pool *);	/* a login failed a moment ago */
/* How long after a failed login no other is tried, with jitter. Without the lock, for the random
 * numbers are a system call. */
uint64_t	 pool_login_wait(const struct pool_conf *, unsigned failures);
/* The reason of a failed login as "message (SQLSTATE 28P01)", without a stop. Takes no lock. */
#define LOGIN_REASON_SIZE 216
void		 pool_login_reason(const struct pg_failure *, char out[LOGIN_REASON_SIZE]);
/* Whether a failed login with that reason is to be logged; if so, it counts as said. */
bool		 pool_failure_is_news(struct pool *, const char *reason);
void		 pool_login_failed(const struct server *, const struct pg_result *,
		    uint64_t wait_us);
void		 pool_login_worked(const struct server *);	/* still in LOGIN */
/* Logins that may be under way at once: few while none has been seen to work. */
unsigned	 pool_logins_max(const struct pool *);

/* pool_refusal.c */
void		 pool_rate_count(struct pool_rate *, uint64_t now_us);
void		 pool_backoff_error(const struct pool *, struct err *);	/* why, and until when */
/* Why there is no point in waiting; err stays empty otherwise. */
void		 pool_refusal(struct pool *, struct err *);
void		 pool_timeout_error(struct waiter *, struct err *);	/* while still QUEUED */

/* pool_server.c */
void		 server_move(struct server *, enum server_state);
/* Takes a slot: a free one, or that of an idle server, which is closed for it. */
void		 server_launch(struct pool *, struct server *victim, struct deferred *);
/* To be closed after the lock; its slot is free when server_gone() has been called, which calls
 * pool_changed(). Who cannot wait for that calls server_discard(). */
void		 server_drop(struct server *, struct deferred *);
void		 server_discard(struct server *, struct deferred *);	/* and pool_changed() */
void		 server_gone(struct server *, struct deferred *);	/* closed: frees it */
bool		 server_is_expired(const struct server *);
void		 server_reset(struct server *);	/* on its worker; with the lock or without */
/* A server of it was lost in use: those of its generation are not lent again. */
void		 pool_server_lost(struct server *, struct deferred *);
/* struct pool_ops over a real connection; not under the lock. */
enum flow_rc	 server_reset_session(struct flow *, struct pg_conn *, struct pg_result *);

/* server_probe.c: ACTIVE or idle until now, and suspect; under the lock, on its worker. It is
 * offered, or discarded. */
void		 server_probe(struct server *, struct deferred *);
enum flow_rc	 server_probe_session(struct flow *, struct pg_conn *, struct pg_result *);

/* server_close.c; not under the lock: a CLOSING one, whose slot is free when it is gone */
void		 server_close(struct server *);

/* server_login.c; not under the lock */
void		 server_login(void *server);	/* a task's fn */
enum flow_rc	 server_ask(struct flow *, struct pg_conn *, struct pg_result *);
unsigned	 server_told(const struct pg_result *);

/* waiter.c */
struct waiter	*waiter_queue(struct flow *, struct pool *, struct pool_lease *);
void		 waiter_grant(struct waiter *, struct server *, struct deferred *);
void		 waiter_fail(struct waiter *, const struct err *, struct deferred *);
void		 waiter_notified(void *waiter);	/* a task's fn; not under the lock */
enum flow_rc	 waiter_wait(struct waiter *);	/* its flow does; not under the lock */

/* borrow.c; not under the lock */
void		 lease_fill(struct pool_lease *, struct server *);
bool		 server_is_fit(struct server *);	/* ACTIVE, idle until now: good? */
void		 server_returned(struct server *, enum pool_hygiene);

#endif
