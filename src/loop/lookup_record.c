/* SPDX-License-Identifier: MIT */
/*
 * lookup_record.c: the references to a record. Whichever thread gives the last one back frees it;
 * what the others did with the record happened before that.
 */
#include "tenantgate/loop/lookup.h"

#include <assert.h>

void
lookup_record_init(struct lookup_record *r, lookup_free_fn *free_fn)
{
	*r = (struct lookup_record){ .free = free_fn };
	atomic_init(&r->refs, 1);
}

struct lookup_record *
lookup_ref(struct lookup_record *r)
{
	unsigned before = atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);

	assert(before > 0);
	return r;
}

void
lookup_unref(struct lookup_record *r)
{
	unsigned before;

	if (r == NULL)
		return;
	before = atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before == 1)
		r->free(r);
}
