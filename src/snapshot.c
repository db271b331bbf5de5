/* SPDX-License-Identifier: MIT */
/* snapshot.c: see the header. */
#include "snapshot.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"

/* refs_end_fn */
static void
snapshot_end(struct refs *h)
{
	struct snapshot *s = (struct snapshot *)(void *)h, *next = s->next;

	refs_give(s->servers);
	refs_give(s->file);
	free(s);
	if (next != NULL)
		refs_give(&next->refs);
}

struct snapshot *
snapshot_first(const struct conf *conf)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	refs_init(&s->refs, snapshot_end);
	s->conf = conf;
	return s;
}

/* refs_end_fn */
static void
conf_file_end(struct refs *h)
{
	struct conf_file *r = (struct conf_file *)(void *)h;

	conf_free(&r->conf);
	free(r);
}

struct conf_file *
conf_file_new(const char *path, struct buf *errors)
{
	struct conf_file *r = xcalloc(1, sizeof(*r));

	refs_init(&r->refs, conf_file_end);
	(void)conf_load(&r->conf, path, errors);
	return r;
}

struct snapshot *
snapshot_new(struct conf_file *r)
{
	struct snapshot *s = snapshot_first(&r->conf);

	refs_take(&r->refs);
	s->file = &r->refs;
	return s;
}

void
snapshot_follow(struct snapshot *before, struct snapshot *next)
{
	refs_take(&next->refs);
	before->next = next;
}
