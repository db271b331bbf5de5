/* SPDX-License-Identifier: MIT */
/*
 * model-api-vectors: POST /v1/embeddings. A text's vector is the sum of its words, each hashed into
 * three places with a sign, its k-th occurrence at a k-th of the squared weight; then scaled to
 * length 1 (signed feature hashing). The same text always has the same vector, and texts that share
 * rare words are near each other.
 */
#include <math.h>
#include <stdlib.h>

#include "model-api.h"
#include "tenantgate/base/b64.h"
#include "tenantgate/base/json.h"

#define DIMENSIONS_MAX	4096
#define ITEMS_MAX	2048 /* OpenAI's, as TEXT_TOKENS_MAX */
#define TEXT_TOKENS_MAX 8192 /* four bytes a token */
#define COUNTERS	4096 /* a power of two; words that share one are counted together */

struct embeddings {
	struct model_request req;
	float *vector; /* owned: of one text after the other */
	unsigned dimensions;
	bool base64;
	size_t bytes; /* of all texts */
};

static flow_step_fn embeddings_open, embeddings_respond;
static flow_end_fn embeddings_end;

static const struct flow_step embeddings_steps[] = {
	{ "body", model_request_read },
	{ "open", embeddings_open },
	{ "respond", embeddings_respond },
	{ NULL, NULL },
};

static const struct flow_kind embeddings_kind = { "embeddings", embeddings_steps, embeddings_end,
	model_request_release };

static void
vector_add(float *vector, unsigned n, uint64_t hash, float weight)
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		uint64_t h = hash * (2 * i + 0x9e3779b97f4a7c15ull);

		h ^= h >> 31;
		vector[(h >> 8) % n] += h & 1 ? weight : -weight;
	}
}

static void
vector_of(float *vector, unsigned n, struct slice text)
{
	uint16_t seen[COUNTERS] = { 0 };
	struct slice rest = text;
	struct word word;
	double sum = 0;
	unsigned i;

	memset(vector, 0, n * sizeof(*vector));
	while (word_next(&rest, &word)) {
		uint16_t *times = &seen[word.hash >> 20 & (COUNTERS - 1)];

		if (*times < UINT16_MAX)
			++*times;
		vector_add(vector, n, word.hash, word.weight * word.weight / (float)*times);
	}
	for (i = 0; i < n; i++)
		sum += (double)vector[i] * vector[i];
	if (sum < 1e-12) { /* no word in it, or they cancelled out */
		vector[text.len % n] = 1;
		sum = 1;
	}
	for (i = 0; i < n; i++)
		vector[i] = (float)(vector[i] / sqrt(sum));
}

static void
floats_put(struct buf *b, const float *vector, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		buf_putc(b, i == 0 ? '[' : ',');
		if (vector[i] == 0)
			buf_putc(b, '0');
		else
			buf_printf(b, "%.8g", (double)vector[i]);
	}
	buf_putc(b, ']');
}

/* base64 is of floats as they lie in memory: little-endian, as OpenAI's are, on the machines that
 * the stand-in is for. */
static void
item_put(struct embeddings *e, struct buf *b, size_t index, struct slice text)
{
	unsigned n = e->dimensions, bad = e->req.knobs.bad_vectors;

	e->bytes += text.len;
	vector_of(e->vector, n, text);
	if (bad == 1)
		memset(e->vector, 0, n * sizeof(*e->vector));
	else if (bad == 2)
		e->vector[n / 2] = NAN;
	else if (bad == 4)
		n--;
	buf_printf(b,
	    "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", index == 0 ? "" : ",",
	    index);
	if (e->base64) {
		buf_putc(b, '"');
		b64_put(b, slice_of((const char *)e->vector, n * sizeof(*e->vector)));
		buf_putc(b, '"');
	} else {
		floats_put(b, e->vector, n);
	}
	buf_putc(b, '}');
}

