/* SPDX-License-Identifier: MIT */
/* snapshot.c: see the header. */
#include "snapshot.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"

/* holders_end_fn */
static void
snapshot_end(struct holders *h)
{
	struct snapshot *s = (struct snapshot *)(void *)h, *next = s->next;

	holders_give(s->servers);
	holders_give(s->file);
	free(s);
	if (next != NULL)
		holders_give(&next->holders);
}

struct snapshot *
snapshot_first(const struct conf *conf)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	holders_init(&s->holders, snapshot_end);
	s->conf = conf;
	return s;
}

/* holders_end_fn */
static void
conf_file_end(struct holders *h)
{
	struct conf_file *r = (struct conf_file *)(void *)h;

	conf_free(&r->conf);
	free(r);
}

struct conf_file *
conf_file_new(const char *path, struct buf *errors)
{
	struct conf_file *r = xcalloc(1, sizeof(*r));

	holders_init(&r->holders, conf_file_end);
	(void)conf_load(&r->conf, path, errors);
	return r;
}

struct snapshot *
snapshot_new(struct conf_file *r)
{
	struct snapshot *s = snapshot_first(&r->conf);

	holders_take(&r->holders);
	s->file = &r->holders;
	return s;
}

void
snapshot_follow(struct snapshot *before, struct snapshot *next)
{
	holders_take(&next->holders);
	before->next = next;
}
