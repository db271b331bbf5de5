/* SPDX-License-Identifier: MIT */
/*
 * label: a title or a file's name. It is shown to people, in pages and terminals, and is no reason
 * to refuse a document. Pure, any thread.
 */
#ifndef API_LABEL_H
#define API_LABEL_H

#include <stdbool.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/slice.h"

/* Whether a text has characters that are not seen and change how others are: the embeddings,
 * overrides and isolates of the bidirectional algorithm (UAX #9, 2), by which "gnp.exe" is read as
 * "exe.png", and the controls C1, which some terminals obey. */
bool label_has_unseen(struct slice);
/* Takes those out: the text stays itself where it has none, else it is in the arena. False without
 * memory. What is no UTF-8 stays as it is. */
bool label_clean(struct arena *, struct slice *) __attribute__((warn_unused_result));

#endif
