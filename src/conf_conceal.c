/* SPDX-License-Identifier: MIT */
/*
 * conf_conceal: a URL as an operator may see it: without its password, and without what of its
 * query is not known to be harmless (an API key may stand there). What cannot be taken apart for
 * certain is hidden whole.
 *
 *	scheme://[user[:password]@]rest[?name=value&...][#fragment]
 *	\_______________ head ________/ \________ query _________/
 */
#define _GNU_SOURCE /* memmem(), memrchr() */
#include "conf_internal.h"

#include <string.h>

#define CONCEALED "(secret)"

/* Parameters of Postgres URLs and of models' servers that say how, and not who. Names as they
 * stand: one that is percent-encoded is not among them. */
static const char *const harmless[] = { "api-version", "application_name", "channel_binding",
	"connect_timeout", "dbname", "gssencmode", "host", "hostaddr", "keepalives", "port",
	"sslcrl", "sslmode", "sslrootcert", "target_session_attrs", "user", NULL };

/* What is before the first of `any`, or all of it. */
static struct slice
until_any(struct slice text, const char *any)
{
	size_t n = 0;

	while (n < text.len && strchr(any, text.p[n]) == NULL)
		n++;
	return slice_of(text.p, n);
}

static struct slice
behind(struct slice text, size_t n)
{
	return slice_of(text.p + n, text.len - n);
}

static bool
is_harmless(struct slice name)
{
	for (const char *const *known = harmless; *known != NULL; known++)
		if (slice_is(name, *known))
			return true;
	return false;
}

/* query: from its '?' on. */
static bool
put_query(struct buf *out, struct slice query)
{
	bool concealed = false;

	while (query.len > 0) {
		struct slice item = until_any(behind(query, 1), "&#");
		struct slice name = until_any(item, "=");
		bool shown = query.p[0] != '#' && is_harmless(name);

		buf_putc(out, query.p[0]);
		if (query.p[0] != '#' && (shown || name.len < item.len))
			buf_slice(out, name);
		if (shown)
			buf_slice(out, behind(item, name.len));
		else if (item.len > 0)
			buf_puts(out, name.len < item.len ? "=" CONCEALED : CONCEALED);
		concealed = concealed || (!shown && item.len > 0);
		query = behind(query, 1 + item.len);
	}
	return concealed;
}

/* The login ends at the last @: one in a password need not be encoded. Of one word it is a user of
 * Postgres; elsewhere it may be a key. */
static bool
put_head(struct buf *out, struct slice head, bool is_postgres)
{
	const char *at = head.len == 0 ? NULL : memrchr(head.p, '@', head.len);
	struct slice login, user;

	if (at == NULL) {
		buf_slice(out, head);
		return false;
	}
	login = slice_of(head.p, (size_t)(at - head.p));
	user = until_any(login, ":");
	if (user.len < login.len || is_postgres)
		buf_slice(out, user);
	if (user.len < login.len)
		buf_putc(out, ':');
	if (user.len < login.len || !is_postgres)
		buf_puts(out, CONCEALED);
	buf_slice(out, behind(head, login.len));
	return user.len < login.len || !is_postgres;
}

/* A '?' may be the password's own: then what is before it is a part of that. */
static bool
is_unclear(struct slice head, struct slice query)
{
	return query.len > 0 && memchr(query.p, '@', query.len) != NULL &&
	    (head.len == 0 || memchr(head.p, '@', head.len) == NULL);
}

bool
conf_conceal_url(struct buf *out, struct slice url)
{
	const char *colon = url.len == 0 ? NULL : memmem(url.p, url.len, "://", 3);
	struct slice rest, head, query;
	bool concealed;

	if (colon == NULL) {
		buf_puts(out, url.len == 0 ? "" : CONCEALED);
		return url.len > 0;
	}
	rest = behind(url, (size_t)(colon - url.p) + 3);
	buf_slice(out, slice_of(url.p, url.len - rest.len));
	head = until_any(rest, "?#");
	query = behind(rest, head.len);
	if (is_unclear(head, query)) {
		buf_puts(out, CONCEALED);
		return true;
	}
	concealed = put_head(out, head, slice_starts(url, "postgres"));
	return put_query(out, query) || concealed;
}
