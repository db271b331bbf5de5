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
#define SUCCESSION_US  60000000ull /* for a successor to reach the catalog */

/* ---- the end ---- */
/* At the public door. What probes hold open is not waited for. */
static unsigned
clients(const struct service *s)
{
	return http_shared_connections(s->process.listeners[LISTENER_PUBLIC].connections);
}

/* True when no client is connected any more; false when a second signal came, or after `us`. */
static bool
wait_until_empty(struct service *s, uint64_t us)
{
	uint64_t until = clock_mono_us() + us;

	while (clients(s) > 0) {
		if (signal_wait(s, TICK_US) != 0 || clock_mono_us() >= until)
			return false;
	}
	return true;
}

/*
 * First the phase, which turns /readyz to 503, and `Connection: close` on every response; the delay
 * lets load balancers see both while all is served. Then listeners close, what is under way may
 * finish, what has not is aborted, and the error events of its streams get a grace to leave. A
 * signal ends each wait. Where a successor has our sockets, and whoever stands in their queues, the
 * phase stays: a probe on a connection of before must not take for leaving what goes on.
 */
static void
serve_drain(struct service *s, bool delay)
{
	const struct conf *conf = s->process.conf;

	each_context(s, worker_context_announce_close);
	if (s->is_succeeded) {
		each_context(s, worker_context_hand_over);
	} else {
		atomic_store(&s->process.shared.phase, API_DRAINING);
		notify_stopping();
	}
	log_event(LOG_NOTICE, "serve.drain", NULL,
	    "Draining: %u client connections are open; a second SIGTERM ends them at once.",
	    clients(s));
	if (delay && conf->drain_delay_us > 0 && signal_wait(s, conf->drain_delay_us) != 0)
		return;
	each_context(s, worker_context_drain);
	if (wait_until_empty(s, conf->shutdown_timeout_us))
		return;
	contexts_abort_flows(s);
	wait_until_empty(s, ABORT_GRACE_US);
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

/* All threads run, and requests come, or wait for us to accept them. False with err set. */
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
	return is_open && contexts_open(s, err);
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

/* The predecessor serves until we can: not before that does anything of it change. False with err
 * set, or after a signal: it serves on. */
static bool
succeed(struct service *s, int predecessor, struct err *err)
{
	uint64_t until = clock_mono_us() + SUCCESSION_US;

	while (atomic_load(&s->process.shared.phase) == API_STARTING) {
		if (signal_wait(s, TICK_US) != 0) {
			close(predecessor);
			return false;
		}
		if (clock_mono_us() < until)
			continue;
		err_set(err, ERR_INTERNAL,
		    "The catalog was not reached within %llu s, so nothing was taken over.",
		    SUCCESSION_US / 1000000);
		close(predecessor);
		return false;
	}
	each_context(s, worker_context_accept);
	takeover_ready(predecessor);
	return true;
}

static void
service_run(struct service *s, const struct serve_start *start, int predecessor, struct err *err)
{
	if (!start->takes_over && !service_announce(s, start->pid_file, err))
		return;
	worker_call(&s->contexts[0], startup_begin, &s->exit_status);
	if (start->takes_over) {
		if (!succeed(s, predecessor, err))
			return;
		/* Nothing is taken back for a socket that cannot be made. */
		if (!service_announce(s, start->pid_file, err))
			log_event(LOG_ERR, "serve.takeover", NULL, "%s", err->detail);
		*err = (struct err){ 0 };
	}
	serve_until_signal(s);
}

int
serve(const struct conf *conf, const struct serve_start *start)
{
	struct service s = { .signals = -1, .takeover = { -1, -1 } };
	struct err err = { 0 };
	int predecessor = -1;

	if (service_open(&s, conf, start->takes_over, &predecessor, &err))
		service_run(&s, start, predecessor, &err);
	if (err_is(&err)) {
		log_event(LOG_ERR, "serve.start", NULL, "%s", err.detail);
		atomic_store(&s.exit_status, 1);
	}
	takeover_close(&s.takeover);
	contexts_close(&s);
	process_close(&s.process);
	if (s.signals != -1)
		close(s.signals);
	log_event(LOG_NOTICE, "serve.gone", NULL, "Stopped.");
	return atomic_load(&s.exit_status);
}
