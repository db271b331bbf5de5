/* SPDX-License-Identifier: MIT */
/*
 * chars: the character classes of HTTP, spelled out once. By the grammar's bytes, never by
 * <ctype.h>: that depends on the locale.
 */
#include "http/chars.h"

#include <string.h>

#include "tenantgate/base/hex.h"

/* RFC 9110 5.6.2, tchar. strchr() finds the NUL too, so that is excluded by name. */
bool
char_is_token(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("-_!#$%&'*+.^`|~", c) != NULL);
}

bool
slice_is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!char_is_token((unsigned char)s.p[i]))
			return false;
	}
	return s.len > 0;
}

/* RFC 9110 5.5: bytes from 0x80 on (obs-text) are opaque and allowed; CR, LF and NUL are not, by
 * which a value could end its line or a C string. */
bool
slice_is_field_value(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Looser than RFC 3986 allows (quotes, braces, '\\' pass), but no byte that could end a line, split
 * the request line or begin a fragment. */
bool
slice_is_target(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '#')
			return false;
	}
	return s.len > 0;
}

/* RFC 3986 reg-name: unreserved, percent-encoded, sub-delims. */
static bool
is_reg_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool digit = c >= '0' && c <= '9';

		if (!letter && !digit && (c == '\0' || strchr("-._~%!$&'()*+,;=", c) == NULL))
			return false;
	}
	return s.len > 0;
}

/* Empty is allowed, "host:" (RFC 3986 3.2.3). The number is never used, so its range is not
 * checked. */
static bool
is_port(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.len <= 5;
}

/* What stands between the brackets of an IPv6 address (RFC 3986 3.2.2). Its bytes only: the address
 * is never used, so its groups are not counted. */
static bool
is_ip_literal(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (hex_value(s.p[i]) < 0 && s.p[i] != ':' && s.p[i] != '.')
			return false;
	}
	return s.len >= 2;
}

/* host[:port] without userinfo. The host ends at ']' or, without brackets, at the first ':'. */
bool
slice_is_authority(struct slice s)
{
	struct slice host = s, port = { NULL, 0 };
	bool bracket = s.len > 0 && s.p[0] == '[';
	const char *end = s.len == 0 ? NULL : memchr(s.p, bracket ? ']' : ':', s.len);

	if (bracket && end == NULL)
		return false;
	if (end != NULL) {
		const char *after = bracket ? end + 1 : end;

		host = bracket ? slice_of(s.p + 1, (size_t)(end - s.p) - 1)
			       : slice_of(s.p, (size_t)(end - s.p));
		port = slice_of(after, s.len - (size_t)(after - s.p));
	}
	if (port.len > 0) {
		if (port.p[0] != ':')
			return false;
		port = slice_of(port.p + 1, port.len - 1);
	}
	return (bracket ? is_ip_literal(host) : is_reg_name(host)) && is_port(port);
}

/* Empty elements are returned as such: a recipient must accept them (RFC 9110 5.6.1.2). Commas in
 * quoted strings are not seen: no list that is read here has any. */
bool
slice_list_next(struct slice *rest, struct slice *item)
{
	const char *comma;
	size_t n;

	if (rest->len == 0)
		return false;
	comma = memchr(rest->p, ',', rest->len);
	n = comma == NULL ? rest->len : (size_t)(comma - rest->p);
	*item = slice_trim(slice_of(rest->p, n));
	n += comma != NULL;
	*rest = slice_of(rest->p + n, rest->len - n);
	return true;
}
