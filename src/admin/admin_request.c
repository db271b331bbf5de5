/* SPDX-License-Identifier: MIT */
/*
 * admin_request: the beginning and the end that all handlers of the admin door share (see the
 * header). Nothing of a request is read before its key is known to be an operator's.
 */
#include "admin/admin_request.h"

#include "admin/admin_host.h"
#include "admin/admin_route.h"
#include "tenantgate/auth/tenant_named.h"
#include "tenantgate/base/json.h"

/* As request_trace_begin() does. */
static void
admin_trace_begin(struct admin_request *req)
{
	struct slice parent = http_header(req->x, "traceparent");

	if (http_header_count(req->x, "traceparent") > 1)
		parent = slice_of(NULL, 0);
	(void)trace_context_begin(&req->trace, parent);
	req->flow.trace_id = req->trace.id;
}

struct admin_request *
admin_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match, size_t size, const struct flow_kind *kind)
{
	struct arena *arena = arena_new(ADMIN_ARENA_MAX);
	struct admin_request *req = arena_first(arena, size);

	req->magic = ADMIN_MAGIC;
	req->ctx = ctx;
	req->api = ctx->api;
	req->conf = ctx->api->conf;
	req->snapshot = ctx->api->snapshot;
	refs_take(req->snapshot);
	req->x = x;
	req->route = match->route;
	req->params = match->params;
	request_id_choose(x, req->request_id);
	http_set(x, "X-Request-Id", req->request_id);
	http_set(x, "Cache-Control", "no-store");
	buf_init(&req->body, ADMIN_BODY_MAX);
	flow_start(&req->flow, kind, ctx->api->worker, arena);
	req->flow.request_id = req->request_id;
	admin_trace_begin(req);
	flow_deadline(&req->flow, match->route->timeout_us);
	http_attach(x, &req->flow);
	return req;
}

static bool
comes_from_page(const struct admin_request *req, struct err *err)
{
	if (http_header(req->x, "Origin").p != NULL)
		err_set(err, ERR_FORBIDDEN,
		    "The admin door answers no page in a browser; use tenantgatectl, or leave the "
		    "Origin header out.");
	else if (!admin_host_allowed(http_header(req->x, "Host"), req->ctx->hosts))
		err_set(err, ERR_FORBIDDEN,
		    "The admin door is not known by the name in the Host header; use its address, "
		    "or "
		    "add the name to admin_hosts.");
	return err_is(err);
}

enum flow_rc
admin_caller(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);
	struct err err = { 0 };

	if (comes_from_page(req, &err))
		return flow_fail_err(f, &err);
	if (!atomic_load(&req->api->shared->catalog_is_ours)) {
		err.retry_after = 1;
		err_set(&err, ERR_CATALOG,
		    "The server is starting and has not yet looked at the main database. Try "
		    "again in a moment.");
		return flow_fail_err(f, &err);
	}
	if (http_header_count(req->x, "Authorization") > 1)
		return flow_fail(f, ERR_BAD_REQUEST, "Send the Authorization header once only.");
	return auth_check(f, req->api->auth, http_header(req->x, "Authorization"),
	    http_network(req->x), &req->caller);
}

/* The path's {tenant}, where it has one. */
static bool
read_tenant(struct admin_request *req, struct err *err)
{
	struct slice id;

	if (!admin_route_has_tenant(req->route))
		return true;
	id = http_path_param(&req->params, "tenant", req->flow.arena);
	if (id.p == NULL || !auth_tenant_valid(id)) {
		err_set(err, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct the path.",
		    TENANT_ID_MAX);
		return false;
	}
	memcpy(req->tenant_id, id.p, id.len);
	req->tenant_id[id.len] = '\0';
	return true;
}

/* The switches of what changes something, as they may stand in its query. */
static bool
is_switch(struct slice item)
{
	static const char *const items[] = { "dryRun=true", "dryRun=false", "takeOwnership=true",
		"takeOwnership=false" };

	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		if (slice_is(item, items[i]))
			return true;
	return false;
}

/* A slip of the pen must not do what was only to be shown: what changes something takes nothing
 * else in its query. */
