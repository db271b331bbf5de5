/* SPDX-License-Identifier: MIT */
/*
 * chat_scope: the fields of a body of POST /chat or POST /search that say among what, how and for
 * how many chunks the tenant's documents are searched.
 *
 * Each is checked, and none is passed over: a search that seems narrowed and is not would show one
 * user what another's question may not see.
 */
#include <stdio.h>

#include "api/chat_parts.h"
#include "api/owner_id.h"
#include "tenantgate/base/json.h"

static bool
add_document(const json_t *id, const char *field, struct arena *arena, struct chat_input *input,
    struct err *err)
{
	size_t len = json_string_length(id);

	if (!json_is_string(id) || len == 0 || len > DOCUMENT_ID_MAX) {
		err_set(err, ERR_INVALID_FIELD, "Field \"%s\" must be a string of 1 to %d bytes.",
		    field, DOCUMENT_ID_MAX);
		return false;
	}
	if (input->document_count == SEARCH_DOCUMENTS_MAX) {
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"documentIds\" names more than %d documents; send fewer.",
		    SEARCH_DOCUMENTS_MAX);
		return false;
	}
	input->document_ids[input->document_count] =
	    arena_slice(arena, slice_of(json_string_value(id), len));
	return input->document_ids[input->document_count++] != NULL ||
	    chat_body_too_large(arena, err);
}

/* documentId and documentIds together, within one ceiling. */
static bool
read_documents(const json_t *root, struct arena *arena, struct chat_input *input, struct err *err)
{
	const json_t *one = json_object_get(root, "documentId");
	json_t *many = NULL, *id;
	char field[sizeof("documentIds[]") + 20];
	size_t i;

	if (one != NULL && !json_is_null(one) &&
	    !add_document(one, "documentId", arena, input, err))
		return false;
	if (!json_opt_array(root, "documentIds", &many, err))
		return false;
	input->no_documents =
	    many != NULL && json_array_size(many) == 0 && input->document_count == 0;
	json_array_foreach(many, i, id) {
		snprintf(field, sizeof(field), "documentIds[%zu]", i);
		if (!add_document(id, field, arena, input, err))
			return false;
	}
	return true;
}

static bool
read_owner(const json_t *root, struct arena *arena, struct chat_input *input, struct err *err)
{
	struct slice id = { 0 };

	if (!json_opt_string(root, "ownerId", &id, err))
		return false;
	return id.p == NULL || owner_id_read(id, arena, &input->owner, err);
}

static bool
read_mode(const json_t *root, struct chat_input *input, struct err *err)
{
	static const char *const names[] = {
		[SEARCH_VECTOR] = "vector",
		[SEARCH_TEXT] = "text",
		[SEARCH_HYBRID] = "hybrid",
	};
	struct slice name = { 0 };

	if (!json_opt_string(root, "mode", &name, err))
		return false;
	if (name.p == NULL)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_is(name, names[i])) {
			input->mode = (enum search_mode)i;
			return true;
		}
	err_set(err, ERR_INVALID_FIELD, "Field \"mode\" must be vector, text or hybrid.");
	return false;
}

static bool
read_rerank(const json_t *root, struct chat_input *input, struct err *err)
{
	input->says_rerank = json_object_get(root, "rerank") != NULL;
	return json_opt_bool(root, "rerank", &input->rerank, err);
}

bool
chat_body_scope(const json_t *root, unsigned default_top_k, enum search_mode default_mode,
    struct arena *arena, struct chat_input *input, struct err *err)
{
	int64_t top_k = default_top_k;

	input->min_score = SCORE_MIN;
	input->mode = default_mode;
	if (!json_opt_int(root, "topK", 1, SEARCH_K_MAX, &top_k, err) ||
	    !read_mode(root, input, err) ||
	    !json_opt_number(root, "minScore", SCORE_MIN, SCORE_MAX, &input->min_score, err) ||
	    !read_rerank(root, input, err) || !read_owner(root, arena, input, err) ||
	    !search_filter_read(json_object_get(root, "filter"), "filter", arena, &input->filter,
		err))
		return false;
	input->top_k = (unsigned)top_k;
	return read_documents(root, arena, input, err);
}
