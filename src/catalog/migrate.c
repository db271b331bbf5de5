/* SPDX-License-Identifier: MIT */
/*
 * migrate: brings the catalog's schema to this build's version, by attempts (migration.c).
 *
 *	[attempt] --> [check] --> done, or failed
 *	    ^            |
 *	    +-- sleep <--+  the catalog cannot be reached, or others use a table
 */
#include <stdlib.h>

#include "catalog/migration.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define SAY_AGAIN_US (60 * 1000000ull) /* the same reason */

static const struct backoff migrate_backoff = { 250 * 1000, 2 * 1000000, 200 };

struct migration {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	struct migration_attempt migration_attempt;
	uint64_t patience_us; /* for a catalog that cannot be reached; 0: no end */
	struct err why;	      /* the last attempt's */
	struct err said;      /* what was logged last, and when */
	uint64_t said_us;
	struct timer backoff;
	unsigned tries; /* that did not reach the catalog */
};

static flow_step_fn migrate_try, migrate_check;
static flow_release_fn migrate_release;

static const struct flow_step migrate_steps[] = {
	{ "attempt", migrate_try },
	{ "check", migrate_check },
	{ NULL, NULL },
};

static const struct flow_kind migrate_kind = { "migrate", migrate_steps, NULL, migrate_release };

static uint64_t
patience_left(const struct migration *m)
{
	uint64_t age = flow_age_us(&m->flow);

	return age < m->patience_us ? m->patience_us - age : 1;
}

static enum flow_rc
migrate_try(struct flow *f)
{
	struct migration *m = FLOW_OF(f, struct migration, &migrate_kind);

	return migration_run(f, &m->migration_attempt, &m->why,
	    m->patience_us > 0 ? patience_left(m) : 0);
}

/* A new reason at once, the same one once a minute. */
static void
migrate_say(struct migration *m)
{
	uint64_t now = clock_mono_us();

	if (strcmp(m->said.detail, m->why.detail) == 0 && now - m->said_us < SAY_AGAIN_US)
		return;
	m->said = m->why;
	m->said_us = now;
	log_event(LOG_WARNING, "catalog.unreachable", NULL, "%s It is tried again.", m->why.detail);
}

/* At a start the database may come up after us: only what waiting cannot change is final. */
static enum flow_rc
migrate_check(struct flow *f)
{
	struct migration *m = FLOW_OF(f, struct migration, &migrate_kind);
	uint64_t wait_us = backoff_us(&migrate_backoff, ++m->tries, 0);

	switch (m->migration_attempt.verdict) {
	case MIGRATION_DONE:
		atomic_store_explicit(&m->catalog->reached, true, memory_order_relaxed);
		return FLOW_DONE;
	case MIGRATION_REFUSED:
		return flow_fail_err(f, &m->why);
	case MIGRATION_UNREACHED:
		break;
	}
	/* The attempt that the patience ended tells less than the one before it. */
	if (m->patience_us > 0 && patience_left(m) <= wait_us)
		return flow_fail_err(f, err_is(&m->said) ? &m->said : &m->why);
	migrate_say(m);
	flow_goto(f, migrate_try);
	return flow_sleep(f, &m->backoff, wait_us);
}

static void
migrate_release(struct flow *f)
{
	free(f);
}

enum flow_rc
catalog_migrate_within(struct flow *f, struct catalog *c, uint64_t patience_us)
{
	struct migration *m = xcalloc(1, sizeof(*m));

	m->catalog = m->migration_attempt.catalog = c;
	m->patience_us = patience_us;
	return flow_call(f, &m->flow, &migrate_kind);
}

enum flow_rc
catalog_migrate(struct flow *f, struct catalog *c)
{
	return catalog_migrate_within(f, c, 0);
}
