/* SPDX-License-Identifier: MIT */
/*
 * vectors: the reader of an embeddings response, in one pass of json_scan. Vectors go straight to
 * their places in `out`; a place filled is marked in `seen`, so n vectors in range mean all are
 * there.
 */
#include "model/vectors.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "model/json_scan.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/b64.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4,
    "base64 holds little-endian float32, which is copied as it is");

#define BASE64_TEXT_MAX (1u << 20) /* bytes of a vector written with escapes, unescaped */

struct vectors_reader {
	struct json_scan scan;
	size_t n; /* vectors expected */
	unsigned dimensions;
	float *out;		   /* borrowed: n * dimensions */
	bool *seen;		   /* owned: n, by index */
	size_t count;		   /* true ones in seen */
	bool is_unnumbered;	   /* an item had no index */
	bool is_reordered;	   /* an item's index was not its position */
	struct model_usage *usage; /* borrowed */
	const char *wrong;	   /* static; the first reason is kept */
};

/* Makes the scan bad, which ends all loops over it. */
static void
reader_refuse(struct vectors_reader *r, const char *why)
{
	if (r->wrong == NULL)
		r->wrong = why;
	r->scan.bad = true;
}

/* A vector whose length is between these is left as it came. The index has vectors rounded to 16
 * bits, in which a shorter one loses its digits, or all it has, and a longer one has no place; and
 * pgvector sums squares as floats. */
#define LENGTH_LEAST 0.0625
#define LENGTH_MOST  16384

/* To a length of 0.5 to 1, by a power of two, which leaves all digits: only the direction is
 * compared. */
static void
vector_scale(float *v, unsigned n, double length)
{
	int exponent;

	if (length >= LENGTH_LEAST && length <= LENGTH_MOST)
		return;
	(void)frexp(length, &exponent);
	for (unsigned i = 0; i < n; i++)
		v[i] = (float)ldexp(v[i], -exponent);
}

/* NULL when the vector can be stored. The sum of squares is NaN or infinite if any element is; in
 * double it cannot overflow, the square of the largest float being 1e77. */
static const char *
vector_settle(float *v, unsigned n)
{
	double sum = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		sum += (double)v[i] * v[i];
	if (!isfinite(sum))
		return "A vector holds NaN or an infinity.";
	if (sum <= 0)
		return "A vector is all zeros.";
	vector_scale(v, n, sqrt(sum));
	return NULL;
}

/* A JSON array of exactly r->dimensions numbers; never writes past them. */
static void
floats_read(struct vectors_reader *r, float *v)
{
	unsigned i = 0;
	double x;

	json_scan_open(&r->scan, '[');
	while (json_scan_item(&r->scan)) {
		json_scan_number(&r->scan, &x);
		if (i == r->dimensions) {
			reader_refuse(r, "A vector has more than embedding_dimensions floats.");
			return;
		}
		v[i++] = (float)x;
	}
	if (!r->scan.bad && i < r->dimensions)
		reader_refuse(r, "A vector has fewer than embedding_dimensions floats.");
}

/* One item of `data`. Its index may come after its vector, so the vector is only located at first
 * and decoded when the whole item has been seen. */
struct vector_item {
	bool has_index;
	double index;
	struct slice base64;	 /* as written; p NULL when there is none */
	struct json_scan floats; /* at the array's beginning; bad when there is none */
};

/* The bytes are the floats. Too few or too many are refused by b64_get_exact(). */
static void
base64_read(struct vectors_reader *r, struct slice raw, float *v)
{
	struct buf plain;

	buf_init(&plain, BASE64_TEXT_MAX);
	if (memchr(raw.p, '\\', raw.len) != NULL) { /* some servers write "\/" */
		json_scan_unescape(raw, &plain);
		raw = buf_view(&plain);
	}
	if (!b64_get_exact(raw, v, r->dimensions * sizeof(*v)))
		reader_refuse(r, "A vector is not base64 of embedding_dimensions floats.");
	buf_free(&plain);
}

/* The place of an item without an index is its position (servers in Go leave out one that is 0,
 * others leave out all), but only while nothing speaks against it: once another item's index is not
 * its position, the order means nothing, and a vector stored under another's text would spoil every
 * later search without a word. */
