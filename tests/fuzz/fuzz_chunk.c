/* SPDX-License-Identifier: MIT */
/*
 * fuzz_chunk: the splitter. The first two bytes are the size and the overlap, their lowest bits the
 * separators; the rest is the text. Chunks are ranges of the text, in its order, none empty and
 * none longer than asked, and every character of the text but blanks is in one.
 *
 * sources: src/retrieval/chunk.c src/retrieval/text.c src/base/alloc.c src/base/arena.c
 * sources: src/base/buf.c src/base/clock.c src/base/err.c src/base/json.c src/base/json_put.c
 * sources: src/base/log.c src/base/log_repeat.c src/base/utf8.c src/base/json_memory.c
 * libs: -ljansson -lutf8proc
 */
#include "retrieval/text.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

static size_t
units_of(struct slice s)
{
	size_t units = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		units += ((c & 0xc0) != 0x80) + (c >= 0xf0);
	}
	return units;
}

/* What stands between two chunks is blank. */
static void
check_list(const struct chunk_list *list, struct slice text, unsigned size)
{
	const char *begun = text.p, *end = text.p;

	for (size_t i = 0; i < list->count; i++) {
		struct slice c = list->items[i].content;

		fuzz_check(c.len > 0 && c.p >= begun && c.p + c.len <= text.p + text.len);
		fuzz_check(c.p <= end || text_trim(slice_of(end, (size_t)(c.p - end))).len == 0);
		fuzz_check(units_of(c) <= (size > 1 ? size : 2));
		fuzz_check(json_utf8_valid(c));
		begun = c.p;
		if (c.p + c.len > end)
			end = c.p + c.len;
	}
	fuzz_check(text_trim(slice_of(end, (size_t)(text.p + text.len - end))).len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct chunk_list list = { .max = 1u << 20 };
	struct buf text;
	unsigned size, overlap;

	if (n < 2)
		return 0;
	size = 1 + (bytes[0] >> 1);
	overlap = (bytes[1] >> 1) % size;
	buf_init(&text, n);
	buf_add(&text, bytes + 2, n - 2);
	text_clean(&text);
	fuzz_check(chunk_split(buf_view(&text), 1, bytes[0] & 1 ? CHUNK_MARKDOWN : CHUNK_TEXT, size,
	    overlap, &list));
	check_list(&list, buf_view(&text), size);
	chunk_free(&list);
	buf_free(&text);
	return 0;
}
