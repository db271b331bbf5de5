/* SPDX-License-Identifier: MIT */
/*
 * memory: see the header. What is free is not asked of glibc alone, for that counts pages that have
 * gone back already: it is what the process has resident beyond what is in use.
 */
#include "memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define MEMORY_FREE_MAX (2u << 20) /* bytes; with less it is not worth a walk through the heaps */

#ifdef __GLIBC__
/* Bytes of memory that is no file's, as in proc(5), statm; 0 when the kernel does not say. */
static size_t
memory_resident(void)
{
	unsigned long resident = 0, shared = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (statm == NULL)
		return 0;
	if (fscanf(statm, "%*u %lu %lu", &resident, &shared) != 2)
		resident = shared = 0;
	(void)fclose(statm);
	return (resident - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t
memory_used(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Stacks are counted as free: they are small, and constant. */
static size_t
memory_unused(size_t used)
{
	size_t resident = memory_resident();

	return resident > used ? resident - used : 0;
}

/* What a trim leaves, pages of which a part is in use, is not counted again at the next look, or
 * each would trim; but when less is in use, its pages may have become free. */
void
memory_give_back(struct memory *m)
{
	size_t used = memory_used(), unused = memory_unused(used);
	bool is_emptier = used < m->used - m->used / 8;

	if (unused < MEMORY_FREE_MAX || (unused < m->kept + MEMORY_FREE_MAX && !is_emptier))
		return;
	(void)malloc_trim(0);
	m->used = memory_used();
	m->kept = memory_unused(m->used);
}
#else
void
memory_give_back(struct memory *m)
{
	(void)m;
}
#endif
