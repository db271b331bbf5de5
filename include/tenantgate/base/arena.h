/* SPDX-License-Identifier: MIT */
/*
 * arena: memory that lives as long as one flow. Allocations are never freed one by one; the whole
 * arena goes at once. Born with a ceiling: an arena that reaches it returns NULL.
 * One thread at a time.
 */
#ifndef TENANTGATE_BASE_ARENA_H
#define TENANTGATE_BASE_ARENA_H

#include <stddef.h>

#include "tenantgate/base/slice.h"

struct arena;

/* ceiling: bytes in all, the first block included. Never NULL (aborts when the system has none). */
struct arena	*arena_new(size_t ceiling);
void		 arena_free(struct arena *);	/* NULL is fine */

/* Zeroed, aligned for any type; NULL at the ceiling. */
void	*arena_alloc(struct arena *, size_t) __attribute__((warn_unused_result));
/* n * size, overflow checked. */
void	*arena_array(struct arena *, size_t n, size_t size) __attribute__((warn_unused_result));
/* NUL-terminated copies; NULL at the ceiling. */
char	*arena_strdup(struct arena *, const char *) __attribute__((warn_unused_result));
char	*arena_slice(struct arena *, struct slice) __attribute__((warn_unused_result));
char	*arena_printf(struct arena *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3), warn_unused_result));
size_t	 arena_used(const struct arena *);

#endif
