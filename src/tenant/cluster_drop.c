/* SPDX-License-Identifier: MIT */
/*
 * cluster_drop: see the header.
 *
 *	[borrow] --> [execute] <--> [check]
 *
 * Only what has the name that cluster_create() derives of the tenant is dropped: a database that
 * was adopted is its owner's.
 */
#include "tenant/cluster_drop.h"

#include <stdio.h>

#define DROP_POOL   2
#define DROP_MAX_US (60 * 1000000ull)

/* The name is "tg_" and hex digits: it needs no quoting. FORCE: who is connected is ended. */
static const char *const drops[] = {
	"DROP DATABASE IF EXISTS %s WITH (FORCE)",
	"DROP ROLE IF EXISTS %s",
};
#define DROPS (sizeof(drops) / sizeof(drops[0]))

static flow_step_fn drop_borrow, drop_execute, drop_check;
static flow_end_fn cluster_dropped;

static const struct flow_step drop_steps[] = {
	{ "borrow", drop_borrow },
	{ "execute", drop_execute },
	{ "check", drop_check },
	{ NULL, NULL },
};

const struct flow_kind cluster_drop_kind = { "cluster_drop", drop_steps, cluster_dropped, NULL };

static enum flow_rc
drop_borrow(struct flow *f)
{
	struct cluster_drop *d = FLOW_OF(f, struct cluster_drop, &cluster_drop_kind);
	struct pool_target target = d->tenants->admin;

	if (d->is_left)
		return FLOW_DONE;
	target.key = CLUSTER_ADMIN_KEY;
	target.size = DROP_POOL;
	return pool_borrow(f, d->tenants->pools, &target, &d->lease);
}

static enum flow_rc
drop_execute(struct flow *f)
{
	struct cluster_drop *d = FLOW_OF(f, struct cluster_drop, &cluster_drop_kind);
	struct pg_query q = { .sql = d->sql, .timeout_us = DROP_MAX_US };

	snprintf(d->sql, sizeof(d->sql), drops[d->statement], d->name);
	pg_clear(&d->result);
	return pg_run(f, d->lease.conn, &q, &d->result);
}

static enum flow_rc
drop_check(struct flow *f)
{
	struct cluster_drop *d = FLOW_OF(f, struct cluster_drop, &cluster_drop_kind);
	enum flow_rc rc = pg_check(f, &d->result, pg_reason(&d->result)->code,
	    "Dropping the tenant's database and role failed");

	if (rc != FLOW_NEXT)
		return rc;
	d->statement++;
	return d->statement < DROPS ? flow_goto(f, drop_execute) : FLOW_DONE;
}

static void
cluster_dropped(struct flow *f, const struct err *err)
{
	struct cluster_drop *d = FLOW_OF(f, struct cluster_drop, &cluster_drop_kind);

	(void)err;
	pool_return(&d->lease, POOL_CLEAN);
	pg_clear(&d->result);
}

void
cluster_drop_init(struct cluster_drop *d, struct tenants *ts, const struct tenant_row *row)
{
	const struct tenant *t = &row->tenant;

	memset(d, 0, sizeof(*d));
	d->tenants = ts;
	name_cluster(d->name, ts->conf->environment, t->id);
	d->is_left = t->dbname[0] != '\0' && strcmp(t->dbname, d->name) != 0;
}
