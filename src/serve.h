/* SPDX-License-Identifier: MIT */
/*
 * serve: the house, built, lived in and left. Main thread only.
 */
#ifndef SERVE_H
#define SERVE_H

#include "conf.h"

/*
 * Runs the daemon until a signal ends it; the exit status. Signals are PgBouncer's: HUP reopens
 * the log, TERM drains, INT drains without drain_delay, QUIT leaves now, a second TERM forces.
 */
int	serve(const struct conf *);

#endif
