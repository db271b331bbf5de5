/* SPDX-License-Identifier: MIT */
/*
 * alloc: memory of a small and fixed size: structs, contexts made at the start, what a connection
 * or a request always has. Without it nothing can go on: the process writes one line of the log
 * (event "memory", with the size wanted) and aborts, and its supervisor starts it anew.
 *
 * What a client chooses the size of (a body, a document, its chunks and vectors) comes from
 * malloc(), a buf or an arena, is checked, and ends in ERR_OVERLOADED with ERR_NO_MEMORY.
 * The caller owns what it is given, and frees it with free(). Any thread.
 */
#ifndef TENANTGATE_BASE_ALLOC_H
#define TENANTGATE_BASE_ALLOC_H

#include <stddef.h>

/* Never NULL. xcalloc() zeroes. */
void	*xcalloc(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
void	*xmalloc(size_t) __attribute__((malloc, warn_unused_result));
char	*xstrdup(const char *) __attribute__((malloc, nonnull, warn_unused_result));

/* How the functions above end the process; for those who allocate in another way. */
void	 alloc_die(size_t wanted) __attribute__((noreturn, cold));

#endif
