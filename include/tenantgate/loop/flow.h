/* SPDX-License-Identifier: MIT */
/*
 * flow: something asynchronous, written as a table of named steps that a worker's loop drives. What
 * would be a coroutine elsewhere is a struct here: its state is inspectable, timed and cancellable.
 *
 *	  flow_start        op: FLOW_WAIT          flow_wake
 *	[queued] --> [running] --> [waiting] ------------+
 *	    ^            |  ^______ FLOW_NEXT            |
 *	    |            | last step, flow_fail,         |
 *	    +------------|--- flow_abort ----------------+
 *	                 v
 *	             [ended]: end(f, err), defers newest first, the parent is woken, release(f)
 *
 * What always holds:
 *  - A flow lives on one worker and is touched on its thread only.
 *  - It waits on at most one operation, which has registered how to cancel it.
 *  - Steps run only from the loop: flow_wake() queues, it never calls upward. So an operation may
 *    wake from inside a library's callback, and no step finds its caller's state half changed.
 *  - end() is called exactly once, whatever happens; the first reason given is the one kept.
 *  - Memory is freed by release() only, which the loop calls; never inside a wake or an abort.
 *
 * An operation reads like await: `enum flow_rc op(struct flow *, inputs..., struct out *)`. Done
 * at once it returns FLOW_NEXT; else it returns flow_wait(f, cancel, arg) and later calls
 * flow_wake(f) or flow_wake_err(f, err). Outputs live in the flow's struct, never on a stack: the
 * step has returned long before they are written. `cancel` must leave nothing behind that could
 * wake the flow. An operation whose failure the flow may survive (Redis is a cache) reports it in
 * its output and wakes without an error.
 */
#ifndef TENANTGATE_LOOP_FLOW_H
#define TENANTGATE_LOOP_FLOW_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/loop/timer.h"
#include "tenantgate/loop/worker.h"

enum flow_rc {
	FLOW_NEXT,	/* on to the next step, in the same turn */
	FLOW_WAIT,	/* an operation is under way and will wake us */
	FLOW_DONE,	/* the flow ends without an error, whatever steps remain */
	FLOW_FAILED,	/* it ends with f->err; only from flow_fail() and flow_fail_err() */
};

struct flow;
typedef enum flow_rc flow_step_fn(struct flow *);
typedef void flow_end_fn(struct flow *, const struct err *);
typedef void flow_release_fn(struct flow *);
typedef void flow_cancel_fn(void *arg);
typedef void flow_defer_fn(void *arg);

struct flow_step {
	const char	*name;		/* NULL ends the table */
	flow_step_fn	*run;
};

struct flow_kind {
	const char		*name;		/* "chat": logs and metrics */
	const struct flow_step	*steps;
	/* Turns the outcome into a response, or a result for others; err->code is ERR_NONE when
	 * nothing failed. It may not wait: no step runs after it. May be NULL. */
	flow_end_fn		*end;
	/* Last: the memory the flow lives in. May be NULL when an arena or a parent owns it. */
	flow_release_fn		*release;
};

#define FLOW_MAGIC	0x464c4f57u	/* "FLOW" */
#define FLOW_STEPS_MAX	28		/* of a table: struct flow has a time for each */

/* A cleanup that waits for the flow's end: flow_defer(). */
struct flow_defer {
	struct flow_defer	*next;		/* owned: the one deferred before */
	flow_defer_fn		*fn;
	void			*arg;
};

/* IDLE is zeroed memory, before flow_start(). */
enum flow_state { FLOW_IDLE, FLOW_QUEUED, FLOW_RUNNING, FLOW_WAITING, FLOW_ENDED };

/* The first member of its owner's struct. Only the engine writes the fields, but for request_id,
 * which the owner sets after flow_start(), and result, which it sets in end() at the latest. */
struct flow {
	unsigned		 magic;
	enum flow_state		 state;
	const struct flow_kind	*kind;		/* borrowed: static */
	struct worker		*worker;	/* borrowed */
	struct arena		*arena;		/* borrowed: the outermost flow's; NULL: none */
	struct flow		*parent;	/* borrowed: waits for this one; or NULL */
	struct err		*outcome;	/* borrowed: where flow_try() wants err; or NULL */
	const char		*request_id;	/* borrowed; NULL outside requests */
	const char		*trace_id;	/* borrowed; NULL: none. For the log */
	unsigned		 step;		/* index into kind->steps: the one run last */
	unsigned		 next;		/* the one to run next */
	struct err		 err;		/* set: the flow ends at its next turn */
	flow_cancel_fn		*cancel;	/* while WAITING: takes it off its operation */
	void			*cancel_arg;	/* borrowed */
	struct flow_defer	*defers;	/* owned; newest first */
	struct timer		 deadline;	/* made by the first flow_deadline() */
	uint64_t		 began_us;	/* monotonic */
	uint64_t		 step_began_us;	/* monotonic */
	uint32_t		 step_us[FLOW_STEPS_MAX];	/* in each, waits included */
	uint32_t		 steps_ran;	/* a bit for each */
	unsigned		 result;	/* an HTTP status, for counting; 0: there is none */
	TAILQ_ENTRY(flow)	 queue_link;	/* the worker's run queue, while QUEUED */
	TAILQ_ENTRY(flow)	 live_link;	/* all flows of the worker, until release() */
};

