/* SPDX-License-Identifier: MIT */
/*
 * serve: the daemon from the first thread to the last.
 *
 *	[starting] --catalog migrated--> [serving] --TERM, INT--> [draining] --> gone
 *	     \_______________________________________QUIT____________________/
 *
 * The phase is moved here alone. Workers serve while starting: requests that need the catalog get
 * 503 until it was reached, and /readyz says so. The main thread only waits for signals.
 */
#include "serve.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "worker_context.h"
#include "notify.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define TICK_US		20000ull	/* how often a drain looks whether it is done */
#define ABORT_GRACE_US	2000000ull	/* for the last events of aborted streams to leave */
#define LIMIT_KEYS_MAX	200000

struct service {
	struct process	process;
	struct worker_context	*contexts;	/* owned */
	unsigned	count;
	_Atomic int	exit_status;
};

/* ---- the catalog, brought up to date behind the open door ---- */
struct startup {
	struct flow	flow;		/* first */
	struct service	*service;
};

static flow_step_fn startup_migrate;
static flow_end_fn startup_end;
static flow_release_fn startup_release;

static const struct flow_step startup_steps[] = {
	{ "migrate", startup_migrate },
	{ NULL, NULL },
};

static const struct flow_kind startup_kind = { "migrate", startup_steps, startup_end,
	startup_release };

static enum flow_rc
startup_migrate(struct flow *f)
{
	return catalog_migrate(f,
	    (FLOW_OF(f, struct startup, &startup_kind))->service->process.catalog);
}

static void
startup_end(struct flow *f, const struct err *err)
{
	struct service *s = (FLOW_OF(f, struct startup, &startup_kind))->service;
	enum api_phase starting = API_STARTING;

	if (!err_is(err)) {
		atomic_compare_exchange_strong(&s->process.shared.phase, &starting, API_SERVING);
		log_event(LOG_NOTICE, "serve.ready", NULL, "the catalog is up to date");
		return;
	}
	if (err->code == ERR_SHUTDOWN)
		return;
	log_event(LOG_ERR, "serve.catalog", NULL, "%s", err->detail);
	atomic_store(&s->exit_status, 1);
	kill(getpid(), SIGQUIT);
}

static void
startup_release(struct flow *f)
{
	arena_free(f->arena);
}

static void
startup_begin(struct worker_context *ctx, void *arg)
{
	struct arena *arena = arena_new(1u << 20);
	struct startup *m = arena_first(arena, sizeof(*m));

	m->service = arg;
	flow_start(&m->flow, &startup_kind, ctx->worker, arena);
}

/* ---- building ---- */
static bool
process_open(struct process *process, const struct conf *conf, struct err *err)
{
	process->conf = conf;
	process->http = conf->http;
	process->tenants = conf->tenants;
	process->arena = arena_new(1u << 20);
	process->tenants.schema = retrieval_schema(process->arena, conf->model.dimensions);
	process->tenants.schema_version = RETRIEVAL_SCHEMA_VERSION;
	process->seal = seal_new(conf->seal_keys);
	if (process->seal == NULL) {
		err_set(err, ERR_INTERNAL, "seal_keys must be 64 hexadecimal digits a key.");
		return false;
	}
	process->pools = pools_open(&conf->pool, NULL);
	process->limits = limit_store_new(LIMIT_KEYS_MAX);
	process->connections = http_shared_new();
	process->catalog = catalog_open(&conf->catalog, err);
	return process->catalog != NULL;
}

static void
process_close(struct process *process)
{
	if (process->catalog != NULL)
		catalog_close(process->catalog);
	if (process->pools != NULL)
		pools_close(process->pools);
	if (process->limits != NULL)
		limit_store_free(process->limits);
	if (process->connections != NULL)
		http_shared_free(process->connections);
	if (process->seal != NULL)
		seal_free(process->seal);
	arena_free(process->arena);
}

static void
context_open(struct worker_context *ctx, void *arg)
{
	worker_context_open(ctx, arg);
}

/* The first desk may be given a free port by the system; the others share it. */
static bool
contexts_open(struct service *s, struct err *err)
{
	unsigned want = s->process.conf->workers;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (want == 0)
		want = processors > 0 ? (unsigned)processors : 1;
	s->contexts = xcalloc(want, sizeof(*s->contexts));
	for (s->count = 0; s->count < want; s->count++) {
		struct worker_context *ctx = &s->contexts[s->count];

		ctx->process = &s->process;
		ctx->worker = worker_new(s->count);
		if (ctx->worker == NULL || !worker_start(ctx->worker)) {
			err_set(err, ERR_INTERNAL, "A worker's thread could not be started.");
			if (ctx->worker != NULL)
				worker_free(ctx->worker);
			return false;
		}
		worker_call(ctx, context_open, err);
		if (err_is(err)) {
			s->count++;
			return false;
		}
		s->process.http.listen_port = http_port(ctx->http);
	}
	return true;
}

/* ---- leaving ---- */
static void
context_drain(struct worker_context *ctx, void *arg)
{
	(void)arg;
	if (ctx->http != NULL)
		http_drain(ctx->http);
}

