/* SPDX-License-Identifier: MIT */
/*
 * fuzz_json_long: a JSON text whose strings are shortened and read piece by piece is the object
 * that jansson reads at once, or is refused as that is. The first bytes choose how long is long.
 *
 * sources: src/base/alloc.c src/base/buf.c src/base/clock.c src/base/clock_read.c src/base/digest.c
 * sources: src/base/err.c src/base/json.c src/base/json_count.c src/base/json_long.c
 * sources: src/base/json_memory.c src/base/json_put.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/random.c src/base/spool.c src/base/utf8.c
 * sources: src/base/spool_window.c
 * libs: -ljansson -lcrypto -lm
 */
#include "tenantgate/base/json_long.h"
#include "tests/fuzz/fuzz_folder.h"

#define NODES_MAX 1000

static bool
collect(void *arg, struct slice bytes, struct err *err)
{
	(void)err;
	return buf_slice(arg, bytes);
}

/* A string of the shortened object: it, or what it stands for, is the whole one's. */
static void
check_string(const struct json_long *l, const json_t *got, const json_t *want)
{
	struct slice value = slice_of(json_string_value(got), json_string_length(got));
	unsigned which = json_long_which(l, value);
	struct err err = { 0 };
	struct buf whole;

	buf_init(&whole, 1u << 20);
	if (which == JSON_LONG_NONE)
		buf_slice(&whole, value);
	else
		fuzz_check(which < l->count && json_long_read(l, which, collect, &whole, &err));
	fuzz_check(whole.len == json_string_length(want) &&
	    (whole.len == 0 || memcmp(whole.data, json_string_value(want), whole.len) == 0));
	buf_free(&whole);
}

/* Depth is bounded by JSON_DEPTH_MAX. */
static void
check_value(const struct json_long *l, json_t *got, json_t *want)
{
	const char *key;
	json_t *v;
	size_t i;

	fuzz_check(json_typeof(got) == json_typeof(want));
	if (json_is_string(want))
		check_string(l, got, want);
	json_array_foreach(want, i, v)
		check_value(l, json_array_get(got, i), v);
	fuzz_check(!json_is_object(want) || json_object_size(got) == json_object_size(want));
	json_object_foreach(want, key, v)
		check_value(l, json_object_get(got, key), v);
}

static void
check_long_text(const struct json_long_conf *conf, struct slice text)
{
	struct err err = { 0 }, long_err = { 0 };
	json_t *want =
	    json_nodes_fit(text, NODES_MAX, &err) ? json_read_object_with_nul(text, &err) : NULL;
	struct json_long l;
	json_t *got = json_long_begin(&l, conf, text, &long_err)
	    ? json_long_object(&l, NODES_MAX, &long_err)
	    : NULL;
	bool ok = got != NULL && json_long_read(&l, JSON_LONG_NONE, NULL, NULL, &long_err);

	if (long_err.code != ERR_TOO_LARGE)
		fuzz_check(ok == (want != NULL) && (ok || long_err.code == err.code));
	if (ok)
		check_value(&l, got, want);
	json_decref(got);
	json_decref(want);
	json_long_free(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct json_long_conf conf = { .rest_max = 4096 };
	struct err err = { 0 };
	struct spool file;
	struct slice text;

	if (n < 4)
		return 0;
	conf.string_kept = bytes[0] % 64;
	conf.string_max = conf.string_kept + JSON_LONG_MARK + 2 + bytes[1] % 64;
	conf.piece = 16 + bytes[2] % 64;
	spool_init(&file);
	fuzz_check(spool_add(&file, fuzz_folder(), slice_of((const char *)bytes + 3, n - 3), &err));
	fuzz_check(spool_map(&file, &text, &err));
	check_long_text(&conf, text);
	spool_close(&file);
	return 0;
}