/*
 * The struct a flow is the first member of, of the given kind. Checked: the compiler sees that the
 * member `flow` comes first, and at run time a flow of another kind aborts the process rather than
 * be read as something it is not.
 */
#define FLOW_OF(f, type, kind) FLOW_MEMBER_OF(f, type, flow, kind)
/* The same where the flow is the first member of a first member: FLOW_MEMBER_OF(f, struct chat,
 * req.flow, &chat_kind). */
#define FLOW_MEMBER_OF(f, type, member, kind)                                                      \
	({                                                                                         \
		_Static_assert(offsetof(type, member) == 0, "a flow comes first in its struct");   \
		(type *)flow_checked(f, kind);                                                     \
	})

static inline void *
flow_checked(struct flow *f, const struct flow_kind *kind)
{
	assert(f->magic == FLOW_MAGIC && f->kind == kind);
	return f;
}

/* f is zeroed memory, or a flow that has ended (it starts anew). The arena (may be NULL) outlives
 * the flow: release() frees it, if the flow owns it. The first step runs at the loop's next turn,
 * so the caller may still set what the steps read. */
void		flow_start(struct flow *, const struct flow_kind *, struct worker *, struct arena *)
		    __attribute__((nonnull(1, 2, 3)));

/* What steps and operations return. flow_wait() is called before anything can wake the flow; from
 * then on it may be woken, even before the step has returned. flow_fail(): `fmt` makes a sentence
 * for users (err.h); without effect when the flow has a reason to fail already. */
enum flow_rc	flow_wait(struct flow *, flow_cancel_fn *, void *arg)
		    __attribute__((warn_unused_result));
enum flow_rc	flow_fail(struct flow *, enum err_code, const char *fmt, ...)
		    __attribute__((format(printf, 3, 4), warn_unused_result));
enum flow_rc	flow_fail_err(struct flow *, const struct err *)
	    __attribute__((warn_unused_result));
/* The next step to run is the named one, before or after this one in the table; returns FLOW_NEXT,
 * to be returned where nothing is to be waited for. It may also be called before a wait of the same
 * step: `flow_goto(f, chat_pull); return http_stream_flush(f, x);`. Of a step that the table names
 * twice, the first is meant. */
enum flow_rc	flow_goto(struct flow *, flow_step_fn *);

/* What an operation calls when the wait is over: once, and never after its cancel function was
 * called. The flow's next step runs from the loop. With an error (ERR_NONE: none) no further step
 * runs. */
void		flow_wake(struct flow *);
void		flow_wake_err(struct flow *, const struct err *);
void		flow_wake_fail(struct flow *, enum err_code, const char *fmt, ...)
		    __attribute__((format(printf, 3, 4)));

/* For a deadline, a departed client, a shutdown: cancels the wait; the flow ends from the loop, and
 * no further step runs. A running flow ends when its step returns. Without effect on an ended flow
 * that is still in memory. `why` is a sentence for users. */
void		flow_abort(struct flow *, enum err_code, const char *why);
/* us from now, 0 for none; replaces an earlier one. When it passes, the flow is aborted with
 * ERR_TIMEOUT and the name of its step. */
void		flow_deadline(struct flow *, uint64_t us);

/* fn(arg) runs after end(), newest first. Never fails: a lease that could not be given back would
 * be lost to the pool, so without memory the process ends (alloc.h). */
void		flow_defer(struct flow *, flow_defer_fn *, void *arg);

/* The parent waits until the child has ended. A failed child fails the parent with its reason; an
 * aborted parent aborts the child. The child shares the parent's arena and request id, and lives in
 * memory that the parent keeps until then; its kind's release() is called all the same, if there is
 * one. */
enum flow_rc	flow_call(struct flow *parent, struct flow *child, const struct flow_kind *)
		    __attribute__((warn_unused_result));
/* The same, but a failed child does not fail the parent, which is woken without an error: *why has
 * the child's reason, or ERR_NONE. *why must live as long as the child. */
enum flow_rc	flow_try(struct flow *parent, struct flow *child, const struct flow_kind *,
		    struct err *why) __attribute__((warn_unused_result));
/* Waits for `us` microseconds. The timer is the caller's memory, unused until the wait is over. */
enum flow_rc	flow_sleep(struct flow *, struct timer *storage, uint64_t us)
		    __attribute__((warn_unused_result));

const char	*flow_step_name(const struct flow *);	/* of the step that ran last */
uint64_t	 flow_age_us(const struct flow *);	/* since flow_start() */

/* All flows of the worker that have been started and not released, oldest first. fn may abort
 * flows and start new ones. */
typedef void	 flow_each_fn(struct flow *, void *arg);
void		 flow_each(struct worker *, flow_each_fn *, void *arg);
size_t		 flow_count(const struct worker *);	/* any thread */
void		 flow_abort_all(struct worker *, enum err_code, const char *why);

#endif
