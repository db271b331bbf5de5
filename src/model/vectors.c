/* SPDX-License-Identifier: MIT */
/*
 * vectors: see the header. A vector seen is marked in `seen`, so that every place is filled once.
 */
#include "model/vectors.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "model/json_scan.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/b64.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4,
    "floats come as they lie in memory");

#define BASE64_TEXT_MAX (1u << 20) /* an escaped one, unescaped */

struct vectors_reader {
	struct json_scan scan;
	size_t n;
	unsigned dimensions;
	float *out; /* borrowed */
	bool *seen; /* owned: n of them */
	size_t count;
	struct model_usage *usage; /* borrowed */
	const char *wrong;	   /* static; the first reason is kept */
};

static void
reader_refuse(struct vectors_reader *r, const char *why)
{
	if (r->wrong == NULL)
		r->wrong = why;
	r->scan.bad = true;
}

static const char *
vector_flaw(const float *v, unsigned n)
{
	double sum = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		sum += (double)v[i] * v[i];
	if (!isfinite(sum))
		return "a vector holds NaN or an infinity";
	return sum > 0 ? NULL : "a vector is zero";
}

static void
floats_read(struct vectors_reader *r, float *v)
{
	unsigned i = 0;
	double x;

	json_scan_open(&r->scan, '[');
	while (json_scan_item(&r->scan)) {
		json_scan_number(&r->scan, &x);
		if (i == r->dimensions) {
			reader_refuse(r, "a vector has too many dimensions");
			return;
		}
		v[i++] = (float)x;
	}
	if (!r->scan.bad && i < r->dimensions)
		reader_refuse(r, "a vector has too few dimensions");
}

/* One item of `data`. Its index may come after its vector: then the vector waits. */
struct vector_item {
	double index;
	struct slice base64; /* as written; p NULL when it is none */
	struct json_scan floats;  /* at their beginning, when it is no base64 */
};

static void
base64_read(struct vectors_reader *r, struct slice raw, float *v)
{
	struct buf plain;

	buf_init(&plain, BASE64_TEXT_MAX);
	if (memchr(raw.p, '\\', raw.len) != NULL) { /* some write "\/" */
		json_scan_unescape(raw, &plain);
		raw = buf_view(&plain);
	}
	if (!b64_get_exact(raw, v, r->dimensions * sizeof(*v)))
		reader_refuse(r, "a vector is no base64 of that many dimensions");
	buf_free(&plain);
}

static void
item_place(struct vectors_reader *r, struct vector_item *vector_item)
{
	struct json_scan after = r->scan;
	double index = vector_item->index;
	float *v;

	if (!(index >= 0 && index < (double)r->n) || index != floor(index) ||
	    r->seen[(size_t)index]) {
		reader_refuse(r, "an index is out of range or comes twice");
		return;
	}
	r->seen[(size_t)index] = true;
	r->count++;
	v = r->out + (size_t)index * r->dimensions;
	if (vector_item->base64.p != NULL) {
		base64_read(r, vector_item->base64, v);
	} else {
		r->scan = vector_item->floats;
		floats_read(r, v);
		after.bad |= r->scan.bad;
		r->scan = after;
	}
	if (!r->scan.bad && vector_flaw(v, r->dimensions) != NULL)
		reader_refuse(r, vector_flaw(v, r->dimensions));
}

static void
item_read(struct vectors_reader *r)
{
	struct vector_item vector_item = { .index = -1, .floats = { .bad = true } };
	struct slice key;

	json_scan_open(&r->scan, '{');
	while (json_scan_member(&r->scan, &key)) {
		if (slice_is(key, "index")) {
			json_scan_number(&r->scan, &vector_item.index);
		} else if (slice_is(key, "embedding") &&
		    json_scan_peek(&r->scan) == JSON_SCAN_STRING) {
			json_scan_string(&r->scan, &vector_item.base64);
		} else {
			if (slice_is(key, "embedding"))
				vector_item.floats = r->scan;
			json_scan_skip(&r->scan);
		}
	}
	if (r->scan.bad)
		return;
	if (vector_item.base64.p == NULL && vector_item.floats.bad)
		reader_refuse(r, "an item has no embedding");
	else
		item_place(r, &vector_item);
}

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
				item_read(r);
		} else if (slice_is(key, "usage") && type == JSON_SCAN_OBJECT) {
			vectors_usage_read(r);
		} else {
			json_scan_skip(&r->scan);
		}
	}
	if (!json_scan_whole(&r->scan))
		reader_refuse(r, "it is no JSON, or not of this shape");
	else if (r->count < r->n)
		reader_refuse(r, "a vector is missing");
}

const char *
vectors_read(struct slice body, size_t n, unsigned dimensions, float *out,
    struct model_usage *usage)
{
	struct vectors_reader r = { .n = n, .dimensions = dimensions, .out = out, .usage = usage };

	memset(usage, 0, sizeof(*usage));
	r.seen = xcalloc(n, sizeof(*r.seen)); /* a batch: two thousand at most */
	json_scan_begin(&r.scan, body);
	response_read(&r);
	free(r.seen);
	return r.wrong;
}
