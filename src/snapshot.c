/* SPDX-License-Identifier: MIT */
/* snapshot.c: see the header. */
#include "snapshot.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"

/* refs_end_fn */
static void
snapshot_end(struct refs *refs)
{
	struct snapshot *s = (struct snapshot *)(void *)refs, *next = s->next;

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
conf_file_end(struct refs *refs)
{
	struct conf_file *file = (struct conf_file *)(void *)refs;

	listener_tls_close(&file->tls);
	conf_free(&file->conf);
	free(file);
}

struct conf_file *
conf_file_new(const char *path, struct buf *errors)
{
	struct conf_file *file = xcalloc(1, sizeof(*file));

	refs_init(&file->refs, conf_file_end);
	(void)conf_load(&file->conf, path, errors);
	return file;
}

struct snapshot *
snapshot_new(struct conf_file *file)
{
	struct snapshot *s = snapshot_first(&file->conf);

	refs_take(&file->refs);
	s->file = &file->refs;
	s->tls = &file->tls;
	return s;
}

void
snapshot_follow(struct snapshot *before, struct snapshot *next)
{
	refs_take(&next->refs);
	before->next = next;
}
