/* SPDX-License-Identifier: MIT */
/*
 * serve_workers: opens the workers one after the other, and closes them in the reverse order of
 * opening: flows, services, threads.
 */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define ABORT_GRACE_US 2000000ull /* for flows to end */
#define USAGE_GRACE_US 2000000ull /* for it to be written */
#define CALM_COUNTS    4	  /* without a flow, before services close */

/* ---- opening ---- */
static void
context_open(struct worker_context *ctx, void *arg)
{
	worker_context_open(ctx, arg);
}

/*
 * One worker after the other, each on its own thread. With listen_port = 0 the system gives the
 * first a free port; the others share it.
 */
bool
contexts_open(struct service *s, struct err *err)
{
	unsigned want = s->process.conf->workers;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (want == 0)
		want = processors > 0 ? (unsigned)processors : 1;
	s->process.workers_wanted = want;
	s->contexts = xcalloc(want, sizeof(*s->contexts));
	s->process.workers = xcalloc(want, sizeof(*s->process.workers));
	for (s->count = 0; s->count < want; s->count++) {
		struct worker_context *ctx = &s->contexts[s->count];

		ctx->process = &s->process;
		ctx->worker = worker_new(s->count);
		if (ctx->worker == NULL || !worker_start(ctx->worker)) {
			err_set(err, ERR_INTERNAL,
			    "Worker %u could not be started; lower workers or raise the limits "
			    "of threads and open files.",
			    s->count);
			if (ctx->worker != NULL)
				worker_free(ctx->worker);
			return false;
		}
		worker_call(ctx, context_open, err);
		if (err_is(err)) {
			s->count++;
			return false;
		}
		s->process.workers[s->count] = ctx->worker;
		atomic_store(&s->process.worker_count, s->count + 1);
	}
	return true;
}

/* ---- closing: worker_call_fn, run on each worker's thread ---- */
static void
abort_flows(struct worker_context *ctx, void *arg)
{
	(void)arg;
	flow_abort_all(ctx->worker, ERR_SHUTDOWN, "The server is shutting down. Try again.");
}

static void
context_close(struct worker_context *ctx, void *arg)
{
	(void)arg;
	worker_context_close(ctx);
}

void
each_context(struct service *s, worker_call_fn *fn)
{
	for (unsigned i = 0; i < s->count; i++)
		worker_call(&s->contexts[i], fn, NULL);
}

void
contexts_abort_flows(struct service *s)
{
	each_context(s, abort_flows);
}

static void
count_flows(struct worker_context *ctx, void *arg)
{
	*(size_t *)arg += flow_count(ctx->worker);
}

static size_t
flows_alive(struct service *s)
{
	size_t alive = 0;

	for (unsigned i = 0; i < s->count; i++)
		worker_call(&s->contexts[i], count_flows, &alive);
	return alive;
}

/*
 * Aborts until no flow is left: an aborted flow ends at its loop's next turn, and may then start
 * others (a connection that comes back dirty is reset by a flow), also by a message to another
 * worker (whose connection it is), which may have been counted already. So none is left when none
 * was several times in a row: each count comes behind the messages that were there at the one
 * before. Services close after that, for flows borrow from them. A flow that outlives the grace is
 * a defect.
 */
static void
end_flows(struct service *s)
{
	uint64_t until = clock_mono_us() + ABORT_GRACE_US;
	unsigned calm = 0;
	size_t alive;

	do {
		each_context(s, abort_flows);
		alive = flows_alive(s);
		calm = alive > 0 ? 0 : calm + 1;
		if (alive > 0)
			(void)poll(NULL, 0, TICK_US / 1000);
	} while (calm < CALM_COUNTS && clock_mono_us() < until);
	if (alive > 0)
		log_event(LOG_ERR, "serve.flows", NULL,
		    "%zu flows did not end within %llu s of being aborted; the process ends all "
		    "the same. Please report this with the log.",
		    alive, ABORT_GRACE_US / 1000000);
}

/* What the last requests have used, behind them. */
static void
write_usage(struct service *s)
{
	uint64_t until = clock_mono_us() + USAGE_GRACE_US;
	bool is_settled;

	do {
		is_settled = true;
		for (unsigned i = 0; i < s->count; i++)
			worker_call(&s->contexts[i], worker_context_write_usage, &is_settled);
		if (!is_settled)
			(void)poll(NULL, 0, TICK_US / 1000);
	} while (!is_settled && clock_mono_us() < until);
}

/* Once flows are ended no request may begin another. Workers are stopped all before the first is
 * joined: they end side by side. */
void
contexts_close(struct service *s)
{
	each_context(s, worker_context_stop);
	end_flows(s);
	write_usage(s);
	end_flows(s);
	each_context(s, context_close);
	for (unsigned i = 0; i < s->count; i++)
		worker_stop(s->contexts[i].worker);
	for (unsigned i = 0; i < s->count; i++) {
		worker_join(s->contexts[i].worker);
		worker_free(s->contexts[i].worker);
	}
	free(s->contexts);
	free(s->process.workers);
}
