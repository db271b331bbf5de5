/* SPDX-License-Identifier: MIT */
/*
 * route: the table of what is served, and the two functions that http/ calls: api_handle() for each
 * request, api_refused() for what was refused before it was one.
 *
 * http/ has checked the request line and the header section by then, and has read none of the body:
 * a request without a row costs no more than its header.
 */
#include "api/route.h"

#include "api/cors_preflight.h"
#include "api/respond.h"

#define FORM_OVERHEAD (256u << 10) /* multipart's own bytes, beyond the document's */

/* Offsets of a size and of a time-out in struct api_conf; another type of member does not build. */
#define SIZE_OF(m) _Generic(((struct api_conf *)0)->m, size_t : offsetof(struct api_conf, m))
#define TIME_OF(m) _Generic(((struct api_conf *)0)->m, uint64_t : offsetof(struct api_conf, m))

#define TENANTS (CALLS(CALLER_TENANT) | CALLS(CALLER_SERVICE) | CALLS(CALLER_TOKEN))
#define ANYBODY 0
#define OWN	true
#define NO_OWN	false

/* method, path, starter, body ceiling, bytes beyond it, time-out, callers, in the access log, the
 * scopes of which a key has one, whether it keeps to a user's own documents. A new route is a row
 * here and its starter in handlers.h. No two rows of a method may match the same path, for the
 * first would hide the other. HEAD has a row of its own: http/ sends no body for it (RFC 9110,
 * 9.3.2), whatever the handler writes. */
static const struct api_route routes[] = {
	{ "POST", "/ingest", ingest_start, SIZE_OF(document_max), FORM_OVERHEAD,
	    TIME_OF(ingest_timeout_us), TENANTS, true, SCOPE_BIT(SCOPE_INGEST), OWN },
	{ "POST", "/chat", chat_start, SIZE_OF(chat_body_max), 0, TIME_OF(chat_timeout_us), TENANTS,
	    true, SCOPE_BIT(SCOPE_CHAT), OWN },
	{ "GET", "/chat/{id}/stream", chat_resume_start, 0, 0, TIME_OF(chat_timeout_us), TENANTS,
	    true, SCOPE_BIT(SCOPE_CHAT), OWN },
	{ "POST", "/search", search_start, SIZE_OF(chat_body_max), 0, TIME_OF(chat_timeout_us),
	    TENANTS, true, SCOPE_BIT(SCOPE_SEARCH), OWN },
	{ "GET", "/documents", documents_list_start, 0, 0, TIME_OF(chat_timeout_us), TENANTS, true,
	    SCOPE_BIT(SCOPE_DOCUMENTS), OWN },
	{ "GET", "/documents/{id}", documents_get_start, 0, 0, TIME_OF(chat_timeout_us), TENANTS,
	    true, SCOPE_BIT(SCOPE_DOCUMENTS), OWN },
	{ "PATCH", "/documents/{id}", documents_patch_start, SIZE_OF(chat_body_max), 0,
	    TIME_OF(chat_timeout_us), TENANTS, true, SCOPE_BIT(SCOPE_DOCUMENTS), OWN },
	{ "DELETE", "/documents/{id}", documents_delete_start, 0, 0, TIME_OF(chat_timeout_us),
	    TENANTS, true, SCOPE_BIT(SCOPE_DOCUMENTS), OWN },
	{ "GET", "/documents/{id}/chunks", documents_chunks_start, 0, 0, TIME_OF(chat_timeout_us),
	    TENANTS, true, SCOPE_BIT(SCOPE_DOCUMENTS), OWN },
	{ "PUT", "/tenant", tenant_put_start, SIZE_OF(chat_body_max), 0, TIME_OF(chat_timeout_us),
	    CALLS(CALLER_SERVICE), true, SCOPE_WHOLE_KEY, NO_OWN },
	{ "GET", "/tenant", tenant_get_start, 0, 0, TIME_OF(chat_timeout_us), CALLS(CALLER_SERVICE),
	    true, SCOPE_WHOLE_KEY, NO_OWN },
	{ "POST", "/tokens", tokens_create_start, SIZE_OF(chat_body_max), 0,
	    TIME_OF(chat_timeout_us), CALLS(CALLER_SERVICE), true, SCOPES_ANY, NO_OWN },
	{ "GET", "/usage", usage_get_start, 0, 0, TIME_OF(chat_timeout_us), TENANTS, true,
	    SCOPE_WHOLE_KEY, NO_OWN },
	{ "GET", "/healthz", healthz_start, 0, 0, 0, ANYBODY, false, 0, NO_OWN },
	{ "HEAD", "/healthz", healthz_start, 0, 0, 0, ANYBODY, false, 0, NO_OWN },
	{ "GET", "/readyz", readyz_start, 0, 0, 0, ANYBODY, false, 0, NO_OWN },
	{ "HEAD", "/readyz", readyz_start, 0, 0, 0, ANYBODY, false, 0, NO_OWN },
	{ "OPTIONS", "/", options_start, 0, 0, 0, ANYBODY, false, 0, NO_OWN },
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

bool
api_route_find(struct slice method, struct slice path, struct api_route_match *out)
{
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		out->route = &routes[i];
		if (slice_is(method, routes[i].method) &&
		    http_path_match(routes[i].path, path, &out->params))
			return true;
	}
	return false;
}

