/* SPDX-License-Identifier: MIT */
/* refs.c: see the header. */
#include "tenantgate/base/refs.h"

#include <assert.h>
#include <stddef.h>

void
refs_init(struct refs *h, refs_end_fn *end)
{
	atomic_init(&h->count, 1);
	h->end = end;
}

void
refs_take(struct refs *h)
{
	if (h != NULL)
		atomic_fetch_add(&h->count, 1);
}

void
refs_give(struct refs *h)
{
	unsigned before;

	if (h == NULL)
		return;
	before = atomic_fetch_sub(&h->count, 1);
	assert(before > 0);
	if (before == 1)
		h->end(h);
}