static bool
query_is_known(struct slice query)
{
	unsigned dry_runs = 0;

	while (query.len > 0) {
		const char *end = memchr(query.p, '&', query.len);
		struct slice item =
		    slice_of(query.p, end != NULL ? (size_t)(end - query.p) : query.len);

		dry_runs += slice_starts(item, "dryRun=");
		if (!is_switch(item) || dry_runs > 1)
			return false;
		query = slice_of(query.p + item.len, query.len - item.len);
		if (end != NULL)
			query = slice_of(query.p + 1, query.len - 1);
	}
	return true;
}

static bool
read_dry_run(struct admin_request *req, struct err *err)
{
	if (!slice_is(http_method(req->x), "GET") && !query_is_known(http_query(req->x))) {
		err_set(err, ERR_INVALID_FIELD,
		    "What changes something takes ?dryRun=true behind its path, and nothing that "
		    "this build does not know; correct the query.");
		return false;
	}
	return admin_query_bool(req, "dryRun", &req->is_dry_run, err);
}

enum flow_rc
admin_allow(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);
	struct err err = { 0 };

	if (req->caller.kind == CALLER_NONE)
		return flow_fail(f, ERR_UNAUTHENTICATED,
		    "The admin door wants an admin key: Authorization: Bearer tg_...; `tenantgate "
		    "key create --admin` makes one.");
	if (req->caller.kind != CALLER_ADMIN)
		return flow_fail(f, ERR_FORBIDDEN,
		    "This key is no admin key; `tenantgate key create --admin` makes one.");
	http_set_timing(req->x, f);
	if (!read_dry_run(req, &err) || !read_tenant(req, &err))
		return flow_fail_err(f, &err);
	memcpy(req->tenant_named, req->tenant_id, sizeof(req->tenant_named));
	if (!tenant_named_in_head(req->x, req->tenant_named, f->arena, &err))
		return flow_fail_err(f, &err);
	return FLOW_NEXT;
}

enum flow_rc
admin_body(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);

	return http_read_body(f, req->x, &req->body);
}

enum flow_rc
admin_parse(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);
	struct err err = { 0 };

	if (req->body.len == 0)
		req->json = json_object();
	else
		req->json = json_read_object(slice_of(req->body.data, req->body.len), &err);
	if (req->json == NULL)
		err_set(&err, ERR_OVERLOADED, ERR_NO_MEMORY, "the body");
	else
		(void)tenant_named_in_json(req->json, req->tenant_named, &err);
	return err_is(&err) ? flow_fail_err(f, &err) : FLOW_NEXT;
}

enum flow_rc
admin_respond(struct flow *f, int status, const struct buf *b)
{
	return admin_respond_as(f, status, "application/json", b);
}

enum flow_rc
admin_respond_as(struct flow *f, int status, const char *type, const struct buf *b)
{
	struct admin_request *req = admin_request_of(f);

	if (b->failed)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the response");
	http_reply(req->x, status, type, slice_of(b->data, b->len));
	return FLOW_DONE;
}

enum flow_rc
admin_respond_json(struct flow *f, int status, json_t *json)
{
	enum flow_rc rc;
	struct buf b;

	buf_init(&b, ADMIN_JSON_MAX);
	if (json == NULL || !json_put(&b, json))
		b.failed = true;
	json_decref(json);
	rc = admin_respond(f, status, &b);
	buf_free(&b);
	return rc;
}

void
admin_end(struct admin_request *req, const struct err *err)
{
	http_attach(req->x, NULL); /* a client that leaves now finds no flow to abort */
	if (err_is(err) && http_status(req->x) == 0)
		http_problem(req->x, err, req->request_id);
	req->flow.result = (unsigned)http_result(req->x, err);
	admin_change_end(req, err);
	access_log_admin(req->x, req->conf, &req->flow, req->caller.key_id, req->tenant_id, err);
	http_end(req->x);
	req->x = NULL;
}

void
admin_release(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);

	struct refs *snapshot = req->snapshot;

	json_decref(req->json);
	buf_free(&req->body);
	arena_free(f->arena);
	refs_give(snapshot);
}
