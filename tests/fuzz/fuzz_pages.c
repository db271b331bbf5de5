/* SPDX-License-Identifier: MIT */
/*
 * fuzz_pages: a text that was sent (first byte 't'), or what the reader's process has written of a
 * PDF: one that a document has taken over may write anything. Pages are ranges of the text, in
 * their order, and clean.
 *
 * sources: src/retrieval/extract_read.c src/retrieval/charset.c src/retrieval/charset_names.c
 * sources: src/retrieval/chunk.c src/retrieval/formats.c src/retrieval/text.c src/base/alloc.c
 * sources: src/base/arena.c src/base/buf.c src/base/clock.c src/base/err.c src/base/json.c
 * sources: src/base/json_put.c src/base/digest.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/random.c src/base/spool.c src/base/utf8.c tests/unit/fake_extract_end.c
 * sources: src/base/json_memory.c
 * sources:
 * sources: src/base/spool_window.c src/retrieval/charset_iconv.c
 * libs: -lcrypto -ljansson -lutf8proc -luchardet
 */
#include <string.h>

#include "retrieval/text.h"
#include "tests/fuzz/fuzz_check.h"

#define TEXT_MOST 4096

static const struct extract_conf fuzzed = { .text_max = TEXT_MOST, .pages_max = 20 };

static void
check_pages(const struct extract_out *out, struct slice body)
{
	struct slice text = out->text.len > 0 ? buf_view(&out->text) : body;
	const char *end = text.p;
	unsigned before = 0;

	fuzz_check(out->page_count > 0);
	for (unsigned i = 0; i < out->page_count; i++) {
		struct slice page = out->pages[i].text;

		fuzz_check(page.p >= end && page.p + page.len <= text.p + text.len);
		fuzz_check(text_is_clean(page) && page.len <= TEXT_MOST);
		fuzz_check(out->pages[i].number > before || out->page_count == 1);
		before = out->pages[i].number;
		end = page.p + page.len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *type = n > 0 && bytes[0] == 't' ? "text/plain" : "application/pdf";
	struct arena *arena = arena_new(1u << 16);
	struct extract_out out = { .has_pictures = n > 1 && bytes[1] == 'p' };
	struct extract_in in = { .mime = type };
	struct err err = { 0 };
	char *copy = malloc(n + 1);

	memcpy(copy, bytes, n);
	buf_init(&out.text, TEXT_MOST);
	if (n > 0 && bytes[0] == 't')
		in.body = slice_of(copy + 1, n - 1);
	else if (n > 0)
		(void)buf_add(&out.text, copy + 1, n - 1 < TEXT_MOST ? n - 1 : TEXT_MOST);
	if (extract_read(&fuzzed, &in, arena, &out, &err))
		check_pages(&out, in.body);
	else
		fuzz_check(err_status(err.code) >= 400 && err.detail[0] != '\0');
	buf_free(&out.text);
	arena_free(arena);
	free(copy);
	return 0;
}
