/* SPDX-License-Identifier: MIT */
/*
 * multipart: see the header.
 *
 *	body = [preamble CRLF] "--" boundary CRLF part (CRLF "--" boundary CRLF part)*
 *	       CRLF "--" boundary "--" [epilogue]
 *	part = (header CRLF)* CRLF bytes
 *
 * The CRLF before a delimiter belongs to it, not to the part's bytes (RFC 2046, 5.1.1); the first
 * one has none where it begins the body. What precedes it and what follows the closing delimiter is
 * ignored, as that page says.
 */
#define _GNU_SOURCE /* memmem */
#include "api/multipart.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#include "api/parameter.h"
#include "tenantgate/base/b64.h"

#define BOUNDARY_MAX  70		 /* bytes (RFC 2046, 5.1.1) */
#define DELIMITER_MAX (BOUNDARY_MAX + 5) /* CRLF, "--", boundary, NUL */

static struct slice
rest_of(struct slice s, size_t from)
{
	return slice_of(s.p + from, s.len - from);
}

/* RFC 2046's bchars, a space not at the end. */
static bool
boundary_legal(struct slice s)
{
	static const char extra[] = "'()+_,-./:=? ";

	if (s.len == 0 || s.len > BOUNDARY_MAX || s.p[s.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.p[i]) &&
		    (s.p[i] == '\0' || strchr(extra, s.p[i]) == NULL))
			return false;
	return true;
}

struct slice
multipart_boundary(struct slice content_type)
{
	struct slice b = header_parameter(content_type, "boundary");

	if (b.p == NULL || !boundary_legal(b) || header_parameter_repeats(content_type, "boundary"))
		return (struct slice){ 0 };
	return b;
}

static bool
multipart_refuse(struct err *err, const char *why)
{
	err_set(err, ERR_BAD_REQUEST, "%s", why);
	return false;
}

/* A file's name in the extended notation counts before the plain one, as RFC 6266, 4.3 has it:
 * RFC 7578, 4.2 wants neither sent, but clients do. Found before anything is rewritten. */
static bool
read_file_name(char *body, struct slice value, struct part *part, struct err *err)
{
	struct slice extended = header_parameter(value, "filename*");
	struct slice plain = header_parameter(value, "filename");

	if (extended.p == NULL) {
		part->file_name = header_parameter_unquote(body, plain);
		return true;
	}
	return header_parameter_decode(body, extended, &part->file_name) ||
	    multipart_refuse(err,
		"A part's filename* is not UTF-8''name, percent-encoded; write it so, or send "
		"filename alone.");
}

/* One for each part, with one name: of two that differ, a proxy in front of us may have read the
 * other, and have checked another field or file name than the one that we take. */
static bool
read_disposition(char *body, struct slice value, struct part *part, struct err *err)
{
	static const char type[] = "form-data";
	const size_t n = sizeof(type) - 1;
	struct slice name;

	if (part->name.p != NULL || value.len <= n || strncasecmp(value.p, type, n) != 0 ||
	    memchr("; \t", value.p[n], 3) == NULL)
		return false;
	if (header_parameter_repeats(value, "name") ||
	    header_parameter_repeats(value, "filename") ||
	    header_parameter_repeats(value, "filename*"))
		return false;
	name = header_parameter(value, "name");
	if (name.p == NULL || !read_file_name(body, value, part, err))
		return false;
	part->name = header_parameter_unquote(body, name);
	return true;
}

/* How the bytes are written (RFC 2045, 6.1). Deprecated for forms (RFC 7578, 4.7), yet mail
 * libraries write it; bytes that are stored as they came would be another document. */
static bool
read_encoding(struct slice value, struct part *part, struct err *err)
{
	bool once = part->encoding.p == NULL;

	part->encoding = value;
	return (once &&
		   (slice_is_nocase(value, "7bit") || slice_is_nocase(value, "8bit") ||
		       slice_is_nocase(value, "binary") || slice_is_nocase(value, "base64"))) ||
	    multipart_refuse(err,
		"A part's Content-Transfer-Encoding is not base64 or binary, or there are two; "
		"send the bytes as they are, without one.");
}

/* Other fields are passed over, as RFC 7578, 4.8 says. A blank in a name is a line that was folded,
 * or a field that some would read and some would not. */
static bool
read_header_line(char *body, struct slice line, struct part *part, struct err *err)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct slice name, value;

	if (colon == NULL)
		return false;
	name = slice_of(line.p, (size_t)(colon - line.p));
	if (slice_trim(name).len != name.len)
		return false;
	value = slice_trim(rest_of(line, name.len + 1));
	if (slice_is_nocase(name, "Content-Disposition"))
		return read_disposition(body, value, part, err);
	if (slice_is_nocase(name, "Content-Transfer-Encoding"))
		return read_encoding(value, part, err);
	if (!slice_is_nocase(name, "Content-Type"))
		return true;
	if (part->content_type.p != NULL)
		return false;
	part->content_type = value;
	return true;
}

