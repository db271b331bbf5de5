/* SPDX-License-Identifier: MIT */
/*
 * shares: GET /admin/shares. What tenants share in this process, how much of it is held, who waits
 * and who holds most. Connections to tenants' databases are among it.
 */
#include "admin/admin_route.h"
#include "admin/share_rows.h"
#include "tenantgate/base/json.h"

#define HOLDERS_SHOWN 5
#define MICROSECONDS  1e6

static flow_step_fn shares_respond;
static flow_end_fn shares_end;

static const struct flow_step shares_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "respond", shares_respond },
	{ NULL, NULL },
};

static const struct flow_kind shares_kind = { "admin_shares", shares_steps, shares_end,
	admin_release };

static void
put_hold(struct buf *b, const struct share_hold *hold)
{
	buf_puts(b, "{\"tenant\":");
	json_put_string(b, slice_str(hold->name));
	buf_printf(b, ",\"held\":%llu,\"waiting\":%u}", (unsigned long long)hold->held,
	    hold->waiting);
}

static void
put_share_row(struct buf *b, const struct share_row *row)
{
	const struct share_stats *s = &row->stats;
	struct share_hold holds[HOLDERS_SHOWN];
	unsigned n = share_holders(row->budget, holds, HOLDERS_SHOWN);

	buf_printf(b, "{\"name\":\"%s\",\"capacity\":", row->name);
	if (s->capacity < SHARE_UNBOUNDED)
		buf_printf(b, "%llu", (unsigned long long)s->capacity);
	else
		buf_puts(b, "null");
	buf_printf(b,
	    ",\"held\":%llu,\"holders\":%u,\"waiting\":%u,\"longestWaitSeconds\":%.6f,"
	    "\"granted\":%llu,\"refused\":%llu,\"most\":[",
	    (unsigned long long)s->held, s->holders, s->waiting,
	    (double)s->longest_wait_us / MICROSECONDS, (unsigned long long)s->granted_total,
	    (unsigned long long)s->refused_total);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		put_hold(b, &holds[i]);
	}
	buf_puts(b, "]},");
}

/* In the same columns; who holds them is told by /admin/pools. */
static void
put_connections(struct buf *b, struct pools *pools)
{
	struct pool_stats s;

	pools_stats(pools, &s);
	buf_printf(b,
	    "{\"name\":\"server_connections\",\"capacity\":%u,\"held\":%u,\"holders\":%u,"
	    "\"waiting\":%u,\"longestWaitSeconds\":%.6f,\"granted\":%llu,\"refused\":null,"
	    "\"most\":[]}",
	    s.server_max, s.server_active + s.server_login, s.pools, s.client_waiting,
	    (double)s.maxwait_us / MICROSECONDS, (unsigned long long)s.borrowed_total);
}

static enum flow_rc
shares_respond(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);
	struct share_row rows[SHARE_ROWS];
	enum flow_rc rc;
	struct buf b;

	share_rows_fill(rows, req->ctx);
	buf_init(&b, ADMIN_JSON_MAX);
	buf_puts(&b, "{\"shares\":[");
	for (unsigned i = 0; i < SHARE_ROWS; i++)
		put_share_row(&b, &rows[i]);
	put_connections(&b, req->api->pools);
	buf_puts(&b, "]}");
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
shares_end(struct flow *f, const struct err *err)
{
	admin_end(admin_request_of(f), err);
}

void
shares_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct admin_request), &shares_kind);
}
