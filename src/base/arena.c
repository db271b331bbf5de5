/* SPDX-License-Identifier: MIT */
/*
 * arena.c: memory that is freed as a whole: a chain of blocks, each filled from front to back.
 *
 *	arena -> newest block -> older block -> ... -> NULL
 *
 * What always holds:
 *  - Only the newest block is allocated from; what an older one had left is not used any more.
 *  - The capacities of all blocks add up to `taken`, which never passes `ceiling`: a client can
 *    make a request's arena as large as that, and no larger.
 *  - Blocks come zeroed from calloc() and no byte is handed out twice, so every allocation is
 *    zeroed without a second pass.
 */
#include "tenantgate/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"

#define ARENA_BLOCK 4096 /* bytes; what is larger gets a block of its own size */

struct block {
	struct block *older; /* owned */
	size_t cap;  /* of bytes[] */
	size_t used; /* of cap, from the front */
	alignas(max_align_t) char bytes[];
};

struct arena {
	size_t ceiling; /* bytes; for taken */
	size_t taken;	/* capacity of all blocks */
	size_t given;	/* bytes handed out, rounding included */
	bool no_memory; /* the system refused, below the ceiling */
	struct block *newest; /* owned */
};

struct arena *
arena_new(size_t ceiling)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->ceiling = ceiling;
	return a;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	while (a->newest != NULL) {
		struct block *b = a->newest;

		a->newest = b->older;
		free(b);
	}
	free(a);
}

/* Puts a block of at least `need` bytes on top of the chain. The last block before the ceiling may
 * be smaller than the usual one. False at the ceiling, or without memory. */
static bool
arena_grow(struct arena *a, size_t need)
{
	size_t free_bytes = a->ceiling - a->taken;
	size_t cap = need > ARENA_BLOCK ? need : ARENA_BLOCK;
	struct block *b;

	if (need > free_bytes)
		return false;
	if (cap > free_bytes)
		cap = free_bytes;
	b = calloc(1, sizeof(*b) + cap);
	if (b == NULL) {
		a->no_memory = true;
		return false;
	}
	b->cap = cap;
	b->older = a->newest;
	a->newest = b;
	a->taken += cap;
	return true;
}

/* Sizes are rounded up to the strictest alignment, so that the next one is aligned too. */
void *
arena_alloc(struct arena *a, size_t size)
{
	const size_t unit = alignof(max_align_t);
	struct block *b;
	void *p;

	if (size > SIZE_MAX / 2) /* rounding up must not wrap */
		return NULL;
	/* An empty allocation still gets an address of its own: NULL means failure. */
	size = size == 0 ? unit : (size + unit - 1) / unit * unit;
	b = a->newest;
	if (b == NULL || b->cap - b->used < size) {
		if (!arena_grow(a, size))
			return NULL;
		b = a->newest;
	}
	p = b->bytes + b->used;
	b->used += size;
	a->given += size;
	return p;
}

void *
arena_first(struct arena *a, size_t size)
{
	void *p = arena_alloc(a, size);

	if (p == NULL)
		alloc_die(size);
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return arena_alloc(a, total);
}

/* Memory is zeroed, so the byte after the copy is its NUL already. */
char *
arena_slice(struct arena *a, struct slice s)
{
	char *p;

	if (s.len == SIZE_MAX) /* s.len + 1 would wrap */
		return NULL;
	p = arena_alloc(a, s.len + 1);
	if (p != NULL && s.len > 0)
		memcpy(p, s.p, s.len);
	return p;
}

char *
arena_strdup(struct arena *a, const char *text)
{
	return arena_slice(a, slice_str(text));
}

/* Formatted twice: once for the length, once into memory of that size. */
char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

size_t
arena_used(const struct arena *a)
{
	return a->given;
}

bool
arena_no_memory(const struct arena *a)
{
	return a->no_memory;
}
