/* SPDX-License-Identifier: MIT */
/*
 * tenant_index: see the header.
 */
#include "admin/tenant_index.h"

#include "tenantgate/base/secret.h"

#define TENANT_INDEX_US (3 * 1000000ull) /* then the rest is shown without it */

static flow_step_fn tenant_index_lookup, tenant_index_borrow, tenant_index_ask, tenant_index_parse;
static flow_end_fn tenant_index_end;

static const struct flow_step tenant_index_steps[] = {
	{ "tenant", tenant_index_lookup },
	{ "pool_wait", tenant_index_borrow },
	{ "ask", tenant_index_ask },
	{ "read", tenant_index_parse },
	{ NULL, NULL },
};

const struct flow_kind tenant_index_kind = { "tenant_index", tenant_index_steps, tenant_index_end,
	NULL };

static struct tenant_index *
tenant_index_of(struct flow *f)
{
	return FLOW_OF(f, struct tenant_index, &tenant_index_kind);
}

static enum flow_rc
tenant_index_lookup(struct flow *f)
{
	struct tenant_index *t = tenant_index_of(f);

	flow_deadline(f, TENANT_INDEX_US);
	return tenant_lookup(f, t->api->tenants, t->id, &t->tenant);
}

static enum flow_rc
tenant_index_borrow(struct flow *f)
{
	struct tenant_index *t = tenant_index_of(f);

	if (t->tenant.state != TENANT_READY || t->tenant.schema_version < RETRIEVAL_SCHEMA_TAIL)
		return FLOW_DONE;
	tenant_target(&t->tenant, &t->target, t->target_key);
	return pool_borrow(f, t->api->pools, &t->target, &t->lease);
}

static enum flow_rc
tenant_index_ask(struct flow *f)
{
	struct tenant_index *t = tenant_index_of(f);

	return index_view_read(f, &t->lease, &t->result);
}

static enum flow_rc
tenant_index_parse(struct flow *f)
{
	struct tenant_index *t = tenant_index_of(f);

	t->is_known = index_view_parse(&t->result, &t->view);
	return FLOW_DONE;
}

static void
tenant_index_end(struct flow *f, const struct err *err)
{
	struct tenant_index *t = tenant_index_of(f);

	pool_return(&t->lease, err_is(err) ? POOL_DIRTY : POOL_CLEAN);
	pg_clear(&t->result);
	bytes_wipe(&t->tenant, sizeof(t->tenant));
}
