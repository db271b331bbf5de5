/* SPDX-License-Identifier: MIT */
/*
 * redis_url: redis[s]://[user:password@]host[:port][/db], as redis-cli and IANA's registration of
 * the scheme have it. url.c takes it apart. The error never repeats the URL, which may hold a
 * password.
 */
#include <ctype.h>
#include <string.h>

#include "tenantgate/base/secret.h"
#include "tenantgate/wire/url.h"
#include "wire/redis_internal.h"

#define REDIS_PORT   6379
#define REDIS_DB_MAX 65535 /* more than any server has; SELECT says which there are */

/* Digits only, no sign, no blanks; five at most, so n cannot overflow. */
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

/* NULL counts as "". False: too long for its place. */
static bool
redis_text_copy(const char *in, char *out, size_t size)
{
	size_t n = in == NULL ? 0 : strlen(in);

	if (n >= size)
		return false;
	memcpy(out, n == 0 ? "" : in, n + 1);
	return true;
}

/* A user alone is no login: Redis wants a password with it. */
static bool
redis_login_read(struct redis_url *url, const struct url_parts *p)
{
	if (!redis_text_copy(p->user, url->user, sizeof(url->user)) ||
	    !redis_text_copy(p->password, url->password, sizeof(url->password)))
		return false;
	return p->user == NULL || url->password[0] != '\0';
}

/* "/" or "/3". A query or fragment would have no effect here: refused, rather than dropped. */
static bool
redis_db_read(struct redis_url *url, const struct url_parts *p)
{
	if (p->query != NULL || p->fragment != NULL)
		return false;
	return strcmp(p->path, "/") == 0 ||
	    number_read(slice_str(p->path + 1), REDIS_DB_MAX, &url->db);
}

/* One sentence for each thing that may be wrong. */
static bool
redis_parts_read(struct redis_url *url, const struct url_parts *p, struct err *err)
{
	url->tls = strcmp(p->scheme, "rediss") == 0;
	url->port = p->port != 0 ? p->port : REDIS_PORT;
	if (!url->tls && strcmp(p->scheme, "redis") != 0)
		err_set(err, ERR_INVALID_FIELD,
		    "The Redis URL does not begin with redis:// or rediss://: write one of them.");
	else if (!redis_login_read(url, p))
		err_set(err, ERR_INVALID_FIELD,
		    "The Redis URL's login is incomplete or too long: write user:password@ or "
		    ":password@.");
	else if (!redis_db_read(url, p))
		err_set(err, ERR_INVALID_FIELD,
		    "The Redis URL's database is no number: write /0 to /%d, and nothing behind.",
		    REDIS_DB_MAX);
	else if (!redis_text_copy(p->host, url->host, sizeof(url->host)))
		err_set(err, ERR_INVALID_FIELD, "The Redis URL's host is too long: shorten it.");
	return !err_is(err);
}

/* `why` is our own, for *err may hold an error already, and the first reason is kept. */
bool
redis_url_read(struct redis_url *url, const char *text, struct err *err)
{
	struct url_parts parts;
	struct err why = { 0 };

	memset(url, 0, sizeof(*url));
	if (url_read(slice_str(text), &parts, &why))
		redis_parts_read(url, &parts, &why);
	url_free(&parts);
	if (err_is(&why))
		err_set(err, why.code, "%s", why.detail);
	return !err_is(&why);
}

bool
redis_url_is_valid(const char *text, struct err *err)
{
	struct redis_url url = { 0 };
	bool is_valid = redis_url_read(&url, text, err);

	bytes_wipe(&url, sizeof(url));
	return is_valid;
}
