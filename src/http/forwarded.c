/* SPDX-License-Identifier: MIT */
/*
 * forwarded: see forwarded.h. A field that comes several times is one list, in order (RFC 9110
 * 5.3): it is read from the last field's end.
 */
#include "http/forwarded.h"

#include <sys/socket.h>

#include <string.h>

/* Takes the last of the list's elements, trimmed; false when there is none. */
static bool
list_take_last(struct slice *list, struct slice *item)
{
	size_t at = list->len;

	if (list->p == NULL)
		return false;
	while (at > 0 && list->p[at - 1] != ',')
		at--;
	*item = slice_trim(slice_of(list->p + at, list->len - at));
	if (at == 0)
		*list = slice_of(NULL, 0);
	else
		list->len = at - 1;
	return true;
}

/* Some proxies add the port: 192.0.2.1:4711, [2001:db8::1]:4711. It is passed over. */
static struct slice
hop_address(struct slice hop)
{
	const char *colon = memchr(hop.p, ':', hop.len);
	const char *end;

	if (hop.len > 0 && hop.p[0] == '[') {
		end = memchr(hop.p, ']', hop.len);
		return end == NULL ? hop : slice_of(hop.p + 1, (size_t)(end - hop.p) - 1);
	}
	if (colon == NULL || memchr(colon + 1, ':', hop.len - (size_t)(colon + 1 - hop.p)) != NULL)
		return hop; /* no port, or IPv6 */
	return slice_of(hop.p, (size_t)(colon - hop.p));
}

/* The hops of one field; false when the client was found, or cannot be. */
static bool
field_hops(struct slice list, const struct network_list *trusted, unsigned *hops,
    struct in6_addr *client)
{
	struct slice hop;

	while (list_take_last(&list, &hop)) {
		if (hop.len == 0)
			continue; /* an empty element means nothing (RFC 9110 5.6.1.2) */
		if (++*hops > FORWARDED_HOPS_MAX ||
		    !address_read(hop_address(hop), AF_UNSPEC, client) ||
		    !network_list_has(trusted, client))
			return false;
	}
	return true;
}

void
forwarded_client(const struct parse *p, const struct network_list *trusted, struct in6_addr *client)
{
	unsigned hops = 0;

	for (unsigned i = p->field_count; i > 0; i--) {
		const struct parse_field *field = &p->fields[i - 1];

		if (slice_is_nocase(parse_slice(p, field->name), "X-Forwarded-For") &&
		    !field_hops(parse_slice(p, field->value), trusted, &hops, client))
			return;
	}
}
