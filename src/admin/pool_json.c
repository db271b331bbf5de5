/* SPDX-License-Identifier: MIT */
/*
 * pool_json: see the header.
 */
#include "admin/pool_json.h"

#include "tenantgate/base/json.h"

#define MICROSECONDS 1e6

/* A pool's key is "tenant:<id>" (tenant_target()); others are of the process's own. */
static void
put_owner(struct buf *b, const char *key)
{
	static const char prefix[] = "tenant:";
	struct slice s = slice_str(key);
	size_t n = sizeof(prefix) - 1;

	buf_puts(b, "{\"pool\":");
	json_put_string(b, s);
	buf_puts(b, ",\"tenant\":");
	if (slice_starts(s, prefix))
		json_put_string(b, slice_of(s.p + n, s.len - n));
	else
		buf_puts(b, "null");
}

static void
put_failure(struct buf *b, const struct pool_view *v)
{
	char told[ERR_TOLD_SIZE];

	if (!err_is(&v->failure)) {
		buf_puts(b, ",\"error\":null,\"retrySeconds\":null");
		return;
	}
	err_tell(&v->failure, told);
	buf_puts(b, ",\"error\":");
	json_put_string(b, slice_str(told));
	buf_printf(b, ",\"retrySeconds\":%.3f", (double)v->retry_us / MICROSECONDS);
}

void
pool_json(struct buf *b, const struct pool_view *v)
{
	put_owner(b, v->key);
	buf_puts(b, ",\"host\":");
	json_put_string(b, slice_str(v->host));
	buf_puts(b, ",\"database\":");
	json_put_string(b, slice_str(v->database));
	buf_printf(b,
	    ",\"waiting\":%u,\"active\":%u,\"idle\":%u,\"login\":%u,\"size\":%u,"
	    "\"maxWaitSeconds\":%.6f",
	    v->client_waiting, v->server_active, v->server_idle, v->server_login, v->size,
	    (double)v->maxwait_us / MICROSECONDS);
	put_failure(b, v);
	buf_putc(b, '}');
}