/* The i-th text of the input: a string, or a list of strings. */
static bool
input_text(const json_t *input, size_t i, struct slice *text)
{
	const json_t *item = json_is_array(input) ? json_array_get(input, i) : input;

	*text = slice_of(json_string_value(item), json_string_length(item));
	return json_is_string(item) && text->len > 0 && text->len / 4 <= TEXT_TOKENS_MAX;
}

static size_t
input_count(const json_t *input)
{
	return json_is_array(input) ? json_array_size(input) : 1;
}

static bool
input_good(struct embeddings *e, const json_t *input)
{
	size_t n = input_count(input), i;
	struct slice text;

	for (i = 0; i < n && i <= ITEMS_MAX; i++) {
		if (!input_text(input, i, &text)) {
			model_request_refuse(&e->req, 400, "invalid_request_error", NULL,
			    "'$.input' is invalid: each item must be a string of 1 to 8192 "
			    "tokens.");
			return false;
		}
	}
	if (n == 0 || n > ITEMS_MAX)
		model_request_refuse(&e->req, 400, "invalid_request_error", NULL,
		    "'$.input' is invalid: it must have 1 to 2048 items.");
	return n > 0 && n <= ITEMS_MAX;
}

static bool
embedding_options_read(struct embeddings *e)
{
	const json_t *root = e->req.root;
	const json_t *format = json_object_get(root, "encoding_format");
	struct err err = { .code = ERR_NONE };
	int64_t dimensions = e->req.api->dimensions;

	e->base64 = format != NULL && strcmp(json_string_value(format) ?: "", "base64") == 0;
	if (!json_opt_int(root, "dimensions", 1, DIMENSIONS_MAX, &dimensions, &err)) {
		model_request_refuse(&e->req, 400, "invalid_request_error", NULL, err.detail);
		return false;
	}
	e->dimensions = (unsigned)dimensions;
	e->vector = calloc(e->dimensions, sizeof(*e->vector));
	if (e->vector == NULL)
		model_request_refuse(&e->req, 500, "server_error", NULL,
		    "There is no memory for a vector; ask for fewer dimensions.");
	return e->vector != NULL;
}

static void
embeddings_reply(struct embeddings *e)
{
	const json_t *root = e->req.root, *input = json_object_get(root, "input");
	size_t n = input_count(input), i;
	struct slice text;
	struct buf out;

	buf_init(&out, (size_t)1 << 30);
	buf_puts(&out, "{\"object\":\"list\",\"data\":[");
	for (i = 0; i < n; i++)
		if ((i + 1 < n || e->req.knobs.bad_vectors != 3) && input_text(input, i, &text))
			item_put(e, &out, i, text);
	buf_puts(&out, "],\"model\":");
	json_put_string(&out, slice_str(json_string_value(json_object_get(root, "model"))));
	buf_printf(&out, ",\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu}}",
	    e->bytes / 4 + n, e->bytes / 4 + n);
	e->req.api->stats.texts += n;
	model_request_reply(&e->req, &out);
	buf_free(&out);
}

static enum flow_rc
embeddings_open(struct flow *f)
{
	struct model_request *req = model_request_of(f);

	if (!model_request_open(req) || model_request_fails(req, req->knobs.fail_embeddings))
		return FLOW_DONE;
	return model_request_wait(req, req->knobs.embed_delay_ms, req->knobs.stall_embeddings);
}

static enum flow_rc
embeddings_respond(struct flow *f)
{
	struct embeddings *e = FLOW_MEMBER_OF(f, struct embeddings, req.flow, &embeddings_kind);
	struct model_request *req = &e->req;

	if (input_good(e, json_object_get(req->root, "input")) && embedding_options_read(e))
		embeddings_reply(e);
	return FLOW_DONE;
}

static void
embeddings_end(struct flow *f, const struct err *err)
{
	free(FLOW_MEMBER_OF(f, struct embeddings, req.flow, &embeddings_kind)->vector);
	model_request_end(f, err);
}

void
embeddings_start(struct model_api *api, struct http_exchange *x)
{
	api->stats.embeddings++;
	(void)model_request_start(api, x, sizeof(struct embeddings), &embeddings_kind);
}
