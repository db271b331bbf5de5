/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http: the HTTP parser. Any bytes, fed at once, byte by byte, in steps, and in two pieces cut
 * where the first byte says; the verdict is the same, and each piece is read within its bounds.
 *
 * sources: src/http/parse.c src/http/parse_head.c src/http/parse_chunk.c
 * sources: src/http/parse_state.c src/http/chars.c src/base/buf.c src/base/err.c src/base/utf8.c
 */
#include "tests/fuzz/fuzz_check.h"
#include "tests/unit/http_verdict.h"

static void
assert_same(const struct verdict *a, struct verdict b)
{
	fuzz_check(verdict_same(a, &b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice in = slice_of((const char *)bytes, n);
	struct verdict whole = verdict_of(in, 0);

	assert_same(&whole, verdict_of(in, 1));
	assert_same(&whole, verdict_of(in, 7));
	for (size_t i = 0; i < n && i < 4; i++)
		assert_same(&whole, verdict_cut(in, bytes[i] % (n + 1)));
	assert_same(&whole, verdict_cut(in, n / 2));
	/* What is refused is refused for a reason, and as HTTP has one for it. */
	fuzz_check(whole.code == ERR_NONE ||
	    (err_status(whole.code) >= 400 && whole.err.detail[0] != '\0'));
	return 0;
}
