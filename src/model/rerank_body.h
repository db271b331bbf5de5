/* SPDX-License-Identifier: MIT */
/*
 * rerank_body: what is sent to POST /rerank, what is read of its answer, and the order that this
 * makes. There is no standard; what is asked is Cohere's form (its API reference, v2/rerank), which
 * Jina, vLLM, Infinity and llama.cpp have too, or that of TEI (text-embeddings-inference):
 *
 *	{"model","query","documents":[text],"top_n"}
 *	{"query","texts":[text],"truncate":true}	(TEI refuses long ones without)
 *
 * Taken are {"results":[...]}, {"data":[...]} (Voyage) and the bare array (TEI), of items with
 * `index` and `relevance_score` or `score`, in any order. Private to model/.
 */
#ifndef TENANTGATE_MODEL_RERANK_BODY_H
#define TENANTGATE_MODEL_RERANK_BODY_H

#include "model/model_internal.h"

/* The texts of one request, and the scores of its answer: places of arrays of the whole call. */
struct rerank_part {
	const struct slice	*texts;		/* borrowed */
	size_t			 n;
	size_t			 wanted;	/* scores that must come: the best; 1..n */
};

/* Writes call->body anew; false when there is no memory for it. */
bool		 rerank_body_write(struct model_call *, struct slice query,
		    const struct rerank_part *);
/* Bytes that an answer may have: some servers repeat the texts, with most of it escaped. */
size_t		 rerank_answer_max(const struct rerank_part *);

/* scores: n of them, NAN where the answer has none. Of use only when NULL is returned; otherwise
 * what is wrong: a static sentence for the log. Refused are what is not JSON of that shape, an
 * index that is missing, out of range or there twice, a score that is missing or not finite, and
 * fewer items than are wanted. Pure. */
const char	*rerank_answer_read(struct slice body, size_t n, size_t wanted, float *scores)
		    __attribute__((warn_unused_result));
/* The places of n texts (MODEL_RERANK_MAX at most), the best first; those without a score (NAN)
 * last, as they were. Of equal ones the earlier is first. Returns how many have a score. Pure. */
unsigned	 rerank_order(const float *scores, unsigned n, unsigned *order);

#endif
