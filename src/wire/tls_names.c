/* SPDX-License-Identifier: MIT */
/* tls_names.c: see the header. */
#include "wire/tls_names.h"

#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"

/* Into `out`, of TLS_NAME_MAX + 1 bytes; false for what is no name. */
static bool
name_lower(struct slice name, char *out)
{
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > TLS_NAME_MAX || memchr(name.p, '\0', name.len) != NULL)
		return false;
	for (size_t i = 0; i < name.len; i++)
		out[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 'a' - 'A')
							      : name.p[i];
	out[name.len] = '\0';
	return true;
}

bool
tls_names_add(struct tls_names *names, struct slice name, unsigned owner)
{
	char text[TLS_NAME_MAX + 1];
	struct tls_name *grown;

	if (!name_lower(name, text))
		return false;
	grown = realloc(names->items, (names->count + 1) * sizeof(*grown));
	if (grown == NULL)
		alloc_die((names->count + 1) * sizeof(*grown));
	names->items = grown;
	names->items[names->count++] = (struct tls_name){ xstrdup(text), owner };
	return true;
}

static int
name_compare(const void *a, const void *b)
{
	const struct tls_name *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (order != 0)
		return order;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

void
tls_names_sort(struct tls_names *names)
{
	if (names->count > 0)
		qsort(names->items, names->count, sizeof(*names->items), name_compare);
}

/* The first of that text, so that of the first certificate that has it. */
static int
find_text(const struct tls_names *names, const char *text)
{
	unsigned low = 0, high = names->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (strcmp(names->items[middle].text, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < names->count && strcmp(names->items[low].text, text) == 0)
		return (int)names->items[low].owner;
	return -1;
}

/* A client names a host, never a pattern: one that sends "*.example.org" has none of ours. */
int
tls_names_find(const struct tls_names *names, struct slice host)
{
	char text[TLS_NAME_MAX + 1];
	char *dot;
	int owner;

	if (!name_lower(host, text) || text[0] == '*')
		return -1;
	owner = find_text(names, text);
	dot = strchr(text, '.');
	if (owner != -1 || dot == NULL || dot == text)
		return owner;
	dot[-1] = '*';
	return find_text(names, dot - 1);
}

static bool
owner_has(const struct tls_names *names, unsigned owner, const char *text)
{
	for (unsigned i = 0; i < names->count; i++)
		if (names->items[i].owner == owner && strcmp(names->items[i].text, text) == 0)
			return true;
	return false;
}

static bool
owner_has_all(const struct tls_names *names, unsigned owner, unsigned of)
{
	for (unsigned i = 0; i < names->count; i++)
		if (names->items[i].owner == of && !owner_has(names, owner, names->items[i].text))
			return false;
	return true;
}

static bool
owner_has_any(const struct tls_names *names, unsigned owner)
{
	for (unsigned i = 0; i < names->count; i++)
		if (names->items[i].owner == owner)
			return true;
	return false;
}

bool
tls_names_same(const struct tls_names *names, unsigned a, unsigned b)
{
	return owner_has_any(names, a) && owner_has_all(names, a, b) && owner_has_all(names, b, a);
}

void
tls_names_free(struct tls_names *names)
{
	for (unsigned i = 0; i < names->count; i++)
		free(names->items[i].text);
	free(names->items);
	*names = (struct tls_names){ NULL, 0 };
}

static bool
item_is(struct slice item, struct slice name)
{
	if (memchr(name.p, ':', name.len) != NULL)
		return item.len == name.len && memcmp(item.p, name.p, name.len) == 0;
	return item.len == name.len && strncasecmp(item.p, name.p, name.len) == 0;
}

bool
tls_list_has(const char *list, struct slice name)
{
	struct slice rest = slice_str(list);

	if (name.len == 0 || memchr(name.p, '\0', name.len) != NULL)
		return false;
	while (rest.len > 0) {
		const char *comma = memchr(rest.p, ',', rest.len);
		size_t n = comma == NULL ? rest.len : (size_t)(comma - rest.p);
		struct slice item = slice_trim(slice_of(rest.p, n));

		if (slice_is(item, "*") || (item.len > 0 && item_is(item, name)))
			return true;
		n += comma != NULL;
		rest = slice_of(rest.p + n, rest.len - n);
	}
	return false;
}
