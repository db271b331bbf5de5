/* SPDX-License-Identifier: MIT */
/*
 * percent: percent-decoding (RFC 3986 2.1). The result is at most as long as the input. An escaped
 * NUL is refused, for the value may end up in a C string and would be cut there, and so is a '%'
 * without two digits: passed on as it is, it might be decoded a second time elsewhere.
 */
#include "http/percent.h"

#include "tenantgate/base/hex.h"

struct slice
percent_decode(struct slice raw, bool plus_is_blank, struct arena *a)
{
	struct slice none = { NULL, 0 };
	char *out = arena_alloc(a, raw.len + 1);
	size_t n = 0;

	if (out == NULL)
		return none;
	for (size_t i = 0; i < raw.len; i++) {
		int high, low;

		out[n++] = plus_is_blank && raw.p[i] == '+' ? ' ' : raw.p[i];
		if (raw.p[i] != '%')
			continue;
		if (raw.len - i < 3)
			return none;
		high = hex_value(raw.p[i + 1]);
		low = hex_value(raw.p[i + 2]);
		if (high < 0 || low < 0 || high + low == 0)
			return none;
		out[n - 1] = (char)(high * 16 + low);
		i += 2;
	}
	return slice_of(out, n);
}
