/* SPDX-License-Identifier: MIT */
/*
 * key_scope.c: the table of names, and the two ways to read a list of them.
 */
#include "tenantgate/auth/key_scope.h"

#include <stdio.h>

static const char *const scope_names[KEY_SCOPES] = {
	[SCOPE_INGEST] = "ingest",
	[SCOPE_CHAT] = "chat",
	[SCOPE_SEARCH] = "search",
	[SCOPE_DOCUMENTS] = "documents",
	[SCOPE_SQL] = "sql",
	[SCOPE_V1] = "v1",
	[SCOPE_MCP] = "mcp",
};

const char *
key_scope_name(enum key_scope scope)
{
	return scope_names[scope];
}

static bool
is_between(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

/* The next name, taken from the front; p NULL: there is none. */
static struct slice
take_name(struct slice *list)
{
	struct slice name;
	size_t begin = 0, end;

	while (begin < list->len && is_between(list->p[begin]))
		begin++;
	for (end = begin; end < list->len && !is_between(list->p[end]);)
		end++;
	if (end == begin)
		return slice_of(NULL, 0);
	name = slice_of(list->p + begin, end - begin);
	*list = slice_of(list->p + end, list->len - end);
	return name;
}

/* 0: it is none. */
static unsigned
scope_bit(struct slice name)
{
	for (unsigned i = 0; i < KEY_SCOPES; i++)
		if (slice_is(name, scope_names[i]))
			return SCOPE_BIT(i);
	return 0;
}

bool
key_scopes_parse(struct slice list, unsigned *out, struct err *err)
{
	struct slice name = take_name(&list);
	char all[KEY_SCOPES_SIZE];

	key_scopes_print(SCOPES_NAMED, ", ", all);
	*out = 0;
	if (name.p == NULL)
		err_set(err, ERR_INVALID_FIELD,
		    "Name at least one scope (%s), or leave the scopes out for a key that may do "
		    "everything.",
		    all);
	for (; name.p != NULL && !err_is(err); name = take_name(&list)) {
		*out |= scope_bit(name);
		if (scope_bit(name) == 0)
			err_set(err, ERR_INVALID_FIELD,
			    "There is no scope \"%.*s\"; take some of %s.",
			    name.len < 40 ? (int)name.len : 40, name.p, all);
	}
	return !err_is(err);
}

unsigned
key_scopes_known(struct slice list)
{
	unsigned scopes = 0;

	for (struct slice name = take_name(&list); name.p != NULL; name = take_name(&list))
		scopes |= scope_bit(name);
	return scopes;
}

void
key_scopes_print(unsigned scopes, const char *between, char out[KEY_SCOPES_SIZE])
{
	size_t used = 0;

	out[0] = '\0';
	if ((scopes & SCOPE_WHOLE_KEY) != 0)
		return;
	for (unsigned i = 0; i < KEY_SCOPES && used < KEY_SCOPES_SIZE; i++)
		if ((scopes & SCOPE_BIT(i)) != 0)
			used += (size_t)snprintf(out + used, KEY_SCOPES_SIZE - used, "%s%s",
			    used > 0 ? between : "", scope_names[i]);
}
