/* SPDX-License-Identifier: MIT */
/*
 * fuzz_sse: a model's event stream, through sse, delta and error_text. Any bytes, fed at once, byte
 * by byte, in steps, and cut in two: the same events, the same text, and the ceiling kept.
 *
 * sources: src/model/sse.c src/model/delta.c src/model/delta_finish.c src/model/delta_message.c
 * sources: src/model/text_seam.c src/model/json_scan.c src/model/error_text.c src/base/json.c
 * sources: src/base/json_count.c src/base/err.c src/base/buf.c src/base/json_put.c src/base/utf8.c
 * sources: src/base/json_memory.c src/base/alloc.c src/base/clock.c src/base/log.c
 * sources: src/base/log_repeat.c
 * libs: -ljansson
 */
#include "model/delta.h"
#include "model/error_text.h"
#include "model/sse.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

#define CEILING	 512
#define SEEN_MAX (1u << 20)

struct stream_reading {
	struct sse sse;
	struct delta delta;
	struct buf seen; /* events, verdicts */
	enum sse_rc rc;
};

static void
see_event(struct stream_reading *t, const struct sse_event *event)
{
	size_t before = t->delta.text.len;
	struct error_text text;
	enum delta_rc rc;

	fuzz_check(event->data.len <= CEILING);
	buf_slice(&t->seen, event->name);
	buf_putc(&t->seen, '|');
	buf_slice(&t->seen, event->data);
	error_text_read(event->data, &text);
	fuzz_check(text.message[0] != '\0');
	(void)error_text_reason(&text);
	rc = delta_add(&t->delta, event->data);
	buf_printf(&t->seen, "|%d\n", (int)rc);
	/* What is added to the text is UTF-8. */
	fuzz_check(rc != DELTA_FINE || t->delta.text.len <= before ||
	    json_utf8_valid(slice_of(t->delta.text.data + before, t->delta.text.len - before)));
}

static void
see_piece(struct stream_reading *t, const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n + 1); /* its own block: ASan sees a read past it */
	struct slice in = slice_of(copy, n);
	struct sse_event event;

	memcpy(copy, bytes, n);
	while (t->rc != SSE_TOO_LARGE && (t->rc = sse_next(&t->sse, &in, &event)) == SSE_EVENT)
		see_event(t, &event);
	fuzz_check(t->rc != SSE_MORE || in.len == 0);
	free(copy);
}

/* The first piece of `first` bytes, the others of `step`. */
static void
reading_run(struct stream_reading *t, const uint8_t *bytes, size_t n, size_t first, size_t step)
{
	size_t at = 0;

	t->rc = SSE_MORE;
	sse_init(&t->sse, CEILING);
	delta_init(&t->delta, 4096);
	buf_init(&t->seen, SEEN_MAX);
	while (at < n) {
		size_t piece = at == 0 && first > 0 ? first : step;

		if (piece > n - at)
			piece = n - at;
		see_piece(t, bytes + at, piece);
		at += piece;
	}
	buf_printf(&t->seen, "=%d", (int)t->rc);
	delta_end(&t->delta);
	fuzz_check(json_utf8_valid(buf_view(&t->delta.text)));
	fuzz_check(json_utf8_valid(buf_view(&t->delta.reasoning)));
	buf_slice(&t->seen, buf_view(&t->delta.reasoning));
	buf_slice(&t->seen, buf_view(&t->delta.text));
}

static void
reading_close(struct stream_reading *t)
{
	sse_free(&t->sse);
	delta_free(&t->delta);
	buf_free(&t->seen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const size_t ways[][2] = { { 0, 1 }, { 0, 7 }, { n / 2, n + 1 }, { n / 3, 2 } };
	struct stream_reading whole, other;
	size_t i;

	reading_run(&whole, bytes, n, 0, n + 1);
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		reading_run(&other, bytes, n, ways[i][0], ways[i][1]);
		fuzz_check(whole.seen.len == other.seen.len &&
		    memcmp(whole.seen.data, other.seen.data, whole.seen.len) == 0);
		reading_close(&other);
	}
	reading_close(&whole);
	return 0;
}
