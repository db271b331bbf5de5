/* SPDX-License-Identifier: MIT */
/*
 * rerank_asker: what the tests of rankings share: a flow that has three texts ranked for the query
 * "why", of which it wants two, and goes on.
 */
#ifndef TENANTGATE_TESTS_RERANK_ASKER_H
#define TENANTGATE_TESTS_RERANK_ASKER_H

#include "model_fixture.h"

#define JSON		 "Content-Type: application/json\r\n"
#define RESULT(i, score) "{\"index\":" i ",\"relevance_score\":" score "}"
#define RESULTS(list)	 "{\"results\":[" list "]}"
#define BEST_LAST	 RESULTS(RESULT("2", "0.9") "," RESULT("0", "0.5") "," RESULT("1", "0.25"))

struct rerank_asker {
	struct probe probe;
	const char *tenant;
	struct slice texts[MODEL_RERANK_MAX];
	unsigned n;
	struct model_ranking ranking;
	bool went_on; /* the step behind the ranking ran */
};

/* Nothing is tried again, and the deadline is none that a busy machine misses. */
void rerank_conf(struct model_conf *);
int rerank_set_up(void **state);
void rerank_asker_asks(struct rerank_asker *, const char *tenant);
/* Asks, of a server that plays the script, until it has gone on. */
void rerank_asker_run(struct rerank_asker *, const struct scripted_response *script);

#endif
