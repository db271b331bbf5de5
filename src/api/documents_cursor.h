/* SPDX-License-Identifier: MIT */
/*
 * documents_cursor: where a page of documents begins, as a text that a client hands back: base64url
 * of a row's created_at in microseconds, a blank and its id. It is not signed: it selects among the
 * caller's own rows, whatever it says. Pure.
 */
#ifndef API_DOCUMENTS_CURSOR_H
#define API_DOCUMENTS_CURSOR_H

#include "tenantgate/base/arena.h"
#include "tenantgate/retrieval.h"

/* Appends it. */
void	documents_cursor_put(struct buf *, const struct listed_document *);
/* Into the page, with strings in the arena; false when we cannot have made it, or the arena is
 * full. */
bool	documents_cursor_read(struct slice text, struct arena *, struct documents_page *);

#define DOCUMENTS_LIMIT_DEFAULT	20
/* How many a page may have: a whole number of 1..DOCUMENTS_PAGE_MAX, without sign or blank. */
bool	documents_limit_read(struct slice text, unsigned *out, struct err *);

#endif
