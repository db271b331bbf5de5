/* SPDX-License-Identifier: MIT */
/*
 * route: the table of what we answer, and the handler that http/ calls.
 */
#include "api/answer.h"
#include "api/stories.h"
#include "tenantgate/base/log.h"

struct route {
	const char	*method;
	const char	*path;
	story_start_fn	*start;
};

static const struct route routes[] = {
	{ "POST", "/ingest", ingest_start },
	{ "POST", "/chat", chat_start },
	{ "POST", "/search", search_start },
	{ "GET", "/healthz", healthz_answer },
	{ "HEAD", "/healthz", healthz_answer },
	{ "GET", "/readyz", readyz_answer },
	{ "HEAD", "/readyz", readyz_answer },
};

#define ROUTE_COUNT	(sizeof(routes) / sizeof(routes[0]))

/* Allow: the methods of a path we know; false when we do not. */
static bool
path_methods(struct slice path, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		size_t need = strlen(routes[i].method) + 3;

		if (!slice_is(path, routes[i].path) || used + need > size)
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

static void
answer_no_route(struct http_exchange *x)
{
	char id[REQUEST_ID_MAX + 1], allow[64];
	struct err err = { 0 };

	answer_request_id(x, id);
	http_set(x, "X-Request-Id", id);
	if (path_methods(http_path(x), allow, sizeof(allow))) {
		http_set(x, "Allow", allow);
		err_set(&err, ERR_METHOD, "This path answers %s.", allow);
	} else {
		err_set(&err, ERR_NOT_FOUND, "No such path.");
	}
	http_problem(x, &err, id);
	http_end(x);
}

void
api_handle(struct http_exchange *x, void *arg)
{
	const struct api_rooms *rooms = arg;

	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (slice_is(http_path(x), routes[i].path) &&
		    slice_is(http_method(x), routes[i].method)) {
			routes[i].start(x, rooms);
			return;
		}
	}
	answer_no_route(x);
}

void
api_refused(const struct err *err, const char *request_id, const char *remote, void *arg)
{
	(void)arg;
	log_event(LOG_INFO, "http.refused", request_id, "%s: %d %s", remote, err_status(err->code),
	    err->detail);
}

void
api_conf_init(struct api_conf *c)
{
	*c = (struct api_conf){
		.tenant_requests_per_minute = 600,
		.document_max = 10u << 20,
		.chat_body_max = 1u << 20,
		.chunk_size = 1000,
		.chunk_overlap = 200,
		.chunks_max = 4096,
		.ingests_max = 64,
		.top_k = 4,
		.ingest_timeout_us = 300 * 1000000ull,
		.chat_timeout_us = 300 * 1000000ull,
		.access_log = true,
	};
	extract_conf_init(&c->extract);
}
