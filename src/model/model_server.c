/* SPDX-License-Identifier: MIT */
/*
 * model_server: makes the servers out of the configuration: URLs, header lines and extra
 * members are built once, and not at each request.
 */
#include "model/model_server.h"

#include <stdlib.h>
#include <string.h>

#include "model/model_choice.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/url.h"

/* Judged by the host alone: compatible servers may answer 400 to OpenAI's newer fields. Azure's
 * resources have a name before its host. */
static void
judge_host(struct model_server *s)
{
	static const char azure[] = ".openai.azure.com";
	struct url_parts url;
	struct err err = { 0 };
	bool is_azure = false;
	size_t n;

	if (url_read(slice_str(s->conf.url), &url, &err)) {
		n = strlen(url.host);
		s->is_openai = strcasecmp(url.host, "api.openai.com") == 0;
		is_azure =
		    n > strlen(azure) && strcasecmp(url.host + n - strlen(azure), azure) == 0;
	}
	url_free(&url);
	s->length_field = "max_tokens";
	if (s->conf.length_field == MODEL_LENGTH_MAX_COMPLETION_TOKENS ||
	    (s->conf.length_field == MODEL_LENGTH_AUTO && (s->is_openai || is_azure)))
		s->length_field = "max_completion_tokens";
}

/* The server that the general keys describe. */
static struct model_server_conf
default_server_conf(const struct model_conf *c)
{
	return (struct model_server_conf){
		.name = "default",
		.url = c->base_url,
		.api_key = c->api_key,
		.api_key_header = "Authorization",
		.answer_tokens = c->answer_tokens,
		.send_user = c->send_user,
		.batch_items_max = c->batch_items_max,
		.batch_bytes_max = c->batch_bytes_max,
		.stream_options = c->stream_options,
		.temperature = c->temperature,
		.system_role = c->system_role,
		.base64 = c->base64,
		.length_field = c->length_field,
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
	judge_host(s);
	model_server_fields(conf, s->headers);
	s->extra[MODEL_CHAT] = model_server_extra(conf->extra_body, &s->temperature);
	s->extra[MODEL_EMBEDDINGS] = model_server_extra(conf->embedding_extra_body, NULL);
	s->extra[MODEL_RERANK] = model_server_extra(conf->rerank_extra_body, NULL);
	model_habits_init(&s->habits);
	model_breaker_init(&s->breakers[MODEL_EMBEDDINGS], "embedding model", s->conf.name);
	model_breaker_init(&s->breakers[MODEL_CHAT], "chat model", s->conf.name);
	model_breaker_init(&s->breakers[MODEL_FORMER], "former embedding model", s->conf.name);
	model_breaker_init(&s->breakers[MODEL_RERANK], "reranking model", s->conf.name);
}

static void
model_server_close(struct model_server *s)
{
	for (unsigned i = 0; s->headers[i] != NULL; i++) {
		bytes_wipe(s->headers[i], strlen(s->headers[i]));
		free(s->headers[i]);
	}
	for (unsigned i = 0; i < MODEL_KINDS; i++) {
		model_breaker_destroy(&s->breakers[i]);
		free(s->extra[i]);
	}
	free(s->temperature);
	model_habits_free(&s->habits);
}

void
model_servers_open(struct model_servers *all, const struct model_conf *conf)
{
	struct model_server_conf first = default_server_conf(conf);

	all->count = 1 + conf->server_count;
	all->servers = xcalloc(all->count, sizeof(*all->servers));
	model_server_open(&all->servers[0], &first);
	for (unsigned i = 0; i < conf->server_count; i++)
		model_server_open(&all->servers[1 + i], &conf->servers[i]);
	model_choices_open(all, conf);
}

void
model_servers_close(struct model_servers *all)
{
	model_choices_close(all);
	for (unsigned i = 0; i < all->count; i++)
		model_server_close(&all->servers[i]);
	free(all->servers);
}
