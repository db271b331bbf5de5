/* SPDX-License-Identifier: MIT */
/*
 * fuzz_json_count: the counted nodes are those of the tree that json_read() builds, whatever the
 * ceiling; of what it refuses nothing past the end is read.
 *
 * sources: src/base/alloc.c src/base/buf.c src/base/clock.c src/base/err.c src/base/json.c
 * sources: src/base/json_count.c src/base/json_put.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/utf8.c src/base/json_memory.c
 * libs: -ljansson -lm
 */
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

/* Recursion is bounded by JSON_DEPTH_MAX. */
static size_t
tree_nodes(json_t *value)
{
	const char *key;
	size_t count = 1, i;
	json_t *v;

	json_object_foreach(value, key, v)
		count += tree_nodes(v);
	json_array_foreach(value, i, v)
		count += tree_nodes(v);
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n == 0 ? 1 : n);
	struct err err = { 0 };
	struct slice text = slice_of(copy, n);
	size_t counted, wanted;
	json_t *value;

	if (n > 0)
		memcpy(copy, bytes, n);
	counted = json_count_nodes(text, SIZE_MAX - 1);
	value = json_read(text, &err);
	wanted = value == NULL ? counted : tree_nodes(value);
	fuzz_check(counted == wanted && json_count_nodes(text, counted) == counted);
	fuzz_check(counted == 0 || json_count_nodes(text, counted - 1) == counted);
	fuzz_check(counted < 3 || json_count_nodes(text, 2) == 3);
	json_decref(value);
	free(copy);
	return 0;
}
