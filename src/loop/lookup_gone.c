/* SPDX-License-Identifier: MIT */
/* lookup_gone.c: see the header. */
#include "loop/lookup_gone.h"

#include <stdlib.h>

#include "tenantgate/base/clock.h"

struct lookup_gone {
	struct lookup_record *record; /* a reference: for stale use; NULL: it only has changed */
	uint64_t until_us;	      /* the end of its stale use */
	uint64_t fenced_until_us;     /* until then others' copies may be older */
};

/* A map_drop_fn. */
static void
gone_drop(void *value)
{
	struct lookup_gone *g = value;

	lookup_unref(g->record);
	free(g);
}

struct map *
gone_map_new(size_t max)
{
	return map_new(max, gone_drop);
}

/* NULL: no memory. */
static struct lookup_gone *
gone_make(struct map *m, struct slice id)
{
	struct lookup_gone *g = map_get(m, id);

	if (g != NULL)
		return g;
	g = calloc(1, sizeof(*g));
	if (g != NULL && !map_put(m, id, g)) {
		free(g);
		g = NULL;
	}
	return g;
}

void
gone_remember(struct map *m, struct slice id, const struct lookup_conf *conf,
    struct lookup_record *record)
{
	uint64_t now = clock_mono_us();
	struct lookup_gone *g;

	if (conf->stale_us == 0 && conf->copies_us == 0)
		return;
	g = gone_make(m, id);
	if (g == NULL)
		return;
	if (record != NULL)
		lookup_ref(record);
	lookup_unref(g->record);
	g->record = record;
	g->until_us = now + conf->stale_us;
	g->fenced_until_us = now + conf->copies_us;
}

void
gone_fence(struct map *m, struct slice id, const struct lookup_conf *conf)
{
	struct lookup_gone *g = conf->copies_us > 0 ? gone_make(m, id) : NULL;

	if (g != NULL)
		g->fenced_until_us = clock_mono_us() + conf->copies_us;
}

void
gone_return(struct map *m, struct slice id)
{
	struct lookup_gone *g = map_get(m, id);

	if (g == NULL)
		return;
	lookup_unref(g->record);
	g->record = NULL;
}

struct lookup_record *
gone_known(struct map *m, struct slice id)
{
	struct lookup_gone *g = map_get(m, id);

	return g != NULL && clock_mono_us() < g->until_us ? g->record : NULL;
}

bool
gone_fences(struct map *m, struct slice id)
{
	struct lookup_gone *g = map_get(m, id);

	return g != NULL && clock_mono_us() < g->fenced_until_us;
}
