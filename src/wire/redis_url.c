/* SPDX-License-Identifier: MIT */
/*
 * redis_url: redis[s]://[user:password@]host[:port][/db]. The error never repeats the URL, which
 * may hold a password.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "wire/redis_room.h"

#include "tenantgate/base/hex.h"

#define REDIS_PORT   6379
#define REDIS_DB_MAX 65535

/* Percent-decoded into out; false when malformed, holding a NUL, or too long. */
static bool
text_decode(struct slice in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		int c = (unsigned char)in.p[i];

		if (c == '%') {
			if (in.len - i < 3 || hex_value(in.p[i + 1]) < 0 ||
			    hex_value(in.p[i + 2]) < 0)
				return false;
			c = hex_value(in.p[i + 1]) << 4 | hex_value(in.p[i + 2]);
			i += 2;
		}
		if (c == '\0' || n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

static bool
number_read(struct slice text, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (text.len == 0 || text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.p[i]))
			return false;
		n = n * 10 + (unsigned)(text.p[i] - '0');
	}
	*out = n;
	return n <= max;
}

/* Cuts `text` at the first (or last) `c`: what is before goes to *head. False without one. */
static bool
slice_cut(struct slice *text, char c, bool last, struct slice *head)
{
	size_t at = text->len;

	for (size_t i = 0; i < text->len && (last || at == text->len); i++)
		if (text->p[i] == c)
			at = i;
	if (at == text->len)
		return false;
	*head = slice_of(text->p, at);
	*text = slice_of(text->p + at + 1, text->len - at - 1);
	return true;
}

static bool
login_read(struct redis_url *url, struct slice login)
{
	struct slice user;

	return slice_cut(&login, ':', false, &user) &&
	    text_decode(user, url->user, sizeof(url->user)) &&
	    text_decode(login, url->password, sizeof(url->password)) && url->password[0] != '\0';
}

/* host, host:port, [v6], [v6]:port */
static bool
place_read(struct redis_url *url, struct slice place)
{
	struct slice host = place;
	unsigned port = REDIS_PORT;

	if (place.len > 0 && place.p[0] == '[') {
		place = slice_of(place.p + 1, place.len - 1);
		if (!slice_cut(&place, ']', false, &host))
			return false;
		if (place.len > 0 && place.p[0] != ':')
			return false;
		if (place.len > 0 &&
		    !number_read(slice_of(place.p + 1, place.len - 1), UINT16_MAX, &port))
			return false;
	} else if (slice_cut(&place, ':', true, &host)) {
		if (!number_read(place, UINT16_MAX, &port))
			return false;
	}
	url->port = (uint16_t)port;
	return port > 0 && host.len > 0 && text_decode(host, url->host, sizeof(url->host));
}

static bool
scheme_read(struct redis_url *url, struct slice *rest)
{
	static const char plain[] = "redis://";
	static const char tls[] = "rediss://";

	url->tls = slice_starts(*rest, tls);
	if (!url->tls && !slice_starts(*rest, plain))
		return false;
	*rest = slice_of(rest->p + strlen(url->tls ? tls : plain),
	    rest->len - strlen(url->tls ? tls : plain));
	return true;
}

bool
redis_url_read(struct redis_url *url, const char *text, struct err *err)
{
	struct slice rest = slice_str(text);
	struct slice place, login;

	memset(url, 0, sizeof(*url));
	if (!scheme_read(url, &rest)) {
		err_set(err, ERR_INVALID_FIELD, "The Redis URL begins with redis:// or rediss://.");
		return false;
	}
	if (slice_cut(&rest, '@', true, &login) && !login_read(url, login)) {
		err_set(err, ERR_INVALID_FIELD, "The Redis URL's login is not user:password.");
		return false;
	}
	if (slice_cut(&rest, '/', false, &place)) {
		if (rest.len > 0 && !number_read(rest, REDIS_DB_MAX, &url->db)) {
			err_set(err, ERR_INVALID_FIELD, "The Redis URL's database is no number.");
			return false;
		}
	} else {
		place = rest;
	}
	if (!place_read(url, place)) {
		err_set(err, ERR_INVALID_FIELD, "The Redis URL's host or port is malformed.");
		return false;
	}
	return true;
}
