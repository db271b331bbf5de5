/* SPDX-License-Identifier: MIT */
/*
 * parse_chunk: the lines of a chunked body (RFC 9112 7.1). Sizes are bare hexadecimal digits;
 * extensions are checked by the grammar and dropped; trailers are checked and dropped, and may not
 * name what frames a message. Parsers that disagree on where a chunk ends disagree on where the
 * next request begins (request smuggling, 11.2), so no deviation is accepted.
 */
#include "http/parse_internal.h"

#include "http/chars.h"

#include "tenantgate/base/hex.h"

#define CHUNK_DIGITS_MAX	15	/* so that a size never overflows (RFC 9112 7.1) */

/* The skip_ functions take what the grammar allows off the front of s; false: it is not there. */

static void
skip_blanks(struct slice *s)
{
	while (s->len > 0 && (s->p[0] == ' ' || s->p[0] == '\t')) {
		s->p++;
		s->len--;
	}
}

static bool
skip_byte(struct slice *s, char c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

static bool
skip_token(struct slice *s)
{
	size_t n = 0;

	while (n < s->len && char_is_token((unsigned char)s->p[n]))
		n++;
	s->p += n;
	s->len -= n;
	return n > 0;
}

/* Behind the opening quote (RFC 9110 5.6.4); control characters have been refused with the line. */
static bool
skip_quoted(struct slice *s)
{
	for (size_t i = 0; i < s->len; i++) {
		if (s->p[i] == '\\') {
			i++;
		} else if (s->p[i] == '"') {
			*s = slice_of(s->p + i + 1, s->len - i - 1);
			return true;
		}
	}
	return false;
}

/* ;name or ;name=value, with blanks where the grammar knows them (RFC 9112 7.1.1). An extension
 * that is not understood is to be ignored; one that is not read to its end could hide a CRLF. */
static bool
skip_extension(struct slice *s)
{
	if (!skip_byte(s, ';'))
		return false;
	skip_blanks(s);
	if (!skip_token(s))
		return false;
	skip_blanks(s);
	if (!skip_byte(s, '='))
		return true;
	skip_blanks(s);
	if (skip_byte(s, '"') ? !skip_quoted(s) : !skip_token(s))
		return false;
	skip_blanks(s);
	return true;
}

/* No sign, no "0x", no blank, no empty size: strtol(3) takes all of them, the grammar none. A size
 * of 0 is the last chunk, behind which trailers may come. */
static bool
chunk_size(struct parse *p, struct slice line)
{
	size_t n = 0;

	p->left = 0;
	while (n < line.len && hex_value(line.p[n]) >= 0) {
		if (n == CHUNK_DIGITS_MAX)
			return parse_fail(p, ERR_BAD_REQUEST,
			    "A chunk size is too large; send smaller chunks.");
		p->left = p->left * 16 + (uint64_t)hex_value(line.p[n]);
		n++;
	}
	if (n == 0)
		return parse_fail(p, ERR_BAD_REQUEST,
		    "A chunk does not begin with its size; send it in hexadecimal digits.");
	line = slice_of(line.p + n, line.len - n);
	while (line.len > 0) {
		if (!skip_extension(&line))
			return parse_fail(p, ERR_BAD_REQUEST,
			    "A chunk extension is malformed; leave it out.");
	}
	p->state = p->left > 0 ? PARSE_CHUNK_DATA : PARSE_TRAILERS;
	return true;
}

/* A size line; or the CRLF behind a chunk's data, where any other byte means that the chunk was
 * longer than its size said (RFC 9112 7.1). */
bool
parse_chunk_line(struct parse *p, struct slice line)
{
	if (p->state == PARSE_CHUNK_SIZE)
		return chunk_size(p, line);
	if (line.len > 0)
		return parse_fail(p, ERR_BAD_REQUEST,
		    "A chunk is longer than its size line says; send the size of what follows.");
	p->state = PARSE_CHUNK_SIZE;
	return true;
}

/*
 * RFC 9112 7.1.2: trailers may be dropped, and are. Merged into the header they could add a field,
 * such as a credential, after the decisions that rest on it were made. What frames or routes a
 * message must not be sent there at all (RFC 9110 6.5.1).
 */
bool
parse_trailer_line(struct parse *p, struct slice line)
{
	struct slice name, value;

	if (line.len == 0) {
		p->state = PARSE_COMPLETE;
		return true;
	}
	p->trailer_bytes += line.len + 2;
	if (++p->trailer_count > p->limits.fields)
		return parse_fail(p, ERR_HEADERS_LARGE,
		    "There are too many trailer fields; send fewer.");
	if (!parse_field_split(p, line, &name, &value))
		return false;
	if (parse_is_framing(name))
		return parse_fail(p, ERR_BAD_REQUEST,
		    "A trailer names a field that frames or routes the message; send it in the "
		    "header section.");
	return true;
}
