/* SPDX-License-Identifier: MIT */
/*
 * admin_audit: see the header. The line is beside that of its request in the access log, which has
 * the same request_id, and is written whatever log_level and access_log say.
 */
#include "admin/admin_audit.h"

#include <stdio.h>

#include "admin/admin_route.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"

#define AUDIT_LINE_MAX (64u << 10)

/* ---- the line ---- */

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

static void
audit_put_line(struct buf *b, const struct admin_request *req, const char *outcome,
    const struct err *err)
{
	const struct admin_change *c = &req->change;
	char when[CLOCK_ISO_SIZE];

	clock_iso(clock_wall_us(), when);
	buf_printf(b, "{\"time\":\"%s\",\"level\":\"notice\",\"event\":\"admin.audit\"", when);
	audit_put_text(b, "request_id", req->request_id);
	audit_put_text(b, "trace_id", req->trace.id);
	audit_put_text(b, "key", req->caller.key_id);
	audit_put_text(b, "remote", http_remote(req->x));
	audit_put_text(b, "action", req->route->action);
	if (c->tenant[0] != '\0')
		audit_put_text(b, "tenant", c->tenant);
	audit_put_text(b, "outcome", outcome);
	if (err != NULL)
		audit_put_text(b, "code", err_slug(err->code));
	audit_put_json(b, "before", c->before);
	audit_put_json(b, "after", c->after);
	buf_putc(b, '}');
}

/* A line without memory would be a change that nobody finds again: it is told of plainly. */
static void
audit_write(const struct admin_request *req, const char *outcome, const struct err *err)
{
	const char *tenant = req->change.tenant;
	struct buf b;

	if (req->is_dry_run)
		return;
	buf_init(&b, AUDIT_LINE_MAX);
	audit_put_line(&b, req, outcome, err);
	if (!b.failed)
		log_line(&b);
	else
		log_event(LOG_ERR, "admin.audit", req->request_id,
		    "Key %s did %s of %s, outcome %s; its values had no room in a line. Look at "
		    "the tenant.",
		    req->caller.key_id, req->route->action,
		    tenant[0] != '\0' ? tenant : "the process", outcome);
	buf_free(&b);
}

/* ---- the change ---- */

static void
change_move(struct admin_request *req, enum admin_change_phase to)
{
	if (admin_change_is_noted(req) || to == CHANGE_STARTED || to == CHANGE_NOTHING)
		req->change.phase = to;
}

static void
change_clear(struct admin_change *c)
{
	json_decref(c->before);
	json_decref(c->after);
	memset(c, 0, sizeof(*c));
}

void
admin_change_begin(struct admin_request *req, const char *tenant, json_t *before, json_t *after)
{
	struct admin_change *c = &req->change;

	assert(req->route->action != NULL);
	if (c->phase == CHANGE_DONE)
		audit_write(req, "done", NULL);
	change_clear(c);
	snprintf(c->tenant, sizeof(c->tenant), "%s", tenant != NULL ? tenant : "");
	c->before = before;
	c->after = after;
	change_move(req, CHANGE_STARTED);
}

bool
admin_change_is_noted(const struct admin_request *req)
{
	return req->change.phase != CHANGE_NONE && req->change.phase != CHANGE_NOTHING;
}

void
admin_change_tell(struct admin_request *req, json_t *after)
{
	if (!admin_change_is_noted(req)) {
		json_decref(after);
		return;
	}
	json_decref(req->change.after);
	req->change.after = after;
}

void
admin_change_done(struct admin_request *req)
{
	change_move(req, CHANGE_DONE);
}

void
admin_change_refused(struct admin_request *req)
{
	change_move(req, CHANGE_REFUSED);
}

void
admin_change_doubt(struct admin_request *req)
{
	change_move(req, CHANGE_DOUBTED);
}

void
admin_change_nothing(struct admin_request *req)
{
	change_move(req, CHANGE_NOTHING);
}

enum flow_rc
admin_change_check(struct flow *f, const struct pg_result *r, const char *what)
{
	struct admin_request *req = admin_request_of(f);

	if (r->status == PG_OK)
		admin_change_done(req);
	else if (r->is_repeated || r->status == PG_LOST || r->status == PG_TIMEOUT)
		admin_change_doubt(req);
	else if (r->status == PG_SQL_ERROR)
		admin_change_refused(req);
	else
		admin_change_nothing(req); /* it was never sent */
	return catalog_check(f, r, what);
}

void
admin_change_missed(struct admin_request *req, const struct pg_result *r)
{
	if (r->is_repeated)
		admin_change_doubt(req);
	else
		admin_change_nothing(req);
}

/* ---- the request's end ---- */

/* Who ends with one of these has not heard how it ended. */
static bool
leaves_doubt(enum err_code code)
{
	switch (code) {
	case ERR_CLIENT_GONE:
	case ERR_TIMEOUT:
	case ERR_SHUTDOWN:
	case ERR_CATALOG:
	case ERR_NEON:
	case ERR_DATABASE:
	case ERR_DATABASE_AWAY:
	case ERR_INTERNAL:
	case ERR_OVERLOADED:
		return true;
	default:
		return false;
	}
}

static enum admin_change_phase
change_outcome(const struct admin_request *req, const struct err *err)
{
	enum admin_change_phase phase = req->change.phase;

	if (phase == CHANGE_NONE && req->route->action != NULL && !err_is(err))
		return CHANGE_DONE;
	if (phase != CHANGE_STARTED)
		return phase;
	if (!err_is(err))
		return CHANGE_DONE;
	return leaves_doubt(err->code) ? CHANGE_DOUBTED : CHANGE_REFUSED;
}

void
admin_change_end(struct admin_request *req, const struct err *err)
{
	enum admin_change_phase outcome = change_outcome(req, err);

	if (outcome == CHANGE_DONE)
		audit_write(req, "done", NULL);
	else if (outcome == CHANGE_REFUSED)
		audit_write(req, "failed", err);
	else if (outcome == CHANGE_DOUBTED)
		audit_write(req, "unknown", err_is(err) ? err : NULL);
	change_clear(&req->change);
}
