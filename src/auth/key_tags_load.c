/* SPDX-License-Identifier: MIT */
/*
 * key_tags_load: reads the tags' secret from the catalog, at the start of the process.
 *
 *	[query] --> [keep] --> done
 *	   ^           |
 *	   +-- sleep <-+  the catalog failed, or has no such row
 */
#include <stdlib.h>

#include "auth/key_tag.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"

static const struct backoff tag_backoff = { 250 * 1000, 30 * 1000000, 200 };

struct tag_load {
	struct flow flow;
	struct key_tags *tags;	 /* borrowed */
	struct catalog *catalog; /* borrowed */
	struct pg_result result; /* owned */
	struct timer backoff;
	unsigned tries;
};

static flow_step_fn tag_query, tag_keep;
static flow_release_fn tag_load_release;

static const struct flow_step tag_load_steps[] = {
	{ "query", tag_query },
	{ "keep", tag_keep },
	{ NULL, NULL },
};

static const struct flow_kind tag_load_kind = { "key_tags", tag_load_steps, NULL,
	tag_load_release };

static enum flow_rc
tag_query(struct flow *f)
{
	struct tag_load *t = FLOW_OF(f, struct tag_load, &tag_load_kind);
	struct pg_query q = { .sql = "SELECT secret FROM public.key_tag_secret" };

	return catalog_run(f, t->catalog, CATALOG_KEYS, SLICE_LIT("key_tag_secret"), &q,
	    &t->result);
}

/* What the row holds is not logged. */
static enum flow_rc
tag_keep(struct flow *f)
{
	struct tag_load *t = FLOW_OF(f, struct tag_load, &tag_load_kind);

	if (t->result.status == PG_OK && pg_rows(&t->result) == 1 &&
	    key_tags_set(t->tags, pg_value(&t->result, 0, 0)))
		return FLOW_DONE;
	log_event(LOG_WARNING, "auth.no_tag_secret", NULL,
	    "The secret of the keys' tags cannot be read, so every unknown key costs a lookup. "
	    "Look at the table key_tag_secret of the catalog: %s",
	    t->result.status == PG_OK ? "it has no valid row." : t->result.failure.message);
	flow_goto(f, tag_query);
	return flow_sleep(f, &t->backoff, backoff_us(&tag_backoff, ++t->tries, 0));
}

static void
tag_load_release(struct flow *f)
{
	struct tag_load *t = FLOW_OF(f, struct tag_load, &tag_load_kind);

	pg_clear(&t->result);
	free(t);
}

enum flow_rc
key_tags_load(struct flow *f, struct key_tags *tags, struct catalog *c)
{
	struct tag_load *t = xcalloc(1, sizeof(*t));

	t->tags = tags;
	t->catalog = c;
	return flow_call(f, &t->flow, &tag_load_kind);
}
