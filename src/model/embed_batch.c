/* SPDX-License-Identifier: MIT */
/*
 * embed_batch: see the header.
 */
#include "model/embed_batch.h"

#include <string.h>

#include "model/model_refusal.h"

void
embed_batch_begin(struct embed_batch *b, const struct slice *texts, size_t n)
{
	memset(b, 0, sizeof(*b));
	b->texts = texts;
	b->n = b->items_max = b->sure_max = n;
}

void
embed_batch_cut(struct embed_batch *b)
{
	const struct slice *texts = b->texts + b->at;
	size_t bytes = texts[0].len;

	for (b->size = 1; b->size < b->items_max && b->at + b->size < b->n; b->size++) {
		bytes += texts[b->size].len;
		if (b->bytes_max != 0 && bytes > b->bytes_max)
			break;
	}
}

size_t
embed_batch_bytes(const struct embed_batch *b)
{
	size_t bytes = 0;

	for (size_t i = 0; i < b->size; i++)
		bytes += b->texts[b->at + i].len;
	return bytes;
}

/* A number is believed once: when it was not low enough, halving is. */
bool
embed_batch_shrink(struct embed_batch *b, const struct model_refusal *refusal)
{
	if (b->size < 2)
		return false;
	if (refusal->in_bytes) {
		b->bytes_max = embed_batch_bytes(b) / 2;
		return true;
	}
	if (refusal->limit != 0 && b->sure_max == b->n)
		b->items_max = refusal->limit;
	else
		b->items_max = b->size / 2;
	if (refusal->is_batch)
		b->sure_max = b->items_max;
	else
		b->guess_end = b->at + b->size;
	b->took_single = false;
	return true;
}

/* All of what was refused last has its vectors now. */
static void
guess_end(struct embed_batch *b)
{
	b->guess_end = 0;
	if (!b->took_single)
		b->sure_max = b->items_max < GUESS_LEARNED_MIN ? GUESS_LEARNED_MIN : b->items_max;
	else if (++b->vain < GUESSES_MAX)
		b->items_max = b->sure_max;
}

bool
embed_batch_taken(struct embed_batch *b)
{
	b->at += b->size;
	b->took_single |= b->size == 1;
	if (b->guess_end != 0 && b->at >= b->guess_end)
		guess_end(b);
	return b->at < b->n;
}

void
embed_batch_limits(const struct embed_batch *b, size_t *items, size_t *bytes)
{
	*items = b->sure_max < b->n ? b->sure_max : 0;
	*bytes = b->bytes_max;
}
