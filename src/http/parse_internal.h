/* SPDX-License-Identifier: MIT */
/*
 * parse_internal: what the files of the parser share. Functions of type bool return false with the
 * parser failed and p->err set, unless their comment says otherwise.
 */
#ifndef HTTP_PARSE_INTERNAL_H
#define HTTP_PARSE_INTERNAL_H

#include "http/parse.h"

/* parse_state.c */
bool	parse_fail(struct parse *, enum err_code, const char *why);	/* always false */

/* parse_head.c: lines come without their CRLF. All but trailers are parts of p->head. */
bool	parse_request_line(struct parse *, struct slice line);
bool	parse_field_line(struct parse *, struct slice line);
bool	parse_head_end(struct parse *);		/* the empty line behind the fields */
/* "name: value" by the strict grammar; value is trimmed. Trailers too. */
bool	parse_field_split(struct parse *, struct slice line, struct slice *name,
	    struct slice *value);
/* Pure. Whether it is Content-Length, Transfer-Encoding, Host or Connection, also in the spelling
 * with '_' that some gateways take for the first two. */
bool	parse_is_framing(struct slice name);

/* parse_chunk.c: either moves the parser to its next state. */
bool	parse_chunk_line(struct parse *, struct slice line);
bool	parse_trailer_line(struct parse *, struct slice line);

#endif
