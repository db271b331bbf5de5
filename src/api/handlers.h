/* SPDX-License-Identifier: MIT */
/*
 * handlers: how the table of routes starts each handler. A starter either makes the handler's flow,
 * which owns the exchange from then on, or (health) responds and ends the exchange at once. It does
 * not wait, and it does not fail: what goes wrong becomes the exchange's response.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "tenantgate/api.h"

struct api_route_match;

/* On the exchange's worker. The context outlives the exchange; the match is borrowed for the call
 * only. */
typedef void handler_start_fn(struct http_exchange *, const struct api_context *,
    const struct api_route_match *);

handler_start_fn	ingest_start;
handler_start_fn	chat_start;
handler_start_fn	chat_resume_start;
handler_start_fn	search_start;
handler_start_fn	documents_list_start;
handler_start_fn	documents_get_start;
handler_start_fn	documents_patch_start;
handler_start_fn	documents_delete_start;
handler_start_fn	documents_chunks_start;
handler_start_fn	tenant_get_start;
handler_start_fn	tenant_put_start;
handler_start_fn	usage_get_start;
handler_start_fn	tokens_create_start;
handler_start_fn	healthz_start;
handler_start_fn	readyz_start;
handler_start_fn	options_start;

#endif
