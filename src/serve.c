/* SPDX-License-Identifier: MIT */
/*
 * serve: the daemon from the first thread to the last: phases, workers, signals.
 *
 *	[starting] --catalog migrated--> [serving] --TERM, INT--> [draining] --> gone
 *	     \_______________________________________QUIT____________________/
 *
 * What always holds:
 *  - The phase is moved in this file, and to serving in startup.c. Forward only: the catalog coming
 *    late does not turn a drain back into serving.
 *  - Workers listen while starting, so that a load balancer can ask /readyz (503 until serving);
 *    requests that need the catalog get 503 until it was reached.
 *  - The main thread touches nothing that a worker owns: it waits for signals, and runs functions
 *    on the workers' threads by worker_call().
 *  - Closing is in the reverse order of opening: flows, services, threads, then what they share.
 */
#include "serve.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "notify.h"
#include "reload.h"
#include "startup.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "worker_context.h"

#define TICK_US		20000ull	/* how often a drain looks whether it is done */
#define ABORT_GRACE_US	2000000ull	/* for the last events of aborted streams to leave */
#define USAGE_GRACE_US	2000000ull	/* for it to be written */
#define CALM_COUNTS	4		/* without a flow, before services close */

struct service {
	struct process	process;
	struct reload	reload;
	struct worker_context	*contexts;	/* owned: `count` of them */
	unsigned	count;
	_Atomic int	exit_status;	/* written by the first worker too */
};

/* ---- opening ---- */
static void
context_open(struct worker_context *ctx, void *arg)
{
	worker_context_open(ctx, arg);
}

/*
 * One worker after the other, each on its own thread. With listen_port = 0 the system gives the
 * first a free port; the others share it (SO_REUSEPORT). False with err set: `count` then counts
 * the workers that contexts_close() has to end, the half-open one too.
 */
static bool
contexts_open(struct service *s, struct err *err)
{
	unsigned want = s->process.conf->workers;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (want == 0)
		want = processors > 0 ? (unsigned)processors : 1;
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

static void
each_context(struct service *s, worker_call_fn *fn)
{
	for (unsigned i = 0; i < s->count; i++)
		worker_call(&s->contexts[i], fn, NULL);
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
static void
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

/* ---- signals ---- */
/* Blocked before the first thread is made, which inherits the mask: so they are delivered to
 * sigwait() in the main thread alone, and there is no signal handler. A write to a closed
 * connection is an EPIPE where it happens, not a SIGPIPE; a stray USR2 must not end the process. */
static void
signals_block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, RELOAD_SIGNAL);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
}

/* As the user we became. */
static void
reopen_log(const struct conf *conf)
{
	if (*conf->log_file == '\0')
		return;
	if (log_reopen())
		log_event(LOG_NOTICE, "log.reopened", NULL, "The log_file %s was opened anew.",
		    conf->log_file);
	else
		log_event(LOG_ERR, "log.reopen", NULL,
		    "The log_file %s cannot be opened anew: %m. The old file is still written; "
		    "make the file for the process's user, or let that user write in its folder.",
		    conf->log_file);
}

/* HUP, USR1 and the reload's own end nothing, and do not hurry a drain. True when it was one of
 * them, and is done. */
static bool
signal_handled(struct service *s, int sig)
{
	if (sig == SIGHUP) {
		reopen_log(s->process.conf);
		reload_run(&s->reload, s->contexts, s->count, true);
	} else if (sig == RELOAD_SIGNAL)
		reload_run(&s->reload, s->contexts, s->count, false);
	else if (sig == SIGUSR1)
		for (unsigned i = 0; i < s->count; i++)
			flow_log_post(&s->contexts[i].flow_log, s->contexts[i].worker);
	else
		return false;
	return true;
}

