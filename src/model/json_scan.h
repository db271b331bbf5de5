/* SPDX-License-Identifier: MIT */
/*
 * scan: a strict JSON reader that copies nothing, for what a model's server sends in bulk: an
 * event for every token, eight kilobytes of base64 for every vector. (Everything else is read with
 * jansson; measured on an event of 250 bytes, this is ten times faster.) Pure.
 *
 *	json_scan_open(&s, '{');
 *	while (json_scan_member(&s, &key))
 *		if (slice_is(key, "index"))
 *			json_scan_number(&s, &index);
 *		else
 *			json_scan_skip(&s);
 *
 * Once anything is wrong it stays `bad`: every loop ends, every value is empty; ask
 * json_scan_whole() once. A value of another type than asked for is bad; json_scan_peek() tells the
 * type. Accepts what RFC 8259 calls JSON, but leaves UTF-8 inside strings to the reader of the
 * string.
 */
#ifndef TENANTGATE_MODEL_JSON_SCAN_H
#define TENANTGATE_MODEL_JSON_SCAN_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

#define JSON_SCAN_DEPTH_MAX	32

struct json_scan {
	const char	*p;	/* borrowed */
	const char	*end;
	unsigned	 depth;
	bool		 fresh;	/* just inside a bracket: no comma before the next value */
	bool		 bad;
};

enum json_scan_type {
	JSON_SCAN_BAD,	/* or the end */
	JSON_SCAN_OBJECT,
	JSON_SCAN_ARRAY,
	JSON_SCAN_STRING,
	JSON_SCAN_NUMBER,
	JSON_SCAN_TRUE,
	JSON_SCAN_FALSE,
	JSON_SCAN_NULL,
};

void		json_scan_begin(struct json_scan *, struct slice text);
enum json_scan_type	json_scan_peek(struct json_scan *);
void		json_scan_open(struct json_scan *, char bracket);	/* '{' or '[' */
/* On to the next; false past the last one (or bad). Keys are as written, escapes and all. */
bool		json_scan_member(struct json_scan *, struct slice *key);
bool		json_scan_item(struct json_scan *);
/* As written between the quotes: json_scan_unescape() makes text of it when it holds a backslash. */
void		json_scan_string(struct json_scan *, struct slice *raw);
void		json_scan_number(struct json_scan *, double *);
void		json_scan_skip(struct json_scan *);	/* any value; true, false and null too */
/* Nothing wrong, and nothing left but white space. */
bool		json_scan_whole(struct json_scan *);

/* Appends the text of a raw string. A lone surrogate and \u0000 become U+FFFD. False at the buf's
 * ceiling. */
bool		json_scan_unescape(struct slice raw, struct buf *out);

#endif
