/* SPDX-License-Identifier: MIT */
/*
 * forwarded: whose request it is that trusted proxies have passed on. X-Forwarded-For has no
 * standard; each proxy adds, at the right, the address that it was asked from. So only what trusted
 * ones wrote is believed: read from the right, the first address that is not one of theirs. Pure.
 */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "tenantgate/base/address.h"
#include "http/parse.h"

#define FORWARDED_HOPS_MAX 32 /* addresses that are read, from the right */

/* *client is the proxy's own address at first, and stays that of the last trusted hop where the
 * field is not there, ends with it, or has no address next to it. Valid from PARSE_HEAD on. */
void	forwarded_client(const struct parse *, const struct network_list *trusted,
	    struct in6_addr *client);

#endif
