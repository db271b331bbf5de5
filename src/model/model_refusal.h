/* SPDX-License-Identifier: MIT */
/*
 * model_refusal: what a server's refusal of a request says: which field it does not take, how large
 * a batch may be, or that it is plainly about something else. Pure.
 *
 * Servers have no common form. What is read, as seen in public reports of OpenAI, Azure, vLLM, TEI,
 * Mistral, Groq, xAI, Fireworks, Gemini, DashScope, Voyage and Cohere: `param`; pydantic's `loc`;
 * every other string of the JSON, whatever its name, but for those that repeat the request's values
 * (`input`, `ctx`); and a body that is no JSON as it is. A name counts wherever it stands as a word
 * of its own.
 */
#ifndef TENANTGATE_MODEL_REFUSAL_H
#define TENANTGATE_MODEL_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/slice.h"

struct model_refusal {
	unsigned	named;		/* FIELD_BIT()s that it names in words of its own */
	unsigned	echoed;		/* in words that the request's texts hold too */
	bool		is_other;	/* nothing that a plainer request would mend */
	bool		is_batch;	/* it asks for smaller batches */
	bool		in_bytes;	/* of fewer bytes or tokens, rather than of fewer texts */
	size_t		limit;		/* the number of texts that it names, below `items`; or 0 */
};

/* status: of the response. request: the JSON that was refused; items: its texts, 1 for a chat. */
void	model_refusal_read(int status, struct slice body, struct slice request, size_t items,
	    struct model_refusal *);

#endif
