/* SPDX-License-Identifier: MIT */
/* adopt_outcome: what is told of an adoption, and why there is none. */
#include <stdio.h>

#include "tenant/adopt.h"

/* Without Redis other replicas use what they know until it is too old. */
void
adopt_tell_effective(const struct tenants *ts, struct tenant_adoption *out)
{
	if (ts->redis != NULL && redis_is_up(ts->redis))
		snprintf(out->effective, sizeof(out->effective), "now");
	else
		snprintf(out->effective, sizeof(out->effective), "within %llus",
		    (unsigned long long)(ts->conf->cache_ttl_us / 1000000));
}

/* Whose the database said it was, where that was another. */
static void
adopt_tell_owner(const struct owner_mark *owner, struct tenant_adoption *out)
{
	if (owner->before_tenant[0] != '\0')
		snprintf(out->owner_before, sizeof(out->owner_before), "%s of %s",
		    owner->before_tenant, owner->before_environment);
}

void
adopt_outcome(const struct tenant_row *row, const char *name, const struct adopt_trial *trial,
    struct tenant_adoption *out)
{
	bool is_url = out->url != NULL;

	snprintf(out->source, sizeof(out->source), "%s", row->project_id);
	snprintf(out->name_before, sizeof(out->name_before), "%s", is_url ? "" : name);
	snprintf(out->name, sizeof(out->name), "%s", is_url ? "" : row->project_name);
	snprintf(out->host, sizeof(out->host), "%s", row->tenant.host);
	snprintf(out->dbname, sizeof(out->dbname), "%s", row->tenant.dbname);
	adopt_tell_owner(&trial->owner, out);
}

enum flow_rc
adopt_has_one(struct flow *f, const char *id)
{
	return flow_fail(f, ERR_CONFLICT,
	    "Tenant %s has a database, or one is being made, or it was deleted. Delete it, or "
	    "recreate it as an empty one; or adopt for another.",
	    id);
}

enum flow_rc
adopt_is_taken(struct flow *f, const char *by)
{
	return flow_fail(f, ERR_CONFLICT,
	    "This database is another tenant's%s%s. A database has one tenant; take another.",
	    by[0] != '\0' ? ": " : "", by);
}
