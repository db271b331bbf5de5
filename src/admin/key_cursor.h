/* SPDX-License-Identifier: MIT */
/*
 * key_cursor: where a page of keys begins, as a text that a client hands back: base64url of a key's
 * time of creation, to the microsecond, a blank and its id. Not signed: it selects among what its
 * sender may list anyway. Pure.
 */
#ifndef ADMIN_KEY_CURSOR_H
#define ADMIN_KEY_CURSOR_H

#include "tenantgate/auth/key_catalog.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/buf.h"

#define KEY_CURSOR_MAX 80 /* bytes of its text */

/* Appends it. */
void key_cursor_put(struct buf *, const struct listed_key *);
/* Into the page, with strings in the arena; false when we cannot have made it, or the arena is
 * full. */
bool key_cursor_read(struct slice text, struct arena *, struct key_page *);

#endif
