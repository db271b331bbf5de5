/* SPDX-License-Identifier: MIT */
/*
 * fuzz_model_refusal: any bytes as a refusal, before a first zero byte, of any request, after it:
 * what is read of it holds together, and nothing past either end is read.
 *
 * sources: src/model/model_refusal.c src/model/refusal_text.c src/base/alloc.c src/base/buf.c
 * sources: src/base/clock.c src/base/err.c src/base/json.c src/base/json_count.c
 * sources: src/base/json_put.c src/base/log.c src/base/log_repeat.c src/base/utf8.c
 * sources: src/base/json_memory.c
 * libs: -ljansson -lm
 */
#include "model/model_refusal.h"

#include "model/model_habits.h"
#include "tests/fuzz/fuzz_check.h"

/* Its own block: ASan sees a read past it. */
static struct slice
block_of(const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n == 0 ? 1 : n);

	if (n > 0)
		memcpy(copy, bytes, n);
	return slice_of(copy, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const int statuses[] = { 400, 404, 413, 422, 501, 500 };
	size_t len = n == 0 ? 0 : strnlen((const char *)bytes, n), items = 1 + n % 300;
	struct slice body = block_of(bytes, len);
	struct slice request = block_of(bytes + len, n - len);

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct model_refusal r;

		model_refusal_read(statuses[i], body, request, items, &r);
		fuzz_check((r.named & r.echoed) == 0 && (r.echoed & (r.echoed - 1)) == 0);
		fuzz_check(((r.named | r.echoed) >> MODEL_FIELDS) == 0);
		fuzz_check(r.limit == 0 || (r.is_batch && !r.in_bytes && r.limit < items));
		fuzz_check(!r.is_batch || items > 1);
	}
	free((char *)body.p);
	free((char *)request.p);
	return 0;
}
