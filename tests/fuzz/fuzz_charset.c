/* SPDX-License-Identifier: MIT */
/*
 * fuzz_charset: a text's bytes as clean UTF-8. The first byte chooses what charset is declared; the
 * rest is the text. What is taken is UTF-8 without a control, no longer than was said, and the same
 * when it is cleaned again.
 *
 * sources: src/retrieval/charset.c src/retrieval/charset_names.c src/retrieval/chunk.c
 * sources: src/retrieval/text.c src/base/alloc.c src/base/arena.c src/base/buf.c src/base/clock.c
 * sources: src/base/err.c src/base/json.c src/base/json_put.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/utf8.c src/base/json_memory.c
 * sources: src/base/spool_window.c src/retrieval/charset_iconv.c
 * libs: -ljansson -lutf8proc -luchardet
 */
#include "retrieval/charset.h"
#include "retrieval/text.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

static const char *const labels[] = { "", "utf-8", "iso-8859-1", "windows-1255", "shift_jis",
	"euc-jp", "iso-2022-jp", "gb18030", "hz-gb-2312", "big5", "euc-kr", "iso-2022-kr", "johab",
	"utf-16be", "utf-32le", "windows-874", "viscii", "windows-1258", "no-such" };

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice declared, text;
	struct buf out;
	enum charset_end end;

	if (n < 1)
		return 0;
	declared = slice_str(labels[bytes[0] % (sizeof(labels) / sizeof(labels[0]))]);
	text = slice_of((const char *)bytes + 1, n - 1);
	buf_init(&out, (n - 1) * CHARSET_GROWTH + 16);
	end = charset_decode((struct spool_slice){ text, false }, declared, &out);
	if (end == CHARSET_OK || end == CHARSET_REPAIRED) {
		fuzz_check(json_utf8_valid(buf_view(&out)) || memchr(out.data, '\0', out.len));
		text_clean(&out);
		fuzz_check(out.len == 0 || json_utf8_valid(buf_view(&out)));
		fuzz_check(text_is_clean(buf_view(&out)) && text_clean(&out) == 0);
	}
	text = charset_utf8((struct spool_slice){ text, false }, declared);
	fuzz_check(text.p == NULL || text.len == 0 || end == CHARSET_OK);
	buf_free(&out);
	return 0;
}
