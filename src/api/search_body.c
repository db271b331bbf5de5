/* SPDX-License-Identifier: MIT */
/*
 * search_body: see the header.
 */
#include "api/search_body.h"

#include "tenantgate/base/json.h"

/* Copied into the arena: the parsed JSON is freed before the query is embedded. */
static bool
search_query(const json_t *root, struct arena *arena, struct slice *out, struct err *err)
{
	struct slice query = { 0 };

	if (!json_get_string(root, "query", &query, err))
		return false;
	if (query.len == 0 || query.len > CHAT_QUESTION_MAX) {
		err_set(err, ERR_INVALID_FIELD, "Field \"query\" must be 1 to %d bytes.",
		    CHAT_QUESTION_MAX);
		return false;
	}
	*out = slice_of(arena_slice(arena, query), query.len);
	if (out->p == NULL)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the query");
	return out->p != NULL;
}

/* A misspelt field would leave the search as wide as it is without. */
static bool
search_fields_known(const json_t *root, struct err *err)
{
	static const char *const known[] = { "query", "topK", "documentId", "documentIds", "filter",
		"mode", "minScore", "ownerId", "rerank" };
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)root, name, value) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(name, known[i]) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0])) {
			err_set(err, ERR_INVALID_FIELD,
			    "Field \"%.64s\" is none of a search; there are query, topK, "
			    "documentId, documentIds, filter, ownerId, minScore, mode and rerank.",
			    name);
			return false;
		}
	}
	return true;
}

bool
search_body_read(const json_t *root, unsigned top_k, struct arena *arena, struct chat_input *input,
    struct err *err)
{
	return search_fields_known(root, err) && search_query(root, arena, &input->question, err) &&
	    chat_body_scope(root, top_k, SEARCH_VECTOR, arena, input, err);
}
