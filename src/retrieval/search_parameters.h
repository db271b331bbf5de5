/* SPDX-License-Identifier: MIT */
/*
 * search_parameters: what a search's statement is given besides its text, in the order that
 * vector_statement.h and hybrid_statement.h say.
 */
#ifndef RETRIEVAL_SEARCH_PARAMETERS_H
#define RETRIEVAL_SEARCH_PARAMETERS_H

#include "retrieval/vector_statement.h"
#include "tenantgate/wire/pg.h"

struct search_parameters {
	char		limit[12];
	char		ranked[12];	/* of each kind, by words and by vectors */
	char		bound[24];	/* of WAY_EXACT_SOME */
	struct buf	vector;		/* owned: binary */
	struct buf	ids;		/* owned: an array as text */
	struct buf	question;	/* owned: text */
};

/* False: no memory. To be freed in both cases. */
bool	search_parameters_encode(struct search_parameters *, const struct search_request *);
void	search_parameters_free(struct search_parameters *);
/* Borrowed by the query. */
void	search_parameters_give(struct search_parameters *, const struct search_request *,
	    enum vector_way, int64_t bound, struct pg_query *);

#endif
