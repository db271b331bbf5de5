/* SPDX-License-Identifier: MIT */
/*
 * lookup_record.c: the references to a record. A plain counter: a cache, its flows and its records
 * are all touched on one worker's thread.
 */
#include "tenantgate/loop/lookup.h"

#include <assert.h>

void
lookup_record_init(struct lookup_record *r, lookup_free_fn *free_fn)
{
	*r = (struct lookup_record){ .refs = 1, .free = free_fn };
}

struct lookup_record *
lookup_ref(struct lookup_record *r)
{
	assert(r->refs > 0);
	r->refs++;
	return r;
}

void
lookup_unref(struct lookup_record *r)
{
	if (r == NULL)
		return;
	assert(r->refs > 0);
	if (--r->refs == 0)
		r->free(r);
}
