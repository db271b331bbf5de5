/* SPDX-License-Identifier: MIT */
/*
 * charset: the bytes of a text as UTF-8, whatever they were written in: a mark at the beginning
 * says it, else the sender's declaration where the bytes fit it, else the bytes where they are
 * UTF-8, else a guess (libuchardet); decoded by iconv. Pure, any thread; linear in the text;
 * of bytes in a mapping few pages are looked at at a time. Private to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_CHARSET_H
#define TENANTGATE_RETRIEVAL_CHARSET_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/base/spool.h"

/* How many bytes one byte may become at the most (Thai, in windows-874). */
#define CHARSET_GROWTH	3
#define CHARSET_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD, for what is no character */

enum charset_end {
	CHARSET_OK,
	CHARSET_REPAIRED,	/* what is no character has become U+FFFD; few are */
	CHARSET_UNKNOWN,	/* no charset fits */
	CHARSET_FULL,		/* past the buffer's ceiling, or its memory */
};

/* iconv's name of a charset, by one of the WHATWG's Encoding Standard or libuchardet's, in any
 * case. Static; NULL for one that is not known. */
const char		*charset_find(struct slice label);
/* The bytes without their mark, when they are UTF-8 as they are; else p NULL. `declared` is a
 * charset's name as in a media type's parameter, in any case; an unknown one counts as none. */
struct slice		charset_utf8(struct spool_slice bytes, struct slice declared);
/* Appends the bytes as UTF-8, and stops when they are more than the buffer takes. */
enum charset_end	charset_decode(struct spool_slice bytes, struct slice declared,
			    struct buf *out) __attribute__((warn_unused_result));
/* The same by one of iconv's names, where at least so many bytes come of it for each that is no
 * character; else CHARSET_UNKNOWN, and the buffer is as it was. */
enum charset_end	charset_decode_as(const char *name, struct spool_slice bytes, size_t fit,
			    struct buf *out) __attribute__((warn_unused_result));

#endif
