/* SPDX-License-Identifier: MIT */
/*
 * slice: a borrowed run of bytes, not NUL-terminated. Whoever hands one out says how long the
 * bytes live. Passed by value; holding one owns nothing.
 */
#ifndef TENANTGATE_BASE_SLICE_H
#define TENANTGATE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char	*p;	/* borrowed; may be NULL when len is 0 */
	size_t		 len;	/* bytes */
};

/* For printf: ("%.*s", SLICE_ARG(s)). The caller's limits keep s.len below INT_MAX. */
#define SLICE_ARG(s)	(int)(s).len, (s).p
#define SLICE_LIT(text)	((struct slice){ (text), sizeof(text) - 1 })

static inline struct slice
slice_of(const char *p, size_t len)
{
	return (struct slice){ p, len };
}

static inline struct slice
slice_str(const char *text)
{
	return (struct slice){ text, text == NULL ? 0 : strlen(text) };
}

/* For a configured text, where empty means that it is not set. */
static inline const char *
text_or_null(const char *text)
{
	return text == NULL || text[0] == '\0' ? NULL : text;
}

static inline bool
slice_is(struct slice s, const char *text)
{
	size_t n = strlen(text);

	return s.len == n && (n == 0 || memcmp(s.p, text, n) == 0);
}

/* Ignores the case of ASCII: for header names, schemes, tokens (RFC 9110). */
static inline bool
slice_is_nocase(struct slice s, const char *text)
{
	size_t n = strlen(text);

	return s.len == n && (n == 0 || strncasecmp(s.p, text, n) == 0);
}

static inline bool
slice_starts(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

/* Without leading and trailing spaces and tabs (RFC 9110 OWS). */
static inline struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

#endif
