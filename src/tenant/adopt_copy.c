/* SPDX-License-Identifier: MIT */
/*
 * adopt_copy: an operator says that a database is a copy of another tenant's. Whether it is not
 * that tenant's very database, under another name:
 *
 *	[row] --> [login] to the other tenant's database, by its row --> [claim]: its mark has a new
 *	token --> [look] at the database to be adopted --> [judge]: has its mark the new one, too?
 *
 * A copy has the mark of the moment at which it was made. Where the other tenant's database cannot
 * be reached, or is not its own any more, the operator's word holds.
 */
#include "tenant/adopt.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"

#define LOGIN_US (15 * 1000000ull)

static flow_step_fn copy_row, copy_login, copy_claim, copy_look, copy_judge;
static flow_end_fn adopt_copy_end;

static const struct flow_step adopt_copy_steps[] = {
	{ "row", copy_row },
	{ "login", copy_login },
	{ "claim", copy_claim },
	{ "look", copy_look },
	{ "judge", copy_judge },
	{ NULL, NULL },
};

static const struct flow_kind adopt_copy_kind = { "adopt_copy", adopt_copy_steps, adopt_copy_end,
	NULL };

static struct adopt_copy *
adopt_copy_of(struct flow *f)
{
	return FLOW_OF(f, struct adopt_copy, &adopt_copy_kind);
}

static enum flow_rc
copy_row(struct flow *f)
{
	struct adopt_copy *c = adopt_copy_of(f);

	return row_select(f, c->tenants->catalog, c->here->before_tenant, &c->result);
}

static enum flow_rc
copy_is_not_known(struct adopt_copy *c, const char *why)
{
	log_event(LOG_NOTICE, "tenant.copy_unseen", c->flow.request_id,
	    "Whether a database that is adopted is a copy of tenant %s's could not be seen, and is "
	    "an operator's word: %s",
	    c->here->before_tenant, why);
	return FLOW_DONE;
}

static enum flow_rc
copy_login(struct flow *f)
{
	struct adopt_copy *c = adopt_copy_of(f);
	enum flow_rc rc = catalog_check(f, &c->result, "owner of a database");
	struct tenants *ts = c->tenants;
	struct tenant *other = &c->row.tenant;
	char key[TENANT_KEY_SIZE];
	struct pool_target target;
	struct err err = { 0 };

	if (rc != FLOW_NEXT || pg_rows(&c->result) == 0)
		return rc == FLOW_NEXT ? FLOW_DONE : rc;
	if (!row_read(&c->result, c->here->before_tenant, ts->seal, &c->row, &err) ||
	    !tenant_provider_check(ts, other, &err))
		return copy_is_not_known(c, err.detail);
	if (!row_is_complete(&c->row))
		return FLOW_DONE;
	tenant_set_tls(ts, other);
	tenant_target(other, &target, key);
	pg_clear(&c->result);
	return pg_connect(f, ts->dns, &target.pg, LOGIN_US, &c->conn, &c->result);
}

static enum flow_rc
copy_claim(struct flow *f)
{
	struct adopt_copy *c = adopt_copy_of(f);

	if (c->conn == NULL)
		return copy_is_not_known(c, c->result.failure.message);
	c->there = (struct owner_mark){
		.tenants = c->tenants,
		.conn = c->conn,
		.id = c->row.tenant.id,
		.is_operators = true,
	};
	return owner_mark_or_tell(f, &c->there, &c->why);
}

static enum flow_rc
copy_look(struct flow *f)
{
	struct adopt_copy *c = adopt_copy_of(f);

	if (err_is(&c->why))
		return copy_is_not_known(c, c->why.detail);
	return owner_mark(f, c->here);
}

static enum flow_rc
copy_judge(struct flow *f)
{
	struct adopt_copy *c = adopt_copy_of(f);

	if (strcmp(c->here->seen, c->there.token) != 0)
		return FLOW_DONE;
	return flow_fail(f, ERR_CONFLICT,
	    "This is no copy: it is tenant %s's very database, by another address. A database has "
	    "one tenant; take another.",
	    c->row.tenant.id);
}

static void
adopt_copy_end(struct flow *f, const struct err *err)
{
	struct adopt_copy *c = adopt_copy_of(f);

	(void)err;
	pg_conn_close(c->conn);
	c->conn = NULL;
	pg_clear(&c->result);
	bytes_wipe(&c->row, sizeof(c->row));
}

enum flow_rc
adopt_copy_check(struct flow *f, struct adopt_copy *c, struct tenants *ts, struct owner_mark *here)
{
	memset(c, 0, sizeof(*c));
	c->tenants = ts;
	c->here = here;
	return flow_call(f, &c->flow, &adopt_copy_kind);
}
