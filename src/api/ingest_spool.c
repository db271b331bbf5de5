/* SPDX-License-Identifier: MIT */
/*
 * ingest_spool: see the header.
 */
#include "api/ingest_spool.h"

void
ingest_spool_init(struct ingest_spool *s)
{
	*s = (struct ingest_spool){ .grant.budget = NULL };
	spool_init(&s->spool);
}

bool
ingest_spool_add(struct ingest_spool *s, const struct ingest_room *room, struct slice bytes,
    struct err *err)
{
	return share_try(room->budget, slice_str(room->tenant), 1, bytes.len, &s->grant, err) &&
	    spool_add(&s->spool, room->folder, bytes, err);
}

void
ingest_spool_close(struct ingest_spool *s)
{
	spool_close(&s->spool);
	share_give(&s->grant);
}
