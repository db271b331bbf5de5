/* SPDX-License-Identifier: MIT */
/*
 * admin_audit: one line of JSON for each change, beside the line of its request in the access log,
 * which has the same request_id. It is written whatever log_level and access_log say.
 */
#include "admin/admin_request.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"

#define AUDIT_LINE_MAX (64u << 10)

static void
audit_put_text(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, ",\"%s\":", name);
	json_put_string(b, slice_str(value));
}

static void
audit_put_json(struct buf *b, const char *name, const json_t *value)
{
	buf_printf(b, ",\"%s\":", name);
	if (value == NULL)
		buf_puts(b, "null");
	else
		json_put(b, value);
}

/* A line without memory would be a change that nobody finds again: it is told of plainly. */
void
admin_audit(const struct admin_request *req, const char *action, const char *tenant,
    const json_t *before, const json_t *after)
{
	char when[CLOCK_ISO_SIZE];
	struct buf b;

	if (req->is_dry_run)
		return;
	buf_init(&b, AUDIT_LINE_MAX);
	clock_iso(clock_wall_us(), when);
	buf_printf(&b, "{\"time\":\"%s\",\"level\":\"notice\",\"event\":\"admin.audit\"", when);
	audit_put_text(&b, "request_id", req->request_id);
	audit_put_text(&b, "key", req->caller.key_id);
	audit_put_text(&b, "remote", http_remote(req->x));
	audit_put_text(&b, "action", action);
	if (tenant != NULL)
		audit_put_text(&b, "tenant", tenant);
	audit_put_json(&b, "before", before);
	audit_put_json(&b, "after", after);
	buf_putc(&b, '}');
	if (!b.failed)
		log_line(&b);
	else
		log_event(LOG_ERR, "admin.audit", req->request_id,
		    "Key %s did %s of %s; its values had no room in a line. Look at the tenant.",
		    req->caller.key_id, action, tenant != NULL ? tenant : "the process");
	buf_free(&b);
}
