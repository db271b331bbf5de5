/* SPDX-License-Identifier: MIT */
/*
 * parse_state: what is known of a message, and the one way it fails. The other files of the parser
 * call this one, which calls none of them: parse.c (lines and states) calls parse_head.c (request
 * line and fields) and parse_chunk.c (chunked bodies), never the other way.
 */
#include "http/parse_internal.h"

/* Final: no byte is parsed after it, so the connection must end. */
bool
parse_fail(struct parse *p, enum err_code code, const char *why)
{
	p->state = PARSE_FAILED;
	err_set(&p->err, code, "%s", why);
	return false;
}

struct slice
parse_slice(const struct parse *p, struct parse_span span)
{
	if (p->head->data == NULL) /* nothing has come */
		return slice_of(NULL, 0);
	return slice_of(p->head->data + span.at, span.len);
}

/* An absolute-form target without a path means "/" (RFC 9112 3.2.1, RFC 9110 4.2.3). One that was
 * read stands behind a method. */
struct slice
parse_path(const struct parse *p)
{
	if (p->path.at == 0)
		return slice_of(NULL, 0);
	return p->path.len == 0 ? SLICE_LIT("/") : parse_slice(p, p->path);
}

/* Also when the bytes are not yet a whole line: header_timeout_us counts from here. */
bool
parse_began(const struct parse *p)
{
	return p->state != PARSE_REQUEST_LINE || p->head->len > 0;
}

/* RFC 9112 9.3: "close" wins; HTTP/1.1 persists by default, HTTP/1.0 by "keep-alive" only. */
bool
parse_persists(const struct parse *p)
{
	return !p->close && (p->http11 || p->keep_alive);
}
