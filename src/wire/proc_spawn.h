/* SPDX-License-Identifier: MIT */
/* proc_spawn: the start of a child (proc.c). Private to wire/. */
#ifndef WIRE_PROC_SPAWN_H
#define WIRE_PROC_SPAWN_H

#include <sys/types.h>

#include "tenantgate/wire/proc.h"

#define PROC_ENDS 3 /* stdin, stdout, stderr */

/* With these descriptors in their places. 0 or an errno. */
int	proc_spawn(const struct proc_conf *, const int child_fds[PROC_ENDS], pid_t *);

#endif
