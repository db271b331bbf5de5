/* SPDX-License-Identifier: MIT */
/*
 * json_memory: see the header. jansson's buffer is a power of two, and doubled when it is full; it
 * never needs more than the one that holds the whole text and a NUL.
 */
#include "base/json_memory.h"

#include <jansson.h>
#include <pthread.h>

#include "tenantgate/base/alloc.h"

static pthread_once_t memory_once = PTHREAD_ONCE_INIT;
static json_malloc_t inner_malloc;
static json_free_t inner_free;

static _Thread_local struct {
	void *block; /* owned: set aside; NULL once it was given out */
	size_t size;
	bool is_reading, has_failed;
} reserve;

static bool
may_be_the_buffer(size_t n)
{
	return (n & (n - 1)) == 0 && n <= reserve.size;
}

/* Of all else jansson looks whether it is NULL. */
static void *
reserve_give_out(size_t n)
{
	void *block = reserve.block;

	reserve.has_failed = true;
	if (!may_be_the_buffer(n))
		return NULL;
	if (block == NULL)
		alloc_die(n);
	reserve.block = NULL;
	return block;
}

static void *
malloc_with_reserve(size_t n)
{
	void *p = inner_malloc(n);

	return p != NULL || !reserve.is_reading ? p : reserve_give_out(n);
}

/* Once for the process. What jansson allocated before is freed by the same free(). */
static void
memory_set_up(void)
{
	json_get_alloc_funcs(&inner_malloc, &inner_free);
	json_set_alloc_funcs(malloc_with_reserve, inner_free);
}

bool
json_memory_begin(size_t bytes)
{
	pthread_once(&memory_once, memory_set_up);
	reserve.size = 16;
	while (reserve.size <= bytes + 1)
		reserve.size *= 2;
	reserve.block = inner_malloc(reserve.size);
	reserve.has_failed = false;
	reserve.is_reading = reserve.block != NULL;
	return reserve.is_reading;
}

bool
json_memory_end(void)
{
	if (reserve.block != NULL)
		inner_free(reserve.block);
	reserve.block = NULL;
	reserve.is_reading = false;
	return reserve.has_failed;
}
