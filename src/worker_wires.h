/* SPDX-License-Identifier: MIT */
/*
 * worker_wires: what of row 3 a worker has of its own: the resolver, the HTTP client of models and
 * of Neon, and Redis where there is one. On the worker's thread, or before it starts.
 */
#ifndef WORKER_WIRES_H
#define WORKER_WIRES_H

#include "worker_context.h"

/* False with err set; what is there by then is worker_context_close()'s. */
bool	worker_wires_open(struct worker_context *, struct err *);

#endif
