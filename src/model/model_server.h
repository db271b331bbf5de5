/* SPDX-License-Identifier: MIT */
/*
 * model_server: the servers of models, and which model of which server answers. Made for the
 * process by model_shares_open(), and anew by each reload, which takes over the servers whose
 * settings are as they were, with what is known of them. Read by all workers and helpers; a call
 * holds the servers that it began with. Nothing in it changes, but for the habits and the breakers,
 * which are under a lock of their own. Private to model/.
 */
#ifndef TENANTGATE_MODEL_SERVER_H
#define TENANTGATE_MODEL_SERVER_H

#include "model/model_breaker.h"
#include "model/model_habits.h"
#include "tenantgate/base/refs.h"
#include "tenantgate/model.h"

#define SERVER_FIELDS_MAX	7	/* configured header fields */
#define SERVER_HEADERS_MAX	8	/* with the key's: of web_request.headers */

enum model_kind { MODEL_EMBEDDINGS, MODEL_CHAT, MODEL_RERANK,
	MODEL_FORMER,	/* embeddings by one of before: a server that has it no more is not ill */
	MODEL_KINDS };

struct model_server {
	struct refs		 refs;	/* first: all that it is one of */
	struct refs		*owner;		/* held: of the conf's strings; or NULL */
	struct model_server_conf conf;		/* its strings the owner's */
	bool			 is_openai;	/* OpenAI itself, which knows its newer fields */
	const char		*length_field;	/* static: "max_tokens", or its newer name */
	char			*headers[SERVER_HEADERS_MAX + 1]; /* owned lines, NULL-ended */
	char			*extra[MODEL_KINDS]; /* owned: `,"name":value` of each member
						 * that is configured; NULL: none */
	char			*temperature;	/* the same, unless a chat has its own */
	struct model_habits	 habits;
	struct model_breaker	 breakers[MODEL_KINDS];
};

/* One model of one server, and where it is asked. */
struct model_choice {
	struct model_server	*server;	/* borrowed */
	char			*name;		/* owned: as configured, NAME/MODEL */
	const char		*model;		/* the part of it that the server knows */
	char			*url;		/* owned */
	const char		*provider;	/* static: whose server it is, for metrics */
};

struct model_servers {
	struct refs		 refs;	/* first: models, calls, and who configures */
	struct refs		*owner;		/* held: of the strings of what models are
						 * opened with; or NULL */
	struct model_server	**servers;	/* held, each; the first is the one of model_url */
	unsigned		 count;
	struct model_choice	*choices;	/* owned; those of chat_model first, in its order;
						 * then what requests may name besides */
	unsigned		 choice_count;
	unsigned		 chat_choice_count; /* of chat_model: at least one */
	struct model_choice	 embedding_choice;
	struct model_choice	 rerank_choice;	/* its name is NULL where there is none */
};

/* With one holder, the caller. before: whose servers are taken over where nothing of them has
 * changed; NULL: none. owner: keeps the conf's strings as long as it is held; NULL: they outlive
 * all. */
struct model_servers	*model_servers_new(const struct model_conf *, struct refs *owner,
			    const struct model_servers *before);

/* model_server_conf.c. The lines that carry the key and the configured fields; an extra body as
 * the text of its members, or NULL, with the temperature apart where that is asked for. All for the
 * caller to free(). */
void	model_server_fields(const struct model_server_conf *, char *lines[SERVER_HEADERS_MAX + 1]);
char	*model_server_extra(const char *json, char **temperature);
bool	 model_server_conf_same(const struct model_server_conf *, const struct model_server_conf *);
/* Whether a text of the server's own repeats its key or a configured field's value. */
bool	 model_server_secret_in(const struct model_server *, const char *text);

#endif
