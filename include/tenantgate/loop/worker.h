/* SPDX-License-Identifier: MIT */
/*
 * worker: a thread with an event loop, a mailbox and a run queue of flows.
 *
 *	sockets, timers --> callbacks --flow_wake()--> run queue --> steps of flows
 *	                       ^
 *	other threads --> mailbox: tasks
 *
 * Everything that a worker owns is touched on its thread only. Other threads reach it in one way:
 * worker_post(). Steps run from the loop, never from inside a library's callback, so a step may
 * close and free what the callback came from.
 *
 * Functions that are not marked "any thread" are for the worker's thread: the one that runs its
 * loop, or, before and after that, the one that made or joined it.
 */
#ifndef TENANTGATE_LOOP_WORKER_H
#define TENANTGATE_LOOP_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct worker;

typedef void worker_fn(void *arg);

/* index: from 0, by which others keep what they have for each worker (pool.h). NULL when there is
 * no descriptor for the mailbox, or libevent has no memory. The caller owns it. */
struct worker		*worker_new(unsigned index);
/* After the thread was joined, or when it never started. Tasks that are still in the mailbox are
 * run first, on the caller's thread, so that what they carry is released. */
void			 worker_free(struct worker *);

/* Runs the loop on a new thread, until worker_stop(). False when there is no thread to be had. */
bool			 worker_start(struct worker *);
void			 worker_join(struct worker *);	/* waits for the thread's end */
/* The same on the thread that calls. */
void			 worker_run(struct worker *);
/* Any thread: ends the loop. Tasks that were posted before run first. */
void			 worker_stop(struct worker *);
/* One turn of the loop, which waits `ms` milliseconds at most. For tests and small programs that
 * have their own main loop. */
void			 worker_turn(struct worker *, unsigned ms);

struct event_base	*worker_base(struct worker *);		/* borrowed: the worker's */
unsigned		 worker_index(const struct worker *);		/* any thread */
bool			 worker_is_mine(const struct worker *);	/* any thread: is it this one? */

/* A function and its argument, on its way to a worker. Memory of the one who posts it, as a rule a
 * member of the struct that it is about, so posting cannot fail. It must live until fn is called;
 * from then on it may be freed or posted again. */
struct task {
	struct task	*next;
	worker_fn	*fn;
	void		*arg;
};
/* Any thread: fn(arg) runs on the worker's thread, in the order of posting. Never waits for it. */
void			 worker_post(struct worker *, struct task *, worker_fn *, void *arg);

/* fn(arg) runs at the next safe point of the loop: after the callbacks and the flows' turns, before
 * it waits. For freeing what may still be in use further up the stack. */
void			 worker_later(struct worker *, struct task *, worker_fn *, void *arg);

/* Any thread: by how many microseconds the loop was late for a timer when last measured (ten times
 * a second while it has work), and the worst since the last call of worker_lag_reset(). A loop that
 * is late is one that a step or a callback has kept from its sockets. */
uint64_t		 worker_lag_us(const struct worker *);
uint64_t		 worker_lag_reset(struct worker *);

/*
 * What a turn of the loop may compute (CPU time of its thread): all other clients of the worker
 * wait meanwhile. Longer work is a helper's (offload.h). A longer turn is counted and logged
 * (worker.long_turn). The sanitizers make code slower by so much.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORKER_TURN_LIMIT_US	(8 * UINT64_C(5000))
#else
#define WORKER_TURN_LIMIT_US	UINT64_C(5000)
#endif
/* Any thread: how many turns there were, and what CPU time their thread took for them (as it was
 * last read, a millisecond ago at most while there are turns). */
uint64_t		 worker_turns(const struct worker *);
uint64_t		 worker_cpu_us(const struct worker *);
/* Any thread: how many turns were longer; what the longest computed, in microseconds, since the
 * last call of worker_turn_reset(), which returns it, too. */
uint64_t		 worker_long_turns(const struct worker *);
uint64_t		 worker_turn_worst_us(const struct worker *);
uint64_t		 worker_turn_reset(struct worker *);

#endif
