/* SPDX-License-Identifier: MIT */
/*
 * scan: a strict JSON reader that copies nothing, for what a model's server sends in bulk: an
 * event for every token, eight kilobytes of base64 for every vector. (Everything else is read with
 * jansson; measured on an event of 250 bytes, this is ten times faster.) Pure.
 *
 *	scan_open(&s, '{');
 *	while (scan_member(&s, &key))
 *		if (slice_is(key, "index"))
 *			scan_number(&s, &index);
 *		else
 *			scan_skip(&s);
 *
 * Once anything is wrong it stays `bad`: every loop ends, every value is empty; ask scan_whole()
 * once. A value of another type than asked for is bad; scan_peek() tells the type. Accepts what
 * RFC 8259 calls JSON, but leaves UTF-8 inside strings to the reader of the string.
 */
#ifndef TENANTGATE_MODEL_SCAN_H
#define TENANTGATE_MODEL_SCAN_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

#define SCAN_DEPTH_MAX	32

struct scan {
	const char	*p;	/* borrowed */
	const char	*end;
	unsigned	 depth;
	bool		 fresh;	/* just inside a bracket: no comma before the next value */
	bool		 bad;
};

enum scan_type {
	SCAN_BAD,	/* or the end */
	SCAN_OBJECT,
	SCAN_ARRAY,
	SCAN_STRING,
	SCAN_NUMBER,
	SCAN_TRUE,
	SCAN_FALSE,
	SCAN_NULL,
};

void		scan_begin(struct scan *, struct slice text);
enum scan_type	scan_peek(struct scan *);
void		scan_open(struct scan *, char bracket);		/* '{' or '[' */
/* On to the next; false past the last one (or bad). Keys are as written, escapes and all. */
bool		scan_member(struct scan *, struct slice *key);
bool		scan_item(struct scan *);
/* As written between the quotes: scan_unescape() makes text of it when a backslash is in it. */
void		scan_string(struct scan *, struct slice *raw);
void		scan_number(struct scan *, double *);
void		scan_skip(struct scan *);	/* any value; true, false and null too */
/* Nothing wrong, and nothing left but white space. */
bool		scan_whole(struct scan *);

/* Appends the text of a raw string. A lone surrogate and \u0000 become U+FFFD. False at the buf's
 * ceiling. */
bool		scan_unescape(struct slice raw, struct buf *out);

#endif
