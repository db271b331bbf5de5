/* SPDX-License-Identifier: MIT */
/*
 * search_name: under which name a search's statement is prepared. A name says all that statements
 * differ in, for it means one text as long as the connection lives. Private to retrieval/.
 */
#ifndef RETRIEVAL_SEARCH_NAME_H
#define RETRIEVAL_SEARCH_NAME_H

#include "retrieval/search_note.h"

/* "" for a text that is not worth a name: one that changes, or a filter's that came once. */
void	search_name(enum vector_way, const struct search_request *, const struct pg_conn *,
	    struct search_note *, char out[PG_PREPARED_NAME_MAX + 1]);

#endif
