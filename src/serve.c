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
 *  - A start opens the public door when it is ready, or a second later: then /readyz says 503, and
 *    so do requests that need the catalog, until it was reached.
 *  - The main thread touches nothing that a worker owns: it waits for signals, and runs functions
 *    on the workers' threads by worker_call().
 *  - Closing is in the reverse order of opening: flows, services, threads, then what they share.
 */
#include "serve.h"

#include <signal.h>
#include <unistd.h>

#include "memory.h"
#include "notify.h"
#include "pid_file.h"
#include "serve_internal.h"
#include "startup.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define ABORT_GRACE_US 2000000ull  /* for the last events of aborted streams to leave */
#define OPENING_US     1000000ull  /* for the catalog to be reached before clients come */
#define SUCCESSION_US  60000000ull /* for a successor to reach the catalog */

/* ---- the end ---- */
static unsigned
connections(const struct service *s, unsigned from, unsigned to)
{
	unsigned n = 0;

	for (unsigned i = from; i <= to; i++)
		n += http_shared_connections(s->process.listeners[i].connections);
	return n;
}

/* True when nobody is connected to those listeners any more; false when a second signal came, or
 * after `us`. */
static bool
wait_until_empty(struct service *s, unsigned from, unsigned to, uint64_t us)
{
	uint64_t until = clock_mono_us() + us;

	while (connections(s, from, to) > 0) {
		if (signal_wait(s, TICK_US) != 0 || clock_mono_us() >= until)
			return false;
	}
	return true;
}

/* What probes hold open is not waited for before. */
static bool
drain_clients(struct service *s, uint64_t timeout_us)
{
	each_context(s, worker_context_drain_public);
	if (wait_until_empty(s, LISTENER_PUBLIC, LISTENER_PUBLIC, timeout_us))
		return true;
	contexts_abort_flows(s);
	return wait_until_empty(s, LISTENER_PUBLIC, LISTENER_PUBLIC, ABORT_GRACE_US);
}

/*
 * First the phase, which turns /readyz to 503, and `Connection: close` on every response; the delay
 * lets load balancers see both while all is served. Then the public listener closes, what is under
 * way may finish, what has not is aborted, and the error events of its streams get a grace to
 * leave; the doors for health and administration close last. A signal ends each wait. Where a
 * successor has our sockets, and whoever stands in their queues, the phase stays: a probe on a
 * connection of before must not take for leaving what goes on.
 */
static void
serve_drain(struct service *s, bool delay)
{
	/* (A reload in the middle frees the conf.) */
	uint64_t delay_us = s->process.snapshot->conf->drain_delay_us;
	uint64_t timeout_us = s->process.snapshot->conf->shutdown_timeout_us;

	each_context(s, worker_context_announce_close);
	if (s->is_succeeded) {
		each_context(s, worker_context_hand_over);
	} else {
		atomic_store(&s->process.shared.phase, API_DRAINING);
		notify_stopping();
	}
	log_event(LOG_NOTICE, "serve.drain", NULL,
	    "Draining: %u client connections are open; a second SIGTERM ends them at once.",
	    connections(s, LISTENER_PUBLIC, LISTENER_PUBLIC));
	if (delay && delay_us > 0 && signal_wait(s, delay_us) != 0)
		return;
	if (!drain_clients(s, timeout_us))
		return;
	each_context(s, worker_context_drain);
	(void)wait_until_empty(s, 0, LISTENERS - 1, ABORT_GRACE_US);
}

/* Between signals this thread has nothing to do, so it is the one that tidies the heaps. */
static void
serve_until_signal(struct service *s)
{
	struct memory memory = { 0 };
	int sig;

	while ((sig = signal_wait(s, MEMORY_LOOK_US)) == 0)
		memory_give_back(&memory);
	if (sig == SIGTERM || sig == SIGINT)
		serve_drain(s, sig == SIGTERM);
}

/* ---- the start ---- */
static void
report_listening(const struct service *s)
{
	const struct conf *conf = s->process.conf;

	listeners_log(s->process.listeners, s->count);
	if (*conf->redis.url == '\0')
		log_event(LOG_NOTICE, "serve.no_redis", NULL,
		    "Without redis_url limits and caches are this process's own: run one replica.");
}

/* The sockets that listen already, and the predecessor that is to be told when we are ready, or -1.
 * False with err set. */
static bool
inherit(const struct conf *conf, bool takes_over, struct inherited *all, int *predecessor,
    struct err *err)
{
	if (!inherited_from_systemd(all, err))
		return false;
	if (takes_over) {
		*predecessor = takeover_ask(conf->takeover_socket, all, err);
		return *predecessor != -1;
	}
	if (!takeover_is_taken(conf->takeover_socket))
		return true;
	err_set(err, ERR_INTERNAL,
	    "A tenantgate answers at takeover_socket %s already; start with --take-over to replace "
	    "it, or give each process a socket of its own.",
	    conf->takeover_socket);
	return false;
}

