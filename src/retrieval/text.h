/* SPDX-License-Identifier: MIT */
/*
 * text: an extractor's bytes made valid, cut into pages, trimmed. Pure. Private to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_TEXT_H
#define TENANTGATE_RETRIEVAL_TEXT_H

#include <stdbool.h>

#include "tenantgate/retrieval.h"

/* Whether text_clean() would change nothing. */
bool	text_is_clean(struct slice);
/* In place: broken UTF-8 becomes '?'; controls (NUL, all of C0 but tabs, line ends and form feeds,
 * and DEL) become blanks; ligatures of Latin letters (U+FB00 to FB06) become the letters; soft
 * hyphens and marks of direction, which are not seen, go. So a word is found as it is typed, and
 * Postgres takes the text, which is never longer. The number of controls there were. */
size_t	text_clean(struct buf *);
/* Without the white space at both ends that JavaScript's trim() removes; a range of what was
 * given. */
struct slice text_trim(struct slice);
/* Form feeds end pages, as pdftotext writes them: fills out->pages, page_count and pages_in_all
 * from out->text. Pages without text are counted and left out. False when the arena is full or
 * without memory. */
bool	text_cut_pages(struct arena *, struct extract_out *);
/* A text as one page without a number, which borrows it. False as above. */
bool	text_one_page(struct arena *, struct slice, struct extract_out *);

#endif
