/* SPDX-License-Identifier: MIT */
/*
 * preflight: `tenantgate -t`: all that a start would refuse, and what it would take and should
 * not. It asks this machine only: no server, no catalog, no model.
 */
#ifndef PREFLIGHT_H
#define PREFLIGHT_H

#include "conf.h"

/*
 * Main thread, the only one, of a process that ends after it: started as root it gives root up, as
 * a start does, for what is readable and what can be bound is that user's. is_loaded: what
 * conf_load() said; without it what hangs on several keys is left out. Each finding is one line,
 * "PLACE: Sentence.\n"; a start would go on with the warnings.
 */
void preflight(const struct conf *, const char *path, bool is_loaded, struct buf *errors,
    struct buf *warnings);

/* The same of a conf that was loaded while the process serves: what a reload can change, as the
 * user that runs. Gives nothing up and binds nothing. */
void preflight_reload(const struct conf *, const char *path, struct buf *errors,
    struct buf *warnings);
#endif
