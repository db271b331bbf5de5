/* SPDX-License-Identifier: MIT */
/*
 * schema_doubt: a database that is older than its row says, because it was set back in time, or
 * somebody has dropped a table. The row's version becomes 0, and the next contact makes what is not
 * there (upgrade.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/row.h"
#include "tenant/tenant_internal.h"
#include "tenant/tenants_shared.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"

#define DOUBT_US       (60 * 1000000ull)
#define DOUBT_AGAIN_US (60 * 1000000ull) /* where what is made does not help */

struct schema_doubt {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	char id[TENANT_ID_MAX + 1];
	struct pg_result result; /* owned */
};

static flow_step_fn doubt_write, doubt_written;
static flow_release_fn doubt_release;

static const struct flow_step doubt_steps[] = {
	{ "write", doubt_write },
	{ "written", doubt_written },
	{ NULL, NULL },
};

static const struct flow_kind doubt_kind = { "tenant_schema_doubt", doubt_steps, NULL,
	doubt_release };

static enum flow_rc
doubt_write(struct flow *f)
{
	struct schema_doubt *d = FLOW_OF(f, struct schema_doubt, &doubt_kind);

	return row_upgrade_doubt(f, d->tenants->catalog, d->id, &d->result);
}

static enum flow_rc
doubt_written(struct flow *f)
{
	struct schema_doubt *d = FLOW_OF(f, struct schema_doubt, &doubt_kind);
	enum flow_rc rc = catalog_check(f, &d->result, "tenant's schema");

	if (rc != FLOW_NEXT)
		return rc;
	log_event(LOG_WARNING, "tenant.schema_doubted", NULL,
	    "Tenant %s's database has not the tables or columns that its row says (was it set back "
	    "in time?); what is not there is made at its next contact.",
	    d->id);
	/* The database answers: its connections are as good as they were. */
	tenants_unpublish(d->tenants, d->id);
	lookup_expire(d->tenants->records, slice_str(d->id));
	return FLOW_DONE;
}

static void
doubt_release(struct flow *f)
{
	struct schema_doubt *d = FLOW_OF(f, struct schema_doubt, &doubt_kind);

	pg_clear(&d->result);
	free(d);
}

void
tenant_schema_doubt(struct tenants *ts, const struct tenant *t)
{
	struct schema_doubt *d;

	char key[TENANT_ID_MAX + 2];

	snprintf(key, sizeof(key), "?%s", t->id);
	if (t->schema_version == 0 || !shared_upgrade_begin(ts->shared, key, DOUBT_AGAIN_US))
		return;
	d = xcalloc(1, sizeof(*d));
	d->tenants = ts;
	snprintf(d->id, sizeof(d->id), "%s", t->id);
	flow_start(&d->flow, &doubt_kind, ts->worker, NULL);
	flow_deadline(&d->flow, DOUBT_US);
}
