/* SPDX-License-Identifier: MIT */
/*
 * fake_handlers: the handlers of api/handlers.h.
 */
#include "fake_handlers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/handlers.h"

const char *handler_started;

static void
started(struct http_exchange *x, const struct api_context *ctx, const struct api_route_match *match,
    const char *name)
{
	assert_non_null(ctx);
	assert_non_null(match);
	handler_started = name;
	http_end(x);
}

void
ingest_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "ingest_start");
}

void
chat_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "chat_start");
}

void
chat_resume_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "chat_resume_start");
}

void
search_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "search_start");
}

void
healthz_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "healthz_start");
}

void
options_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "options_start");
}

void
readyz_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "readyz_start");
}

void
documents_list_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "documents_list_start");
}

void
documents_get_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "documents_get_start");
}

void
documents_delete_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "documents_delete_start");
}

void
documents_chunks_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "documents_chunks_start");
}

void
documents_patch_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "documents_patch_start");
}

void
tenant_get_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "tenant_get_start");
}

void
usage_get_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "usage_get_start");
}

void
tenant_put_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "tenant_put_start");
}

void
tokens_create_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	started(x, ctx, match, "tokens_create_start");
}
