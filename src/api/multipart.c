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
#include "tenantgate/base/spool.h"

#define BOUNDARY_MAX  70		 /* bytes (RFC 2046, 5.1.1) */
#define DELIMITER_MAX (BOUNDARY_MAX + 5) /* CRLF, "--", boundary, NUL */
#define SEARCH_WINDOW ((size_t)256 << 10)
#define BLANKS_MAX    1024 /* behind a boundary */

struct form_body {
	char *body;
	bool is_mapped;
	struct slice delimiter;
};

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

	if (s.len > MULTIPART_HEADERS_MAX + 2)
		s.len = MULTIPART_HEADERS_MAX + 2;
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
	for (unsigned i = 0; i < BLANKS_MAX && s->len > 0 && memchr(" \t", s->p[0], 2) != NULL; i++)
		*s = rest_of(*s, 1);
	if (s->len < 2 || memcmp(s->p, "\r\n", 2) != 0)
		return false;
	*s = rest_of(*s, 2);
	return true;
}

/* A multipart_sink_fn: where the text was. What is decoded is behind what was read of it. */
static bool
put_in_place(void *arg, struct slice bytes, struct err *err)
{
	char **to = arg;

	(void)err;
	memcpy(*to, bytes.p, bytes.len);
	*to += bytes.len;
	return true;
}

static bool
decode_base64(char *body, struct part *part, struct err *err)
{
	char *text = body + (part->bytes.p - body), *end = text;
	bool ok = multipart_base64(part->bytes, false, put_in_place, &end, err);

	part->bytes = slice_of(text, (size_t)(end - text));
	part->is_base64 = false;
	return ok;
}

/* In windows, of which each begins where a delimiter may have been cut, so that the pages of a
 * mapping can be given back on the way. */
static const char *
find_delimiter(const struct form_body *form, struct slice s)
{
	struct slice delimiter = form->delimiter;
	const struct slice all = s;

	while (form->is_mapped && s.len > SEARCH_WINDOW) {
		const char *end = memmem(s.p, SEARCH_WINDOW, delimiter.p, delimiter.len);

		if (end != NULL)
			return end;
		s = rest_of(s, SEARCH_WINDOW - delimiter.len);
		spool_unload_behind(all, (size_t)(s.p - all.p), SEARCH_WINDOW);
	}
	return memmem(s.p, s.len, delimiter.p, delimiter.len);
}

/* One part: its headers, then its bytes up to the next delimiter (RFC 2046 5.1.1), behind which *s
 * stands afterwards. */
static bool
part_read(const struct form_body *form, struct slice *s, struct part *part, struct err *err)
{
	const char *end;
	size_t used;

	memset(part, 0, sizeof(*part));
	used = read_headers(form->body, *s, part, err);
	if (used == 0)
		return multipart_refuse(err,
		    "Give each part of the multipart form one legal Content-Disposition, with one "
		    "name, and each field once, in one line.");
	*s = rest_of(*s, used);
	end = find_delimiter(form, *s);
	if (end == NULL)
		return multipart_refuse(err,
		    "The multipart form ends inside a part; end it with its closing boundary.");
	part->bytes = slice_of(s->p, (size_t)(end - s->p));
	if (form->is_mapped)
		spool_unload(part->bytes);
	*s = rest_of(*s, part->bytes.len + form->delimiter.len);
	part->is_base64 = slice_is_nocase(part->encoding, "base64");
	return !part->is_base64 || form->is_mapped || decode_base64(form->body, part, err);
}

/* To behind the first delimiter. */
static bool
skip_preamble(const struct form_body *form, struct slice *s)
{
	struct slice first = rest_of(form->delimiter, 2);
	const char *at = s->p;

	if (s->len < first.len)
		return false;
	if (memcmp(s->p, first.p, first.len) != 0) {
		at = find_delimiter(form, *s);
		first = form->delimiter;
	}
	if (at != NULL)
		*s = rest_of(*s, (size_t)(at - s->p) + first.len);
	return at != NULL;
}

/* Linear in the body: each search goes on where the last one ended. */
bool
multipart_read(char *body, size_t len, bool is_mapped, struct slice boundary, struct parts *out,
    struct err *err)
{
	char text[DELIMITER_MAX];
	size_t n = (size_t)snprintf(text, sizeof(text), "\r\n--%.*s", SLICE_ARG(boundary));
	const struct form_body form = { body, is_mapped, slice_of(text, n) };
	struct slice s = slice_of(body, len);
	bool closed;

	assert(boundary.len > 0 && boundary.len <= BOUNDARY_MAX);
	out->count = 0;
	if (!skip_preamble(&form, &s))
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
		if (!part_read(&form, &s, &out->items[out->count], err))
			return false;
		out->count++;
	}
}
