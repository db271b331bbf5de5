/* SPDX-License-Identifier: MIT */
/*
 * stories: how the route table starts each story. A starter makes the story's flow and returns;
 * everything after that is in the story's own file.
 */
#ifndef API_STORIES_H
#define API_STORIES_H

#include "tenantgate/api.h"

struct api_route_match;

/* The match is borrowed for the call only. */
typedef void story_start_fn(struct http_exchange *, const struct api_rooms *,
    const struct api_route_match *);

story_start_fn	ingest_start;
story_start_fn	chat_start;
story_start_fn	search_start;
story_start_fn	healthz_answer;
story_start_fn	readyz_answer;

#endif
