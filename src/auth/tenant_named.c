/* SPDX-License-Identifier: MIT */
/*
 * tenant_named: see the header; names and members. Pure.
 */
#include "tenantgate/auth/tenant_named.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_MAX_LEN 32 /* bytes, separators and all; longer is no tenant's name */

/* Without what separates words, in lower case; "" where it is too long. */
static void
tenant_name_fold(struct slice name, char out[NAME_MAX_LEN + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < name.len && name.len <= NAME_MAX_LEN; i++) {
		char c = name.p[i];

		if (c == '-' || c == '_')
			continue;
		out[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[n] = '\0';
}

static bool
is_tenant_name(struct slice name)
{
	static const char *const names[] = { "tenant", "tenantid", "xtenant", "xtenantid" };
	char folded[NAME_MAX_LEN + 1];

	tenant_name_fold(name, folded);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(folded, names[i]) == 0)
			return true;
	return false;
}

bool
tenant_named_agrees(struct slice name, struct slice value, char tenant[TENANT_ID_MAX + 1],
    struct err *err)
{
	if (!is_tenant_name(name) || (value.p != NULL && slice_is(value, tenant)))
		return true;
	if (tenant[0] == '\0' && value.p != NULL && value.len <= TENANT_ID_MAX &&
	    memchr(value.p, '\0', value.len) == NULL) {
		memcpy(tenant, value.p, value.len);
		tenant[value.len] = '\0';
		return true;
	}
	err_set(err, ERR_INVALID_TENANT,
	    "\"%.*s\" names another tenant than key, X-Tenant-Id or path do; correct it or "
	    "leave it out.",
	    (int)(name.len < NAME_MAX_LEN ? name.len : NAME_MAX_LEN), name.p);
	return false;
}

bool
tenant_named_in_json(const json_t *object, char tenant[TENANT_ID_MAX + 1], struct err *err)
{
	char digits[24];
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		struct slice v = slice_of(json_string_value(value), json_string_length(value));

		if (json_is_integer(value)) {
			snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT,
			    json_integer_value(value));
			v = slice_str(digits);
		}
		if (v.p != NULL && !tenant_named_agrees(slice_str(name), v, tenant, err))
			return false;
	}
	return true;
}
