/* SPDX-License-Identifier: MIT */
#include "retrieval/search_hits.h"

#include <math.h>
#include <stdlib.h>

#include "retrieval/vector_statement.h"

#define SCORE_STEPS 1e6 /* of one: as a score is shown */

/* The cosine similarity, 1 best. A stored vector of length zero has none (NaN), and 0 is shown.
 * What is compared with minScore is what is shown: whoever sends a score back finds the chunk. */
static double
score_of(const char *distance)
{
	double score = round((1 - strtod(distance, NULL)) * SCORE_STEPS) / SCORE_STEPS;

	return isfinite(score) ? score : 0;
}

/* Into the flow's arena. */
static bool
copy_hit(struct arena *a, const struct pg_result *r, unsigned row, struct hit *h)
{
	const char **texts[] = { &h->document_id, &h->title, &h->file_name, &h->mime_type,
		&h->metadata };
	static const enum hit_column columns[] = { HIT_DOCUMENT, HIT_TITLE, HIT_FILE_NAME,
		HIT_MIME_TYPE, HIT_METADATA };
	struct slice content = pg_value(r, row, HIT_CONTENT);

	for (unsigned i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		*texts[i] = arena_strdup(a, pg_text(r, row, columns[i]));
		if (*texts[i] == NULL)
			return false;
	}
	h->page = (unsigned)strtoul(pg_text(r, row, HIT_PAGE), NULL, 10);
	h->index = (unsigned)strtoul(pg_text(r, row, HIT_INDEX), NULL, 10);
	h->content = slice_of(arena_slice(a, content), content.len);
	h->score = score_of(pg_text(r, row, HIT_DISTANCE));
	return h->content.p != NULL;
}

/* chunk_size may be large, and so may be what others have written: a response has a ceiling. */
static enum flow_rc
hits_fail(struct flow *f)
{
	if (arena_no_memory(f->arena))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the chunks found");
	return flow_fail(f, ERR_INVALID_FIELD,
	    "The chunks found are too large together; ask for fewer (topK).");
}

enum flow_rc
search_hits_read(struct flow *f, const struct pg_result *r, double min_score, struct hits *hits)
{
	unsigned rows = pg_rows(r);

	*hits =
	    (struct hits){ .items = arena_array(f->arena, (size_t)rows + 1, sizeof(*hits->items)) };
	for (unsigned i = 0; i < rows && pg_value(r, i, HIT_DOCUMENT).p != NULL; i++) {
		if (hits->items == NULL || !copy_hit(f->arena, r, i, &hits->items[i]))
			return hits_fail(f);
		if (hits->items[i].score < min_score)
			break;
		hits->count++;
	}
	return FLOW_NEXT;
}
