/* SPDX-License-Identifier: MIT */
/*
 * fuzz_json_scan: the JSON reader against jansson, and the reading of embeddings. What json_scan
 * accepts, jansson does (but for UTF-8, which json_scan leaves to its caller), and the other way
 * round (but for NULs after numbers, long numbers and deep nesting).
 *
 * sources: src/model/json_scan.c src/model/vectors.c src/base/alloc.c src/base/b64.c
 * sources: src/base/buf.c src/base/clock.c src/base/err.c src/base/json.c src/base/json_put.c
 * sources: src/base/log.c src/base/log_repeat.c src/base/utf8.c src/base/json_memory.c
 * libs: -ljansson -lm
 */
#define _GNU_SOURCE /* memmem */
#include <math.h>

#include "model/json_scan.h"
#include "model/vectors.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

static void
scan_against_jansson(struct slice text)
{
	json_t *value = json_loadb(text.p, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	struct json_scan s;

	json_scan_begin(&s, text);
	json_scan_skip(&s);
	if (value == NULL && json_scan_whole(&s) && json_utf8_valid(text) &&
	    memmem(text.p, text.len, "\\u", 2) == NULL && memchr(text.p, 'e', text.len) == NULL &&
	    memchr(text.p, 'E', text.len) == NULL && text.len < 18)
		abort(); /* neither a lone surrogate nor an overflow */
	if (value != NULL && !json_scan_whole(&s) && memchr(text.p, '\0', text.len) == NULL &&
	    text.len <= JSON_SCAN_DEPTH_MAX)
		abort();
	json_decref(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct model_usage usage;
	float out[6];
	char *copy = malloc(n + 1);
	struct slice text = slice_of(copy, n);
	size_t i;

	memcpy(copy, bytes, n);
	scan_against_jansson(text);
	if (vectors_read(text, 2, 3, out, &usage) == NULL)
		for (i = 0; i < 6; i++)
			if (!isfinite(out[i]))
				abort();
	free(copy);
	return 0;
}
