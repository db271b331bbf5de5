/* SPDX-License-Identifier: MIT */
/*
 * question: a search for a question whose vector the configured model has made; and where the
 * tenant's vectors are still another model's, for one that this model makes, while it is known
 * (model_knows_former()): so a tenant is served before `tenantgate reembed` has ended.
 */
#ifndef API_QUESTION_H
#define API_QUESTION_H

#include "api/chat_body.h"
#include "api/request.h"

/* An operation of the request's flow, whose lease is held: as search_chunks(). k: chunks that are
 * to be found. *vector is the question's, and another afterwards where it had to be; NULL in a
 * search by text. ERR_VECTORS where the former model cannot be asked. */
enum flow_rc	 question_search(struct request *, const struct chat_input *, float **vector,
		    unsigned k, struct hits *) __attribute__((warn_unused_result));

#endif
