/* SPDX-License-Identifier: MIT */
/*
 * stories: how the route table starts each story. A starter makes the story's flow and returns;
 * everything after that is in the story's own file.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "tenantgate/api.h"

struct api_route_match;

/* The match is borrowed for the call only. */
typedef void handler_start_fn(struct http_exchange *, const struct api_context *,
    const struct api_route_match *);

handler_start_fn	ingest_start;
handler_start_fn	chat_start;
handler_start_fn	search_start;
handler_start_fn	healthz_start;
handler_start_fn	readyz_start;

#endif
