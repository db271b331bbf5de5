/* SPDX-License-Identifier: MIT */
/*
 * index_rule: see the header. The order of the questions makes it safe to be killed anywhere:
 *
 *	another table of vectors					copy it, in batches
 *	a whole index with a higher bound than the published one	publish it
 *	one that is not the published one, or not whole			drop it
 *	the published one is gone					build, or forget it
 *	none, and too many chunks for an exact search			build
 *	chunks past the last with a sketch, or sketches of before	sketch the tail
 *	too many dead entries						build, or drop it
 *	a long tail							merge, or build
 *
 * A published index is dropped, and then forgotten, never the other way round: forgotten first, it
 * would be found whole, and published again.
 */
#include "retrieval/index_rule.h"

#include <string.h>

static bool
is_published(const struct index_state *s, const struct index_seen *seen)
{
	return strcmp(seen->name, s->index_name) == 0;
}

static const struct index_seen *
published(const struct index_state *s)
{
	for (unsigned i = 0; i < s->seen_count; i++)
		if (is_published(s, &s->seen[i]) && s->seen[i].is_valid)
			return &s->seen[i];
	return NULL;
}

static bool
needs_index(const struct index_state *s, const struct index_kind *kind)
{
	return s->rows > INDEX_ROWS_MIN && kind->serves(&s->column);
}

/* The newest that is whole and behind which the published one is. */
static const struct index_seen *
newer(const struct index_state *s, const struct index_kind *kind)
{
	const struct index_seen *found = NULL;

	for (unsigned i = 0; i < s->seen_count; i++) {
		const struct index_seen *seen = &s->seen[i];

		if (seen->is_valid && kind->bound(seen->name) > s->indexed_to &&
		    (found == NULL || kind->bound(seen->name) > kind->bound(found->name)))
			found = seen;
	}
	return found;
}

/* The one of before schema 3 serves replicas of before until there is another. */
static bool
is_leftover(const struct index_state *s, const struct index_kind *kind,
    const struct index_seen *seen)
{
	if (strcmp(seen->name, INDEX_BEFORE_TAIL) == 0)
		return !seen->is_valid || published(s) != NULL || !needs_index(s, kind);
	return kind->bound(seen->name) >= 0 && !(seen->is_valid && is_published(s, seen));
}

static const struct index_seen *
leftover(const struct index_state *s, const struct index_kind *kind)
{
	for (unsigned i = 0; i < s->seen_count; i++)
		if (is_leftover(s, kind, &s->seen[i]))
			return &s->seen[i];
	return NULL;
}

/* An index only grows, by about the same for each entry: what it has grown to says how many it has,
 * and the rows that it covers how many of them are alive. */
static bool
has_died(const struct index_state *s, const struct index_seen *index)
{
	uint64_t alive = s->rows > s->tail ? s->rows - s->tail : 0;
	double entries;

	if (s->index_rows == 0 || s->index_bytes == 0)
		return alive == 0;
	entries = (double)s->index_rows * (double)index->bytes / (double)s->index_bytes;
	return entries - (double)alive >= entries / INDEX_DEAD_PART;
}

static struct index_decision
rest(void)
{
	return (struct index_decision){ .action = INDEX_REST };
}

static struct index_decision
build(const struct index_state *s)
{
	return (struct index_decision){ INDEX_BUILD,
		s->last_id > s->indexed_to ? s->last_id : s->indexed_to + 1, NULL };
}

static struct index_decision
drop(const struct index_seen *seen)
{
	return (struct index_decision){ INDEX_DROP, 0, seen->name };
}

static struct index_decision
decide_without(const struct index_state *s, const struct index_kind *kind)
{
	if (needs_index(s, kind))
		return build(s);
	if (s->indexed_to != 0 || s->index_name[0] != '\0')
		return (struct index_decision){ .action = INDEX_FORGET };
	return rest();
}

/* Before all that makes the tail shorter, for that takes long. Also where what comes is no tail:
 * searches pass over it one by one up to where sketches begin to count. */
static bool
needs_sketches(const struct index_state *s)
{
	bool counts = s->sketched_of == s->indexed_to;
	int64_t done = counts && s->sketched_to > s->indexed_to ? s->sketched_to : s->indexed_to;

	return s->has_sketches &&
	    ((s->sketched_of != 0 && !counts) || s->last_id - done > INDEX_TAIL_REST);
}

static struct index_decision
decide_with(const struct index_state *s, const struct index_kind *kind,
    const struct index_seen *index)
{
	if (needs_sketches(s))
		return (struct index_decision){ .action = INDEX_SKETCH };
	if (has_died(s, index))
		return needs_index(s, kind) ? build(s) : drop(index);
	if (s->tail <= INDEX_TAIL_REST)
		return rest();
	if (s->tail * INDEX_TAIL_PART < s->rows || !needs_index(s, kind))
		return (struct index_decision){ .action = INDEX_MERGE };
	return build(s);
}

struct index_decision
index_decide(const struct index_state *s, const struct index_kind *kind)
{
	const struct index_seen *seen = newer(s, kind);

	if (s->has_embeddings)
		return (struct index_decision){ .action = INDEX_COPY };
	if (seen != NULL)
		return (
		    struct index_decision){ INDEX_PUBLISH, kind->bound(seen->name), seen->name };
	seen = leftover(s, kind);
	if (seen != NULL)
		return drop(seen);
	seen = published(s);
	return seen != NULL ? decide_with(s, kind, seen) : decide_without(s, kind);
}

/* 20 ms a row is four times what one takes that is past the memory and shares its processor; and it
 * waits for the transactions that were there before it. */
uint64_t
index_build_timeout_us(uint64_t rows)
{
	return 300 * 1000000ull + rows * 20000;
}
