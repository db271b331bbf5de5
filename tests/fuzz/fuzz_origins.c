/* SPDX-License-Identifier: MIT */
/*
 * fuzz_origins: a list of cors_allow_origins, and behind its first LF the Origin of a request. Of a
 * list that is taken each item is an origin as a browser writes it; an Origin is listed only if it
 * is one of them, byte for byte.
 *
 * sources: src/http/origins.c src/http/chars.c src/base/address.c src/base/buf.c src/base/err.c
 * sources: src/base/utf8.c
 */
#include <string.h>

#include "http/origins.h"
#include "tenantgate/http.h"
#include "tests/fuzz/fuzz_check.h"

static void
check_origin(const char *item, size_t n)
{
	fuzz_check(n >= 4 && memchr(item, ':', n) != NULL);
	for (size_t i = 0; i < n; i++)
		fuzz_check(item[i] > ' ' && item[i] < 0x7f && item[i] != '*' && item[i] != ',' &&
		    !(item[i] >= 'A' && item[i] <= 'Z'));
	fuzz_check(item[n - 1] != '/' && item[n - 1] != ':');
}

static bool
is_in(const char *list, struct slice one)
{
	const char *p = list;
	bool found = false;

	while (*p != '\0') {
		size_t blanks = strspn(p, " \t"), n = strcspn(p + blanks, " \t,");

		p += blanks;
		if (n > 0) {
			check_origin(p, n);
			found = found || (n == one.len && memcmp(p, one.p, n) == 0);
		}
		p += n + (p[n] != '\0');
	}
	return found;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *end = n == 0 ? NULL : memchr(bytes, '\n', n);
	size_t first = end == NULL ? n : (size_t)(end - (const char *)bytes);
	struct slice origin = slice_of(NULL, 0);
	struct err err = { 0 };
	char *list = strndup((const char *)bytes, first);

	if (end != NULL)
		origin = slice_of(end + 1, n - first - 1);
	if (http_origins_are_valid(list, &err)) {
		fuzz_check((origins_find(list, origin).p != NULL) ==
		    (is_in(list, origin) && origin.len > 0));
	} else {
		fuzz_check(err.detail[0] != '\0');
	}
	free(list);
	return 0;
}
