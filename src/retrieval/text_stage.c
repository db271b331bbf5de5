/* SPDX-License-Identifier: MIT */
/*
 * text_stage: the words of a document that is on its way, a segment at a time.
 *
 *	([words_old]) --> [words_stage] --> [words_staged] --> done
 *
 * A segment is sent to a second connection where the first is lost: it is there once all the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/pg_binary.h"
#include "retrieval/staging_forget.h"
#include "retrieval/text_store.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/retrieval/staging.h"

#define SEGMENT_CHUNKS	 128 /* TEXT_SEGMENT_CHUNKS */
#define SEGMENT_BYTES	 ((size_t)256 << 10) /* of text, where that is a chunk at least */
#define STAGE_TIMEOUT_US (60 * 1000000ull)

struct text_stage {
	struct flow flow;
	struct pool_lease *lease; /* borrowed */
	struct chunk_attempt attempt;
	enum language language;
	char stale_us[STAGED_AGO_US_SIZE];
	char first_index[12];
	struct buf texts;	 /* owned: a binary text[] */
	struct pg_result result; /* owned */
};

static flow_step_fn text_stage_old, text_stage_send, text_stage_check;
static flow_release_fn text_stage_release;

static const struct flow_step text_stage_steps[] = {
	{ "words_old", text_stage_old },
	{ "words_stage", text_stage_send },
	{ "words_staged", text_stage_check },
	{ NULL, NULL },
};

static const struct flow_kind text_stage_kind = { .name = "text_stage",
	.steps = text_stage_steps,
	.release = text_stage_release };

static struct text_stage *
text_stage_of(struct flow *f)
{
	return FLOW_OF(f, struct text_stage, &text_stage_kind);
}

static enum flow_rc
text_stage_old(struct flow *f)
{
	struct text_stage *t = text_stage_of(f);

	if (t->attempt.stale_us == 0)
		return FLOW_NEXT;
	return staging_forget_old(f, t->lease, t->attempt.schema_version, t->stale_us, &t->result);
}

static enum flow_rc
text_stage_send(struct flow *f)
{
	struct text_stage *t = text_stage_of(f);
	const struct pg_query q = {
		.sql = text_stage_statement,
		.params = { PG_TEXT(language_name(t->language)), PG_TEXT(t->attempt.name),
		    PG_TEXT(t->first_index), { t->texts.data, (int)t->texts.len, true } },
		.param_count = 4,
		.timeout_us = STAGE_TIMEOUT_US,
	};
	enum flow_rc rc = pg_check(f, &t->result, ERR_NONE, "look for what is left of others");

	if (rc != FLOW_NEXT)
		return rc;
	pg_clear(&t->result);
	return pool_read(f, t->lease, &q, &t->result);
}

static enum flow_rc
text_stage_check(struct flow *f)
{
	return pg_check(f, &text_stage_of(f)->result, ERR_NONE, "stage the document's words");
}

static void
text_stage_release(struct flow *f)
{
	struct text_stage *t = text_stage_of(f);

	buf_free(&t->texts);
	pg_clear(&t->result);
	free(t);
}

/* Where the segment ends that begins there. */
static size_t
segment_end(const struct chunk_list *chunks, size_t from, size_t *bytes)
{
	size_t at = from;

	for (*bytes = 0; at < chunks->count && at < from + SEGMENT_CHUNKS; at++) {
		size_t n = chunks->items[at].content.len;

		if (at > from && *bytes + n > SEGMENT_BYTES)
			break;
		*bytes += n;
	}
	return at;
}

bool
chunk_words_are_staged(int schema_version, size_t chunks)
{
	return text_has_places(schema_version) && chunks > CHUNK_WORDS_AT_ONCE;
}

enum flow_rc
chunks_stage_words(struct flow *f, struct pool_lease *lease, const struct chunk_attempt *attempt,
    enum language language, const struct chunk_list *chunks, size_t *next)
{
	struct text_stage *t = xcalloc(1, sizeof(*t));
	size_t from = *next, bytes;

	*next = segment_end(chunks, from, &bytes);
	t->lease = lease;
	t->attempt = *attempt;
	t->language = language;
	snprintf(t->stale_us, sizeof(t->stale_us), "%" PRIu64, attempt->stale_us);
	snprintf(t->first_index, sizeof(t->first_index), "%u", chunks->items[from].index);
	buf_init(&t->texts, PG_BINARY_TEXTS_SIZE(*next - from, bytes));
	pg_binary_texts_begin(&t->texts, *next - from);
	for (size_t i = from; i < *next; i++)
		pg_binary_text(&t->texts, chunks->items[i].content);
	if (!t->texts.failed)
		return flow_call(f, &t->flow, &text_stage_kind);
	buf_free(&t->texts);
	free(t);
	return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's words");
}
