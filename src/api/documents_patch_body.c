/* SPDX-License-Identifier: MIT */
/*
 * documents_patch_body: see the header.
 */
#include "api/documents_patch_body.h"

#include "api/expires_at.h"
#include "api/label.h"
#include "tenantgate/base/json.h"

#define PATCH_TITLE_MAX	    512		/* bytes, as /ingest takes them */
#define PATCH_FILE_NAME_MAX 255		/* bytes */
#define PATCH_METADATA_MAX  (16u << 10) /* bytes of JSON */

static const char *
patch_text(const json_t *value, const char *name, size_t min, size_t max, struct arena *a,
    struct err *err)
{
	struct slice s = slice_of(json_string_value(value), json_string_length(value));
	bool has_memory = label_clean(a, &s);
	bool ok = json_is_string(value) && s.len >= min && s.len <= max;
	const char *copy;

	for (size_t i = 0; ok && i < s.len; i++)
		ok = (unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f;
	if (!ok) {
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"%s\" must be a string of %zu to %zu bytes without control "
		    "characters.",
		    name, min, max);
		return NULL;
	}
	copy = s.len == 0 ? "" : arena_slice(a, s);
	if (copy == NULL || !has_memory)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the body's fields");
	return copy;
}

static const char *
patch_metadata(const json_t *value, struct arena *a, struct err *err)
{
	const char *copy = NULL;
	struct buf b;

	if (!json_is_object(value)) {
		err_set(err, ERR_INVALID_FIELD, "Field \"metadata\" must be an object.");
		return NULL;
	}
	buf_init(&b, PATCH_METADATA_MAX);
	json_put(&b, value);
	if (b.failed && !b.no_memory)
		err_set(err, ERR_INVALID_FIELD, "The metadata must be at most %u bytes of JSON.",
		    PATCH_METADATA_MAX);
	else if (!b.failed)
		copy = arena_slice(a, buf_view(&b));
	if (copy == NULL)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the metadata");
	buf_free(&b);
	return copy;
}

/* null takes the time away. */
static const char *
patch_expiry(const json_t *value, struct arena *a, struct err *err)
{
	if (json_is_null(value))
		return "";
	if (!json_is_string(value)) {
		err_set(err, ERR_INVALID_FIELD, EXPIRES_AT_DETAIL);
		return NULL;
	}
	return expires_at_read(slice_of(json_string_value(value), json_string_length(value)), a,
	    err);
}

bool
documents_patch_read(const json_t *root, struct arena *a, struct document_change *out,
    struct err *err)
{
	const char *name;
	json_t *value;

	*out = (struct document_change){ 0 };
	json_object_foreach((json_t *)root, name, value) {
		if (strcmp(name, "title") == 0)
			out->title = patch_text(value, name, 1, PATCH_TITLE_MAX, a, err);
		else if (strcmp(name, "fileName") == 0)
			out->file_name = patch_text(value, name, 0, PATCH_FILE_NAME_MAX, a, err);
		else if (strcmp(name, "metadata") == 0)
			out->metadata = patch_metadata(value, a, err);
		else if (strcmp(name, "expiresAt") == 0)
			out->expires_at = patch_expiry(value, a, err);
		else
			err_set(err, ERR_INVALID_FIELD,
			    "There is no field \"%.40s\" to change; send title, fileName, "
			    "metadata or expiresAt.",
			    name);
	}
	if (out->title == NULL && out->file_name == NULL && out->metadata == NULL &&
	    out->expires_at == NULL)
		err_set(err, ERR_INVALID_FIELD,
		    "There is nothing to change; send title, fileName, metadata or expiresAt.");
	return !err_is(err);
}
