/* SPDX-License-Identifier: MIT */
/*
 * serve_signal: what the main thread waits for. Signals are blocked before the first thread is
 * made, which inherits the mask, and read from a descriptor: so there is no signal handler, but for
 * a thread's own fault (base/spool.h).
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "serve_internal.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

/* Blocked before the first thread is made, which inherits the mask: so they are read in the main
 * thread alone, and there is no signal handler. A write to a closed connection is an EPIPE where it
 * happens, not a SIGPIPE, and so is one past a limit of files' sizes; a stray USR2 must not end the
 * process. False without a descriptor. */
bool
signals_open(struct service *s, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, RELOAD_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals == -1)
		err_set(err, ERR_INTERNAL,
		    "Signals cannot be waited for (%s); raise the limit of open files.",
		    strerror(errno));
	return s->signals != -1;
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

/* A successor is told what listens here; one that is ready ends us, by the signal that is returned:
 * it accepts already, so there is no delay. 0: none has come that far. */
static int
successor_heard(struct service *s, const struct pollfd *polls, unsigned count)
{
	struct inherited sockets = { .count = 0 };

	switch (takeover_receive(&s->takeover, polls, count)) {
	case TAKEOVER_ASKED:
		for (unsigned i = 0; i < s->count; i++)
			worker_call(&s->contexts[i], worker_context_sockets, &sockets);
		takeover_give(&s->takeover, &sockets);
		return 0;
	case TAKEOVER_READY:
		log_event(LOG_NOTICE, "serve.takeover", NULL,
		    "A successor listens on our sockets; this process drains.");
		s->is_succeeded = true;
		return SIGINT;
	default:
		return 0;
	}
}

/* The next signal, or 0: `us` have passed, or what has come was none. */
static int
signal_next(struct service *s, uint64_t us)
{
	struct pollfd polls[1 + TAKEOVER_POLLS] = { { s->signals, POLLIN, 0 } };
	unsigned count = takeover_polls(&s->takeover, polls + 1);
	struct signalfd_siginfo info;

	if (poll(polls, 1 + count, (int)((us + 999) / 1000)) <= 0)
		return 0;
	if (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		return (int)info.ssi_signo;
	return successor_heard(s, polls + 1, count);
}

int
signal_wait(struct service *s, uint64_t us)
{
	uint64_t now = clock_mono_us(), until = now + us;

	for (; now < until; now = clock_mono_us()) {
		int sig = signal_next(s, until - now);

		if (sig > 0 && !signal_handled(s, sig))
			return sig;
	}
	return 0;
}
