/* SPDX-License-Identifier: MIT */
/*
 * tenant_show: GET /admin/tenants/{tenant}. All of one tenant on a screen: its row, its limits and
 * what is used of them, its connections in this process, what it has used by day. Its database is
 * asked how far its index is, but only by a connection that is idle here: one that sleeps sleeps
 * on.
 */
#include "admin/admin_route.h"
#include "admin/limits_view.h"
#include "admin/pool_json.h"
#include "admin/tenant_index.h"
#include "tenantgate/base/json.h"

struct tenant_show {
	struct admin_request req; /* first */
	struct pg_result row;	  /* owned, as usage */
	struct pg_result usage;
	struct usage_days days;
	struct limits_view view;
	struct tenant_index index; /* a child */
	struct err index_err;
};

static flow_step_fn show_row, show_usage, show_used, show_index, show_respond;
static flow_end_fn show_end;

static const struct flow_step show_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "read", show_row },
	{ "usage", show_usage },
	{ "used", show_used },
	{ "index", show_index },
	{ "respond", show_respond },
	{ NULL, NULL },
};

static const struct flow_kind show_kind = { "admin_tenant", show_steps, show_end, admin_release };

static struct tenant_show *
show_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_show, req.flow, &show_kind);
}

static enum flow_rc
show_row(struct flow *f)
{
	struct tenant_show *s = show_of(f);

	return tenant_look(f, s->req.api->tenants, s->req.tenant_id, &s->row);
}

static enum flow_rc
show_usage(struct flow *f)
{
	struct tenant_show *s = show_of(f);
	enum flow_rc rc = catalog_check(f, &s->row, "look at a tenant");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&s->row) == 0)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no such tenant; GET /admin/tenants lists those that there are.");
	if (!usage_days_read((struct slice){ 0 }, (struct slice){ 0 }, &s->days, &err))
		return flow_fail_err(f, &err);
	return usage_read(f, s->req.api->catalog, s->req.tenant_id, &s->days, &s->usage);
}

static enum flow_rc
show_used(struct flow *f)
{
	struct tenant_show *s = show_of(f);
	enum flow_rc rc = catalog_check(f, &s->usage, "read usage");

	return rc != FLOW_NEXT ? rc : limits_view_read(f, &s->view, &s->row);
}

/* Without it all the same where that fails: the child's failure is its own. */
static enum flow_rc
show_index(struct flow *f)
{
	struct tenant_show *s = show_of(f);

	if (s->view.pool.server_idle == 0 || s->view.pool.client_waiting > 0)
		return FLOW_NEXT;
	s->index.api = s->req.api;
	s->index.id = s->req.tenant_id;
	return flow_try(f, &s->index.flow, &tenant_index_kind, &s->index_err);
}

/* null: not known now. */
static void
put_index(struct buf *b, const struct tenant_index *t)
{
	long covered = t->view.chunks - t->view.behind;

	if (!t->is_known) {
		buf_puts(b, ",\"index\":null");
		return;
	}
	if (t->view.name[0] == '\0' || covered < 0)
		covered = 0;
	buf_puts(b, ",\"index\":{\"name\":");
	if (t->view.name[0] != '\0')
		json_put_string(b, slice_str(t->view.name));
	else
		buf_puts(b, "null");
	buf_printf(b,
	    ",\"chunksIndexed\":%ld,\"chunksNotIndexed\":%ld,\"dimensions\":%ld,\"model\":",
	    covered, t->view.chunks - covered, t->view.dimensions);
	json_put_string(b, slice_str(t->view.model));
	buf_putc(b, '}');
}

static void
put_connections_here(struct buf *b, const struct pool_view *pool)
{
	buf_puts(b, ",\"connectionsHere\":");
	if (pool->key[0] != '\0')
		pool_json(b, pool);
	else
		buf_puts(b, "null");
}

static enum flow_rc
show_respond(struct flow *f)
{
	struct tenant_show *s = show_of(f);
	enum flow_rc rc;
	struct buf b;

	buf_init(&b, 2 * ADMIN_JSON_MAX);
	buf_putc(&b, '{');
	tenant_look_put(&b, &s->row);
	put_index(&b, &s->index);
	put_connections_here(&b, &s->view.pool);
	buf_puts(&b, ",\"limits\":");
	limits_view_put(&b, &s->view);
	buf_puts(&b, ",\"usage\":");
	usage_days_put(&b, &s->days, &s->req.conf->usage, &s->usage);
	buf_putc(&b, '}');
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
show_end(struct flow *f, const struct err *err)
{
	struct tenant_show *s = show_of(f);

	limits_view_clear(&s->view);
	pg_clear(&s->row);
	pg_clear(&s->usage);
	admin_end(&s->req, err);
}

void
tenant_show_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_show), &show_kind);
}
