/* SPDX-License-Identifier: MIT */
/*
 * ingest_batch: which chunks a batch has, and its memory.
 */
#include "api/ingest_batch.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"

void
ingest_batch_free(struct ingest_batch *b)
{
	if (b == NULL)
		return;
	free(b->texts);
	free(b->hashes);
	free(b->vectors);
	free(b->found);
	free(b->embedded);
	free(b->rows);
	free(b->sources);
	free(b);
}

/* The texts from *next on, and how many chunks have them. */
static size_t
batch_texts(struct ingest_batch *b, const struct chunk_list *chunks, const struct chunk_key *keys,
    size_t next, size_t max)
{
	for (size_t i = next; i < chunks->count && b->count < max; i++)
		if (!keys[i].is_repeat)
			b->texts[b->count++] = chunks->items[i].content;
	b->count = model_batch(b->model, b->texts, b->count);
	return b->count;
}

static size_t
batch_rows_count(const struct chunk_list *chunks, const struct chunk_key *keys, size_t next,
    size_t texts)
{
	size_t rows = 0;

	for (size_t i = next; i < chunks->count && texts > 0; i++) {
		if (keys[i].is_repeat)
			continue;
		texts--;
		rows++;
		for (unsigned k = keys[i].next; k != 0; k = keys[k].next)
			rows++;
	}
	return rows;
}

static void
batch_row(struct ingest_batch *b, const struct chunk *chunk, const struct chunk_key *key,
    size_t text)
{
	b->rows[b->row_count] = (struct chunk_row){ .chunk = chunk, .hash = key->hash };
	b->sources[b->row_count++] = (unsigned)text;
}

/* The rows of each text; moves *next behind the last of them. */
static void
batch_rows(struct ingest_batch *b, const struct chunk_list *chunks, const struct chunk_key *keys,
    size_t *next)
{
	size_t i = *next;

	for (size_t text = 0; text < b->count; i++) {
		if (keys[i].is_repeat)
			continue;
		b->hashes[text] = keys[i].hash;
		batch_row(b, &chunks->items[i], &keys[i], text);
		for (unsigned k = keys[i].next; k != 0; k = keys[k].next)
			batch_row(b, &chunks->items[k], &keys[k], text);
		text++;
	}
	while (i < chunks->count && keys[i].is_repeat)
		i++;
	*next = i;
}

/* The client chooses how many there are, so want of memory is its request's failure. */
struct ingest_batch *
ingest_batch_new(struct model *model, const struct chunk_list *chunks, const struct chunk_key *keys,
    size_t *next, size_t max)
{
	struct ingest_batch *b = xcalloc(1, sizeof(*b));
	size_t rows;

	b->model = model;
	b->texts = calloc(max, sizeof(*b->texts));
	if (b->texts == NULL || batch_texts(b, chunks, keys, *next, max) == 0) {
		ingest_batch_free(b);
		return NULL;
	}
	rows = batch_rows_count(chunks, keys, *next, b->count);
	b->hashes = calloc(b->count, sizeof(*b->hashes));
	b->vectors = calloc(b->count, sizeof(*b->vectors));
	b->rows = calloc(rows, sizeof(*b->rows));
	b->sources = calloc(rows, sizeof(*b->sources));
	if (b->hashes == NULL || b->vectors == NULL || b->rows == NULL || b->sources == NULL) {
		ingest_batch_free(b);
		return NULL;
	}
	batch_rows(b, chunks, keys, next);
	return b;
}
