/* SPDX-License-Identifier: MIT */
/*
 * arena: memory that lives as long as one flow. Allocations are never freed one by one; the whole
 * arena is freed at once. It has a ceiling from the start: an allocation past it returns NULL, and
 * so does one for which the system has no memory; arena_no_memory() distinguishes the two.
 * One thread at a time.
 */
#ifndef TENANTGATE_BASE_ARENA_H
#define TENANTGATE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/slice.h"

struct arena;

/* ceiling: bytes in all, the first block included. Never NULL: aborts without memory (alloc.h). */
struct arena	*arena_new(size_t ceiling);
void		 arena_free(struct arena *);	/* NULL is fine */

/* Zeroed, aligned for any type; NULL at the ceiling, or without memory. */
void	*arena_alloc(struct arena *, size_t) __attribute__((warn_unused_result));
/* The same for the struct that owns a new arena, which is small and far below the ceiling: never
 * NULL, aborts without memory (alloc.h). */
void	*arena_first(struct arena *, size_t) __attribute__((returns_nonnull, warn_unused_result));
/* n * size, overflow checked. */
void	*arena_array(struct arena *, size_t n, size_t size) __attribute__((warn_unused_result));
/* NUL-terminated copies; NULL as above. */
char	*arena_strdup(struct arena *, const char *) __attribute__((warn_unused_result));
char	*arena_slice(struct arena *, struct slice) __attribute__((warn_unused_result));
char	*arena_printf(struct arena *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3), warn_unused_result));
size_t	 arena_used(const struct arena *);
/* Whether it ever returned NULL for want of memory, below its ceiling. */
bool	 arena_no_memory(const struct arena *);

#endif
