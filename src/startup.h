/* SPDX-License-Identifier: MIT */
/*
 * startup: the flow that leads from starting to serving.
 */
#ifndef STARTUP_H
#define STARTUP_H

#include "worker_context.h"

/* A worker_call_fn, once, for the first worker. exit_status: _Atomic int, borrowed until the worker
 * ends; it becomes 1, and the process gets SIGQUIT, when the process cannot serve. */
void	startup_begin(struct worker_context *, void *exit_status);

#endif
