/* SPDX-License-Identifier: MIT */
/*
 * vectors: see the header. A vector seen is marked in `seen`, so that every place is filled once.
 */
#include "model/vectors.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "model/scan.h"
#include "tenantgate/base/b64.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4,
    "floats come as they lie in memory");

#define BASE64_TEXT_MAX (1u << 20) /* an escaped one, unescaped */

struct reading {
	struct scan scan;
	size_t n;
	unsigned dimensions;
	float *out; /* borrowed */
	bool *seen; /* owned: n of them */
	size_t count;
	struct model_usage *usage; /* borrowed */
	const char *wrong;	   /* static; the first reason is kept */
};

static void
reading_refuse(struct reading *r, const char *why)
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
floats_read(struct reading *r, float *v)
{
	unsigned i = 0;
	double x;

	scan_open(&r->scan, '[');
	while (scan_item(&r->scan)) {
		scan_number(&r->scan, &x);
		if (i == r->dimensions) {
			reading_refuse(r, "a vector has too many dimensions");
			return;
		}
		v[i++] = (float)x;
	}
	if (!r->scan.bad && i < r->dimensions)
		reading_refuse(r, "a vector has too few dimensions");
}

/* One item of `data`. Its index may come after its vector: then the vector waits. */
struct item {
	double index;
	struct slice base64; /* as written; p NULL when it is none */
	struct scan floats;  /* at their beginning, when it is no base64 */
};

static void
base64_read(struct reading *r, struct slice raw, float *v)
{
	struct buf plain;

	buf_init(&plain, BASE64_TEXT_MAX);
	if (memchr(raw.p, '\\', raw.len) != NULL) { /* some write "\/" */
		scan_unescape(raw, &plain);
		raw = buf_view(&plain);
	}
	if (!b64_get_exact(raw, v, r->dimensions * sizeof(*v)))
		reading_refuse(r, "a vector is no base64 of that many dimensions");
	buf_free(&plain);
}

static void
item_place(struct reading *r, struct item *item)
{
	struct scan after = r->scan;
	double index = item->index;
	float *v;

	if (!(index >= 0 && index < (double)r->n) || index != floor(index) ||
	    r->seen[(size_t)index]) {
		reading_refuse(r, "an index is out of range or comes twice");
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
	if (!r->scan.bad && vector_flaw(v, r->dimensions) != NULL)
		reading_refuse(r, vector_flaw(v, r->dimensions));
}

static void
item_read(struct reading *r)
{
	struct item item = { .index = -1, .floats = { .bad = true } };
	struct slice key;

	scan_open(&r->scan, '{');
	while (scan_member(&r->scan, &key)) {
		if (slice_is(key, "index")) {
			scan_number(&r->scan, &item.index);
		} else if (slice_is(key, "embedding") && scan_peek(&r->scan) == SCAN_STRING) {
			scan_string(&r->scan, &item.base64);
		} else {
			if (slice_is(key, "embedding"))
				item.floats = r->scan;
			scan_skip(&r->scan);
		}
	}
	if (r->scan.bad)
		return;
	if (item.base64.p == NULL && item.floats.bad)
		reading_refuse(r, "an item has no embedding");
	else
		item_place(r, &item);
}

static void
usage_read(struct reading *r)
{
	struct slice key;
	double n = 0;

	scan_open(&r->scan, '{');
	while (scan_member(&r->scan, &key)) {
		if (!slice_is(key, "prompt_tokens") || scan_peek(&r->scan) != SCAN_NUMBER) {
			scan_skip(&r->scan);
			continue;
		}
		scan_number(&r->scan, &n);
		r->usage->known = n >= 0 && n < 1e15;
		r->usage->input_tokens = r->usage->known ? (uint64_t)n : 0;
	}
}

static void
answer_read(struct reading *r)
{
	struct slice key;

	scan_open(&r->scan, '{');
	while (scan_member(&r->scan, &key)) {
		enum scan_type type = scan_peek(&r->scan);

		if (slice_is(key, "data") && type == SCAN_ARRAY) {
			scan_open(&r->scan, '[');
			while (scan_item(&r->scan))
				item_read(r);
		} else if (slice_is(key, "usage") && type == SCAN_OBJECT) {
			usage_read(r);
		} else {
			scan_skip(&r->scan);
		}
	}
	if (!scan_whole(&r->scan))
		reading_refuse(r, "it is no JSON, or not of this shape");
	else if (r->count < r->n)
		reading_refuse(r, "a vector is missing");
}

const char *
vectors_read(struct slice body, size_t n, unsigned dimensions, float *out,
    struct model_usage *usage)
{
	struct reading r = { .n = n, .dimensions = dimensions, .out = out, .usage = usage };

	memset(usage, 0, sizeof(*usage));
	r.seen = calloc(n, sizeof(*r.seen));
	if (r.seen == NULL)
		return "no memory";
	scan_begin(&r.scan, body);
	answer_read(&r);
	free(r.seen);
	return r.wrong;
}