static double
vector_item_index(struct vectors_reader *r, const struct vector_item *item)
{
	double position = (double)r->count;

	if (!item->has_index)
		r->is_unnumbered = true;
	else if (item->index != position)
		r->is_reordered = true;
	if (r->is_unnumbered && r->is_reordered)
		reader_refuse(r, "Some items have no index, and the others are not in order.");
	return item->has_index ? item->index : position;
}

/* The index is a double and is checked before it is converted, for the conversion of one out of
 * range is undefined. An array is read by going back to its beginning, and the scan goes on after
 * the item. */
static void
vector_item_store(struct vectors_reader *r, struct vector_item *item)
{
	struct json_scan after = r->scan;
	double index = vector_item_index(r, item);
	const char *wrong;
	float *v;

	if (r->scan.bad)
		return;
	if (!(index >= 0 && index < (double)r->n) || index != floor(index) ||
	    r->seen[(size_t)index]) {
		reader_refuse(r, "An index is out of range or comes twice.");
		return;
	}
	r->seen[(size_t)index] = true;
	r->count++;
	v = r->out + (size_t)index * r->dimensions;
	if (item->base64.p != NULL) {
		base64_read(r, item->base64, v);
	} else {
		r->scan = item->floats;
		floats_read(r, v);
		after.bad |= r->scan.bad;
		r->scan = after;
	}
	wrong = r->scan.bad ? NULL : vector_settle(v, r->dimensions);
	if (wrong != NULL)
		reader_refuse(r, wrong);
}

static void
vector_item_read(struct vectors_reader *r)
{
	struct vector_item item = { .has_index = false, .floats = { .bad = true } };
	struct slice key;

	json_scan_open(&r->scan, '{');
	while (json_scan_member(&r->scan, &key)) {
		if (slice_is(key, "index") && json_scan_peek(&r->scan) != JSON_SCAN_NULL) {
			json_scan_number(&r->scan, &item.index);
			item.has_index = true;
		} else if (slice_is(key, "embedding") &&
		    json_scan_peek(&r->scan) == JSON_SCAN_STRING) {
			json_scan_string(&r->scan, &item.base64);
		} else {
			if (slice_is(key, "embedding"))
				item.floats = r->scan;
			json_scan_skip(&r->scan);
		}
	}
	if (r->scan.bad)
		return;
	if (item.base64.p == NULL && item.floats.bad)
		reader_refuse(r, "An item has no embedding.");
	else
		vector_item_store(r, &item);
}

/* Embeddings have input tokens only. A count that is absurd is taken as none. */
static void
vectors_usage_read(struct vectors_reader *r)
{
	struct slice key;
	double n = 0;

	json_scan_open(&r->scan, '{');
	while (json_scan_member(&r->scan, &key)) {
		if (!slice_is(key, "prompt_tokens") ||
		    json_scan_peek(&r->scan) != JSON_SCAN_NUMBER) {
			json_scan_skip(&r->scan);
			continue;
		}
		json_scan_number(&r->scan, &n);
		r->usage->known = n >= 0 && n < 1e15;
		r->usage->input_tokens = r->usage->known ? (uint64_t)n : 0;
	}
}

static void
response_read(struct vectors_reader *r)
{
	struct slice key;

	json_scan_open(&r->scan, '{');
	while (json_scan_member(&r->scan, &key)) {
		enum json_scan_type type = json_scan_peek(&r->scan);

		if (slice_is(key, "data") && type == JSON_SCAN_ARRAY) {
			json_scan_open(&r->scan, '[');
			while (json_scan_item(&r->scan))
				vector_item_read(r);
		} else if (slice_is(key, "usage") && type == JSON_SCAN_OBJECT) {
			vectors_usage_read(r);
		} else {
			json_scan_skip(&r->scan);
		}
	}
	if (!json_scan_whole(&r->scan))
		reader_refuse(r, "It is not JSON of the expected shape.");
	else if (r->count < r->n)
		reader_refuse(r, "A vector is missing.");
}

const char *
vectors_read(struct slice body, size_t n, unsigned dimensions, float *out,
    struct model_usage *usage)
{
	struct vectors_reader r = { .n = n, .dimensions = dimensions, .out = out, .usage = usage };

	memset(usage, 0, sizeof(*usage));
	r.seen = xcalloc(n, sizeof(*r.seen)); /* a batch: 2048 at most */
	json_scan_begin(&r.scan, body);
	response_read(&r);
	free(r.seen);
	return r.wrong;
}
