/* SPDX-License-Identifier: MIT */
/*
 * pools_show: GET /admin/pools. This process's connections to tenants' databases, those first that
 * somebody waits for or that cannot be reached; ?limit= says how many.
 */
#include <stdlib.h>

#include "admin/admin_route.h"
#include "admin/pool_json.h"
#include "tenantgate/base/json.h"

#define POOLS_SHOWN 100
#define POOLS_MAX   1000

static flow_step_fn pools_show_respond;
static flow_end_fn pools_show_end;

static const struct flow_step pools_show_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "respond", pools_show_respond },
	{ NULL, NULL },
};

static const struct flow_kind pools_show_kind = { "admin_pools", pools_show_steps, pools_show_end,
	admin_release };

static void
put_pool_views(struct buf *b, struct pools *pools, struct pool_view *views, unsigned max)
{
	unsigned all, n = pools_view(pools, views, max, &all);

	buf_printf(b, "{\"count\":%u,\"pools\":[", all);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		pool_json(b, &views[i]);
	}
	buf_puts(b, "]}");
}

static enum flow_rc
pools_show_respond(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);
	unsigned limit = POOLS_SHOWN;
	struct err err = { 0 };
	struct pool_view *views;
	enum flow_rc rc;
	struct buf b;

	if (!admin_query_number(req, "limit", 1, POOLS_MAX, &limit, &err))
		return flow_fail_err(f, &err);
	views = calloc(limit, sizeof(*views));
	if (views == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the pools");
	buf_init(&b, ADMIN_JSON_MAX);
	put_pool_views(&b, req->api->pools, views, limit);
	free(views);
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
pools_show_end(struct flow *f, const struct err *err)
{
	admin_end(admin_request_of(f), err);
}

void
pools_show_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct admin_request), &pools_show_kind);
}
