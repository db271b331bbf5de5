/* SPDX-License-Identifier: MIT */
/*
 * redis_url: redis[s]://[user:password@]host[:port][/db]. The error never repeats the URL, which
 * may hold a password.
 */
#include <ctype.h>
#include <string.h>

#include "tenantgate/wire/url.h"
#include "wire/redis_internal.h"

#define REDIS_PORT   6379
#define REDIS_DB_MAX 65535

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

/* NULL counts as "". */
static bool
text_keep(const char *in, char *out, size_t size)
{
	size_t n = in == NULL ? 0 : strlen(in);

	if (n >= size)
		return false;
	memcpy(out, n == 0 ? "" : in, n + 1);
	return true;
}

/* A user alone is no login: Redis wants a password with it. */
static bool
login_keep(struct redis_url *url, const struct url_parts *p)
{
	if (!text_keep(p->user, url->user, sizeof(url->user)) ||
	    !text_keep(p->password, url->password, sizeof(url->password)))
		return false;
	return p->user == NULL || url->password[0] != '\0';
}

/* "/" or "/3" */
static bool
db_read(struct redis_url *url, const struct url_parts *p)
{
	if (p->query != NULL || p->fragment != NULL)
		return false;
	return strcmp(p->path, "/") == 0 ||
	    number_read(slice_str(p->path + 1), REDIS_DB_MAX, &url->db);
}

static bool
parts_keep(struct redis_url *url, const struct url_parts *p, struct err *err)
{
	url->tls = strcmp(p->scheme, "rediss") == 0;
	url->port = p->port != 0 ? p->port : REDIS_PORT;
	if (!url->tls && strcmp(p->scheme, "redis") != 0)
		err_set(err, ERR_INVALID_FIELD,
		    "The Redis URL does not begin with redis:// or rediss://: write one of them.");
	else if (!login_keep(url, p))
		err_set(err, ERR_INVALID_FIELD,
		    "The Redis URL's login is incomplete or too long: write user:password@ or "
		    ":password@.");
	else if (!db_read(url, p))
		err_set(err, ERR_INVALID_FIELD,
		    "The Redis URL's database is no number: write /0 to /%d, and nothing behind.",
		    REDIS_DB_MAX);
	else if (!text_keep(p->host, url->host, sizeof(url->host)))
		err_set(err, ERR_INVALID_FIELD, "The Redis URL's host is too long: shorten it.");
	return !err_is(err);
}

bool
redis_url_read(struct redis_url *url, const char *text, struct err *err)
{
	struct url_parts parts;
	struct err why = { 0 };

	memset(url, 0, sizeof(*url));
	if (url_read(slice_str(text), &parts, &why))
		parts_keep(url, &parts, &why);
	url_free(&parts);
	if (err_is(&why))
		err_set(err, why.code, "%s", why.detail);
	return !err_is(&why);
}