/* The header section of a part, up to and with its empty line; bytes used, 0 when malformed. */
static size_t
read_headers(char *body, struct slice s, struct part *part, struct err *err)
{
	size_t at = 0;

	for (;;) {
		const char *end = memmem(s.p + at, s.len - at, "\r\n", 2);
		struct slice line;

		if (end == NULL || (size_t)(end - s.p) > MULTIPART_HEADERS_MAX)
			return 0;
		line = slice_of(s.p + at, (size_t)(end - s.p) - at);
		at += line.len + 2;
		if (line.len == 0)
			return part->name.p != NULL ? at : 0;
		if (!read_header_line(body, line, part, err))
			return 0;
	}
}

/* After a delimiter: "--" closes, CRLF goes on (spaces and tabs may come before it). */
static bool
after_delimiter(struct slice *s, bool *closed)
{
	*closed = s->len >= 2 && memcmp(s->p, "--", 2) == 0;
	if (*closed)
		return true;
	while (s->len > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
		*s = rest_of(*s, 1);
	if (s->len < 2 || memcmp(s->p, "\r\n", 2) != 0)
		return false;
	*s = rest_of(*s, 2);
	return true;
}

/* RFC 2045, 6.8, where they lie: four characters are three bytes. Line breaks and blanks are passed
 * over; other foreign characters are refused, by which something else could be meant to others. */
static bool
decode_base64(char *body, struct part *part, struct err *err)
{
	char *text = body + (part->bytes.p - body);
	size_t n = 0, padding = 0;

	for (size_t i = 0; i < part->bytes.len; i++) {
		if (memchr("\r\n \t", text[i], 4) == NULL)
			text[n++] = text[i];
	}
	while (padding < 2 && n > padding && text[n - padding - 1] == '=')
		padding++;
	part->bytes = slice_of(text, n / 4 * 3 - (n >= 4 ? padding : 0));
	return (n % 4 == 0 && b64_get_exact(slice_of(text, n), text, part->bytes.len)) ||
	    multipart_refuse(err,
		"A part is not the base64 that its Content-Transfer-Encoding says; encode it anew, "
		"or send the bytes as they are.");
}

/* One part: its headers, then its bytes up to the next delimiter (RFC 2046 5.1.1), behind which *s
 * stands afterwards. */
static bool
part_read(char *body, struct slice *s, struct slice delimiter, struct part *part, struct err *err)
{
	const char *end;
	size_t used;

	memset(part, 0, sizeof(*part));
	used = read_headers(body, *s, part, err);
	if (used == 0)
		return multipart_refuse(err,
		    "Give each part of the multipart form one legal Content-Disposition, with one "
		    "name, and each field once, in one line.");
	*s = rest_of(*s, used);
	end = memmem(s->p, s->len, delimiter.p, delimiter.len);
	if (end == NULL)
		return multipart_refuse(err,
		    "The multipart form ends inside a part; end it with its closing boundary.");
	part->bytes = slice_of(s->p, (size_t)(end - s->p));
	*s = rest_of(*s, part->bytes.len + delimiter.len);
	return !slice_is_nocase(part->encoding, "base64") || decode_base64(body, part, err);
}

/* To behind the first delimiter. */
static bool
skip_preamble(struct slice *s, struct slice delimiter)
{
	struct slice first = rest_of(delimiter, 2);
	const char *at = s->p;

	if (s->len < first.len)
		return false;
	if (memcmp(s->p, first.p, first.len) != 0) {
		at = memmem(s->p, s->len, delimiter.p, delimiter.len);
		first = delimiter;
	}
	if (at != NULL)
		*s = rest_of(*s, (size_t)(at - s->p) + first.len);
	return at != NULL;
}

/* Linear in the body: each search goes on where the last one ended. */
bool
multipart_read(char *body, size_t len, struct slice boundary, struct parts *out, struct err *err)
{
	char text[DELIMITER_MAX];
	size_t n = (size_t)snprintf(text, sizeof(text), "\r\n--%.*s", SLICE_ARG(boundary));
	struct slice delimiter = slice_of(text, n), s = slice_of(body, len);
	bool closed;

	assert(boundary.len > 0 && boundary.len <= BOUNDARY_MAX);
	out->count = 0;
	if (!skip_preamble(&s, delimiter))
		return multipart_refuse(err,
		    "The multipart form does not have the boundary that Content-Type names.");
	for (;;) {
		if (!after_delimiter(&s, &closed))
			return multipart_refuse(err,
			    "A boundary of the multipart form lacks its CRLF; send one behind "
			    "each.");
		if (closed)
			return out->count > 0 ||
			    multipart_refuse(err,
				"The multipart form has no parts; send one named file.");
		if (out->count == MULTIPART_PARTS_MAX)
			return multipart_refuse(err,
			    "The multipart form has too many parts; send fewer in one request.");
		if (!part_read(body, &s, delimiter, &out->items[out->count], err))
			return false;
		out->count++;
	}
}
