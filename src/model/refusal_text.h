/* SPDX-License-Identifier: MIT */
/*
 * refusal_text: the strings of a response that refuses, as text in which words can be looked for,
 * and whether the request itself holds such words. Pure. Private to model_refusal.c.
 */
#ifndef TENANTGATE_MODEL_REFUSAL_TEXT_H
#define TENANTGATE_MODEL_REFUSAL_TEXT_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

/* In lower case, with ' for any quote, a line for each string. */
struct refusal_text {
	struct buf	places;	/* owned: `param` and `loc`, which name a field by their form */
	struct buf	words;	/* owned: every other string */
};

/* Free it whatever is returned; false: no memory. */
bool		 refusal_text_read(struct refusal_text *, struct slice body);
void		 refusal_text_free(struct refusal_text *);

/* Is any of these there? The list ends with NULL. */
bool		 text_has(const struct buf *, const char *const *words);
/* Where the words stand, and not as part of a longer name; NULL: nowhere. */
const char	*text_find(const struct buf *, const char *words);

struct request_uses {
	bool	own;	/* the request has it as a field, or as the value of one */
	bool	echoes;	/* its texts hold it, in any case */
};
/* word: in lower case. A request past REQUEST_SEARCH_MAX is not searched: both are taken for so. */
#define REQUEST_SEARCH_MAX	(512u * 1024)
struct request_uses	request_search(struct slice request, const char *word);

#endif
