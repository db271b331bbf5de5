/* SPDX-License-Identifier: MIT */
/*
 * spool_window: see spool.h; which pages of a mapping are given back, and when.
 *
 * The system maps a few pages around the one that is looked at (64 KiB of them, unless it was told
 * otherwise), so some that were given back come again: each window's are given back twice.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tenantgate/base/spool.h"

#define WINDOW	      ((size_t)256 << 10) /* bytes looked at before their pages are given back */
#define FOLLOWING_MAX 3			  /* bytes of a character of UTF-8 behind its first */

/* Advice that is not taken changes nothing but what is counted. */
void
spool_unload(struct slice s)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)s.p + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)s.p + s.len) & ~(page - 1);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

void
spool_unload_behind(struct slice s, size_t at, size_t window)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t from = at > window + page ? at - window - page : 0;

	spool_unload(slice_of(s.p + from, at - from));
}

size_t
spool_window(struct spool_slice s, size_t at)
{
	size_t behind = at < 2 * WINDOW ? at : 2 * WINDOW, left = s.bytes.len - at;

	if (!s.is_mapped)
		return s.bytes.len;
	spool_unload(at == 0 ? s.bytes : slice_of(s.bytes.p + at - behind, behind));
	return at + (left < WINDOW ? left : WINDOW);
}

/* Bytes that follow in a character are let through a window's end. More of them than one can have
 * are none of its: what begins with one is broken wherever it is cut. */
bool
spool_all(struct spool_slice s, spool_test_fn *test)
{
	const char *p = s.bytes.p;

	for (size_t at = 0, end; (end = spool_window(s, at)) > at; at = end) {
		for (unsigned i = 0; i < FOLLOWING_MAX && end < s.bytes.len; i++)
			end += ((unsigned char)p[end] & 0xc0) == 0x80;
		if (!test(slice_of(p + at, end - at)))
			return false;
	}
	return true;
}
