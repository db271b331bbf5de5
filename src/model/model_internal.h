/* SPDX-License-Identifier: MIT */
/*
 * model_internal: what the files of model/ share. Private to the folder.
 *
 *	model.c		open and close		request_json.c	writes requests
 *	request_job.c	the same of long ones, by a helper
 *	embed.c		an embeddings request	vectors.c	its answer, by json_scan.c
 *	model_chat.c	starts a chat answer	model_stream.c	pulls it, by sse.c and delta*.c
 *	model_error.c	what a failure means, by error_text.c
 *	model_condition.c  how the servers are
 */
#ifndef TENANTGATE_MODEL_INTERNAL_H
#define TENANTGATE_MODEL_INTERNAL_H

#include <pthread.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/model.h"

#define ERROR_BODY_MAX	(16u * 1024)	/* bytes of an error response that are read */
#define BODY_KEPT_MAX	(8u * 1024)	/* bytes of a request that a resting stream keeps */

enum model_kind { MODEL_EMBEDDINGS, MODEL_CHAT, MODEL_KINDS };

/* What became of the last calls of one kind. */
struct model_record {
	pthread_mutex_t	 lock;		/* held for a few instructions */
	unsigned	 failures;	/* one after another; a success clears them */
	uint64_t	 failed_us;	/* monotonic: the last one; valid while there are any */
	int		 status;	/* of it; 0: no response */
	bool		 has_timed_out;
};

struct model_shares {
	struct share_budget	*streams;	/* owned, both */
	struct share_budget	*embeddings;
	struct model_record	 records[MODEL_KINDS];
};

struct model {
	struct worker		*worker;	/* borrowed */
	struct web		*web;		/* borrowed */
	struct model_shares	*shares;	/* borrowed */
	struct model_conf	 conf;		/* its strings borrowed */
	char			*embeddings_url;/* owned */
	char			*chat_url;	/* owned */
	char			*auth;		/* owned: Authorization line; NULL without a key */
	bool			 is_openai;	/* OpenAI itself, which knows its newer fields */
};

/* A request under way, embeddings or chat. The body is kept for another try, and to see whether an
 * error message quotes it. */
struct model_call {
	struct model		*model;		/* borrowed */
	const char		*stage;		/* static: "embedding model", "chat model" */
	enum model_kind		 kind;
	struct slice		 tenant;	/* borrowed until the call's wait is over */
	struct share_grant	 grant;		/* the call's place in its budget */
	struct buf		 body;		/* owned */
	bool			 body_is_gone;	/* freed: what quotes it is not known */
	unsigned		 tries;		/* begun, this one included */
};

/* model_condition.c: what became of a try. */
void	model_call_succeeded(const struct model_call *);
void	model_call_failed(const struct model_call *, const struct web_response *);

/* request_json.c. The first two write call->body; false when there is no memory for it. The third
 * fills the web request, which borrows the body, the URL and the model's header line. */
bool	request_json_embeddings(struct model_call *, const struct slice *texts, size_t n);
bool	request_json_chat(struct model_call *, const struct model_chat *);
void	model_call_request(const struct model_call *, const char *url, struct web_request *);

/*
 * model_error.c. What a failed try means: err is set to the caller's sentence, the server's own
 * words go to the log. Returns the microseconds to wait before another try, or 0 for none.
 */
uint64_t	model_error_classify(struct model_call *, const struct web_response *,
		    struct slice body, const char *request_id, struct err *);
/* The same for an error event in the middle of a stream; there is no other try after text. */
void		model_error_event(const struct model_call *, struct slice data,
		    const char *request_id, struct err *);
/* The same for a 200 whose body is not what was asked for. The first is false for what is neither
 * an error object nor HTML or gzip. */
bool		model_error_in_place(const struct model_call *, struct slice body,
		    const char *request_id, struct err *);
void		model_error_answer(const struct model_call *, struct slice body,
		    const char *request_id, struct err *);

#endif
