/* SPDX-License-Identifier: MIT */
/*
 * label: see the header.
 */
#include "api/label.h"

#include <string.h>

#include "tenantgate/base/utf8.h"

static bool
label_unseen(uint32_t point)
{
	return (point >= 0x80 && point < 0xa0) || (point >= 0x202a && point <= 0x202e) ||
	    (point >= 0x2066 && point <= 0x2069);
}

bool
label_has_unseen(struct slice s)
{
	for (size_t at = 0; at < s.len;) {
		uint32_t point;

		at += utf8_next(s.p + at, s.len - at, &point);
		if (label_unseen(point))
			return true;
	}
	return false;
}

bool
label_clean(struct arena *arena, struct slice *s)
{
	size_t used = 0;
	char *out;

	if (!label_has_unseen(*s))
		return true;
	out = arena_alloc(arena, s->len + 1);
	if (out == NULL)
		return false;
	for (size_t at = 0, n; at < s->len; at += n) {
		uint32_t point;

		n = utf8_next(s->p + at, s->len - at, &point);
		if (label_unseen(point))
			continue;
		memcpy(out + used, s->p + at, n);
		used += n;
	}
	out[used] = '\0';
	*s = slice_of(out, used);
	return true;
}
