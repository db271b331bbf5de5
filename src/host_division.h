/* SPDX-License-Identifier: MIT */
/*
 * host_division: what ties the pools to the replicas: the servers that several databases share are
 * told to replica/ at each beat, and the limits that come back are the pools'. A server of one
 * database alone needs no word: each replica keeps within its part by their number (pool.h).
 */
#ifndef HOST_DIVISION_H
#define HOST_DIVISION_H

#include "process.h"

/* Main thread, when process->pools is open and before the first worker. Opens process->replicas.
 * Without Redis there is one replica: nothing is divided. */
void	host_division_open(struct process *);

#endif
