/* SPDX-License-Identifier: MIT */
/*
 * worker: a thread with an event loop, a mailbox and a run queue of flows.
 *
 *	   accept, wires, timers            mailbox (other threads)
 *	            \                           |
 *	             v                          v
 *	        libevent loop  --flow_wake-->  run queue  --flow_step-->  stories
 *
 * Everything a worker owns is touched on its thread only; worker_post() is the one door from
 * outside. Flows are stepped from the loop, never from inside a library's callback.
 */
#ifndef TENANTGATE_LOOP_WORKER_H
#define TENANTGATE_LOOP_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct worker;

typedef void worker_fn(void *arg);

/* index: 0.. ; the first is the one that keeps the janitors. NULL when libevent has no memory. */
struct worker		*worker_new(unsigned index);
/* After the thread has ended (or never started). Tasks still in the mailbox are run first, so
 * whatever they carry is released. */
void			 worker_free(struct worker *);

/* Runs the loop on a new thread / on this one, until worker_stop(). */
bool			 worker_start(struct worker *);
void			 worker_join(struct worker *);
void			 worker_run(struct worker *);
/* Any thread: the loop ends after what is queued now. */
void			 worker_stop(struct worker *);
/* One turn of the loop: at most `ms` of waiting. For tests and small programs. */
void			 worker_turn(struct worker *, unsigned ms);

struct event_base	*worker_base(struct worker *);
unsigned		 worker_index(const struct worker *);
bool			 worker_is_mine(const struct worker *);	/* called on its thread? */

/*
 * Any thread: fn(arg) runs on the worker's thread, in order of posting. Never blocks. `task` is
 * the caller's memory (inside the struct it is about), must live until fn is called, and may be
 * posted again from then on.
 */
struct task {
	struct task	*next;
	worker_fn	*fn;
	void		*arg;
};
void			 worker_post(struct worker *, struct task *, worker_fn *, void *arg);

/* This thread: fn(arg) at the next safe point of the loop (after callbacks, before waiting). Used
 * to free what a callback may not. */
void			 worker_later(struct worker *, struct task *, worker_fn *, void *arg);

/* Microseconds the loop was last late (a timer's due time against its call), and the worst since
 * the last reading by worker_lag_reset(). */
uint64_t		 worker_lag_us(const struct worker *);
uint64_t		 worker_lag_reset(struct worker *);

#endif
