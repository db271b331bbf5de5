/* SPDX-License-Identifier: MIT */
/*
 * cors_preflight: the answer to a browser that asks, before a page's request, whether the page may
 * send it. Any path is answered, also one that does not exist: the request's own refusal is a
 * sentence, and the page is to read it.
 */
#include "api/cors_preflight.h"

#include "api/respond.h"
#include "api/route.h"

/* Chromium keeps it no longer (2 h); it is of no effect on who may read a response. */
#define MAX_AGE_S "7200"

/* Of a path that does not exist. */
#define ALL_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE"

/* What our documents name and what clients send by themselves: user-agent is set by the AI SDK,
 * which browsers but Chromium take for the page's own. */
static const char allow_headers[] =
    "Authorization, Content-Type, Accept, User-Agent, X-Tenant-Id, X-User-Id, X-Request-Id, "
    "Traceparent, Tracestate, Baggage, X-Tenantgate-Stream, X-Tenantgate-Documents";

/* Each field that a handler or http/ sets, but for those that any page may read (CORS-safelisted
 * response-header names). */
const char cors_expose_headers[] =
    "RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "Retry-After, X-Request-Id, Server-Timing, WWW-Authenticate, Allow, Accept-Encoding, Date, "
    "X-Vercel-AI-UI-Message-Stream, X-Vercel-AI-Data-Stream";

bool
is_preflight(const struct http_exchange *x)
{
	return slice_is(http_method(x), "OPTIONS") && http_header(x, "Origin").p != NULL &&
	    http_header(x, "Access-Control-Request-Method").p != NULL;
}

void
respond_preflight(struct http_exchange *x, const struct api_context *ctx)
{
	char id[REQUEST_ID_MAX + 1], methods[64];
	struct err none = { 0 };

	request_id_choose(x, id);
	http_set(x, "X-Request-Id", id);
	if (http_origin_is_listed(x)) {
		http_set(x, "Access-Control-Allow-Methods",
		    api_route_methods(http_path(x), methods, sizeof(methods)) ? methods
									      : ALL_METHODS);
		http_set(x, "Access-Control-Allow-Headers", allow_headers);
		http_set(x, "Access-Control-Max-Age", MAX_AGE_S);
	}
	http_reply(x, 204, NULL, slice_of(NULL, 0));
	access_log_refusal(x, ctx->conf, id, &none);
	http_end(x);
}

/* Also `Origin: null`, and our own origin: whoever reads the page has its key, and with it all
 * tenants. */
bool
caller_may_be_in_page(const struct request *req, struct err *err)
{
	if (req->caller.kind != CALLER_SERVICE || http_header(req->x, "Origin").p == NULL)
		return true;
	err_set(err, ERR_FORBIDDEN,
	    "A service key does not belong in a page, where anybody can read it; give pages a "
	    "token or a tenant key, and leave the Origin field out where a server passes a "
	    "page's request on.");
	return false;
}
