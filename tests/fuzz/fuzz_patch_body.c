/* SPDX-License-Identifier: MIT */
/*
 * fuzz_patch_body: JSON bodies of PATCH /documents/{id}.
 *
 * sources: src/api/documents_patch_body.c src/api/expires_at.c src/api/label.c src/base/alloc.c
 * sources: src/base/arena.c src/base/buf.c src/base/clock.c src/base/clock_read.c src/base/err.c
 * sources: src/base/json.c src/base/json_put.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/utf8.c src/base/json_memory.c
 * libs: -ljansson
 */
#include "api/documents_patch_body.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena *arena = arena_new(1u << 20);
	struct document_change change = { 0 };
	struct err err = { 0 };
	json_t *root = json_read_object(slice_of((const char *)bytes, n), &err);
	bool ok = root != NULL && documents_patch_read(root, arena, &change, &err);

	json_decref(root); /* the strings are copies */
	fuzz_check(ok == !err_is(&err));
	if (ok) {
		fuzz_check(change.title == NULL || change.title[0] != '\0');
		fuzz_check(change.title == NULL || json_utf8_valid(slice_str(change.title)));
		fuzz_check(change.metadata == NULL || change.metadata[0] == '{');
	} else {
		fuzz_check(err_status(err.code) >= 400 && err_status(err.code) < 500);
		fuzz_check(err.detail[0] != '\0' && json_utf8_valid(slice_str(err.detail)));
	}
	arena_free(arena);
	return 0;
}
