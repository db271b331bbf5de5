/* SPDX-License-Identifier: MIT */
/*
 * own: what a caller with the scope own may see of the tenant's documents: its user's alone, and of
 * all others not even that they are there: not by a score, into which the words of others would
 * count, nor by what the model is not asked for. Every handler of documents asks here whose it may
 * see, and gives the answer to the statement that reads or changes them, so that nothing can happen
 * between a look and a deed. A route whose handler does not is closed to such a caller
 * (api_route.knows_own).
 *
 * Whose a document is, is what the tenant's database says (retrieval/document_owner.h). Where that
 * says nothing yet, the list does, for a change and a deletion; for a search, chunks and an ingest
 * it is nobody's. Where the list alone is asked, the list does. Nobody's is no user's own. The
 * request's worker.
 */
#ifndef API_OWN_H
#define API_OWN_H

#include "api/request.h"

/* The user whose documents alone the request may see; NULL: it may see all. */
const char	*own_user(const struct request *);
/* Of the documents of this owner (NULL: anybody's), those that the request may see: their owner, or
 * what no owner is; NULL: all. */
const char	*own_owner(const struct request *, const char *owner);
/* Whether it may see a document of that owner; NULL or "": nobody's. */
bool		 own_sees(const struct request *, const char *owner);
/* False with ERR_OUTDATED while the tenant's database does not know yet whose documents are, for a
 * request to which that matters. */
bool		 own_is_known(const struct request *, struct err *);

#endif
