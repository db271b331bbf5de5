/* SPDX-License-Identifier: MIT */
/*
 * address: IP addresses as text, and lists of networks. An IPv4 address is kept in its IPv6-mapped
 * form (RFC 4291 2.5.5.2), so that it is the same however it came. Numeric only: a name would have
 * to be resolved, which blocks. Pure; any thread.
 */
#ifndef TENANTGATE_BASE_ADDRESS_H
#define TENANTGATE_BASE_ADDRESS_H

#include <stdbool.h>

#include <netinet/in.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

#define NETWORKS_MAX	64	/* of a list */

/* Of all addresses with the same first `bits` bits, those of the mapped form. */
struct network {
	struct in6_addr	 address;
	unsigned	 bits;		/* 0 to 128; an IPv4 prefix's length and 96 */
	bool		 is_v4;
};

struct network_list {
	struct network	 items[NETWORKS_MAX];
	unsigned	 count;
};

/* False when it is no numeric address of the family (AF_INET, AF_INET6; AF_UNSPEC: of either), or
 * one with leading zeroes, a zone or anything else around it. */
bool	address_read(struct slice text, int family, struct in6_addr *out);
void	address_write(const struct in6_addr *, char out[INET6_ADDRSTRLEN]);

/* Addresses and networks in CIDR notation, between commas or blanks; NULL and "" are an empty list.
 * False with err set, naming the one that is none. */
bool	network_list_read(struct network_list *, const char *text, struct err *);
/* Whether it is one host's on the internet, as far as the registries of IANA say (RFC 6890): not
 * private, loopback, link-local, of a carrier's NAT, multicast, unspecified, for documentation or
 * reserved; nor one of IPv6 that stands for an IPv4 address behind a gateway (64:ff9b::/96, 6to4,
 * Teredo). The mapped form is the IPv4 address. */
bool	address_is_public(const struct in6_addr *);
/* An IPv4 address is in no IPv6 network, not even in ::/0. */
bool	network_list_has(const struct network_list *, const struct in6_addr *);

#endif
