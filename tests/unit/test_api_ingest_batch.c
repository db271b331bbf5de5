/* SPDX-License-Identifier: MIT */
/*
 * test_api_ingest_batch: which chunks of a document go to the model together: no text twice, all
 * chunks of a text in one batch, and none left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/ingest_batch.h"

#define CHUNKS	  200
#define ITEMS_MAX 50 /* texts that a call of the model takes */

static struct worker *worker;
static struct model_shares *models;
static struct model *model;
static char texts[CHUNKS][16];
static struct chunk chunks[CHUNKS];
static struct chunk_key keys[CHUNKS];
static struct chunk_list list = { .items = chunks, .count = CHUNKS };
static unsigned seen[CHUNKS]; /* how often a chunk was in a batch */

/* Chunk i has the text of chunk i % kinds. */
static void
document_of(unsigned kinds)
{
	for (unsigned i = 0; i < CHUNKS; i++) {
		unsigned next = i + kinds;

		snprintf(texts[i], sizeof(texts[i]), "text %u", i % kinds);
		chunks[i] = (struct chunk){ .index = i, .content = slice_str(texts[i]) };
		keys[i] =
		    (struct chunk_key){ .next = next < CHUNKS ? next : 0, .is_repeat = i >= kinds };
		chunk_hash("a-model", chunks[i].content, keys[i].hash);
		seen[i] = 0;
	}
}

/* What always holds of one. */
static void
batch_check(const struct ingest_batch *b)
{
	for (size_t i = 0; i < b->row_count; i++) {
		const struct chunk *c = b->rows[i].chunk;
		size_t text = b->sources[i];

		assert_true(text < b->count);
		assert_string_equal(c->content.p, b->texts[text].p);
		assert_memory_equal(b->rows[i].hash, b->hashes[text], CHUNK_HASH_SIZE);
		seen[c->index]++;
	}
	for (size_t i = 1; i < b->count; i++)
		assert_string_not_equal(b->texts[i - 1].p, b->texts[i].p);
}

/* All of the document, in batches of `max` texts; how many batches. */
static unsigned
cut(size_t max, size_t texts_each)
{
	unsigned batches = 0;
	size_t next = 0;

	while (next < CHUNKS) {
		struct ingest_batch *b = ingest_batch_new(model, &list, keys, &next, max);

		assert_non_null(b);
		assert_true(b->state == BATCH_NEW);
		assert_true(b->count == texts_each || next == CHUNKS);
		batch_check(b);
		ingest_batch_free(b);
		assert_true(++batches <= CHUNKS);
	}
	for (unsigned i = 0; i < CHUNKS; i++)
		assert_int_equal(seen[i], 1);
	return batches;
}

static void
each_chunk_is_in_one_batch(void **state)
{
	(void)state;
	document_of(CHUNKS);
	assert_int_equal(cut(30, 30), 7);
}

static void
no_batch_is_larger_than_a_call(void **state)
{
	(void)state;
	document_of(CHUNKS);
	assert_int_equal(cut(CHUNKS, ITEMS_MAX), CHUNKS / ITEMS_MAX);
}

static void
chunks_of_one_text_are_together(void **state)
{
	(void)state;
	document_of(70);
	assert_int_equal(cut(30, 30), 3);
	document_of(1);
	assert_int_equal(cut(30, 1), 1);
	ingest_batch_free(NULL);
}

static int
set_up(void **state)
{
	struct model_conf conf;

	(void)state;
	model_conf_init(&conf);
	conf.batch_items_max = ITEMS_MAX;
	worker = worker_new(0);
	models = model_shares_open(&conf);
	model = model_open(worker, NULL, models, &conf);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	model_close(model);
	model_shares_close(models);
	worker_free(worker);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_chunk_is_in_one_batch),
		cmocka_unit_test(no_batch_is_larger_than_a_call),
		cmocka_unit_test(chunks_of_one_text_are_together),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
