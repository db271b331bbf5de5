/* SPDX-License-Identifier: MIT */
/*
 * memory: what was freed goes back to the system. glibc gives back by itself only what is free at
 * the end of a heap; after a crowd of slow clients one small block there keeps tens of megabytes.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

#define MEMORY_LOOK_US 5000000ull /* how often the main thread looks */

struct memory {
	size_t	kept;	/* bytes that the last trim could not give back; .. */
	size_t	used;	/* .. what was in use then held their pages */
};

/* Gives back what is free, when that is much. Main thread, zeroed memory at first: it takes
 * milliseconds, in which a worker that allocates may wait for one heap's lock. */
void	memory_give_back(struct memory *);

#endif
