/* SPDX-License-Identifier: MIT */
/*
 * address: see address.h. inet_pton(3) reads an address: it takes no leading zero, which others
 * read as octal.
 */
#include "tenantgate/base/address.h"

#include <arpa/inet.h>
#include <string.h>

#define BITS_MAX  128u
#define BITS_V4	  96u /* before the IPv4 address in the mapped form */
#define NAMED_MAX 64  /* bytes of a bad item that its error repeats */

bool
address_read(struct slice text, int family, struct in6_addr *out)
{
	struct in6_addr v4 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
	char name[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(name) || memchr(text.p, '\0', text.len) != NULL)
		return false;
	memcpy(name, text.p, text.len);
	name[text.len] = '\0';
	if (family != AF_INET6 && inet_pton(AF_INET, name, &v4.s6_addr[12]) == 1) {
		*out = v4;
		return true;
	}
	return family != AF_INET && inet_pton(AF_INET6, name, out) == 1;
}

void
address_write(const struct in6_addr *a, char out[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(a))
		inet_ntop(AF_INET, &a->s6_addr[12], out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, a, out, INET6_ADDRSTRLEN);
}

/* Decimal, one to three digits, without a leading zero. */
static bool
prefix_read(struct slice text, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (text.len == 0 || text.len > 3 || (text.len > 1 && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (unsigned)(text.p[i] - '0');
	}
	*out = n;
	return n <= max;
}

static bool
network_read(struct slice text, struct network *out)
{
	const char *slash = memchr(text.p, '/', text.len);
	struct slice address = text;
	unsigned bits, most;

	if (slash != NULL)
		address.len = (size_t)(slash - text.p);
	if (!address_read(address, AF_UNSPEC, &out->address))
		return false;
	out->is_v4 = IN6_IS_ADDR_V4MAPPED(&out->address);
	most = out->is_v4 ? BITS_MAX - BITS_V4 : BITS_MAX;
	bits = most;
	if (slash != NULL &&
	    !prefix_read(slice_of(slash + 1, text.len - address.len - 1), most, &bits))
		return false;
	out->bits = out->is_v4 ? bits + BITS_V4 : bits;
	return true;
}

bool
network_list_read(struct network_list *list, const char *text, struct err *err)
{
	const char *at = text == NULL ? "" : text;

	list->count = 0;
	for (at += strspn(at, ", \t"); *at != '\0'; at += strspn(at, ", \t")) {
		struct slice item = slice_of(at, strcspn(at, ", \t"));

		if (list->count == NETWORKS_MAX || !network_read(item, &list->items[list->count])) {
			int shown = item.len < NAMED_MAX ? (int)item.len : NAMED_MAX;

			err_set(err, ERR_INTERNAL,
			    "The list has at most %d addresses and networks, such as 10.0.0.1 or "
			    "2001:db8::/32, and \"%.*s\" is none or one too many.",
			    NETWORKS_MAX, shown, item.p);
			return false;
		}
		list->count++;
		at += item.len;
	}
	return true;
}

static bool
network_has(const struct network *n, const struct in6_addr *a)
{
	unsigned bytes = n->bits / 8, rest = n->bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	if (n->is_v4 != (IN6_IS_ADDR_V4MAPPED(a) != 0) || memcmp(&n->address, a, bytes) != 0)
		return false;
	return rest == 0 || ((n->address.s6_addr[bytes] ^ a->s6_addr[bytes]) & mask) == 0;
}

bool
network_list_has(const struct network_list *list, const struct in6_addr *a)
{
	for (unsigned i = 0; i < list->count; i++)
		if (network_has(&list->items[i], a))
			return true;
	return false;
}

/* IANA's special-purpose registries of IPv4 and IPv6, but that of IPv6 all is closed that is not
 * global unicast (2000::/3). */
static const struct {
	unsigned char first[4];
	unsigned bits;
} closed_v4[] = {
	{ { 0 }, 8 },
	{ { 10 }, 8 },
	{ { 100, 64 }, 10 }, /* a carrier's NAT: RFC 6598 */
	{ { 127 }, 8 },
	{ { 169, 254 }, 16 }, /* link-local; clouds tell their machines' secrets there */
	{ { 172, 16 }, 12 },
	{ { 192, 0, 0 }, 24 },
	{ { 192, 0, 2 }, 24 },
	{ { 192, 88, 99 }, 24 },
	{ { 192, 168 }, 16 },
	{ { 198, 18 }, 15 },
	{ { 198, 51, 100 }, 24 },
	{ { 203, 0, 113 }, 24 },
	{ { 224 }, 4 },
	{ { 240 }, 4 },
};

static const struct {
	unsigned char first[4];
	unsigned bits;
} closed_v6[] = {
	{ { 0x20, 0x01, 0x00 }, 23 }, /* protocols: Teredo, ORCHID */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },
	{ { 0x20, 0x02 }, 16 }, /* 6to4: an IPv4 address is in it */
	{ { 0x3f, 0xff }, 20 },
};

static bool
has_prefix(const unsigned char *address, const unsigned char first[4], unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	if (memcmp(address, first, bytes) != 0)
		return false;
	return rest == 0 || ((address[bytes] ^ first[bytes]) & mask) == 0;
}

bool
address_is_public(const struct in6_addr *a)
{
	if (IN6_IS_ADDR_V4MAPPED(a)) {
		for (size_t i = 0; i < sizeof(closed_v4) / sizeof(closed_v4[0]); i++)
			if (has_prefix(&a->s6_addr[12], closed_v4[i].first, closed_v4[i].bits))
				return false;
		return true;
	}
	for (size_t i = 0; i < sizeof(closed_v6) / sizeof(closed_v6[0]); i++)
		if (has_prefix(a->s6_addr, closed_v6[i].first, closed_v6[i].bits))
			return false;
	return (a->s6_addr[0] & 0xe0) == 0x20;
}
