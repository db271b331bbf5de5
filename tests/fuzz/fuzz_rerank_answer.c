/* SPDX-License-Identifier: MIT */
/*
 * fuzz_rerank_answer: what a server of models answers to POST /rerank. The first byte says how many
 * texts there were, the second how many scores must come.
 *
 * sources: src/base/alloc.c src/base/arena.c src/base/buf.c src/base/clock.c src/base/digest.c
 * sources: src/base/err.c src/base/json.c src/base/json_put.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/refs.c src/base/utf8.c src/model/embed_batch.c src/model/json_scan.c
 * sources: src/model/model_habits.c src/model/model_learn.c src/model/model_refusal.c
 * sources: src/model/refusal_text.c src/model/request_job.c src/model/request_json.c
 * sources: src/model/rerank_body.c src/base/json_memory.c
 * libs: -ljansson -lcrypto -lm
 */
#include <math.h>

#include "model/rerank_body.h"
#include "tests/fuzz/fuzz_check.h"

static void
check_order(const float *scores, unsigned n)
{
	unsigned order[MODEL_RERANK_MAX], with = rerank_order(scores, n, order);
	bool seen[MODEL_RERANK_MAX] = { false };

	fuzz_check(with <= n);
	for (unsigned i = 0; i < n; i++) {
		fuzz_check(order[i] < n && !seen[order[i]]);
		seen[order[i]] = true;
		fuzz_check(isnan(scores[order[i]]) == (i >= with));
		fuzz_check(i == 0 || i >= with || scores[order[i - 1]] >= scores[order[i]]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	float scores[MODEL_RERANK_MAX];
	unsigned texts, wanted, with = 0;

	if (n < 2)
		return 0;
	texts = 1 + bytes[0] % MODEL_RERANK_MAX;
	wanted = 1 + bytes[1] % texts;
	if (rerank_answer_read(slice_of((const char *)bytes + 2, n - 2), texts, wanted, scores) !=
	    NULL)
		return 0;
	for (unsigned i = 0; i < texts; i++)
		with += !isnan(scores[i]);
	fuzz_check(with >= wanted);
	check_order(scores, texts);
	return 0;
}
