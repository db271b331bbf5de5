/* SPDX-License-Identifier: MIT */
/*
 * parameter: see the header.
 */
#include "api/parameter.h"

#include <ctype.h>
#include <string.h>

#include "tenantgate/base/hex.h"

static struct slice
slice_after(struct slice s, size_t from)
{
	return slice_of(s.p + from, s.len - from);
}

/* The value that s begins with: up to the closing quote, or to a ';' or a blank. */
static struct slice
parameter_value(struct slice s)
{
	size_t end = 0;

	if (s.len == 0 || s.p[0] != '"') {
		while (end < s.len && s.p[end] != ';' && !isspace((unsigned char)s.p[end]))
			end++;
		return slice_of(s.p, end);
	}
	for (end = 1; end < s.len && s.p[end] != '"'; end++)
		if (s.p[end] == '\\')
			end++;
	return end < s.len ? slice_of(s.p + 1, end - 1) : (struct slice){ 0 };
}

/* The value of the next one from *from on, which is moved behind its ';'; p NULL at the end. A ';'
 * inside quotes begins nothing. */
static struct slice
parameter_next(struct slice field, const char *name, size_t *from)
{
	size_t want = strlen(name);

	for (size_t i = *from; i < field.len; i++) {
		struct slice at;

		if (field.p[i] == '"') {
			for (i++; i < field.len && field.p[i] != '"'; i++)
				if (field.p[i] == '\\')
					i++;
			continue;
		}
		if (field.p[i] != ';')
			continue;
		at = slice_trim(slice_after(field, i + 1));
		if (at.len > want && at.p[want] == '=' && strncasecmp(at.p, name, want) == 0) {
			*from = i + 1;
			return parameter_value(slice_after(at, want + 1));
		}
	}
	return (struct slice){ 0 };
}

struct slice
header_parameter(struct slice field, const char *name)
{
	size_t from = 0;

	return parameter_next(field, name, &from);
}

bool
header_parameter_repeats(struct slice field, const char *name)
{
	size_t from = 0;

	return parameter_next(field, name, &from).p != NULL &&
	    parameter_next(field, name, &from).p != NULL;
}

/* Any other backslash stays: old clients send C:\a.pdf as it is, and so do browsers a name that has
 * one, where RFC 9110, 5.6.4 would drop it. A value without quotes has no pairs. */
struct slice
header_parameter_unquote(char *text, struct slice value)
{
	char *out;
	size_t n = 0;

	if (value.p == NULL || value.p == text || value.p[-1] != '"')
		return value;
	out = text + (value.p - text);
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '\\' && i + 1 < value.len &&
		    (value.p[i + 1] == '"' || value.p[i + 1] == '\\'))
			i++;
		out[n++] = value.p[i];
	}
	return slice_of(out, n);
}

/* Behind the charset and the language, each ended by a quote. UTF-8 is the one that all must know
 * (RFC 8187, 3.2.1); p NULL for another. */
static struct slice
extended_text(struct slice value)
{
	static const char charset[] = "UTF-8'";
	const size_t n = sizeof(charset) - 1;
	const char *quote;

	if (value.len < n || strncasecmp(value.p, charset, n) != 0)
		return (struct slice){ 0 };
	quote = memchr(value.p + n, '\'', value.len - n);
	if (quote == NULL)
		return (struct slice){ 0 };
	return slice_after(value, (size_t)(quote + 1 - value.p));
}

bool
header_parameter_decode(char *text, struct slice value, struct slice *out)
{
	struct slice s = extended_text(value);
	char *to;
	size_t n = 0;

	if (s.p == NULL)
		return false;
	to = text + (s.p - text);
	for (size_t i = 0; i < s.len; i++) {
		int high, low;

		if (s.p[i] != '%') {
			to[n++] = s.p[i];
			continue;
		}
		high = s.len - i < 3 ? -1 : hex_value(s.p[i + 1]);
		low = s.len - i < 3 ? -1 : hex_value(s.p[i + 2]);
		if (high < 0 || low < 0)
			return false;
		to[n++] = (char)(high * 16 + low);
		i += 2;
	}
	*out = slice_of(to, n);
	return true;
}
