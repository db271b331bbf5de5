/* SPDX-License-Identifier: MIT */
/*
 * text_seam: JSON strings that are pieces of one text, put together as UTF-8. Servers cut where
 * they like: between the two halves of a surrogate pair (RFC 8259, section 7), or between the bytes
 * of a character. What such a cut leaves at the end of a piece is kept for the next one. What is no
 * UTF-8 becomes U+FFFD, for in our own answer the client's parser would die of it. Pure.
 *
 *	[nothing kept] --piece ends in a begun character--> [kept] --next piece--> joined, or U+FFFD
 */
#ifndef TENANTGATE_MODEL_TEXT_SEAM_H
#define TENANTGATE_MODEL_TEXT_SEAM_H

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

#define SEAM_BYTES_MAX	6	/* of "\ud83d"; of begun UTF-8 there are three at most */

/* Zeroed before first use; owns nothing. */
struct text_seam {
	char	bytes[SEAM_BYTES_MAX];	/* as written in the JSON string */
	size_t	len;
};

/* Appends the text of a raw string (json_scan_string()). out->failed tells of a ceiling reached. */
void	text_seam_add(struct text_seam *, struct buf *out, struct slice raw);
/* There is no next piece: what was kept becomes U+FFFD. Idempotent. */
void	text_seam_end(struct text_seam *, struct buf *out);

#endif
