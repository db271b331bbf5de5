/* SPDX-License-Identifier: MIT */
/*
 * vectors: see the header. A vector seen is marked in `seen`, so that every place is filled once.
 */
#include "model/vectors.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "model/scan.h"

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

/* What each letter means at each of the four places of a group: its six bits where they lie in the
 * group's three bytes, the first byte lowest. */
#define B64_NONE 0x80808080u /* no letter: the highest bit is no letter's */

struct base64_table {
	uint32_t at[4][256];
};

static void
base64_table(struct base64_table *t)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t i;

	memset(t, B64_NONE >> 24, sizeof(*t));
	for (i = 0; i < 64; i++) {
		uint8_t letter = (uint8_t)letters[i];

		t->at[0][letter] = i << 2;
		t->at[1][letter] = i >> 4 | (i & 0xf) << 12;
		t->at[2][letter] = (i >> 2) << 8 | (i & 3) << 22;
		t->at[3][letter] = i << 16;
	}
}

/* Without its padding. False: it cannot be `bytes` bytes. */
static bool
base64_letters(struct slice *text, size_t bytes)
{
	size_t letters = bytes / 3 * 4 + (bytes % 3 == 0 ? 0 : bytes % 3 + 1);

	if (text->len == (bytes + 2) / 3 * 4)
		while (text->len > letters && text->p[text->len - 1] == '=')
			text->len--;
	return text->len == letters;
}

static uint32_t
base64_group(const struct base64_table *t, const char *p)
{
	return t->at[0][(uint8_t)p[0]] | t->at[1][(uint8_t)p[1]] | t->at[2][(uint8_t)p[2]] |
	    t->at[3][(uint8_t)p[3]];
}

bool
vectors_base64(struct slice text, void *to, size_t bytes)
{
	struct base64_table t;
	char last[4] = "AAAA"; /* zero bits */
	uint32_t group, all = 0;
	uint8_t *out = to;

	if (!base64_letters(&text, bytes))
		return false;
	base64_table(&t);
	/* Four bytes are written for three; the next group's first writes over the fourth. */
	for (; bytes > 3; bytes -= 3, out += 3, text.p += 4) {
		group = base64_group(&t, text.p);
		memcpy(out, &group, 4);
		all |= group;
	}
	if (bytes > 0) {
		memcpy(last, text.p, bytes + 1);
		group = base64_group(&t, last);
		memcpy(out, &group, bytes);
		all |= group;
	}
	return all >> 31 == 0;
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
	if (!vectors_base64(raw, v, r->dimensions * sizeof(*v)))
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