/* All threads run; the doors for health and administration are open, where there is no predecessor
 * that has them. False with err set. */
static bool
service_open(struct service *s, const struct conf *conf, bool takes_over, int *predecessor,
    struct err *err)
{
	struct inherited sockets = { .count = 0 };
	bool is_open = signals_open(s, err) &&
	    inherit(conf, takes_over, &sockets, predecessor, err) &&
	    process_open(&s->process, conf, err);

	if (is_open)
		listeners_inherit(s->process.listeners, &sockets, takes_over);
	inherited_close(&sockets);
	is_open = is_open && contexts_open(s, err);
	listeners_inherited(s->process.listeners);
	return is_open;
}

/* From here on the file and the socket are this process's. systemd hears READY before the catalog
 * was reached: what depends on us can wait for /readyz. False with err set. */
static bool
service_announce(struct service *s, int pid_file, struct err *err)
{
	pid_file_write(pid_file);
	if (!takeover_open(&s->takeover, s->process.conf->takeover_socket, err))
		return false;
	report_listening(s);
	notify_ready();
	return true;
}

/* Until the catalog was reached, `us` at most: then 0; or the signal that has ended the wait. */
static int
wait_until_ready(struct service *s, uint64_t us)
{
	uint64_t until = clock_mono_us() + us;
	int sig = 0;

	while (sig == 0 && atomic_load(&s->process.shared.phase) == API_STARTING &&
	    clock_mono_us() < until)
		sig = signal_wait(s, TICK_US);
	return sig;
}

static bool
accept_clients(struct service *s, struct err *err)
{
	for (unsigned i = 0; i < s->count && !err_is(err); i++)
		worker_call(&s->contexts[i], worker_context_accept, err);
	return !err_is(err);
}

/* Refused for a moment is better than answered with 503: a load balancer goes to another replica.
 * When the catalog takes longer, clients are told so. False with err set, or after a signal: the
 * doors for health and administration were open, and who is there gets an answer. */
static bool
open_doors(struct service *s, const struct serve_start *start, struct err *err)
{
	int sig = wait_until_ready(s, OPENING_US);

	if (sig == SIGTERM || sig == SIGINT)
		serve_drain(s, false);
	return sig == 0 && accept_clients(s, err) && service_announce(s, start->pid_file, err);
}

/* The predecessor serves until we can: not before that does anything of it change. False with err
 * set, or after a signal: it serves on. */
static bool
succeed(struct service *s, const struct serve_start *start, int predecessor, struct err *err)
{
	bool goes_on = wait_until_ready(s, SUCCESSION_US) == 0;

	if (goes_on && atomic_load(&s->process.shared.phase) == API_STARTING)
		err_set(err, ERR_INTERNAL,
		    "The catalog was not reached within %llu s, so nothing was taken over.",
		    SUCCESSION_US / 1000000);
	if (!goes_on || err_is(err) || !accept_clients(s, err)) {
		close(predecessor);
		return false;
	}
	takeover_ready(predecessor);
	/* Nothing is taken back for a socket that cannot be made. */
	if (!service_announce(s, start->pid_file, err))
		log_event(LOG_ERR, "serve.takeover", NULL, "%s", err->detail);
	*err = (struct err){ 0 };
	return true;
}

static void
service_run(struct service *s, const struct serve_start *start, int predecessor, struct err *err)
{
	worker_call(&s->contexts[0], startup_begin, &s->exit_status);
	if (predecessor == -1 ? open_doors(s, start, err) : succeed(s, start, predecessor, err))
		serve_until_signal(s);
}

int
serve(const struct conf *conf, const struct serve_start *start)
{
	struct service s = { .signals = -1, .takeover = { -1, -1, 0 } };
	struct err err = { 0 };
	int predecessor = -1;

	reload_open(&s.reload, start->path, &s.process);
	s.process.reload = &s.reload;
	if (service_open(&s, conf, start->takes_over, &predecessor, &err))
		service_run(&s, start, predecessor, &err);
	if (err_is(&err)) {
		log_event(LOG_ERR, "serve.start", NULL, "%s", err.detail);
		atomic_store(&s.exit_status, 1);
	}
	takeover_close(&s.takeover);
	contexts_close(&s);
	reload_close(&s.reload);
	process_close(&s.process);
	if (s.signals != -1)
		close(s.signals);
	log_event(LOG_NOTICE, "serve.gone", NULL, "Stopped.");
	return atomic_load(&s.exit_status);
}
