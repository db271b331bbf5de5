/* SPDX-License-Identifier: MIT */
/*
 * fuzz_web_fields: the header fields of a server that we ask (a model, Neon, an issuer), a line
 * each. It may ask us to wait for a day at most, and not for less than no time.
 *
 * sources: src/wire/web_response.c src/base/buf.c src/base/clock.c src/base/utf8.c
 * sources: tests/unit/fake_web_certificate.c
 * packages: libcurl libevent
 */
#include <string.h>

#include "tests/fuzz/fuzz_check.h"
#include "wire/web_internal.h"

/* In a block of its own: ASan sees a read past it. */
static void
read_field_line(struct web_response *r, const char *line, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);

	memcpy(copy, line, n);
	web_response_field(r, slice_of(copy, n));
	free(copy);
	fuzz_check(r->retry_after_s >= 0 && r->retry_after_s <= WEB_DAY_S);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *at = (const char *)bytes, *end = at + n;
	struct web_response r = { 0 };

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		line_end = line_end != NULL ? line_end : end;
		read_field_line(&r, at, (size_t)(line_end - at));
		at = line_end + 1;
	}
	return 0;
}
