/* SPDX-License-Identifier: MIT */
/*
 * admin_route: the table, and what http/ calls for each request of the admin door.
 */
#include "admin/admin_route.h"

#define SECONDS 1000000ull

/* No two rows of a method may match the same path, for the first would hide the other. */
static const struct admin_route admin_routes[] = {
	{ "GET", "/admin", about_start, 10 * SECONDS, NULL },
	{ "GET", "/admin/config", config_show_start, 10 * SECONDS, NULL },
	{ "GET", "/admin/shares", shares_start, 10 * SECONDS, NULL },
	{ "GET", "/admin/pools", pools_show_start, 10 * SECONDS, NULL },
	{ "GET", "/admin/flows", flows_start, 10 * SECONDS, NULL },
	{ "GET", "/admin/top", top_start, 10 * SECONDS, NULL },
	{ "GET", "/admin/keys", keys_list_start, 30 * SECONDS, NULL },
	{ "POST", "/admin/keys", keys_create_start, 30 * SECONDS, "key.create" },
	{ "DELETE", "/admin/keys/{id}", keys_revoke_start, 30 * SECONDS, "key.revoke" },
	{ "GET", "/admin/tenants/{tenant}/keys", keys_list_start, 30 * SECONDS, NULL },
	{ "POST", "/admin/tenants/{tenant}/keys", keys_create_start, 30 * SECONDS, "key.create" },
	{ "POST", "/admin/tenants/{tenant}/tokens", tokens_make_start, 30 * SECONDS,
	    "token.create" },
	{ "DELETE", "/admin/tenants/{tenant}/tokens", tokens_revoke_start, 30 * SECONDS,
	    "token.revoke" },
	{ "GET", "/admin/tenants", tenants_page_start, 30 * SECONDS, NULL },
	{ "GET", "/admin/tenants/{tenant}", tenant_show_start, 30 * SECONDS, NULL },
	{ "GET", "/admin/tenants/{tenant}/limits", tenant_limits_start, 30 * SECONDS, NULL },
	{ "PUT", "/admin/tenants/{tenant}", tenant_create_start, 30 * SECONDS, "tenant.create" },
	{ "PATCH", "/admin/tenants/{tenant}", tenant_set_start, 30 * SECONDS, "tenant.set" },
	{ "POST", "/admin/tenants/{tenant}/retry", tenant_retry_start, 30 * SECONDS,
	    "tenant.retry" },
	{ "POST", "/admin/tenants/{tenant}/warm", tenant_warm_start, 3600 * SECONDS,
	    "tenant.warm" },
	{ "GET", "/metrics", metrics_start, 10 * SECONDS, NULL },
	{ "GET", "/admin/usage", usage_list_start, 30 * SECONDS, NULL },
	{ "POST", "/admin/tenants/{tenant}/suspend", tenant_suspend_start, 30 * SECONDS,
	    "tenant.suspend" },
	{ "POST", "/admin/tenants/{tenant}/resume", tenant_resume_start, 30 * SECONDS,
	    "tenant.resume" },
	{ "DELETE", "/admin/tenants/{tenant}", tenant_delete_start, 30 * SECONDS, "tenant.delete" },
	{ "POST", "/admin/tenants/{tenant}/recreate", tenant_recreate_start, 10 * SECONDS,
	    "tenant.recreate" },
	{ "GET", "/admin/tenants/{tenant}/receipt", tenant_receipt_start, 10 * SECONDS, NULL },
	{ "GET", "/admin/reconcile", orphans_list_start, 3600 * SECONDS, NULL },
	{ "POST", "/admin/reconcile", orphans_remove_start, 3600 * SECONDS, "orphan.remove" },
	{ "POST", "/admin/reload", config_reload_start, 60 * SECONDS, "config.reload" },
	{ "POST", "/admin/reseal", passwords_reseal_start, 3600 * SECONDS, "passwords.reseal" },
	{ "POST", "/admin/adopt", catalog_adopt_start, 24 * 3600 * SECONDS, "catalog.adopt" },
	{ "POST", "/admin/tenants/{tenant}/adopt", tenant_adopt_start, 120 * SECONDS,
	    "tenant.adopt" },
};

#define ADMIN_ROUTE_COUNT (sizeof(admin_routes) / sizeof(admin_routes[0]))

bool
admin_route_find(struct slice method, struct slice path, struct admin_match *out)
{
	for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++) {
		out->route = &admin_routes[i];
		if (slice_is(method, admin_routes[i].method) &&
		    http_path_match(admin_routes[i].path, path, &out->params))
			return true;
	}
	return false;
}

bool
admin_route_methods(struct slice path, char *out, size_t size)
{
	struct http_path_params ignored;
	size_t used = 0;

	for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++) {
		const char *method = admin_routes[i].method;
		size_t len = strlen(method), separator = used > 0 ? 2 : 0;

		if (!http_path_match(admin_routes[i].path, path, &ignored) ||
		    used + separator + len + 1 > size)
			continue;
		memcpy(out + used, ", ", separator);
		memcpy(out + used + separator, method, len);
		used += separator + len;
	}
	out[used] = '\0';
	return used > 0;
}

const struct admin_route *
admin_route_at(size_t i)
{
	return i < ADMIN_ROUTE_COUNT ? &admin_routes[i] : NULL;
}

bool
admin_route_has_tenant(const struct admin_route *r)
{
	return strstr(r->path, "{tenant}") != NULL;
}

/* 405 where the path has other methods (RFC 9110, 15.5.6), else 404. No key is asked for: both say
 * only what the documentation says. */
static void
admin_respond_no_route(struct http_exchange *x, const struct admin_context *ctx)
{
	char id[REQUEST_ID_MAX + 1], allow[64];
	struct err err = { 0 };

	request_id_choose(x, id);
	http_set(x, "X-Request-Id", id);
	if (admin_route_methods(http_path(x), allow, sizeof(allow))) {
		http_set(x, "Allow", allow);
		err_set(&err, ERR_METHOD, "Use %s on this path.", allow);
	} else {
		err_set(&err, ERR_NOT_FOUND,
		    "The admin door has no such path; check the URL for a misspelling.");
	}
	http_problem(x, &err, id);
	access_log_refusal(x, ctx->api->conf, id, &err);
	http_end(x);
}

void
admin_handle(struct http_exchange *x, void *arg)
{
	const struct admin_context *ctx = arg;
	struct admin_match match;

	if (api_is_probe(http_method(x), http_path(x)))
		api_handle_health(x, (void *)(uintptr_t)ctx->api);
	else if (admin_route_find(http_method(x), http_path(x), &match))
		match.route->start(x, ctx, &match);
	else
		admin_respond_no_route(x, ctx);
}

void
admin_refused(const struct http_exchange *x, const char *request_id, const struct err *err,
    void *arg)
{
	const struct admin_context *ctx = arg;

	access_log_refusal(x, ctx->api->conf, request_id, err);
}
