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

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "desk.h"
#include "notify.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define TICK_US		20000ull	/* how often a drain looks whether it is done */
#define ABORT_GRACE_US	2000000ull	/* for the last events of aborted streams to leave */
#define LIMIT_KEYS_MAX	200000

struct service {
	struct house	house;
	struct desk	*desks;		/* owned */
	unsigned	count;
	_Atomic int	exit_status;
};

/* ---- the catalog, brought up to date behind the open door ---- */
struct migration {
	struct flow	flow;		/* first */
	struct service	*service;
};

static enum flow_rc
migration_run(struct flow *f)
{
	return catalog_migrate(f, ((struct migration *)f)->service->house.catalog);
}

static const struct flow_step migration_steps[] = {
	{ "migrate", migration_run },
	{ NULL, NULL },
};

static void
migration_end(struct flow *f, const struct err *err)
{
	struct service *s = ((struct migration *)f)->service;
	enum api_phase starting = API_STARTING;

	if (!err_is(err)) {
		atomic_compare_exchange_strong(&s->house.shared.phase, &starting, API_SERVING);
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
migration_release(struct flow *f)
{
	arena_free(f->arena);
}

static const struct flow_kind migration_kind = { "migrate", migration_steps, migration_end,
	migration_release };

static void
start_migration(struct desk *d, void *arg)
{
	struct arena *arena = arena_new(1u << 20);
	struct migration *m = arena_alloc(arena, sizeof(*m));

	assert(m != NULL);
	m->service = arg;
	flow_start(&m->flow, &migration_kind, d->worker, arena);
}

/* ---- building ---- */
static bool
open_house(struct house *h, const struct conf *conf, struct err *err)
{
	h->conf = conf;
	h->http = conf->http;
	h->tenants = conf->tenants;
	h->arena = arena_new(1u << 20);
	h->tenants.schema = retrieval_schema(h->arena, conf->model.dimensions);
	h->tenants.schema_version = RETRIEVAL_SCHEMA_VERSION;
	h->seal = seal_new(conf->seal_keys);
	if (h->seal == NULL) {
		err_set(err, ERR_INTERNAL, "seal_keys must be 64 hexadecimal digits a key.");
		return false;
	}
	h->pools = pools_open(&conf->pool, NULL);
	h->limits = limit_store_new(LIMIT_KEYS_MAX);
	h->connections = http_shared_new();
	h->catalog = catalog_open(&conf->catalog, err);
	return h->catalog != NULL;
}

static void
close_house(struct house *h)
{
	if (h->catalog != NULL)
		catalog_close(h->catalog);
	if (h->pools != NULL)
		pools_close(h->pools);
	if (h->limits != NULL)
		limit_store_free(h->limits);
	if (h->connections != NULL)
		http_shared_free(h->connections);
	if (h->seal != NULL)
		seal_free(h->seal);
	arena_free(h->arena);
}

static void
open_desk(struct desk *d, void *arg)
{
	desk_open(d, arg);
}

/* The first desk may be given a free port by the system; the others share it. */
static bool
open_desks(struct service *s, struct err *err)
{
	unsigned want = s->house.conf->workers;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (want == 0)
		want = processors > 0 ? (unsigned)processors : 1;
	s->desks = calloc(want, sizeof(*s->desks));
	assert(s->desks != NULL);
	for (s->count = 0; s->count < want; s->count++) {
		struct desk *d = &s->desks[s->count];

		d->house = &s->house;
		d->worker = worker_new(s->count);
		if (d->worker == NULL || !worker_start(d->worker)) {
			err_set(err, ERR_INTERNAL, "A worker's thread could not be started.");
			if (d->worker != NULL)
				worker_free(d->worker);
			return false;
		}
		desk_do(d, open_desk, err);
		if (err_is(err)) {
			s->count++;
			return false;
		}
		s->house.http.listen_port = http_port(d->http);
	}
	return true;
}

/* ---- leaving ---- */
static void
drain_desk(struct desk *d, void *arg)
{
	(void)arg;
	if (d->http != NULL)
		http_drain(d->http);
}

static void
abort_flows(struct desk *d, void *arg)
{
	(void)arg;
	flow_abort_all(d->worker, ERR_SHUTDOWN, "The server is shutting down.");
}

static void
close_desk(struct desk *d, void *arg)
{
	(void)arg;
	desk_close(d);
}

static void
each_desk(struct service *s, desk_fn *fn)
{
	for (unsigned i = 0; i < s->count; i++)
		desk_do(&s->desks[i], fn, NULL);
}

static void
count_flows(struct desk *d, void *arg)
{
	*(size_t *)arg += flow_count(d->worker);
}

/* An aborted flow ends at its loop's next turn; what it borrowed must be back before its rooms
 * close. */
static void
end_flows(struct service *s)
{
	uint64_t until = clock_mono_us() + ABORT_GRACE_US;
	size_t alive;

	do {
		each_desk(s, abort_flows);
		alive = 0;
		for (unsigned i = 0; i < s->count; i++)
			desk_do(&s->desks[i], count_flows, &alive);
		if (alive > 0)
			(void)poll(NULL, 0, TICK_US / 1000);
	} while (alive > 0 && clock_mono_us() < until);
	if (alive > 0)
		log_event(LOG_ERR, "serve.flows", NULL, "%zu flows did not end", alive);
}

static void
close_desks(struct service *s)
{
	end_flows(s);
	each_desk(s, close_desk);
	for (unsigned i = 0; i < s->count; i++)
		worker_stop(s->desks[i].worker);
	for (unsigned i = 0; i < s->count; i++) {
		worker_join(s->desks[i].worker);
		worker_free(s->desks[i].worker);
	}
	free(s->desks);
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
		reopen_log(s->house.conf);
	else if (sig == SIGUSR1)
		for (unsigned i = 0; i < s->count; i++)
			flow_log_post(&s->desks[i].flow_log, s->desks[i].worker);
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

	while (http_shared_connections(s->house.connections) > 0) {
		if (signal_within(s, set, TICK_US) != 0 || clock_mono_us() >= until)
			return false;
	}
	return true;
}

static void
drain(struct service *s, const sigset_t *set, bool delay)
{
	const struct conf *conf = s->house.conf;

	atomic_store(&s->house.shared.phase, API_DRAINING);
	notify_stopping();
	log_event(LOG_NOTICE, "serve.drain", NULL, "%u connections open",
	    http_shared_connections(s->house.connections));
	if (delay && conf->drain_delay_us > 0 && signal_within(s, set, conf->drain_delay_us) != 0)
		return;
	each_desk(s, drain_desk);
	if (wait_until_empty(s, set, conf->shutdown_timeout_us))
		return;
	each_desk(s, abort_flows);
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
	const struct conf *conf = s->house.conf;

	log_event(LOG_NOTICE, "serve.listening", NULL, "listening on %s:%u with %u workers",
	    conf->http.listen_addr, s->house.http.listen_port, s->count);
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
	if (open_house(&s.house, conf, &err) && open_desks(&s, &err)) {
		announce(&s);
		desk_do(&s.desks[0], start_migration, &s);
		wait_for_the_end(&s, &set);
	} else {
		log_event(LOG_ERR, "serve.start", NULL, "%s", err.detail);
		atomic_store(&s.exit_status, 1);
	}
	close_desks(&s);
	close_house(&s.house);
	log_event(LOG_NOTICE, "serve.gone", NULL, "stopped");
	return atomic_load(&s.exit_status);
}
