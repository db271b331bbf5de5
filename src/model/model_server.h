/* SPDX-License-Identifier: MIT */
/*
 * model_server: the servers of models, and which model of which server answers. Made once for the
 * process by model_shares_open(), before there are workers, and freed after them; read by all of
 * them, and by the helpers. Nothing in it changes, but for the habits and the records, which are
 * under a lock of their own. Private to model/.
 */
#ifndef TENANTGATE_MODEL_SERVER_H
#define TENANTGATE_MODEL_SERVER_H

#include <pthread.h>

#include "model/model_habits.h"
#include "tenantgate/model.h"

#define SERVER_HEADERS_MAX	8	/* of web_request.headers; the others are a call's own */

enum model_kind { MODEL_EMBEDDINGS, MODEL_CHAT, MODEL_KINDS };

/* What became of the last calls of one kind. */
struct model_record {
	pthread_mutex_t	 lock;		/* held for a few instructions */
	unsigned	 failures;	/* one after another; a success clears them */
	uint64_t	 failed_us;	/* monotonic: the last one; valid while there are any */
	int		 status;	/* of it; 0: no response */
	bool		 has_timed_out;
};

struct model_server {
	struct model_server_conf conf;		/* its strings borrowed */
	bool			 is_openai;	/* OpenAI itself, which knows its newer fields */
	bool			 is_used[MODEL_KINDS];
	char			*headers[SERVER_HEADERS_MAX + 1]; /* owned lines, NULL-ended */
	struct model_habits	 habits;
	struct model_record	 records[MODEL_KINDS];
};

/* One model of one server, and where it is asked. */
struct model_choice {
	struct model_server	*server;	/* borrowed */
	const char		*model;		/* borrowed: its name there */
	char			*url;		/* owned */
};

struct model_servers {
	struct model_server	*servers;	/* owned; the first is the one of model_url */
	unsigned		 count;
	struct model_choice	*chat_choices;	/* owned; in the order of chat_model, not empty */
	unsigned		 chat_choice_count;
	struct model_choice	 embedding_choice;
};

void	model_servers_open(struct model_servers *, const struct model_conf *);
void	model_servers_close(struct model_servers *);

#endif
