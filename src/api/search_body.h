/* SPDX-License-Identifier: MIT */
/*
 * search_body: the JSON of POST /search into a struct chat_input: its question, and among what, how
 * and for how many chunks is searched. Strings are in the arena. Pure.
 */
#ifndef API_SEARCH_BODY_H
#define API_SEARCH_BODY_H

#include <jansson.h>

#include "api/chat_body.h"

/* top_k: unless the body says. False with err naming the field: ERR_INVALID_FIELD, ERR_TOO_LARGE
 * (the arena is full), ERR_OVERLOADED (no memory). A field that is not known is refused. */
bool	search_body_read(const json_t *, unsigned top_k, struct arena *, struct chat_input *,
	    struct err *);

#endif
