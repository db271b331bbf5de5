/* SPDX-License-Identifier: MIT */
/*
 * serve: the daemon, from opening what the process shares to closing it. Main thread only.
 */
#ifndef SERVE_H
#define SERVE_H

#include "conf.h"

struct serve_start {
	const char *path;	/* borrowed: of the configuration's file */
	bool	takes_over;	/* from the process at takeover_socket (takeover.h) */
	int	pid_file;	/* of pid_file_open(); it is closed */
};

/*
 * Runs the daemon until a signal ends it; returns the exit status (1: it could not start, or the
 * catalog's schema could not be brought up to date; the reason is in the log). The conf and its
 * file's path are borrowed until then, and no other thread may be running.
 *
 * Signals, named after PgBouncer's:
 *	HUP	reopens the log (for logrotate), and reads the configuration anew (reload.h)
 *	USR1	writes all live flows to the log (flow_log.h)
 *	TERM	drains: /readyz says 503, every response ends its connection, and all goes on for
 *		drain_delay, so that a load balancer can look elsewhere; then listeners close and
 *		requests under way may finish, for shutdown_timeout at most
 *	INT	drains without drain_delay
 *	USR2	nothing
 *	QUIT	aborts the requests under way and ends; so does a second TERM or INT in a drain
 */
int	serve(const struct conf *, const struct serve_start *);

#endif
