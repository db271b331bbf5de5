/* SPDX-License-Identifier: MIT */
/*
 * rerank_body: see the header.
 */
#include "model/rerank_body.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "model/json_scan.h"
#include "tenantgate/base/json.h"

#define BODY_OVERHEAD_MAX (64u << 10) /* bytes of all that is not text, extra bodies too */
#define ESCAPED_MAX	  6	      /* bytes that one byte of text may become: \u00XX */
#define REPEATED_MAX	  3	      /* the same of a text as servers write it: é as \u00e9 */
#define ITEM_MAX	  1024	      /* bytes of an item besides its text */

static size_t
part_bytes(const struct rerank_part *p)
{
	size_t bytes = 0;

	for (size_t i = 0; i < p->n; i++)
		bytes += p->texts[i].len;
	return bytes;
}

size_t
rerank_answer_max(const struct rerank_part *p)
{
	return part_bytes(p) * REPEATED_MAX + p->n * ITEM_MAX + ERROR_BODY_MAX;
}

/* ---- the request ---- */

static void
put_texts(struct buf *b, const char *key, const struct rerank_part *p)
{
	buf_printf(b, ",\"%s\":[", key);
	for (size_t i = 0; i < p->n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		json_put_string(b, p->texts[i]);
	}
	buf_putc(b, ']');
}

bool
rerank_body_write(struct model_call *call, struct slice query, const struct rerank_part *p)
{
	const char *extra = call->choice->server->extra[MODEL_RERANK];
	bool as_texts = model_call_leaves(call, FIELD_DOCUMENTS);
	size_t bytes = part_bytes(p) + query.len;
	struct buf *b = &call->body;

	buf_free(b);
	buf_init(b, bytes * ESCAPED_MAX + BODY_OVERHEAD_MAX);
	buf_reserve(b, bytes + bytes / 16 + 1024);
	buf_puts(b, "{\"query\":");
	json_put_string(b, query);
	put_texts(b, as_texts ? "texts" : "documents", p);
	if (as_texts) {
		buf_puts(b, ",\"truncate\":true");
	} else {
		buf_puts(b, ",\"model\":");
		json_put_string(b, slice_str(call->choice->model));
		buf_printf(b, ",\"top_n\":%zu", p->wanted);
	}
	if (extra != NULL)
		buf_puts(b, extra);
	buf_putc(b, '}');
	return !b->failed;
}

/* ---- the answer ---- */

struct ranking_reader {
	struct json_scan scan;
	size_t n;
	float *scores;	   /* borrowed: NAN where there is none yet */
	size_t count;	   /* of those that there are */
	bool has_items;	   /* a list of them was there */
	const char *wrong; /* static; the first reason is kept */
};

/* Makes the scan bad, which ends all loops over it. */
static void
ranking_refuse(struct ranking_reader *r, const char *why)
{
	if (r->wrong == NULL)
		r->wrong = why;
	r->scan.bad = true;
}

/* The index is a double, and checked before it is converted. */
static void
ranking_store(struct ranking_reader *r, double index, double score)
{
	if (isnan(index))
		ranking_refuse(r, "A result has no index.");
	else if (!(index >= 0 && index < (double)r->n) || index != floor(index))
		ranking_refuse(r, "An index is out of range.");
	else if (!isnan(r->scores[(size_t)index]))
		ranking_refuse(r, "An index comes twice.");
	else if (!isfinite((float)score))
		ranking_refuse(r, "A result has no score, or one that is not finite.");
	else {
		r->scores[(size_t)index] = (float)score;
		r->count++;
	}
}

static void
ranking_item_read(struct ranking_reader *r)
{
	double index = NAN, score = NAN;
	struct slice key;

	json_scan_open(&r->scan, '{');
	while (json_scan_member(&r->scan, &key)) {
		bool is_number = json_scan_peek(&r->scan) == JSON_SCAN_NUMBER;

		if (is_number && slice_is(key, "index"))
			json_scan_number(&r->scan, &index);
		else if (is_number && (slice_is(key, "relevance_score") || slice_is(key, "score")))
			json_scan_number(&r->scan, &score);
		else
			json_scan_skip(&r->scan);
	}
	if (!r->scan.bad)
		ranking_store(r, index, score);
}

static void
ranking_items_read(struct ranking_reader *r)
{
	r->has_items = true;
	json_scan_open(&r->scan, '[');
	while (json_scan_item(&r->scan))
		ranking_item_read(r);
}

static void
ranking_object_read(struct ranking_reader *r)
{
	struct slice key;

	json_scan_open(&r->scan, '{');
	while (json_scan_member(&r->scan, &key)) {
		bool is_array = json_scan_peek(&r->scan) == JSON_SCAN_ARRAY;

		if (is_array && !r->has_items &&
		    (slice_is(key, "results") || slice_is(key, "data")))
			ranking_items_read(r);
		else
			json_scan_skip(&r->scan);
	}
}

const char *
rerank_answer_read(struct slice body, size_t n, size_t wanted, float *scores)
{
	struct ranking_reader r = { .n = n, .scores = scores };

	for (size_t i = 0; i < n; i++)
		scores[i] = NAN;
	json_scan_begin(&r.scan, body);
	if (json_scan_peek(&r.scan) == JSON_SCAN_ARRAY)
		ranking_items_read(&r);
	else
		ranking_object_read(&r);
	if (!json_scan_whole(&r.scan) || !r.has_items)
		ranking_refuse(&r, "It is not JSON of the expected shape.");
	else if (r.count < wanted)
		ranking_refuse(&r, "A result is missing.");
	return r.wrong;
}

/* ---- the order ---- */

struct ranked_text {
	float score;
	unsigned place;
};

/* A score of NAN is less than any other. */
static int
ranked_text_compare(const void *a, const void *b)
{
	const struct ranked_text *x = a, *y = b;

	if (isnan(x->score) != isnan(y->score))
		return isnan(x->score) ? 1 : -1;
	if (x->score > y->score || x->score < y->score)
		return x->score > y->score ? -1 : 1;
	return x->place < y->place ? -1 : 1;
}

unsigned
rerank_order(const float *scores, unsigned n, unsigned *order)
{
	struct ranked_text texts[MODEL_RERANK_MAX];
	unsigned scored = 0;

	assert(n <= MODEL_RERANK_MAX);
	for (unsigned i = 0; i < n; i++) {
		texts[i] = (struct ranked_text){ scores[i], i };
		scored += !isnan(scores[i]);
	}
	qsort(texts, n, sizeof(texts[0]), ranked_text_compare);
	for (unsigned i = 0; i < n; i++)
		order[i] = texts[i].place;
	return scored;
}
