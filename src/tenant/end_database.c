/* SPDX-License-Identifier: MIT */
/* end_database: see the header. */
#include "tenant/end_database.h"

static enum flow_rc
database_ask(struct flow *f, struct flow *child, const struct flow_kind *kind, uint64_t us,
    struct err *why)
{
	enum flow_rc rc = flow_try(f, child, kind, why);

	flow_deadline(child, us);
	return rc;
}

/* Of a provider that is not the configured one nothing can be asked. A cluster of one's own has no
 * endpoints; a database that an operator gave the URL of is theirs, and stays, as nobody's. */
enum flow_rc
end_database_try(struct flow *f, struct end_database *d, struct tenants *ts, struct tenant_row *row,
    enum tenant_order order, uint64_t us, struct err *why)
{
	memset(d, 0, sizeof(*d));
	d->row = row;
	err_clear(why);
	if (!tenant_provider_check(ts, &row->tenant, why))
		return FLOW_NEXT;
	switch (row->tenant.provider) {
	case PROVIDER_NEON:
		neon_end_init(&d->child.neon, ts, row, order);
		return database_ask(f, &d->child.neon.flow, &neon_end_kind, us, why);
	case PROVIDER_POSTGRES:
		if (order != TENANT_DELETE)
			return FLOW_NEXT;
		cluster_drop_init(&d->child.cluster, ts, row);
		return database_ask(f, &d->child.cluster.flow, &cluster_drop_kind, us, why);
	case PROVIDER_URL:
		if (order != TENANT_DELETE)
			return FLOW_NEXT;
		owner_release_init(&d->child.owner, ts, row->tenant.id);
		return database_ask(f, &d->child.owner.flow, &owner_release_kind, us, why);
	}
	return FLOW_NEXT;
}

const char *
end_database_stored(const struct end_database *d)
{
	return d->row->tenant.provider == PROVIDER_NEON ? d->child.neon.stored_bytes : "";
}

const char *
end_database_left(const struct end_database *d)
{
	const struct tenant *t = &d->row->tenant;

	if (t->provider == PROVIDER_NEON)
		return d->child.neon.projects_left;
	return t->provider == PROVIDER_URL || d->child.cluster.is_left ? t->dbname : "";
}
