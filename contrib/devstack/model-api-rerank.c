/* SPDX-License-Identifier: MIT */
/*
 * model-api-rerank: POST /v1/rerank, in Cohere's form. A document's score is the share of the
 * query's words, by their weight, that it has: no model, and the response says so.
 */
#include "model-api.h"
#include "tenantgate/base/json.h"

#define QUERY_WORDS   256  /* of it that count */
#define DOCUMENTS_MAX 1000 /* Cohere's */

static flow_step_fn rerank_open, rerank_respond;

static const struct flow_step rerank_api_steps[] = {
	{ "body", model_request_read },
	{ "open", rerank_open },
	{ "respond", rerank_respond },
	{ NULL, NULL },
};

static const struct flow_kind rerank_api_kind = { "rerank", rerank_api_steps, model_request_end,
	model_request_release };

struct query {
	struct word words[QUERY_WORDS];
	unsigned count;
	double weight; /* of all of them */
};

static bool
query_has(const struct query *q, uint64_t hash, unsigned *at)
{
	for (*at = 0; *at < q->count; ++*at)
		if (q->words[*at].hash == hash)
			return true;
	return false;
}

static void
query_read(struct query *q, struct slice text)
{
	struct word word;
	unsigned at;

	memset(q, 0, sizeof(*q));
	while (q->count < QUERY_WORDS && word_next(&text, &word)) {
		if (query_has(q, word.hash, &at))
			continue;
		q->words[q->count++] = word;
		q->weight += (double)word.weight;
	}
}

static double
document_score(const struct query *q, struct slice text)
{
	bool met[QUERY_WORDS] = { false };
	double met_weight = 0;
	struct word word;
	unsigned at;

	while (word_next(&text, &word)) {
		if (!query_has(q, word.hash, &at) || met[at])
			continue;
		met[at] = true;
		met_weight += (double)word.weight;
	}
	return q->weight > 0 ? met_weight / q->weight : 0;
}

/* A string, or an object with a text. */
static struct slice
document_text(const json_t *documents, size_t i)
{
	const json_t *item = json_array_get(documents, i);

	if (json_is_object(item))
		item = json_object_get(item, "text");
	return slice_of(json_string_value(item), json_string_length(item));
}

static bool
rerank_good(struct model_request *req, int64_t *top_n)
{
	const json_t *documents = json_object_get(req->root, "documents");
	size_t n = json_array_size(documents);
	struct err err = { .code = ERR_NONE };

	*top_n = (int64_t)n;
	if (json_string_length(json_object_get(req->root, "query")) == 0)
		err_set(&err, ERR_INVALID_FIELD,
		    "Field 'query' must not be empty; send a question.");
	else if (n == 0 || n > DOCUMENTS_MAX)
		err_set(&err, ERR_INVALID_FIELD,
		    "Field 'documents' must be a list of 1 to %d texts.", DOCUMENTS_MAX);
	for (size_t i = 0; i < n && !err_is(&err); i++)
		if (document_text(documents, i).len == 0)
			err_set(&err, ERR_INVALID_FIELD,
			    "Each of 'documents' must be a text that is not empty.");
	if (!err_is(&err))
		(void)json_opt_int(req->root, "top_n", 1, DOCUMENTS_MAX, top_n, &err);
	if (err_is(&err))
		model_request_refuse(req, 400, "invalid_request_error", NULL, err.detail);
	return !err_is(&err);
}

static void
result_put(struct buf *b, unsigned bad, size_t index, double score, bool is_first)
{
	if (bad == 1)
		index += DOCUMENTS_MAX;
	else if (bad == 2)
		index = 0;
	buf_printf(b, "%s{\"index\":%zu,\"relevance_score\":", is_first ? "" : ",", index);
	if (bad == 4)
		buf_puts(b, "NaN}");
	else
		buf_printf(b, "%.6f}", score);
}

/* The best that is left, of equal ones the first; its score is struck out. */
static size_t
best_take(double *scores, size_t n, double *score)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (scores[i] > scores[best])
			best = i;
	*score = scores[best];
	scores[best] = -1;
	return best;
}

static void
rerank_reply(struct model_request *req, size_t top_n)
{
	const json_t *documents = json_object_get(req->root, "documents");
	const json_t *text = json_object_get(req->root, "query");
	size_t n = json_array_size(documents);
	double scores[DOCUMENTS_MAX], score;
	struct query query;
	struct buf out;

	query_read(&query, slice_of(json_string_value(text), json_string_length(text)));
	for (size_t i = 0; i < n; i++)
		scores[i] = document_score(&query, document_text(documents, i));
	buf_init(&out, 1 << 20);
	buf_puts(&out, "{\"id\":\"stand-in\",\"results\":[");
	for (size_t i = 0; i < top_n && i < n && !(req->knobs.bad_rerank == 3 && i > 0); i++) {
		size_t best = best_take(scores, n, &score);

		result_put(&out, req->knobs.bad_rerank, best, score, i == 0);
	}
	buf_puts(&out,
	    "],\"meta\":{\"stand_in\":\"No model made this order: a score is the share of "
	    "the query's words that a document has.\"}}");
	model_request_reply(req, &out);
	buf_free(&out);
}

static enum flow_rc
rerank_open(struct flow *f)
{
	struct model_request *req = model_request_of(f);

	if (!model_request_open(req) || model_request_fails(req, req->knobs.fail_rerank))
		return FLOW_DONE;
	return model_request_wait(req, req->knobs.rerank_delay_ms, req->knobs.stall_rerank);
}

static enum flow_rc
rerank_respond(struct flow *f)
{
	struct model_request *req = model_request_of(f);
	int64_t top_n;

	if (rerank_good(req, &top_n))
		rerank_reply(req, (size_t)top_n);
	return FLOW_DONE;
}

void
rerank_start(struct model_api *api, struct http_exchange *x)
{
	api->stats.reranks++;
	(void)model_request_start(api, x, sizeof(struct model_request), &rerank_api_kind);
}