const struct api_route *
api_route_at(size_t i)
{
	return i < ROUTE_COUNT ? &routes[i] : NULL;
}

/* A method that does not fit into `size` is left out; the caller's array has room for all there
 * are. OPTIONS alone makes no path: there is nothing behind it, and the rest gets 404. */
bool
api_route_methods(struct slice path, char *out, size_t size)
{
	struct http_path_params ignored;
	size_t used = 0;

	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		size_t need = strlen(routes[i].method) + 3;

		if (!http_path_match(routes[i].path, path, &ignored) || used + need > size ||
		    routes[i].start == options_start)
			continue;
		if (used > 0) {
			memcpy(out + used, ", ", 2);
			used += 2;
		}
		memcpy(out + used, routes[i].method, need - 3);
		used += need - 3;
	}
	out[used] = '\0';
	return used > 0;
}

/* 405 where the path has other methods, with the Allow field that RFC 9110, 15.5.6 demands; else
 * 404. No key is asked for: both say only what the API's documentation says. */
static void
respond_no_route(struct http_exchange *x, const struct api_context *ctx)
{
	char id[REQUEST_ID_MAX + 1], allow[64];
	struct err err = { 0 };

	request_id_choose(x, id);
	http_set(x, "X-Request-Id", id);
	if (api_route_methods(http_path(x), allow, sizeof(allow))) {
		http_set(x, "Allow", allow);
		err_set(&err, ERR_METHOD, "Use %s on this path.", allow);
	} else {
		err_set(&err, ERR_NOT_FOUND,
		    "There is no such path; check the URL for a misspelling.");
	}
	http_problem(x, &err, id);
	access_log_refusal(x, ctx->conf, id, &err);
	http_end(x);
}

void
api_handle(struct http_exchange *x, void *arg)
{
	struct api_route_match match;

	if (is_preflight(x))
		respond_preflight(x, arg);
	else if (api_route_find(http_method(x), http_path(x), &match))
		match.route->start(x, arg, &match);
	else
		respond_no_route(x, arg);
}

/* The rows that anybody may call are those of health. Elsewhere a probe of the same path with
 * another method is an ordinary request. */
bool
api_is_probe(struct slice method, struct slice path)
{
	struct api_route_match match;

	return api_route_find(method, path, &match) && match.route->callers == ANYBODY;
}

void
api_handle_health(struct http_exchange *x, void *arg)
{
	struct api_route_match match;

	if (api_is_probe(http_method(x), http_path(x)) &&
	    api_route_find(http_method(x), http_path(x), &match))
		match.route->start(x, arg, &match);
	else
		respond_no_route(x, arg);
}

void
api_refused(const struct http_exchange *x, const char *request_id, const struct err *err, void *arg)
{
	const struct api_context *ctx = arg;

	access_log_refusal(x, ctx->conf, request_id, err);
}

void
api_conf_init(struct api_conf *c)
{
	*c = (struct api_conf){
		.tenant_requests_per_minute = 600,
		.auth_failures_per_minute = 60,
		.token_ttl_us = 15 * 60 * 1000000ull,
		.provisions_per_minute = 60,
		.document_max = 64u << 20,
		.chat_body_max = 1u << 20,
		.chunk_size = 1000,
		.chunk_overlap = 200,
		.ingests_max = 1000,
		.ingest_memory_max = (size_t)512 << 20,
		.ingest_wait_timeout_us = 30 * 1000000ull,
		.spool_dir = "/var/tmp",
		.spool_max = (uint64_t)4 << 30,
		.embedding_calls = 4,
		.embedding_window = (size_t)2 << 20,
		.top_k = 4,
		.search_mode = SEARCH_HYBRID,
		.search_text_weight = 85,
		.client_system_messages = CLIENT_SYSTEM_DROP,
		.chat_file_text_max = 256u << 10,
		.ratelimit_headers = RATELIMIT_DRAFT,
		.ingest_timeout_us = 300 * 1000000ull,
		.documents_sweep_interval_us = 3600 * 1000000ull,
		.chat_timeout_us = 600 * 1000000ull,
		.stream_keepalive_us = 15 * 1000000ull,
		.stream_reasoning = true,
		.access_log = true,
		.otlp = { .url = "", .sample = 100 },
		.quota_answer_tokens = 1000,
		.quota_lease_us = LIMIT_LEASE_US,
	};
	extract_conf_init(&c->extract);
	index_conf_init(&c->indexing);
	usage_conf_init(&c->usage);
}
