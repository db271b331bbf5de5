/* SPDX-License-Identifier: MIT */
/*
 * fuzz_request_path: a request's path against patterns of routes, and the decoding of what they
 * capture. A segment holds no '/', what is decoded holds no NUL, and written anew it is the same.
 *
 * sources: src/http/path_match.c src/http/percent.c src/base/alloc.c src/base/arena.c
 * sources: src/base/buf.c src/base/clock.c src/base/err.c src/base/json.c src/base/json_put.c
 * sources: src/base/log.c src/base/log_repeat.c src/base/utf8.c src/base/json_memory.c
 * libs: -ljansson -lm
 */
#include <string.h>

#include "http/percent.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/http.h"
#include "tests/fuzz/fuzz_check.h"

#define ARENA_SIZE (1u << 20)

static void
check_decoding(struct slice raw, bool plus_is_blank, struct arena *a)
{
	struct slice decoded = percent_decode(raw, plus_is_blank, a), again;
	struct buf written;

	if (decoded.p == NULL)
		return;
	fuzz_check(decoded.len <= raw.len);
	fuzz_check(decoded.len == 0 || memchr(decoded.p, '\0', decoded.len) == NULL ||
	    memchr(raw.p, '\0', raw.len) != NULL);
	buf_init(&written, ARENA_SIZE);
	for (size_t i = 0; i < decoded.len; i++)
		if (decoded.p[i] == '\0')
			buf_putc(&written, '\0'); /* of the input; an escaped one is refused */
		else
			buf_printf(&written, "%%%02x", (unsigned char)decoded.p[i]);
	again = percent_decode(buf_view(&written), plus_is_blank, a);
	fuzz_check(again.p != NULL && again.len == decoded.len &&
	    (again.len == 0 || memcmp(again.p, decoded.p, again.len) == 0));
	buf_free(&written);
}

static void
check_captures(const char *pattern, struct slice path, struct arena *a)
{
	struct http_path_params params;
	size_t literal = 0, captured = 0;

	if (!http_path_match(pattern, path, &params))
		return;
	for (unsigned i = 0; i < params.count; i++) {
		struct slice raw = params.items[i].raw;

		fuzz_check(raw.len > 0 && memchr(raw.p, '/', raw.len) == NULL);
		fuzz_check(raw.p >= path.p && raw.p + raw.len <= path.p + path.len);
		captured += raw.len;
		(void)http_path_param(&params, "id", a);
	}
	for (const char *p = pattern; *p != '\0'; p++)
		if (*p == '{')
			p = strchr(p, '}');
		else
			literal++;
	fuzz_check(literal + captured == path.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice in = slice_of((const char *)bytes, n);
	struct arena *a = arena_new(ARENA_SIZE);

	check_captures("/documents", in, a);
	check_captures("/documents/{id}", in, a);
	check_captures("/documents/{id}/chunks", in, a);
	check_captures("/{a}/{b}/{c}/{id}", in, a);
	if (n > 0) {
		check_decoding(in, false, a);
		check_decoding(in, true, a);
	}
	arena_free(a);
	return 0;
}
