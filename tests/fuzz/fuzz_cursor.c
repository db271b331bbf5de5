/* SPDX-License-Identifier: MIT */
/*
 * fuzz_cursor: the texts by which a page of documents (first byte 'd') or of keys is asked for.
 * What is taken is written again as the very same text, and says nothing that Postgres would not
 * take.
 *
 * sources: src/admin/key_cursor.c src/api/documents_cursor.c src/base/alloc.c src/base/arena.c
 * sources: src/base/b64.c src/base/buf.c src/base/clock.c src/base/clock_read.c src/base/digest.c
 * sources: src/base/err.c src/base/json.c src/base/json_count.c src/base/json_put.c src/base/log.c
 * sources: src/base/log_repeat.c src/base/random.c src/base/utf8.c tests/unit/fake_key_id.c
 * sources: src/base/json_memory.c
 * libs: -ljansson -lcrypto
 */
#include <stdio.h>
#include <string.h>

#include "admin/key_cursor.h"
#include "api/documents_cursor.h"
#include "tests/fuzz/fuzz_check.h"

static bool
is_the_text(const struct buf *written, struct slice text)
{
	return written->len == text.len && memcmp(written->data, text.p, text.len) == 0;
}

static void
check_of_document(struct slice text, struct arena *arena, struct buf *written)
{
	struct documents_page page = { 0 };
	struct listed_document l = { 0 };

	if (!documents_cursor_read(text, arena, &page))
		return;
	fuzz_check(strspn(page.after_us, "0123456789") == strlen(page.after_us));
	fuzz_check(page.after_us[0] != '\0' && page.after_id[0] != '\0');
	fuzz_check(strlen(page.after_us) <= 16 && strlen(page.after_id) <= DOCUMENT_ID_MAX);
	l.created_us = page.after_us;
	l.document.id = page.after_id;
	documents_cursor_put(written, &l);
	fuzz_check(is_the_text(written, text));
}

/* A day that its month has, and a time of a day; the T in either case (RFC 3339 5.6). */
static bool
is_a_time(const char *text)
{
	static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year, month, day, hour, minute, second;
	bool is_leap;

	if (sscanf(text, "%4u-%2u-%2u%*1[Tt]%2u:%2u:%2u", &year, &month, &day, &hour, &minute,
		&second) != 6)
		return false;
	is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return year > 0 && month >= 1 && month <= 12 && day >= 1 &&
	    day <= days[month - 1] + (month == 2 && is_leap) && hour <= 24 && minute <= 59 &&
	    second <= 60;
}

static void
check_of_key(struct slice text, struct arena *arena, struct buf *written)
{
	struct key_page page = { 0 };
	struct listed_key k = { 0 };

	if (!key_cursor_read(text, arena, &page))
		return;
	fuzz_check(is_a_time(page.after_created));
	fuzz_check(key_id_valid(slice_str(page.after_id)));
	k.created_exactly = page.after_created;
	k.id = page.after_id;
	key_cursor_put(written, &k);
	fuzz_check(is_the_text(written, text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena *arena = arena_new(1u << 16);
	struct slice text = slice_of((const char *)bytes + 1, n - 1);
	struct buf written;

	buf_init(&written, 1u << 12);
	if (n > 0 && bytes[0] == 'd')
		check_of_document(text, arena, &written);
	else if (n > 0)
		check_of_key(text, arena, &written);
	buf_free(&written);
	arena_free(arena);
	return 0;
}
