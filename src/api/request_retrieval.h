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
/* Whether the tenant's database, as old as it is, can be searched so. False with err: ERR_OUTDATED,
 * for it is brought up to date behind its tenant's requests. To be asked before the question is
 * embedded. */
bool			request_retrieval_can(const struct request *, const struct chat_input *,
			    struct err *) __attribute__((warn_unused_result));
/* Documents that were named and not found among k chunks are looked for (request_note_hits()),
 * unless something else may have left them out. */
void			request_retrieval_note(struct request *, const struct chat_input *,
			    unsigned k, const struct hits *);
/* Whose vectors are made for the tenant: the configured model's. */
struct vector_model	request_vector_model(const struct request *);
/* Whether the configured model's vectors may be added to those of the database whose lease is held:
 * vectors_check(). */
enum flow_rc		request_vectors(struct request *) __attribute__((warn_unused_result));

#endif
