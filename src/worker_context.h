/* SPDX-License-Identifier: MIT */
/*
 * worker_context: what one worker owns: its links, caches, services and HTTP servers, opened and
 * closed on its thread. What all workers share is in struct process, which does not change while
 * they are open; what it points to guards itself.
 */
#ifndef WORKER_CONTEXT_H
#define WORKER_CONTEXT_H

#include "flow_log.h"
#include "process.h"
#include "tenantgate/admin.h"

/* Zeroed, then process and worker set, then worker_context_open(). All but flow_log is the worker's
 * thread's alone. */
struct worker_context {
	struct process		*process;	/* borrowed */
	struct worker		*worker;	/* owned; serve.c frees it after the join */
	struct snapshot		*snapshot;	/* held: the newest that it was given */
	struct flow_log		flow_log;	/* posted by main, written by the worker */
	struct dns		*dns;		/* owned, as all below */
	struct web		*web;
	struct redis		*redis;		/* NULL without redis_url */
	struct issuer_auth	*issuers;
	struct auth		*auth;
	struct tenants		*tenants;
	struct limiter		*limiter;
	struct model		*model;
	struct usage		*usage;
	struct map		*reconciled;	/* api_context.reconciled */
	struct map		*swept;		/* api_context.swept */
	struct map		*newcomers;	/* api_context.newcomers */
	struct health_looks	*looks;		/* api_context.looks */
	struct otlp		*otlp;		/* owned; NULL: no spans are wanted */
	/* Opened last: from then on requests come. NULL: not open. */
	struct http_server	*http[LISTENERS];
	struct api_context	api[LISTENERS];	/* what the handlers borrow */
	struct admin_context	admin;		/* the same of the admin door's */
};

/* On the worker's thread. False with err set: what was opened until then is left to
 * worker_context_close(). */
bool	worker_context_open(struct worker_context *, struct err *);
/* On the worker's thread, when its flows have ended: they borrow from what is closed here. */
void	worker_context_close(struct worker_context *);

/* worker_call_fn: what holds from now on is the snapshot's, a struct snapshot of a reload. What is
 * under way ends as it began. */
void	worker_context_configure(struct worker_context *, void *snapshot);

/* worker_call_fn, on the worker's thread: what http.h says of each, for all listeners. `arg` of
 * worker_context_sockets() is a struct inherited, whose descriptors are borrowed. */
void	worker_context_accept(struct worker_context *, void *err);
void	worker_context_sockets(struct worker_context *, void *arg);
void	worker_context_hand_over(struct worker_context *, void *);
void	worker_context_announce_close(struct worker_context *, void *);

/* worker_call_fn, on the worker's thread. The public listener closes first: that for health goes
 * on, to say that we are draining. A stop: no request begins a flow any more. A context whose
 * opening failed may have no listeners. */
void	worker_context_drain_public(struct worker_context *, void *);
void	worker_context_drain(struct worker_context *, void *);
void	worker_context_stop(struct worker_context *, void *);

/* worker_call_fn: writes what tenants have used. Sets *is_settled, a bool, to false while there is
 * something to wait for. */
void	worker_context_write_usage(struct worker_context *, void *is_settled);

/*
 * Runs fn(context, arg) on the worker's thread, at the safe point of its loop, and waits for it: so
 * arg may be on the caller's stack. Any thread but the worker's own, which would wait for itself;
 * the worker runs.
 */
typedef void worker_call_fn(struct worker_context *, void *arg);
void	worker_call(struct worker_context *, worker_call_fn *, void *arg);

#endif