/* Waits for TERM, INT or QUIT and returns it, or 0 when `us` have passed. */
static int
signal_wait(struct service *s, const sigset_t *set, uint64_t us)
{
	uint64_t now = clock_mono_us(), until = now + us;

	for (; now < until; now = clock_mono_us()) {
		uint64_t left = until - now;
		struct timespec ts = { (time_t)(left / 1000000), (long)(left % 1000000) * 1000 };
		int sig = sigtimedwait(set, NULL, &ts);

		if (sig > 0 && !signal_handled(s, sig))
			return sig;
	}
	return 0;
}

/* At the public door. What probes hold open is not waited for. */
static unsigned
clients(const struct service *s)
{
	return http_shared_connections(s->process.listeners[LISTENER_PUBLIC].connections);
}

/* True when no client is connected any more; false when a second signal came, or after `us`. */
static bool
wait_until_empty(struct service *s, const sigset_t *set, uint64_t us)
{
	uint64_t until = clock_mono_us() + us;

	while (clients(s) > 0) {
		if (signal_wait(s, set, TICK_US) != 0 || clock_mono_us() >= until)
			return false;
	}
	return true;
}

/*
 * First the phase, which turns /readyz to 503; the delay lets load balancers see it while all is
 * served. Then listeners and idle connections close, what is under way may finish, what has not is
 * aborted, and the error events of its streams get a grace to leave. A signal ends each wait.
 */
static void
serve_drain(struct service *s, const sigset_t *set, bool delay)
{
	/* (A reload in the middle frees the conf.) */
	uint64_t delay_us = s->process.snapshot->conf->drain_delay_us;
	uint64_t timeout_us = s->process.snapshot->conf->shutdown_timeout_us;

	atomic_store(&s->process.shared.phase, API_DRAINING);
	notify_stopping();
	log_event(LOG_NOTICE, "serve.drain", NULL,
	    "Draining: %u client connections are open; a second SIGTERM ends them at once.",
	    clients(s));
	if (delay && delay_us > 0 && signal_wait(s, set, delay_us) != 0)
		return;
	each_context(s, worker_context_drain);
	if (wait_until_empty(s, set, timeout_us))
		return;
	each_context(s, abort_flows);
	wait_until_empty(s, set, ABORT_GRACE_US);
}

/* Between signals this thread has nothing to do, so it is the one that tidies the heaps. */
static void
serve_until_signal(struct service *s, const sigset_t *set)
{
	struct memory memory = { 0 };
	int sig;

	while ((sig = signal_wait(s, set, MEMORY_LOOK_US)) == 0)
		memory_give_back(&memory);
	if (sig == SIGTERM || sig == SIGINT)
		serve_drain(s, set, sig == SIGTERM);
}

/* systemd hears READY before the catalog was reached: what depends on us can wait for /readyz. */
static void
report_listening(const struct service *s)
{
	const struct conf *conf = s->process.conf;

	listeners_log(s->process.listeners, s->count);
	if (*conf->redis.url == '\0')
		log_event(LOG_NOTICE, "serve.no_redis", NULL,
		    "Without redis_url limits and caches are this process's own: run one replica.");
	notify_ready();
}

int
serve(const struct conf *conf, const char *path)
{
	struct service s = { 0 };
	struct err err = { 0 };
	sigset_t set;

	signals_block(&set);
	reload_open(&s.reload, path, &s.process);
	s.process.reload = &s.reload;
	if (process_open(&s.process, conf, &err) && contexts_open(&s, &err)) {
		report_listening(&s);
		worker_call(&s.contexts[0], startup_begin, &s.exit_status);
		serve_until_signal(&s, &set);
	} else {
		log_event(LOG_ERR, "serve.start", NULL, "%s", err.detail);
		atomic_store(&s.exit_status, 1);
	}
	contexts_close(&s);
	reload_close(&s.reload);
	process_close(&s.process);
	log_event(LOG_NOTICE, "serve.gone", NULL, "Stopped.");
	return atomic_load(&s.exit_status);
}
