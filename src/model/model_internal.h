/* SPDX-License-Identifier: MIT */
/*
 * room: what the files of the model room share. model.c opens and closes, request_json.c writes
 * requests, model_error.c reads refusals, embed.c and model_chat.c are the two operations.
 */
#ifndef TENANTGATE_MODEL_INTERNAL_H
#define TENANTGATE_MODEL_INTERNAL_H

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/model.h"

#define ERROR_BODY_MAX	(16u * 1024)	/* bytes of a refusal that are read */

struct model {
	struct worker		*worker;	/* borrowed */
	struct web		*web;		/* borrowed */
	struct model_conf	 conf;		/* its strings borrowed */
	char			*embeddings_url;/* owned */
	char			*chat_url;	/* owned */
	char			*auth;		/* owned: the header line; NULL without a key */
	bool			 is_openai;	/* knows its newer fields */
};

/* A request under way: the body is kept until it is answered, for another try. */
struct call {
	struct model		*model;		/* borrowed */
	const char		*stage;		/* static: "embedding model", "chat model" */
	struct buf		 body;		/* owned */
	unsigned		 tries;
};

/* request_json.c: appends; false past the ceiling. */
bool	request_json_embeddings(struct call *, const struct slice *texts, size_t n);
bool	request_json_chat(struct call *, const struct model_chat *);
void	model_call_request(const struct call *, const char *url, struct web_request *);

/*
 * fault.c. What a failed try means: err is set to what the caller hears, and the server's words go
 * to the log. The microseconds to wait before another try, or 0 for none.
 */
uint64_t	model_error_classify(struct call *, const struct web_response *, struct slice body,
		    const char *request_id, struct err *);
/* An error event in the middle of a stream. */
void		model_error_event(struct call *, struct slice data, const char *request_id,
		    struct err *);

#endif
