/* SPDX-License-Identifier: MIT */
/*
 * auth_key: recognises the text of a key. A credential that fails here never reaches the catalog,
 * so what an id may hold is bounded before it becomes a map's key and a query's parameter.
 */
#include "auth/auth_key.h"

/* Wider than the alphabet of id_random(), so that keys made by other means are accepted. */
bool
key_text_is_alphanumeric(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
			return false;
	}
	return true;
}

/* Lengths are fixed, so the parts are found by place, not by their separators. */
bool
key_parse(struct slice text, struct key_text *out)
{
	const size_t prefix = 3; /* "tg_" */
	const size_t untagged = prefix + KEY_ID_LEN + 1 + KEY_SECRET_LEN;

	if (text.len != untagged && text.len != untagged + KEY_TAG_LEN)
		return false;
	if (!slice_starts(text, "tg_"))
		return false;
	if (text.p[prefix + KEY_ID_LEN] != '_')
		return false;
	out->id = slice_of(text.p + prefix, KEY_ID_LEN);
	out->secret = slice_of(text.p + prefix + KEY_ID_LEN + 1, KEY_SECRET_LEN);
	out->untagged = slice_of(text.p, untagged);
	out->tag = slice_of(text.p + untagged, text.len - untagged);
	return key_text_is_alphanumeric(out->id) && key_text_is_alphanumeric(out->secret) &&
	    key_text_is_alphanumeric(out->tag);
}

/* RFC 6750 2.1: the scheme (in any case, RFC 9110 11.1), blanks, the token. */
bool
key_from_header(struct slice value, struct key_text *out)
{
	const size_t scheme = sizeof("Bearer") - 1;

	value = slice_trim(value);
	if (value.len <= scheme || !slice_is_nocase(slice_of(value.p, scheme), "Bearer"))
		return false;
	if (value.p[scheme] != ' ')
		return false;
	return key_parse(slice_trim(slice_of(value.p + scheme, value.len - scheme)), out);
}

/* As the catalog's CHECK on api_keys.kind spells them. */
static const char *const kind_names[] = {
	[CALLER_TENANT] = "tenant",
	[CALLER_SERVICE] = "service",
	[CALLER_ADMIN] = "admin",
};

const char *
caller_kind_name(enum caller_kind kind)
{
	return kind_names[kind];
}

bool
caller_kind_parse(const char *name, enum caller_kind *out)
{
	size_t i;

	for (i = CALLER_TENANT; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		if (strcmp(name, kind_names[i]) == 0) {
			*out = (enum caller_kind)i;
			return true;
		}
	}
	return false;
}
