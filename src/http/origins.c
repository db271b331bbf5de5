/* SPDX-License-Identifier: MIT */
/*
 * origins: see origins.h. Origins are compared as they are serialized (the Fetch Standard, CORS
 * check), so nothing is made equal here that a browser writes in two ways.
 */
#include "http/origins.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "http/chars.h"
#include "tenantgate/base/address.h"
#include "tenantgate/http.h"

struct slice
origins_find(const char *list, struct slice origin)
{
	struct slice rest = slice_str(list), item;

	while (origin.len > 0 && slice_list_next(&rest, &item))
		if (item.len == origin.len && memcmp(item.p, origin.p, item.len) == 0)
			return item;
	return slice_of(NULL, 0);
}

/* RFC 3986 3.1, in small letters, as browsers write it. Not http alone: apps of a phone have
 * schemes of their own, such as capacitor://localhost. */
static bool
is_small_scheme(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool is_letter = s.p[i] >= 'a' && s.p[i] <= 'z';
		bool is_other = (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '+' ||
		    s.p[i] == '-' || s.p[i] == '.';

		if (!is_letter && (i == 0 || !is_other))
			return false;
	}
	return s.len > 0;
}

static bool
has_capital(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

/* Takes a port off the end of the host, with its colon. p NULL: it has none. */
static struct slice
port_take(struct slice *host)
{
	size_t n = host->len;
	struct slice port = { NULL, 0 };

	while (n > 0 && host->p[n - 1] >= '0' && host->p[n - 1] <= '9')
		n--;
	if (n == 0 || host->p[n - 1] != ':')
		return port;
	port = slice_of(host->p + n - 1, host->len - n + 1);
	host->len = n - 1;
	return port;
}

/* A number of a port, without zeroes before it; it is left out where it is the scheme's own (the
 * URL Standard, 4.5). */
static bool
is_serialized_port(struct slice scheme, struct slice port)
{
	unsigned long number;

	if (port.p == NULL)
		return true;
	if (port.len < 2 || port.len > 6 || (port.p[1] == '0' && port.len > 2))
		return false;
	if ((slice_is(scheme, "http") && slice_is(port, ":80")) ||
	    (slice_is(scheme, "https") && slice_is(port, ":443")))
		return false;
	number = strtoul(port.p + 1, NULL, 10); /* what is behind it is no digit */
	return number <= UINT16_MAX;
}

/* The shortest form, as RFC 5952 has it. */
static bool
is_serialized_address(struct slice text, int family)
{
	char written[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (!address_read(text, family, &address))
		return false;
	address_write(&address, written);
	return slice_is(text, written);
}

/* A name whose last label is a number is an IPv4 address to a browser, however it is written (the
 * URL Standard, 3.5): 127.1, 0x7f000001. */
static bool
is_number(struct slice name)
{
	size_t end = name.len, begin;

	if (end > 0 && name.p[end - 1] == '.')
		end--;
	for (begin = end; begin > 0 && name.p[begin - 1] != '.'; begin--)
		;
	if (end - begin >= 2 && name.p[begin] == '0' && name.p[begin + 1] == 'x')
		return true;
	for (size_t i = begin; i < end; i++)
		if (name.p[i] < '0' || name.p[i] > '9')
			return false;
	return begin < end;
}

static bool
is_serialized_host(struct slice host)
{
	if (host.len == 0 || has_capital(host))
		return false;
	if (host.p[0] == '[')
		return is_serialized_address(slice_of(host.p + 1, host.len - 2), AF_INET6);
	if (is_number(host))
		return is_serialized_address(host, AF_INET);
	return memchr(host.p, '*', host.len) == NULL && memchr(host.p, '%', host.len) == NULL;
}

/* As a browser serializes an origin: what is written in another way would never be equal. */
static bool
is_origin(struct slice s)
{
	const char *colon = s.len == 0 ? NULL : memchr(s.p, ':', s.len);
	struct slice scheme, host, port;

	if (colon == NULL || !slice_starts(slice_of(colon, s.len - (size_t)(colon - s.p)), "://"))
		return false;
	scheme = slice_of(s.p, (size_t)(colon - s.p));
	host = slice_of(colon + 3, s.len - scheme.len - 3);
	if (!is_small_scheme(scheme) || !slice_is_authority(host))
		return false;
	port = port_take(&host);
	return is_serialized_port(scheme, port) && is_serialized_host(host);
}

bool
http_origins_are_valid(const char *list, struct err *err)
{
	struct slice rest = slice_str(list), item;

	while (slice_list_next(&rest, &item)) {
		if (is_origin(item))
			continue;
		err_set(err, ERR_INVALID_FIELD,
		    "\"%.*s\" is no origin; name each in full, in small letters, without a path, a "
		    "last slash or the scheme's own port, such as https://app.example.com.",
		    item.len > 60 ? 60 : (int)item.len, item.p);
		return false;
	}
	return true;
}
