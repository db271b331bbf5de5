/* SPDX-License-Identifier: MIT */
/*
 * text: what becomes of an extractor's bytes. Pure. Private to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_TEXT_H
#define TENANTGATE_RETRIEVAL_TEXT_H

#include <stdbool.h>

#include "tenantgate/retrieval.h"

/* In place: broken UTF-8 becomes '?', a NUL goes. What Postgres takes, and never longer. */
void	text_clean(struct buf *);
/* Without the blanks at both ends that JavaScript's trim() takes away. */
struct slice text_trim(struct slice);
/* Form feeds end pages: fills out->pages, page_count and pages_in_all from out->text. False when
 * the arena is full. */
bool	text_cut_pages(struct arena *, struct extract_out *);
/* The whole of out->text as one page without a number. False when the arena is full. */
bool	text_one_page(struct arena *, struct extract_out *);

#endif
