/* SPDX-License-Identifier: MIT */
/*
 * model_server: makes the servers out of the configuration: URLs and header lines are built here,
 * once, and not at each request.
 */
#include "model/model_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/wire/url.h"

static char *
string_join(const char *front, const char *back)
{
	size_t n = strlen(front) + strlen(back) + 1;
	char *text = xmalloc(n);

	snprintf(text, n, "%s%s", front, back);
	return text;
}

/* Judged by the host alone: compatible servers may answer 400 to OpenAI's newer fields. */
static bool
url_is_openai(const char *base_url)
{
	struct url_parts url;
	struct err err = { 0 };
	bool is = url_read(slice_str(base_url), &url, &err) &&
	    strcasecmp(url.host, "api.openai.com") == 0;

	url_free(&url);
	return is;
}

/* The server that the general keys describe. */
static struct model_server_conf
default_server_conf(const struct model_conf *c)
{
	return (struct model_server_conf){
		.name = "default",
		.url = c->base_url,
		.api_key = c->api_key,
		.batch_items_max = c->batch_items_max,
		.batch_bytes_max = c->batch_bytes_max,
		.stream_options = c->stream_options,
		.temperature = c->temperature,
		.system_role = c->system_role,
		.base64 = c->base64,
		.max_tokens_name = c->max_tokens_name,
		.retries = c->retries,
		.connect_timeout_us = c->connect_timeout_us,
		.first_byte_timeout_us = c->first_byte_timeout_us,
		.idle_timeout_us = c->idle_timeout_us,
	};
}

static void
model_server_open(struct model_server *s, const struct model_server_conf *conf)
{
	s->conf = *conf;
	s->is_openai = url_is_openai(conf->url);
	if (conf->api_key != NULL && conf->api_key[0] != '\0')
		s->headers[0] = string_join("Authorization: Bearer ", conf->api_key);
	model_habits_init(&s->habits);
	for (unsigned i = 0; i < MODEL_KINDS; i++)
		if (pthread_mutex_init(&s->records[i].lock, NULL) != 0)
			abort();
}

static void
model_server_close(struct model_server *s)
{
	for (unsigned i = 0; s->headers[i] != NULL; i++)
		free(s->headers[i]);
	for (unsigned i = 0; i < MODEL_KINDS; i++)
		pthread_mutex_destroy(&s->records[i].lock);
	model_habits_free(&s->habits);
}

static void
choice_open(struct model_choice *c, struct model_server *server, enum model_kind kind,
    const char *model)
{
	server->is_used[kind] = true;
	c->server = server;
	c->model = model;
	c->url =
	    string_join(server->conf.url, kind == MODEL_CHAT ? "/chat/completions" : "/embeddings");
}

void
model_servers_open(struct model_servers *all, const struct model_conf *conf)
{
	struct model_server_conf first = default_server_conf(conf);

	all->count = 1;
	all->servers = xcalloc(all->count, sizeof(*all->servers));
	model_server_open(&all->servers[0], &first);
	all->chat_choice_count = 1;
	all->chat_choices = xcalloc(all->chat_choice_count, sizeof(*all->chat_choices));
	choice_open(&all->chat_choices[0], &all->servers[0], MODEL_CHAT, conf->chat_model);
	choice_open(&all->embedding_choice, &all->servers[0], MODEL_EMBEDDINGS,
	    conf->embedding_model);
}

void
model_servers_close(struct model_servers *all)
{
	for (unsigned i = 0; i < all->count; i++)
		model_server_close(&all->servers[i]);
	for (unsigned i = 0; i < all->chat_choice_count; i++)
		free(all->chat_choices[i].url);
	free(all->embedding_choice.url);
	free(all->servers);
	free(all->chat_choices);
}
