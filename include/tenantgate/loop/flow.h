/* SPDX-License-Identifier: MIT */
/*
 * flow: a story as a table of named steps, driven from the loop.
 *
 *	  flow_start        op: FLOW_WAIT          flow_wake
 *	[queued] --> [running] --> [waiting] ------------+
 *	    ^            |  ^______ FLOW_NEXT            |
 *	    |            | last step, flow_fail,         |
 *	    +------------|--- flow_abort ----------------+
 *	                 v
 *	             [ended]: end(f, err), defers newest first, parent or join told, release(f)
 *
 * What always holds:
 *  - A flow lives on one worker and is touched on its thread only.
 *  - It waits on at most one operation, which has registered how to cancel it.
 *  - Steps run only from the loop: flow_wake() queues, it never calls upward.
 *  - end() is called exactly once, whatever happens; the first reason given is the one kept.
 *
 * An operation reads like await: `enum flow_rc op(struct flow *, inputs..., struct out *)`. Done
 * at once it returns FLOW_NEXT; else it returns flow_wait(f, cancel, arg) and later calls
 * flow_wake(f) or flow_wake_err(f, err). Outputs live in the flow's struct, never on a stack.
 * `cancel` must leave nothing behind that could wake the flow. An operation whose failure the
 * story may survive (Redis) reports it in its out and wakes plainly.
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
	FLOW_DONE,	/* the story ends well here, whatever steps remain */
	FLOW_FAILED,	/* only from flow_fail() */
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
	/* Turns the outcome into the answer; err->code is ERR_NONE after a good end. May not
	 * wait. May be NULL. */
	flow_end_fn		*end;
	/* Last: the memory the flow lives in. May be NULL when an arena or a parent owns it. */
	flow_release_fn		*release;
};

#define FLOW_MAGIC	0x464c4f57u	/* "FLOW" */
#define FLOW_STEPS_MAX	24

struct flow_defer {
	struct flow_defer	*next;
	flow_defer_fn		*fn;
	void			*arg;
};

enum flow_state { FLOW_IDLE, FLOW_QUEUED, FLOW_RUNNING, FLOW_WAITING, FLOW_ENDED };

/* Embedded as the first member of the story's struct. Fields are the engine's. */
struct flow {
	unsigned		 magic;
	enum flow_state		 state;
	const struct flow_kind	*kind;		/* borrowed: static */
	struct worker		*worker;	/* borrowed */
	struct arena		*arena;		/* borrowed: the root story's */
	struct flow		*parent;	/* borrowed: waits for this one; or NULL */
	struct err		*tried;		/* borrowed: flow_try()'s, where the outcome goes */
	const char		*request_id;	/* borrowed; NULL outside requests */
	unsigned		 step;		/* index into kind->steps: the one run last */
	unsigned		 next;		/* the one to run next */
	struct err		 err;		/* set: the flow ends at its next turn */
	flow_cancel_fn		*cancel;
	void			*cancel_arg;
	struct flow_defer	*defers;	/* owned */
	struct timer		 deadline;
	uint64_t		 began_us;	/* monotonic */
	uint64_t		 step_began_us;
	uint32_t		 step_us[FLOW_STEPS_MAX];	/* in each, waits included */
	TAILQ_ENTRY(flow)	 queue_link;	/* run queue */
	TAILQ_ENTRY(flow)	 live_link;	/* all flows of the worker */
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

/* f is zeroed memory, or a flow that has ended (it starts anew). The arena outlives the flow:
 * release() frees it, if it owns it. The first step runs at the loop's next turn. */
void		flow_start(struct flow *, const struct flow_kind *, struct worker *, struct arena *)
		    __attribute__((nonnull(1, 2, 3)));

/* What steps and operations return. flow_wait() is called before anything can wake the flow; from
 * then on it may be woken, even before the step has returned. */
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

/* What an operation calls when its wait is over. Clears the cancel. */
void		flow_wake(struct flow *);
void		flow_wake_err(struct flow *, const struct err *);
void		flow_wake_fail(struct flow *, enum err_code, const char *fmt, ...)
		    __attribute__((format(printf, 3, 4)));

/* Deadline, departed client, shutdown: cancels the wait; the flow ends from the loop, no further
 * step runs. A running flow ends when its step returns. Harmless on an ended flow still in
 * memory. */
void		flow_abort(struct flow *, enum err_code, const char *why);
/* us from now, 0 for none; replaces an earlier one. At the deadline: flow_abort(ERR_TIMEOUT),
 * naming the step. */
void		flow_deadline(struct flow *, uint64_t us);

/* Runs after end(), newest first. Never fails (aborts the process when it has no memory at all). */
void		flow_defer(struct flow *, flow_defer_fn *, void *arg);

/* The parent waits until the child has ended; a failed child fails the parent with its reason;
 * an aborted parent aborts the child. The child shares the parent's arena and request id, and
 * lives in the parent's memory: child's release is called all the same, if there is one. */
enum flow_rc	flow_call(struct flow *parent, struct flow *child, const struct flow_kind *)
		    __attribute__((warn_unused_result));
/* The same, but a failed child is no failure of the parent's: it is woken plainly, the child's
 * reason (or ERR_NONE) in *why, which lives as long as the child. */
enum flow_rc	flow_try(struct flow *parent, struct flow *child, const struct flow_kind *,
		    struct err *why) __attribute__((warn_unused_result));
/* A plain wait. */
enum flow_rc	flow_sleep(struct flow *, struct timer *storage, uint64_t us)
		    __attribute__((warn_unused_result));

const char	*flow_step_name(const struct flow *);
uint64_t	 flow_age_us(const struct flow *);

/* All flows alive on this worker; shutdown aborts them all. */
typedef void	 flow_each_fn(struct flow *, void *arg);
void		 flow_each(struct worker *, flow_each_fn *, void *arg);
size_t		 flow_count(const struct worker *);	/* any thread */
void		 flow_abort_all(struct worker *, enum err_code, const char *why);

#endif
