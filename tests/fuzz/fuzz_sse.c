/* SPDX-License-Identifier: MIT */
/*
 * fuzz: a model's event stream, through sse and delta. Any bytes, fed at once, byte by byte, in
 * steps, and cut in two: the same events, the same words, and the ceiling kept.
 *
 * sources: src/model/sse.c src/model/delta.c src/model/json_scan.c
 * sources: src/base/buf.c src/base/json_put.c src/base/utf8.c
 * libs: -ljansson
 */
#include <stdlib.h>

#include "model/delta.h"
#include "model/sse.h"
#include "tenantgate/base/json.h"

#define CEILING	 512
#define SAID_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct told {
	struct sse sse;
	struct delta delta;
	struct buf said; /* events, verdicts */
	enum sse_rc rc;
};

static void
told_event(struct told *t, const struct sse_event *event)
{
	size_t before = t->delta.text.len;
	enum delta_rc rc;

	if (event->data.len > CEILING)
		abort();
	buf_slice(&t->said, event->name);
	buf_putc(&t->said, '|');
	buf_slice(&t->said, event->data);
	rc = delta_add(&t->delta, event->data);
	buf_printf(&t->said, "|%d\n", (int)rc);
	/* What is taken for text is text. */
	if (rc == DELTA_FINE && t->delta.text.len > before &&
	    !json_utf8_valid(slice_of(t->delta.text.data + before, t->delta.text.len - before)))
		abort();
}

static void
told_piece(struct told *t, const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n + 1); /* of its own: what is read past it is seen */
	struct slice in = slice_of(copy, n);
	struct sse_event event;

	memcpy(copy, bytes, n);
	while (t->rc != SSE_TOO_LARGE && (t->rc = sse_next(&t->sse, &in, &event)) == SSE_EVENT)
		told_event(t, &event);
	if (t->rc == SSE_MORE && in.len > 0)
		abort();
	free(copy);
}

/* The first piece of `first` bytes, the others of `step`. */
static void
told_all(struct told *t, const uint8_t *bytes, size_t n, size_t first, size_t step)
{
	size_t at = 0;

	t->rc = SSE_MORE;
	sse_init(&t->sse, CEILING);
	delta_init(&t->delta, 4096);
	buf_init(&t->said, SAID_MAX);
	while (at < n) {
		size_t piece = at == 0 && first > 0 ? first : step;

		if (piece > n - at)
			piece = n - at;
		told_piece(t, bytes + at, piece);
		at += piece;
	}
	buf_printf(&t->said, "=%d", (int)t->rc);
	buf_slice(&t->said, buf_view(&t->delta.text));
}

static void
told_free(struct told *t)
{
	sse_free(&t->sse);
	delta_free(&t->delta);
	buf_free(&t->said);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const size_t ways[][2] = { { 0, 1 }, { 0, 7 }, { n / 2, n + 1 }, { n / 3, 2 } };
	struct told whole, other;
	size_t i;

	told_all(&whole, bytes, n, 0, n + 1);
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		told_all(&other, bytes, n, ways[i][0], ways[i][1]);
		if (whole.said.len != other.said.len ||
		    memcmp(whole.said.data, other.said.data, whole.said.len) != 0)
			abort();
		told_free(&other);
	}
	told_free(&whole);
	return 0;
}
