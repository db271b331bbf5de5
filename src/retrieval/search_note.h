/* SPDX-License-Identifier: MIT */
/*
 * search_note: what a search has to know of a tenant's database before it writes its statement. It
 * is asked for once a connection, and stays with it (pg_conn_note()).
 */
#ifndef RETRIEVAL_SEARCH_NOTE_H
#define RETRIEVAL_SEARCH_NOTE_H

#include <stdbool.h>

#include "retrieval/vector_statement.h"
#include "tenantgate/pool.h"
#include "tenantgate/retrieval/vector_model.h"
#include "tenantgate/wire/pg.h"

#define SEARCH_SHAPE_SIZE	25	/* a digest's first characters, with the NUL */

struct search_note {
	bool			is_known;
	unsigned		generation;	/* how often it was forgotten: part of the names of
						 * prepared statements, which mean one text each */
	unsigned		filters;	/* prepared statements with a filter */
	char			shape[SEARCH_SHAPE_SIZE]; /* of the last filter that had none */
	char			schema[136];	/* pgvector's, quoted; "" without pgvector */
	struct vector_index	index;
	char			model[VECTOR_MODEL_SIZE]; /* whose the vectors are; "": not noted */
	unsigned		dimensions;	/* of it; 0: not noted */
};

struct search_note	*search_note_of(struct pg_conn *);
/* It is asked for anew, and what was prepared with it is not used again. */
void			 search_note_forget(struct search_note *);
/* Whether its vectors are of the request's model; without one: yes. False with ERR_VECTORS, and it
 * is asked for anew the next time, when they may have been made anew. */
bool			 search_note_allows(struct search_note *, const struct search_request *,
			    struct err *);
/* With what a search has found, which says of what (HIT_INDEX_NAME). Where that is not as it was
 * noted, it is asked for anew; false when the vectors are another model's than was noted. */
bool			 search_note_compare(struct search_note *, const struct pg_result *);
/* Asks; as pool_read(). Then reads what came: false, the note as it was, where nothing did. */
enum flow_rc		 search_note_ask(struct flow *, struct pool_lease *, struct pg_result *out)
			    __attribute__((warn_unused_result));
bool			 search_note_learn(struct search_note *, const struct pg_result *);
/* Of a database below RETRIEVAL_SCHEMA_TAIL: pgvector's schema alone. */
enum flow_rc		 search_note_ask_schema(struct flow *, struct pool_lease *,
			    struct pg_result *out) __attribute__((warn_unused_result));
/* What says that something is not as the note has it: no such function, operator, type or schema,
 * or none that may be used; or a statement's name that the session does not know. */
bool			 search_note_is_wrong(const struct pg_result *);

#endif
