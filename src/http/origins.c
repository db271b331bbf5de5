/* SPDX-License-Identifier: MIT */
/*
 * origins: see origins.h. Origins are compared as they are serialized (the Fetch Standard, CORS
 * check), so nothing is made equal here that a browser writes in two ways.
 */
#include "http/origins.h"

#include "http/chars.h"
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

static bool
has_port(struct slice host, const char *port)
{
	size_t n = strlen(port);

	return host.len >= n && memcmp(host.p + host.len - n, port, n) == 0;
}

/* A port is left out where it is the scheme's own (the URL Standard, 4.5). */
static bool
has_needless_port(struct slice scheme, struct slice host)
{
	return has_port(host, ":") || (slice_is(scheme, "http") && has_port(host, ":80")) ||
	    (slice_is(scheme, "https") && has_port(host, ":443"));
}

/* As a browser serializes an origin: what is written in another way would never be equal. */
static bool
is_origin(struct slice s)
{
	const char *colon = s.len == 0 ? NULL : memchr(s.p, ':', s.len);
	struct slice scheme, host;

	if (colon == NULL || !slice_starts(slice_of(colon, s.len - (size_t)(colon - s.p)), "://"))
		return false;
	scheme = slice_of(s.p, (size_t)(colon - s.p));
	host = slice_of(colon + 3, s.len - scheme.len - 3);
	return is_small_scheme(scheme) && slice_is_authority(host) && !has_capital(host) &&
	    memchr(host.p, '*', host.len) == NULL && !has_needless_port(scheme, host);
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
