/* SPDX-License-Identifier: MIT */
/*
 * chat_body: what POST /chat asks, read from JSON as every AI SDK's useChat sends it (`content`
 * or `parts`). Pure; strings are copied into the arena.
 */
#ifndef API_CHAT_BODY_H
#define API_CHAT_BODY_H

#include <jansson.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/model.h"
#include "tenantgate/retrieval.h"

#define CHAT_MESSAGES_MAX	256
#define CHAT_QUESTION_MAX	8000	/* bytes embedded; longer questions are cut */

struct chat_input {
	struct model_message	*messages;	/* arena; [0] is left free for the system prompt */
	size_t			 message_count;	/* [0] included */
	struct slice		 question;	/* the last user message */
	const char		*document_ids[SEARCH_DOCUMENTS_MAX];
	unsigned		 document_count;	/* 0: all documents */
	unsigned		 top_k;
	const char		*model;		/* NULL: the configured one */
	double			 temperature;	/* < 0: not given */
};

/* False with err naming the field. */
bool	chat_body_read(const json_t *root, unsigned default_top_k, struct arena *,
	    struct chat_input *, struct err *);
/* documentId, documentIds and topK alone: what /search shares. */
bool	chat_body_scope(const json_t *root, unsigned default_top_k, struct arena *,
	    struct chat_input *, struct err *);

#endif
