/* SPDX-License-Identifier: MIT */
/*
 * request_retrieval: what POST /chat and POST /search ask of the tenant's database. Borrows from
 * the input and the vector.
 */
#ifndef API_REQUEST_RETRIEVAL_H
#define API_REQUEST_RETRIEVAL_H

#include "api/chat_body.h"
#include "api/request.h"

struct search_request	request_retrieval(const struct request *, const struct chat_input *,
			    const float *vector);
/* Whether the configured model's vectors may be added to those of the database whose lease is held:
 * vectors_check(). */
enum flow_rc		request_vectors(struct request *) __attribute__((warn_unused_result));

#endif
