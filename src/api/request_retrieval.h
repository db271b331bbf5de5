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

#endif
