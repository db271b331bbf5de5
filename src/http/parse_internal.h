/* SPDX-License-Identifier: MIT */
/*
 * parse_room: what the files of the parser share. Each answers false with p->err set.
 */
#ifndef HTTP_PARSE_INTERNAL_H
#define HTTP_PARSE_INTERNAL_H

#include "http/parse.h"

/* parse_state.c */
bool	parse_fail(struct parse *, enum err_code, const char *why);	/* always false */

/* parse_head.c: a line without its CRLF. */
bool	parse_request_line(struct parse *, struct slice line);
bool	parse_field_line(struct parse *, struct slice line);
bool	parse_head_end(struct parse *);
/* "name: value", by the letter; value is trimmed. */
bool	parse_field_split(struct parse *, struct slice line, struct slice *name,
	    struct slice *value);
/* Content-Length, Transfer-Encoding or Host, also in the spelling with '_' that some gateways
 * take for them. */
bool	parse_is_framing(struct slice name);

/* parse_chunk.c */
bool	parse_chunk_line(struct parse *, struct slice line);
bool	parse_trailer_line(struct parse *, struct slice line);

#endif
