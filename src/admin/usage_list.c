/* SPDX-License-Identifier: MIT */
/*
 * usage_list: GET /admin/usage. What tenants have used over some days: the sums of each, by id; or
 * with ?tenant= one tenant's days and models, as it sees them itself at GET /usage.
 */
#include "admin/admin_route.h"
#include "tenantgate/base/json.h"

#define USAGE_LIMIT_DEFAULT 100
#define USAGE_LIMIT_MAX	    1000

struct usage_list {
	struct admin_request req; /* first */
	struct slice tenant;	  /* arena; "": all tenants' sums */
	struct slice prefix, cursor;
	struct usage_page page;
	struct pg_result rows; /* owned */
};

static flow_step_fn usage_list_parse, usage_list_read, usage_list_respond;
static flow_end_fn usage_list_end;

static const struct flow_step usage_list_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "parse", usage_list_parse },
	{ "read", usage_list_read },
	{ "respond", usage_list_respond },
	{ NULL, NULL },
};

static const struct flow_kind usage_list_kind = { "admin_usage", usage_list_steps, usage_list_end,
	admin_release };

static struct usage_list *
usage_list_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct usage_list, req.flow, &usage_list_kind);
}

/* In the request's arena, and with a NUL behind it. */
static const char *
query_or_empty(struct slice s)
{
	return s.p == NULL ? "" : s.p;
}

static enum flow_rc
usage_list_parse(struct flow *f)
{
	struct usage_list *l = usage_list_of(f);
	struct slice from, to;
	struct err err = { 0 };

	l->page.limit = USAGE_LIMIT_DEFAULT;
	if (!admin_query_text(&l->req, "tenant", TENANT_ID_MAX, &l->tenant, &err) ||
	    !admin_query_text(&l->req, "prefix", TENANT_ID_MAX, &l->prefix, &err) ||
	    !admin_query_text(&l->req, "cursor", TENANT_ID_MAX, &l->cursor, &err) ||
	    !admin_query_text(&l->req, "from", USAGE_DAY_SIZE, &from, &err) ||
	    !admin_query_text(&l->req, "to", USAGE_DAY_SIZE, &to, &err) ||
	    !admin_query_number(&l->req, "limit", 1, USAGE_LIMIT_MAX, &l->page.limit, &err) ||
	    !usage_days_read(from, to, &l->page.days, &err))
		return flow_fail_err(f, &err);
	if (l->tenant.p != NULL && !auth_tenant_valid(l->tenant))
		return flow_fail(f, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct \"tenant\".",
		    TENANT_ID_MAX);
	l->page.prefix = query_or_empty(l->prefix);
	l->page.after = query_or_empty(l->cursor);
	return FLOW_NEXT;
}

static enum flow_rc
usage_list_read(struct flow *f)
{
	struct usage_list *l = usage_list_of(f);
	struct catalog *c = l->req.api->catalog;

	return l->tenant.p != NULL ? usage_read(f, c, l->tenant.p, &l->page.days, &l->rows)
				   : usage_read_tenants(f, c, &l->page, &l->rows);
}

/* The row past the limit only says that there is a next page. */
static void
put_tenants(struct buf *b, const struct usage_list *l)
{
	unsigned count = pg_rows(&l->rows), shown = count > l->page.limit ? l->page.limit : count;
	struct usage_row row = { .tenant = "" };

	buf_printf(b, "{\"from\":\"%s\",\"to\":\"%s\",\"usage\":[", l->page.days.from,
	    l->page.days.to);
	for (unsigned i = 0; i < shown; i++) {
		usage_row_read(&l->rows, i, &row);
		buf_puts(b, i > 0 ? ",{\"tenant\":" : "{\"tenant\":");
		json_put_string(b, slice_str(row.tenant));
		buf_putc(b, ',');
		usage_count_put(b, &row.count);
		buf_putc(b, '}');
	}
	buf_puts(b, "],\"next\":");
	if (count > shown)
		json_put_string(b, slice_str(row.tenant));
	else
		buf_puts(b, "null");
	buf_putc(b, '}');
}

static enum flow_rc
usage_list_respond(struct flow *f)
{
	struct usage_list *l = usage_list_of(f);
	enum flow_rc rc = catalog_check(f, &l->rows, "read usage");
	struct buf b;

	if (rc != FLOW_NEXT)
		return rc;
	if (l->tenant.p != NULL && pg_rows(&l->rows) > USAGE_READ_MAX)
		return flow_fail(f, ERR_INVALID_FIELD,
		    "There are too many rows for one response; ask for fewer days.");
	buf_init(&b, 2 * ADMIN_JSON_MAX);
	if (l->tenant.p != NULL)
		usage_days_put(&b, &l->page.days, &l->req.conf->usage, &l->rows);
	else
		put_tenants(&b, l);
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
usage_list_end(struct flow *f, const struct err *err)
{
	struct usage_list *l = usage_list_of(f);

	pg_clear(&l->rows);
	admin_end(&l->req, err);
}

void
usage_list_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct usage_list), &usage_list_kind);
}
