/* SPDX-License-Identifier: MIT */
/*
 * model: opening and closing a worker's model and what all models share, the defaults, and how many
 * texts make a batch.
 */
#include "tenantgate/model.h"

#include <stdlib.h>
#include <string.h>

#include "model/model_choice.h"
#include "model/model_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"

#define NUMBER_BYTES 12 /* of a float in a response, as text */
#define BASE64_BYTES 6	/* of one as base64: four thirds of four */
#define ITEM_BYTES   128

void
model_conf_init(struct model_conf *c)
{
	memset(c, 0, sizeof(*c));
	c->base_url = "https://api.openai.com/v1";
	c->chat_model = "gpt-4o-mini";
	c->embedding_model = "text-embedding-3-small";
	c->dimensions = 1536;
	c->strip_new_lines = true;
	c->batch_items_max = 2048;
	c->batch_bytes_max = 300 * 1000;
	c->stream_options = c->temperature = c->system_role = c->base64 = FORM_AUTO;
	c->length_field = MODEL_LENGTH_AUTO;
	c->retries = 2;
	c->connect_timeout_us = 5 * 1000000ull;
	c->first_byte_timeout_us = 300 * 1000000ull;
	c->idle_timeout_us = 60 * 1000000ull;
	c->delta_max = 256 * 1024;
	c->streams_max = 256;
	c->embeddings_max = 64;
	c->reranks_max = 64;
	c->rerank_timeout_us = 5 * 1000000ull;
	c->waiting_max = 1000;
	c->wait_timeout_us = 10 * 1000000ull;
}

struct model_shares *
model_shares_open(const struct model_conf *conf)
{
	struct model_shares *shares = xcalloc(1, sizeof(*shares));
	struct share_conf budget = {
		.noun = "model streams",
		.setting = "max_model_streams",
		.capacity = conf->streams_max,
		.has_headroom = true,
		.waiting_max = conf->waiting_max,
		.wait_timeout_us = conf->wait_timeout_us,
	};

	shares->streams = share_open(&budget);
	budget.noun = "embedding calls";
	budget.setting = "max_embedding_calls";
	budget.capacity = conf->embeddings_max;
	shares->embeddings = share_open(&budget);
	budget.noun = "reranking calls";
	budget.setting = "max_rerank_calls";
	budget.capacity = conf->reranks_max;
	budget.wait_timeout_us = conf->rerank_timeout_us;
	shares->reranks = share_open(&budget);
	shares->servers = model_servers_new(conf, NULL, NULL);
	shares->has_user_key = conf->user_key != NULL;
	if (shares->has_user_key)
		memcpy(shares->user_key, conf->user_key, sizeof(shares->user_key));
	return shares;
}

void
model_shares_close(struct model_shares *shares)
{
	if (shares == NULL)
		return;
	share_close(shares->streams);
	share_close(shares->embeddings);
	share_close(shares->reranks);
	refs_give(&shares->servers->refs);
	bytes_wipe(shares->user_key, sizeof(shares->user_key));
	free(shares);
}

void
model_shares_configure(struct model_shares *shares, const struct model_conf *conf,
    struct refs *owner)
{
	struct model_servers *before = shares->servers;

	share_resize(shares->streams, conf->streams_max);
	share_resize(shares->embeddings, conf->embeddings_max);
	share_resize(shares->reranks, conf->reranks_max);
	share_set_waiting(shares->streams, conf->waiting_max, conf->wait_timeout_us);
	share_set_waiting(shares->embeddings, conf->waiting_max, conf->wait_timeout_us);
	share_set_waiting(shares->reranks, conf->waiting_max, conf->rerank_timeout_us);
	shares->servers = model_servers_new(conf, owner, before);
	refs_give(&before->refs);
}

struct refs *
model_shares_servers(struct model_shares *shares)
{
	refs_take(&shares->servers->refs);
	return &shares->servers->refs;
}

/* refs_end_fn */
static void
model_end(struct refs *h)
{
	struct model *m = (struct model *)(void *)h;

	refs_give(&m->servers->refs);
	free(m);
}

struct model *
model_open(struct worker *worker, struct web *web, struct model_shares *shares,
    const struct model_conf *conf)
{
	struct model *m = xcalloc(1, sizeof(*m));

	refs_init(&m->refs, model_end);
	refs_take(&shares->servers->refs);
	m->servers = shares->servers;
	m->worker = worker;
	m->web = web;
	m->shares = shares;
	m->conf = *conf;
	m->chat_choices = m->servers->choices;
	m->chat_choice_count = m->servers->chat_choice_count;
	m->embedding_choice = &m->servers->embedding_choice;
	if (m->servers->rerank_choice.name != NULL)
		m->rerank_choice = &m->servers->rerank_choice;
	return m;
}

void
model_close(struct model *m)
{
	if (m != NULL)
		refs_give(&m->refs);
}

unsigned
model_dimensions(const struct model *m)
{
	return m->conf.dimensions;
}

const char *
model_embedding_name(const struct model *m)
{
	return m->embedding_choice->name;
}

const char *
model_chat_name(const struct model *m)
{
	return m->chat_choices[0].name;
}

bool
model_chat_allowed(const struct model *m, const char *name, const char *list, struct err *err)
{
	const struct model_servers *all = m->servers;
	const struct model_choice *choice;

	if (name == NULL)
		return true;
	choice = model_choice_find(all, name);
	if (choice == NULL)
		model_choice_refuse(all, err);
	else if (!model_choice_listed(all, choice, list))
		err_set(err, ERR_MODEL_FORBIDDEN,
		    "This tenant may not ask the model \"%s\"; leave the field out, or name one "
		    "of: "
		    "%s%s%s.",
		    name, m->chat_choices[0].name, list == NULL ? "" : ", ",
		    list == NULL ? "" : list);
	return !err_is(err);
}

/* Bytes stand for tokens, which are not known here: a token of a byte-level tokenizer is a byte at
 * least, so a batch never holds more tokens than bytes. */
size_t
model_batch(const struct model *m, const struct slice *texts, size_t n)
{
	const struct model_choice *choice = m->embedding_choice;
	size_t items_max = choice->server->conf.batch_items_max;
	size_t bytes_max = choice->server->conf.batch_bytes_max;
	size_t bytes = 0, i;
	struct model_habit habit;

	model_habits_of(&choice->server->habits, choice->model, &habit);
	if (habit.items != 0 && habit.items < items_max)
		items_max = habit.items;
	if (habit.bytes != 0 && habit.bytes < bytes_max)
		bytes_max = habit.bytes;
	for (i = 0; i < n && i < items_max; i++) {
		if (texts[i].len > bytes_max - bytes)
			break;
		bytes += texts[i].len;
	}
	return i == 0 && n > 0 ? 1 : i;
}

size_t
model_vector_memory(const struct model *m)
{
	bool is_text = m->embedding_choice->server->conf.base64 == FORM_PLAIN;

	return m->conf.dimensions * (sizeof(float) + (is_text ? NUMBER_BYTES : BASE64_BYTES)) +
	    ITEM_BYTES;
}
