/* SPDX-License-Identifier: MIT */
/*
 * embed_batch: how many of a batch's texts go into the next request, after what the server has
 * refused. Pure.
 *
 * At first all of them. A batch that was refused is cut to the number of texts that the server
 * names, or halved. Where the server does not say that the batch is too large this is a guess: one
 * text that it does not take beside others looks the same. The guess was right when both halves of
 * what was refused last have been taken, each as one request of two texts or more. Where it took
 * single texts it shows nothing, and the rest goes in requests as large as before.
 */
#ifndef TENANTGATE_MODEL_EMBED_BATCH_H
#define TENANTGATE_MODEL_EMBED_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/slice.h"

struct model_refusal;

#define GUESSES_MAX	3	/* vain ones of a batch; after that the rest goes text by text */
#define GUESS_LEARNED_MIN 8	/* texts: smaller batches are learned only when they are named */

struct embed_batch {
	const struct slice	*texts;		/* borrowed */
	size_t			 n;		/* of them */
	size_t			 at;		/* those that have their vectors */
	size_t			 size;		/* those of the request under way */
	size_t			 items_max;	/* of a request */
	size_t			 bytes_max;	/* of its texts; 0: no limit */
	size_t			 sure_max;	/* what items_max is without a guess */
	size_t			 guess_end;	/* of what was refused last; 0: no guess is open */
	bool			 took_single;	/* a text of it was taken alone */
	unsigned		 vain;		/* guesses */
};

void	embed_batch_begin(struct embed_batch *, const struct slice *texts, size_t n);
/* Sets size, which is 1 at least. */
void	embed_batch_cut(struct embed_batch *);
size_t	embed_batch_bytes(const struct embed_batch *);	/* of the request under way */
/* It was refused: the next has fewer texts. False when it had one only. */
bool	embed_batch_shrink(struct embed_batch *, const struct model_refusal *);
/* It was embedded. True when texts are left. */
bool	embed_batch_taken(struct embed_batch *);
/* All were: the most texts and bytes that a request may have, as far as this has shown; else 0. */
void	embed_batch_limits(const struct embed_batch *, size_t *items, size_t *bytes);

#endif
