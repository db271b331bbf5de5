/* SPDX-License-Identifier: MIT */
/*
 * tenants_page: GET /admin/tenants. Tenants by id, a page at a time; ?prefix=, status= and plan=
 * choose. The cursor is the last id of the page before.
 */
#include "admin/admin_route.h"
#include "tenantgate/base/json.h"
#include "tenantgate/tenant/view.h"

#define TENANTS_LIMIT_DEFAULT 100
#define TENANT_STATUS_MAX     16 /* bytes of a state's word */

struct tenants_listing {
	struct admin_request req; /* first */
	struct tenant_page page;  /* its strings lie in the request's arena */
	struct pg_result rows;	  /* owned */
};

static flow_step_fn tenants_page_parse, tenants_page_read, tenants_page_respond;
static flow_end_fn tenants_page_end;

static const struct flow_step tenants_page_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "parse", tenants_page_parse },
	{ "read", tenants_page_read },
	{ "respond", tenants_page_respond },
	{ NULL, NULL },
};

static const struct flow_kind tenants_page_kind = { "admin_tenants", tenants_page_steps,
	tenants_page_end, admin_release };

static struct tenants_listing *
tenants_page_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenants_listing, req.flow, &tenants_page_kind);
}

/* "" is as if it were absent. What no id can be would find nothing, or be no text for Postgres. */
static bool
page_id(struct tenants_listing *l, const char *name, const char **out, struct err *err)
{
	if (!admin_query_string(&l->req, name, TENANT_ID_MAX, out, err))
		return false;
	if (**out != '\0' && !auth_tenant_valid(slice_str(*out)))
		err_set(err, ERR_INVALID_TENANT,
		    "Tenant ids have 1 to %d bytes of [A-Za-z0-9._:@-]; correct \"%s\".",
		    TENANT_ID_MAX, name);
	return !err_is(err);
}

static bool
page_status(struct tenants_listing *l, struct err *err)
{
	if (!admin_query_string(&l->req, "status", TENANT_STATUS_MAX, &l->page.status, err))
		return false;
	if (l->page.status != NULL && !tenant_status_known(l->page.status))
		err_set(err, ERR_INVALID_FIELD, "Parameter \"status\" must be %s.",
		    tenant_status_words);
	return !err_is(err);
}

static enum flow_rc
tenants_page_parse(struct flow *f)
{
	struct tenants_listing *l = tenants_page_of(f);
	struct err err = { 0 };

	l->page = (struct tenant_page){ .prefix = "", .after = "", .limit = TENANTS_LIMIT_DEFAULT };
	if (!page_id(l, "prefix", &l->page.prefix, &err) ||
	    !page_id(l, "cursor", &l->page.after, &err) || !page_status(l, &err) ||
	    !admin_query_string(&l->req, "plan", PLAN_NAME_MAX, &l->page.plan, &err) ||
	    !admin_query_number(&l->req, "limit", 1, TENANT_PAGE_MAX, &l->page.limit, &err))
		return flow_fail_err(f, &err);
	return FLOW_NEXT;
}

static enum flow_rc
tenants_page_read(struct flow *f)
{
	struct tenants_listing *l = tenants_page_of(f);

	return tenants_list(f, l->req.api->tenants, &l->page, &l->rows);
}

/* The row past the limit only says that there is a next page. */
static void
put_tenants_page(struct buf *b, const struct tenants_listing *l)
{
	unsigned count = pg_rows(&l->rows), shown = count > l->page.limit ? l->page.limit : count;

	buf_puts(b, "{\"tenants\":[");
	for (unsigned i = 0; i < shown; i++) {
		buf_puts(b, i > 0 ? ",{" : "{");
		tenants_list_put(b, &l->rows, i);
		buf_putc(b, '}');
	}
	buf_puts(b, "],\"next\":");
	if (count > shown)
		json_put_string(b, slice_str(tenant_row_id(&l->rows, shown - 1)));
	else
		buf_puts(b, "null");
	buf_putc(b, '}');
}

static enum flow_rc
tenants_page_respond(struct flow *f)
{
	struct tenants_listing *l = tenants_page_of(f);
	enum flow_rc rc = catalog_check(f, &l->rows, "list tenants");
	struct buf b;

	if (rc != FLOW_NEXT)
		return rc;
	buf_init(&b, ADMIN_JSON_MAX);
	put_tenants_page(&b, l);
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
tenants_page_end(struct flow *f, const struct err *err)
{
	struct tenants_listing *l = tenants_page_of(f);

	pg_clear(&l->rows);
	admin_end(&l->req, err);
}

void
tenants_page_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenants_listing), &tenants_page_kind);
}
