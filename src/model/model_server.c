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

/* refs_end_fn */
static void
model_server_end(struct refs *h)
{
	struct model_server *s = (struct model_server *)(void *)h;

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
	refs_give(s->owner);
	free(s);
}

static struct model_server *
model_server_new(const struct model_server_conf *conf, struct refs *owner)
{
	struct model_server *s = xcalloc(1, sizeof(*s));

	refs_init(&s->refs, model_server_end);
	refs_take(owner);
	s->owner = owner;
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
	return s;
}

/* The one of before, where it is the same. */
static struct model_server *
model_server_get(const struct model_server_conf *conf, struct refs *owner,
    const struct model_servers *before)
{
	for (unsigned i = 0; before != NULL && i < before->count; i++) {
		struct model_server *s = before->servers[i];

		if (!model_server_conf_same(&s->conf, conf))
			continue;
		refs_take(&s->refs);
		return s;
	}
	return model_server_new(conf, owner);
}

/* refs_end_fn */
static void
model_servers_end(struct refs *h)
{
	struct model_servers *all = (struct model_servers *)(void *)h;

	model_choices_close(all);
	for (unsigned i = 0; i < all->count; i++)
		refs_give(&all->servers[i]->refs);
	free(all->servers);
	refs_give(all->owner);
	free(all);
}

struct model_servers *
model_servers_new(const struct model_conf *conf, struct refs *owner,
    const struct model_servers *before)
{
	struct model_server_conf first = default_server_conf(conf);
	struct model_servers *all = xcalloc(1, sizeof(*all));

	refs_init(&all->refs, model_servers_end);
	refs_take(owner);
	all->owner = owner;
	all->count = 1 + conf->server_count;
	all->servers = xcalloc(all->count, sizeof(struct model_server *));
	all->servers[0] = model_server_get(&first, owner, before);
	for (unsigned i = 0; i < conf->server_count; i++)
		all->servers[1 + i] = model_server_get(&conf->servers[i], owner, before);
	model_choices_open(all, conf);
	return all;
}
