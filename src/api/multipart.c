/* SPDX-License-Identifier: MIT */
/*
 * multipart: see the header.
 *
 *	body = "--" boundary CRLF part (CRLF "--" boundary CRLF part)* CRLF "--" boundary "--"
 *	part = (header CRLF)* CRLF bytes
 *
 * The CRLF before a delimiter belongs to it, not to the part's bytes (RFC 2046, 5.1.1); the first
 * one has none, for it begins the body. What follows the closing delimiter is ignored, as that page
 * says.
 */
#define _GNU_SOURCE /* memmem */
#include "api/multipart.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#define BOUNDARY_MAX	70			/* bytes (RFC 2046, 5.1.1) */
#define DELIMITER_MAX	(BOUNDARY_MAX + 5)	/* CRLF, "--", boundary, NUL */

static struct slice
rest_of(struct slice s, size_t from)
{
	return slice_of(s.p + from, s.len - from);
}

/* The value of name=value or name="value" among parameters that follow a ';' (RFC 9110, 5.6.6), p
 * NULL when absent. Quoted values may hold \" and \\ (browsers send %22 instead): they are skipped
 * rightly, and the bytes between the quotes are given as they are. A ';' inside quotes begins
 * nothing. */
static struct slice
parameter(struct slice s, const char *name)
{
	size_t want = strlen(name);

	for (size_t i = 0; i < s.len; i++) {
		struct slice at;
		size_t end;

		if (s.p[i] == '"') {
			for (i++; i < s.len && s.p[i] != '"'; i++)
				if (s.p[i] == '\\')
					i++;
			continue;
		}
		if (s.p[i] != ';')
			continue;
		at = slice_trim(rest_of(s, i + 1));
		if (at.len <= want || at.p[want] != '=' || strncasecmp(at.p, name, want) != 0)
			continue;
		at = rest_of(at, want + 1);
		if (at.len > 0 && at.p[0] == '"') {
			for (end = 1; end < at.len && at.p[end] != '"'; end++)
				if (at.p[end] == '\\')
					end++;
			return end < at.len ? slice_of(at.p + 1, end - 1) : (struct slice){ 0 };
		}
		for (end = 0;
		     end < at.len && at.p[end] != ';' && !isspace((unsigned char)at.p[end]);)
			end++;
		return slice_of(at.p, end);
	}
	return (struct slice){ 0 };
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
	struct slice b = parameter(content_type, "boundary");

	return b.p != NULL && boundary_legal(b) ? b : (struct slice){ 0 };
}

static bool
multipart_refuse(struct err *err, const char *why)
{
	err_set(err, ERR_BAD_REQUEST, "%s", why);
	return false;
}

/* One for each part: of two that differ, a proxy in front of us may have read the other, and have
 * checked another field or file name than the one that we take. */
static bool
read_disposition(struct slice value, struct part *part)
{
	static const char type[] = "form-data";
	const size_t n = sizeof(type) - 1;

	if (part->name.p != NULL || value.len <= n || strncasecmp(value.p, type, n) != 0 ||
	    memchr("; \t", value.p[n], 3) == NULL)
		return false;
	part->name = parameter(value, "name");
	part->file_name = parameter(value, "filename");
	return part->name.p != NULL;
}

/* Other fields are passed over, as RFC 7578, 4.8 says. */
static bool
read_header_line(struct slice line, struct part *part)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct slice name, value;

	if (colon == NULL)
		return false;
	name = slice_of(line.p, (size_t)(colon - line.p));
	value = slice_trim(rest_of(line, name.len + 1));
	if (slice_is_nocase(name, "Content-Disposition"))
		return read_disposition(value, part);
	if (slice_is_nocase(name, "Content-Type"))
		part->content_type = value;
	return true;
}

/* The header section of a part, up to and with its empty line; bytes used, 0 when malformed. */
static size_t
read_headers(struct slice s, struct part *part)
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
		if (!read_header_line(line, part))
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

/* One part: its headers, then its bytes up to the next delimiter (RFC 2046 5.1.1), behind which *s
 * stands afterwards. */
static bool
part_read(struct slice *s, struct slice delimiter, struct part *part, struct err *err)
{
	const char *end;
	size_t used;

	memset(part, 0, sizeof(*part));
	used = read_headers(*s, part);
	if (used == 0)
		return multipart_refuse(err,
		    "Give each part of the multipart form one legal Content-Disposition, with a "
		    "name.");
	*s = rest_of(*s, used);
	end = memmem(s->p, s->len, delimiter.p, delimiter.len);
	if (end == NULL)
		return multipart_refuse(err,
		    "The multipart form ends inside a part; end it with its closing boundary.");
	part->bytes = slice_of(s->p, (size_t)(end - s->p));
	*s = rest_of(*s, part->bytes.len + delimiter.len);
	return true;
}

/* Linear in the body: each search goes on where the last one ended. */
bool
multipart_read(struct slice body, struct slice boundary, struct parts *out, struct err *err)
{
	char text[DELIMITER_MAX];
	size_t len = (size_t)snprintf(text, sizeof(text), "\r\n--%.*s", SLICE_ARG(boundary));
	struct slice delimiter = slice_of(text, len), s = body;
	bool closed;

	assert(boundary.len > 0 && boundary.len <= BOUNDARY_MAX);
	out->count = 0;
	/* The first one has no CRLF before it. */
	if (s.len < len - 2 || memcmp(s.p, text + 2, len - 2) != 0)
		return multipart_refuse(err,
		    "The multipart form does not begin with the boundary that Content-Type names.");
	s = rest_of(s, len - 2);
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
		if (!part_read(&s, delimiter, &out->items[out->count], err))
			return false;
		out->count++;
	}
}
