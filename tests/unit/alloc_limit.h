/* SPDX-License-Identifier: MIT */
/*
 * alloc_limit: a program that includes it gets no piece of memory of more than a megabyte:
 * AddressSanitizer's allocator returns NULL there, as malloc does under a low limit. In a build
 * without it there is no such limit, and tests of it are skipped.
 */
#ifndef TESTS_UNIT_ALLOC_LIMIT_H
#define TESTS_UNIT_ALLOC_LIMIT_H

#define ALLOC_LIMIT (1u << 20)

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=1";
}
#define NEEDS_ALLOC_LIMIT() ((void)0)
#else
#define NEEDS_ALLOC_LIMIT() skip()
#endif

#endif
