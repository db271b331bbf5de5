/* SPDX-License-Identifier: MIT */
/*
 * key: what has the form of a key, and what has not. A credential that fails here never reaches
 * the catalog.
 */
#include "auth/auth_key.h"

static bool
letters_only(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
			return false;
	}
	return true;
}

bool
key_parse(struct slice text, struct key_text *out)
{
	const size_t prefix = 3;

	if (text.len != prefix + KEY_ID_LEN + 1 + KEY_SECRET_LEN || !slice_starts(text, "tg_"))
		return false;
	if (text.p[prefix + KEY_ID_LEN] != '_')
		return false;
	out->id = slice_of(text.p + prefix, KEY_ID_LEN);
	out->secret = slice_of(text.p + prefix + KEY_ID_LEN + 1, KEY_SECRET_LEN);
	return letters_only(out->id) && letters_only(out->secret);
}

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

	for (i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		if (strcmp(name, kind_names[i]) == 0) {
			*out = (enum caller_kind)i;
			return true;
		}
	}
	return false;
}
