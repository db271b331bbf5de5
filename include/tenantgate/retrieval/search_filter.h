/* SPDX-License-Identifier: MIT */
/*
 * search_filter: which documents a search is among, by their metadata: read from JSON into a tree,
 * and written as an SQL condition. A filter is an object; all its members must hold:
 *
 *	{"author": "Ann", "draft": false}		equal
 *	{"year": {"gte": 2020, "lt": 2024}}		eq ne in nin lt lte gt gte exists
 *	{"or": [{"tag": "a"}, {"not": {"tag": "b"}}]}	and or not
 *	{"type": "gte", "key": "year", "value": 2020}	as OpenAI's vector stores have it, and
 *	{"type": "or", "filters": [...]}		both at any place
 *
 * (platform.openai.com/docs/api-reference/vector-stores/search: comparison and compound filters.)
 * An object with the member `type` and one of `key`, `filters` is always OpenAI's form: metadata of
 * these names, or named and, or, not, is asked about in the form with `key`.
 *
 * A condition is true or false of every document, never unknown:
 *  - A name is one of the metadata's own members; a dot in it is a dot. Of a document that lacks it
 *    every condition is false but {"exists": false} and what negates.
 *  - Of an array a condition is true when it is true of one of its elements; what is inside an
 *    element that is an array or an object itself is not looked at, nor inside an object.
 *  - ne is "not eq", nin "not in": of an array, none of its elements is equal; of a document
 *    without the name, true.
 *  - Types are never mixed: 2020 is not "2020", and neither is above or below the other; true is
 *    not 1. null equals null, not a missing name.
 *  - Numbers compare by value, exactly; strings by their bytes, that is by Unicode code points,
 *    whatever the database's collation. lt, lte, gt, gte take numbers and strings alone.
 *
 * Nothing of a filter is in the SQL's text but its shape: names and values are one parameter.
 */
#ifndef TENANTGATE_RETRIEVAL_SEARCH_FILTER_H
#define TENANTGATE_RETRIEVAL_SEARCH_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"

#define SEARCH_FILTER_DEPTH	8	/* objects and lists of and, or, not inside each other */
#define SEARCH_FILTER_NODES	100	/* conditions, and's, or's and not's */
#define SEARCH_FILTER_VALUES	1000	/* of all in's and nin's together */
#define SEARCH_FILTER_BYTES	(16u << 10)	/* of names and strings together */
#define SEARCH_FILTER_SQL_MAX	(96u << 10)	/* bytes that one condition may take as SQL */

struct search_filter;

/* `field` names it in errors, and is borrowed for the call; null, absent (NULL) and {} are no
 * filter: *out is NULL. The filter is in the arena, the JSON may go. False with err set:
 * ERR_INVALID_FIELD naming the place, ERR_OVERLOADED when the arena is full. Pure, any thread. */
bool		 search_filter_read(const json_t *, const char *field, struct arena *,
		    const struct search_filter **out, struct err *)
		    __attribute__((warn_unused_result));
/* Appends the condition, in brackets, over public.document AS d. `param`: the number of the
 * parameter that is search_filter_values(). The same shape of filter is the same text. False when
 * the buf is full or without memory, as of every append. */
bool		 search_filter_condition(const struct search_filter *, unsigned param,
		    struct buf *);
/* A JSON array as text, for a parameter of type jsonb. Lives as long as the filter. */
const char	*search_filter_values(const struct search_filter *);

#endif
