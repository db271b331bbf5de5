/* SPDX-License-Identifier: MIT */
/*
 * model: opening and closing a worker's model and what all models share, the defaults, and how many
 * texts make a batch.
 */
#include "tenantgate/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/wire/url.h"

#define NUMBER_BYTES 12 /* of a vector in a response, as text */

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
	c->retries = 2;
	c->connect_timeout_us = 5 * 1000000ull;
	c->first_byte_timeout_us = 300 * 1000000ull;
	c->idle_timeout_us = 60 * 1000000ull;
	c->delta_max = 256 * 1024;
	c->streams_max = 256;
	c->embeddings_max = 64;
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
	for (unsigned i = 0; i < MODEL_KINDS; i++)
		if (pthread_mutex_init(&shares->records[i].lock, NULL) != 0)
			abort();
	return shares;
}

void
model_shares_close(struct model_shares *shares)
{
	if (shares == NULL)
		return;
	share_close(shares->streams);
	share_close(shares->embeddings);
	for (unsigned i = 0; i < MODEL_KINDS; i++)
		pthread_mutex_destroy(&shares->records[i].lock);
	free(shares);
}

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

/* URLs and the Authorization line are built once, not at each request. */
struct model *
model_open(struct worker *worker, struct web *web, struct model_shares *shares,
    const struct model_conf *conf)
{
	struct model *m = xcalloc(1, sizeof(*m));

	m->worker = worker;
	m->web = web;
	m->shares = shares;
	m->conf = *conf;
	m->is_openai = url_is_openai(conf->base_url);
	m->embeddings_url = string_join(conf->base_url, "/embeddings");
	m->chat_url = string_join(conf->base_url, "/chat/completions");
	if (conf->api_key != NULL && conf->api_key[0] != '\0')
		m->auth = string_join("Authorization: Bearer ", conf->api_key);
	return m;
}

void
model_close(struct model *m)
{
	if (m == NULL)
		return;
	free(m->embeddings_url);
	free(m->chat_url);
	free(m->auth);
	free(m);
}

unsigned
model_dimensions(const struct model *m)
{
	return m->conf.dimensions;
}

const char *
model_chat_name(const struct model *m)
{
	return m->conf.chat_model;
}

/* Bytes stand for tokens, which are not known here: a token of a byte-level tokenizer is a byte at
 * least, so a batch never holds more tokens than bytes. */
size_t
model_batch(const struct model *m, const struct slice *texts, size_t n)
{
	size_t bytes = 0, i;

	for (i = 0; i < n && i < m->conf.batch_items_max; i++) {
		if (texts[i].len > m->conf.batch_bytes_max - bytes)
			break;
		bytes += texts[i].len;
	}
	return i == 0 && n > 0 ? 1 : i;
}

size_t
model_embed_memory(const struct model *m, const struct slice *texts, size_t n)
{
	size_t batch = model_batch(m, texts, n), bytes = 0, i;

	for (i = 0; i < batch; i++)
		bytes += texts[i].len;
	return n * m->conf.dimensions * sizeof(float) + bytes +
	    batch * m->conf.dimensions * NUMBER_BYTES;
}
