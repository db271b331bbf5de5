/* SPDX-License-Identifier: MIT */
/* holders.c: see the header. */
#include "tenantgate/base/holders.h"

#include <assert.h>
#include <stddef.h>

void
holders_init(struct holders *h, holders_end_fn *end)
{
	atomic_init(&h->count, 1);
	h->end = end;
}

void
holders_take(struct holders *h)
{
	if (h != NULL)
		atomic_fetch_add(&h->count, 1);
}

void
holders_give(struct holders *h)
{
	unsigned before;

	if (h == NULL)
		return;
	before = atomic_fetch_sub(&h->count, 1);
	assert(before > 0);
	if (before == 1)
		h->end(h);
}
