/* SPDX-License-Identifier: MIT */
/*
 * model-api: a stand-in for a model's server, on the project's own rooms. It speaks OpenAI's API
 * well enough that the production code runs unchanged against it, is fast enough to be a
 * benchmark's upstream, and can be told to misbehave.
 *
 *	model-api.c		options, routes, counters
 *	model-api-request.c	what every request begins and ends with
 *	model-api-knobs.c	how to misbehave: by POST /_knobs, X-Knobs, or the model's name
 *	model-api-words.c	text to weighed words
 *	model-api-vectors.c	POST /v1/embeddings
 *	model-api-quote.c	the sentence of the passages that answers the question
 *	model-api-chat.c	POST /v1/chat/completions: reading, refusing, the whole answer
 *	model-api-completion.c	the same, streamed
 */
#ifndef DEVSTACK_MODEL_API_H
#define DEVSTACK_MODEL_API_H

#include <assert.h>
#include <stddef.h>

#include <jansson.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/http.h"
#include "tenantgate/loop/flow.h"

#define STALL_MS	(24u * 3600 * 1000)
#define BODY_MAX	(16u << 20)
#define TEXT_MAX	(4u << 20)

/* All 0: behave. */
struct knobs {
	unsigned	token_delay_ms;		/* before each word but the first */
	unsigned	first_delay_ms;		/* before the answer's header */
	unsigned	tokens;			/* exactly so many words */
	unsigned	fail;			/* HTTP status, of any route */
	unsigned	fail_chat;		/* of one */
	unsigned	fail_embeddings;
	unsigned	fail_times;		/* so often, then behave; 0: always */
	unsigned	retry_after;		/* seconds, with a 429 or 503 */
	unsigned	quota;			/* 1: the 429 is insufficient_quota */
	unsigned	stall_header;		/* 1: never answers */
	unsigned	stall_after;		/* words, then silence */
	unsigned	cut_after;		/* words, then the connection is cut */
	unsigned	error_after;		/* words, then an error event */
	unsigned	huge_event;		/* bytes of the first word */
	unsigned	echo;			/* 1: the prompt is the answer */
	unsigned	embed_delay_ms;		/* before the vectors */
	unsigned	stall_embeddings;	/* 1: never answers */
	unsigned	bad_vectors;		/* 1 zero, 2 NaN, 3 one is missing, 4 too short */
};

struct stats {
	unsigned long	embeddings;		/* requests */
	unsigned long	texts;			/* embedded */
	unsigned long	chats;
	unsigned long	models;
	unsigned long	refused;		/* answered with an error */
	unsigned long	aborted;		/* the client left in the middle of a stream */
	unsigned long	streams;		/* active now */
	unsigned long	tokens;			/* words sent */
};

struct model_api {
	struct worker		*worker;
	struct http_server	*http;
	const char		*api_key;	/* NULL: none is asked */
	unsigned		 dimensions;	/* unless the request names them */
	struct knobs		 knobs;		/* for everybody */
	struct stats		 stats;
};

#define MODEL_REQUEST_MAGIC 0x4d524551u /* "MREQ" */

/* One request on its way; a route's struct has it first. */
struct model_request {
	struct flow		 flow;
	unsigned		 magic;
	struct model_api	*api;		/* borrowed */
	struct http_exchange	*x;		/* borrowed until the end */
	struct knobs		 knobs;		/* this request's */
	struct buf		 body;		/* owned */
	json_t			*root;		/* owned */
	struct timer		 timer;
};

/* ---- model-api-request.c ---- */
/* size bytes, the visit first; freed with free() after the end. */
struct model_request	*model_request_start(struct model_api *, struct http_exchange *,
		    size_t size, const struct flow_kind *);
enum flow_rc	 model_request_read(struct flow *);	/* a step: the body */
/* The JSON and the knobs. False: the answer is given already. */
bool		 model_request_open(struct model_request *);
/* Whether this one is to fail, by a status (0: no): then the answer is given. */
bool		 model_request_fails(struct model_request *, unsigned status);
/* A step's end: waits, for good when `stall`. */
enum flow_rc	 model_request_wait(struct model_request *, unsigned ms, bool stall);
void		 model_request_refuse(struct model_request *, int status, const char *type,
		    const char *code, const char *message);
void		 model_request_reply(struct model_request *, const struct buf *json);
void		 model_request_end(struct flow *, const struct err *);	/* calls http_end() */
void		 model_request_release(struct flow *);

/* Of a step that several routes share. */
static inline struct model_request *
model_request_of(struct flow *f)
{
	struct model_request *req = (struct model_request *)(void *)f;

	_Static_assert(offsetof(struct model_request, flow) == 0, "a flow comes first");
	assert(f->magic == FLOW_MAGIC && req->magic == MODEL_REQUEST_MAGIC);
	return req;
}

/* ---- model-api-knobs.c ---- */
/* False when a name is unknown or a value no whole number. Absent ones stay. */
bool		 knobs_json(struct knobs *, const json_t *);
/* "name=value,name=value". */
bool		 knobs_text(struct knobs *, struct slice);
void		 knobs_put(const struct knobs *, struct buf *);

/* ---- model-api-words.c ---- */
struct word {
	uint64_t	hash;
	float		weight;	/* small for what is in every text */
	struct slice	text;
};
void		 words_init(void);
/* The next word of the text: letters and digits, lower case, its ending taken off. */
bool		 word_next(struct slice *text, struct word *);

/* ---- the routes ---- */
void		 embeddings_start(struct model_api *, struct http_exchange *);
void		 chat_completion_start(struct model_api *, struct http_exchange *);

/* ---- model-api-quote.c ---- */
/* What the stand-in answers: appends. */
void		 quote_answer(struct slice passages, struct slice question, struct buf *out);

/* ---- model-api-completion.c ---- */
#define COMPLETION_MAGIC 0x434f4d50u /* "COMP" */

struct completion {
	struct model_request	req;
	unsigned	magic;
	struct buf	text;		/* owned: the answer */
	struct slice	rest;		/* of it, not yet said */
	struct buf	out;		/* owned: bytes to be written */
	const char	*model;		/* borrowed from root */
	char		id[32];
	bool		streamed;
	bool		include_usage;
	unsigned	said;		/* words */
	unsigned	prompt_tokens;
};
enum flow_rc	 completion_begin(struct flow *);
enum flow_rc	 completion_next(struct flow *);
enum flow_rc	 completion_flush(struct flow *);
enum flow_rc	 completion_delay(struct flow *);
static inline struct completion *
completion_of(struct flow *f)
{
	struct completion *c = (struct completion *)(void *)model_request_of(f);

	_Static_assert(offsetof(struct completion, req) == 0, "a request comes first");
	assert(c->magic == COMPLETION_MAGIC);
	return c;
}
/* A word with the space before it; false at the end. */
bool		 completion_word(struct completion *, struct slice *);

#endif
