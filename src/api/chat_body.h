/* SPDX-License-Identifier: MIT */
/*
 * chat_body: what POST /chat asks for, read from JSON as useChat of every AI SDK version sends it:
 * AI SDK 3 and 4 send messages with `content`, 5 and later with `parts`. Pure; strings are copied
 * into the arena, so the JSON may go at once. Unknown fields are ignored, for SDKs send their own.
 */
#ifndef API_CHAT_BODY_H
#define API_CHAT_BODY_H

#include <jansson.h>

#include "api/chat_file.h"
#include "tenantgate/api.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/model.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/search.h"
#include "tenantgate/retrieval/search_filter.h"

#define CHAT_NODES_MAX		20000	/* values, members and elements, in /search too */
#define CHAT_MESSAGES_MAX	256	/* in one body, those that are left out included */
#define CHAT_APPLICATION_MAX (64u << 10) /* bytes of a client's system messages, if kept */
#define SCORE_MIN		(-1)	/* of a cosine similarity; minScore is from here */
#define SCORE_MAX		1
#define CHAT_QUESTION_MAX	8000	/* bytes embedded; longer questions are cut */

struct chat_input {
	struct model_message	*messages;	/* arena; [0] is left free for the system prompt;
						 * the client's, until chat_turns_make() */
	size_t			 message_count;	/* [0] included */
	struct chat_file	*files;		/* arena; the newest first; NULL: none */
	unsigned		 last_files;	/* of the last user turn */
	struct slice		 application;	/* the client's system messages, if kept */
	struct slice		 question;	/* the last user message, cut; a range of it */
	size_t			 question_characters;	/* of the message as it came */
	const char		*document_ids[SEARCH_DOCUMENTS_MAX];	/* arena */
	unsigned		 document_count;	/* 0: all documents, or none */
	bool			 no_documents;	/* documentIds is there and empty: none */
	const struct search_filter *filter;	/* arena; NULL: none */
	const char		*owner;		/* arena; a user's id; NULL: anybody's */
	unsigned		 top_k;		/* 1 to SEARCH_K_MAX */
	enum search_mode	 mode;
	double			 min_score;	/* SCORE_MIN: none */
	bool			 says_rerank;	/* the next is the request's word */
	bool			 rerank;	/* what is found is to be put in order */
	const char		*model;		/* arena; NULL: the configured one */
	double			 temperature;	/* < 0: not given */
	unsigned		 max_tokens;	/* of the answer; 0: not given */
};

/* What a file of a chat may be and how a client's system messages fare is conf's.
 * False with err naming the field: ERR_INVALID_FIELD, or ERR_TOO_LARGE when the arena is full,
 * ERR_OVERLOADED when there is no memory. The input is zeroed memory before. */
bool	chat_body_read(const json_t *root, const struct api_conf *, struct arena *,
	    struct chat_input *, struct err *);
/* Of UTF-8: code points. */
size_t	chat_characters(struct slice text);
/* documentId, documentIds, filter, ownerId, topK, minScore, mode and rerank alone, which /search
 * takes too: among what and how is searched. Where one cannot be heeded it is refused: nothing may
 * seem to be filtered that is not. */
bool	chat_body_scope(const json_t *root, unsigned default_top_k,
	    enum search_mode default_mode, struct arena *, struct chat_input *, struct err *);

#endif