static void
abort_flows(struct worker_context *ctx, void *arg)
{
	(void)arg;
	flow_abort_all(ctx->worker, ERR_SHUTDOWN, "The server is shutting down.");
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

/* An aborted flow ends at its loop's next turn; what it borrowed must be back before its rooms
 * close. */
static void
end_flows(struct service *s)
{
	uint64_t until = clock_mono_us() + ABORT_GRACE_US;
	size_t alive;

	do {
		each_context(s, abort_flows);
		alive = 0;
		for (unsigned i = 0; i < s->count; i++)
			worker_call(&s->contexts[i], count_flows, &alive);
		if (alive > 0)
			(void)poll(NULL, 0, TICK_US / 1000);
	} while (alive > 0 && clock_mono_us() < until);
	if (alive > 0)
		log_event(LOG_ERR, "serve.flows", NULL, "%zu flows did not end", alive);
}

static void
contexts_close(struct service *s)
{
	end_flows(s);
	each_context(s, context_close);
	for (unsigned i = 0; i < s->count; i++)
		worker_stop(s->contexts[i].worker);
	for (unsigned i = 0; i < s->count; i++) {
		worker_join(s->contexts[i].worker);
		worker_free(s->contexts[i].worker);
	}
	free(s->contexts);
}

/* ---- signals ---- */
static void
signals_block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
}

static void
reopen_log(const struct conf *conf)
{
	if (!log_open(*conf->log_file == '\0' ? NULL : conf->log_file))
		log_event(LOG_ERR, "log.reopen", NULL, "%s: %m", conf->log_file);
	log_event(LOG_NOTICE, "serve.hup", NULL,
	    "log reopened; the configuration is read at start");
}

/* True for a signal that asks for something and ends nothing: it is done. */
static bool
signal_served(struct service *s, int sig)
{
	if (sig == SIGHUP)
		reopen_log(s->process.conf);
	else if (sig == SIGUSR1)
		for (unsigned i = 0; i < s->count; i++)
			flow_log_post(&s->contexts[i].flow_log, s->contexts[i].worker);
	else
		return false;
	return true;
}

/* TERM, INT or QUIT, or 0 when `us` have passed. */
static int
signal_within(struct service *s, const sigset_t *set, uint64_t us)
{
	uint64_t now = clock_mono_us(), until = now + us;

	for (; now < until; now = clock_mono_us()) {
		uint64_t left = until - now;
		struct timespec ts = { (time_t)(left / 1000000), (long)(left % 1000000) * 1000 };
		int sig = sigtimedwait(set, NULL, &ts);

		if (sig > 0 && !signal_served(s, sig))
			return sig;
	}
	return 0;
}

/* True when there is nobody left; false when told to hurry, or after `us`. */
static bool
wait_until_empty(struct service *s, const sigset_t *set, uint64_t us)
{
	uint64_t until = clock_mono_us() + us;

	while (http_shared_connections(s->process.connections) > 0) {
		if (signal_within(s, set, TICK_US) != 0 || clock_mono_us() >= until)
			return false;
	}
	return true;
}

static void
drain(struct service *s, const sigset_t *set, bool delay)
{
	const struct conf *conf = s->process.conf;

	atomic_store(&s->process.shared.phase, API_DRAINING);
	notify_stopping();
	log_event(LOG_NOTICE, "serve.drain", NULL, "%u connections open",
	    http_shared_connections(s->process.connections));
	if (delay && conf->drain_delay_us > 0 && signal_within(s, set, conf->drain_delay_us) != 0)
		return;
	each_context(s, context_drain);
	if (wait_until_empty(s, set, conf->shutdown_timeout_us))
		return;
	each_context(s, abort_flows);
	wait_until_empty(s, set, ABORT_GRACE_US);
}

static void
wait_for_the_end(struct service *s, const sigset_t *set)
{
	for (;;) {
		int sig = 0;

		sigwait(set, &sig);
		if (signal_served(s, sig))
			continue;
		if (sig == SIGTERM || sig == SIGINT)
			drain(s, set, sig == SIGTERM);
		return;
	}
}

static void
announce(const struct service *s)
{
	const struct conf *conf = s->process.conf;

	log_event(LOG_NOTICE, "serve.listening", NULL, "listening on %s:%u with %u workers",
	    conf->http.listen_addr, s->process.http.listen_port, s->count);
	if (*conf->redis.url == '\0')
		log_event(LOG_NOTICE, "serve.no_redis", NULL,
		    "no redis_url: limits and caches are kept in this process, for one replica");
	notify_ready();
}

int
serve(const struct conf *conf)
{
	struct service s = { 0 };
	struct err err = { 0 };
	sigset_t set;

	signals_block(&set);
	if (process_open(&s.process, conf, &err) && contexts_open(&s, &err)) {
		announce(&s);
		worker_call(&s.contexts[0], startup_begin, &s);
		wait_for_the_end(&s, &set);
	} else {
		log_event(LOG_ERR, "serve.start", NULL, "%s", err.detail);
		atomic_store(&s.exit_status, 1);
	}
	contexts_close(&s);
	process_close(&s.process);
	log_event(LOG_NOTICE, "serve.gone", NULL, "stopped");
	return atomic_load(&s.exit_status);
}
