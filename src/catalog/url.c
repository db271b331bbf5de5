/* SPDX-License-Identifier: MIT */
/*
 * url: postgresql://user:password@host[:port]/dbname[?name=value...], as libpq writes it, into a
 * pg_target. Stricter than libpq: one host, known parameters only. No text of the URL goes into an
 * error: it holds a password.
 */
#include <stdlib.h>

#include "catalog/catalog_room.h"

#include "tenantgate/base/hex.h"

struct url_parts {
	struct slice user, password, host, port, dbname, query;
};

static bool
refuse(struct err *err, const char *why)
{
	err_set(err, ERR_BAD_REQUEST, "a postgres URL is malformed: %s", why);
	return false;
}

/* NULL when malformed (a bad %XX, a NUL or control character), or at the arena's ceiling. */
static char *
percent_decode(struct arena *a, struct slice s)
{
	char *out = arena_alloc(a, s.len + 1);
	size_t i, n = 0;

	if (out == NULL)
		return NULL;
	for (i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '%') {
			if (i + 2 >= s.len || hex_value(s.p[i + 1]) < 0 ||
			    hex_value(s.p[i + 2]) < 0)
				return NULL;
			c = (unsigned char)(hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2]));
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return NULL;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return out;
}

static const char *
find(struct slice s, char c)
{
	return s.len > 0 ? memchr(s.p, c, s.len) : NULL;
}

/* Cuts s at `at`: the part before is returned, s keeps the part after. at NULL: everything is
 * returned, s is left with p NULL. */
static struct slice
cut_at(struct slice *s, const char *at)
{
	struct slice head = *s;

	if (at == NULL) {
		*s = slice_of(NULL, 0);
		return head;
	}
	head.len = (size_t)(at - s->p);
	*s = slice_of(at + 1, s->len - head.len - 1);
	return head;
}

static struct slice
cut(struct slice *s, char c)
{
	return cut_at(s, find(*s, c));
}

/* A password may hold an unescaped '@': the last one counts. */
static const char *
find_account_end(struct slice s)
{
	const char *last = NULL, *at;

	while ((at = find(s, '@')) != NULL) {
		last = at;
		s = slice_of(at + 1, s.len - (size_t)(at + 1 - s.p));
	}
	return last;
}

static bool
split_host(struct slice hostport, struct url_parts *u)
{
	if (hostport.len > 0 && hostport.p[0] == '[') {
		struct slice rest = slice_of(hostport.p + 1, hostport.len - 1);

		u->host = cut(&rest, ']');
		if (rest.p == NULL || (rest.len > 0 && rest.p[0] != ':'))
			return false;
		u->port = rest.len > 0 ? slice_of(rest.p + 1, rest.len - 1) : rest;
		return true;
	}
	u->host = cut(&hostport, ':');
	u->port = hostport;
	return true;
}

static bool
split(struct slice rest, struct url_parts *u)
{
	struct slice front, hostport;
	const char *at;

	front = cut(&rest, '?');
	u->query = rest;
	hostport = cut(&front, '/');
	u->dbname = front;
	at = find_account_end(hostport);
	if (at != NULL) {
		struct slice account = cut_at(&hostport, at);

		u->user = cut(&account, ':');
		u->password = account;
	}
	return split_host(hostport, u);
}

static bool
parse_port(struct slice text, uint16_t *out)
{
	unsigned long n = 0;
	size_t i;

	*out = 5432;
	if (text.len == 0)
		return true;
	for (i = 0; i < text.len && n <= 65535; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (unsigned long)(text.p[i] - '0');
	}
	*out = (uint16_t)n;
	return n > 0 && n <= 65535;
}

static bool
sslmode_known(const char *mode)
{
	static const char *const modes[] = { "disable", "allow", "prefer", "require", "verify-ca",
		"verify-full" };
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(mode, modes[i]) == 0)
			return true;
	}
	return false;
}

/* channel_binding, connect_timeout and application_name come in URLs that consoles hand out: the
 * first is libpq's default wherever the server offers it, the others are ours to set. */
static bool
take_parameter(const char *name, const char *value, struct pg_target *out, struct err *err)
{
	if (strcmp(name, "sslmode") == 0) {
		out->sslmode = value;
		return sslmode_known(value) || refuse(err, "unknown sslmode");
	}
	if (strcmp(name, "sslrootcert") == 0)
		out->sslrootcert = value;
	else if (strcmp(name, "options") == 0)
		out->options = value;
	else if (strcmp(name, "host") == 0)
		out->host = value;
	else if (strcmp(name, "channel_binding") != 0 && strcmp(name, "connect_timeout") != 0 &&
	    strcmp(name, "application_name") != 0)
		return refuse(err, "unknown parameter after '?'");
	return true;
}

static bool
parse_query(struct arena *a, struct slice query, struct pg_target *out, struct err *err)
{
	while (query.len > 0) {
		struct slice pair = cut(&query, '&');
		struct slice name = cut(&pair, '=');
		char *name_text = percent_decode(a, name);
		char *value = percent_decode(a, pair);

		if (name_text == NULL || value == NULL)
			return refuse(err, "bad escape after '?'");
		if (!take_parameter(name_text, value, out, err))
			return false;
	}
	return true;
}

static bool
fill(struct arena *a, const struct url_parts *u, struct pg_target *out, struct err *err)
{
	out->host = percent_decode(a, u->host);
	out->user = percent_decode(a, u->user);
	out->password = percent_decode(a, u->password);
	out->dbname = percent_decode(a, u->dbname);
	out->sslmode = "prefer";
	if (out->host == NULL || out->user == NULL || out->password == NULL || out->dbname == NULL)
		return refuse(err, "bad escape or control character");
	if (u->password.p == NULL)
		out->password = NULL;
	if (!parse_port(u->port, &out->port))
		return refuse(err, "bad port");
	return parse_query(a, u->query, out, err);
}

bool
catalog_parse_url(struct arena *a, const char *url, struct pg_target *out, struct err *err)
{
	struct url_parts u = { 0 };
	struct slice rest = slice_str(url);

	memset(out, 0, sizeof(*out));
	if (!slice_starts(rest, "postgresql://") && !slice_starts(rest, "postgres://"))
		return refuse(err, "it begins with postgresql://");
	cut(&rest, ':');
	rest = slice_of(rest.p + 2, rest.len - 2);
	if (!split(rest, &u))
		return refuse(err, "bad host");
	if (!fill(a, &u, out, err))
		return false;
	if (out->host[0] == '\0')
		return refuse(err, "no host");
	if (out->user[0] == '\0')
		return refuse(err, "no user");
	if (out->dbname[0] == '\0')
		out->dbname = out->user;
	return true;
}
