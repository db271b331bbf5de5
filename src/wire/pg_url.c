/* SPDX-License-Identifier: MIT */
/*
 * pg_url: the parameters of a URI are judged by their names, in one table; what is left is given to
 * libpq's parser, which fails as a whole over a name that it does not know, and whose error text
 * may quote a password: it is never looked at.
 */
#include "tenantgate/wire/pg_url.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"
#include "wire/url_login.h"

#define PG_URL_MAX     16384 /* bytes, with what escaping adds */
#define NAMES_SHOWN    160   /* bytes of names in a log line */
#define NAME_SHOWN_MAX 40    /* a longer one is no parameter's name */

struct uri_parameter {
	const char *name;
	bool is_read;
	const char *advice; /* when it is not: "Remove it" otherwise */
};

static const struct uri_parameter parameters[] = {
	{ "host", true, NULL },
	{ "port", true, NULL },
	{ "dbname", true, NULL },
	{ "user", true, NULL },
	{ "password", true, NULL },
	{ "sslmode", true, NULL },
	{ "sslrootcert", true, NULL },
	{ "channel_binding", true, NULL },
	{ "service", false, "write host, user and database into the URL" },
	{ "passfile", false, "write the password into the URL, or the URL into a file: @FILE" },
	{ "sslkey", false, "log in with a password" },
	{ "sslcert", false, "log in with a password" },
	{ "hostaddr", false, "write the host's name or address after the @" },
	{ "options", false, "set it for the role, by ALTER ROLE ... SET" },
	{ "connect_timeout", false, "set the time-out by its own key" },
	{ "application_name", false, "the name is always tenantgate" },
};

static bool
pg_url_refuse(struct err *err, const char *what, const char *advice)
{
	err_set(err, ERR_BAD_REQUEST, "The Postgres URL %s: %s.", what, advice);
	return false;
}

/* ---- names of parameters ---- */

static const struct uri_parameter *
parameter_find(struct slice name)
{
	size_t i;

	for (i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (slice_is(name, parameters[i].name))
			return &parameters[i];
	}
	return NULL;
}

/* What is no plain word may be a piece of a password with a raw '?' or '&' in it. */
static bool
name_may_be_shown(struct slice name)
{
	size_t i;

	for (i = 0; i < name.len; i++) {
		if (!islower((unsigned char)name.p[i]) && name.p[i] != '_')
			return false;
	}
	return name.len > 0 && name.len <= NAME_SHOWN_MAX;
}

static bool
parameter_refuse(struct slice name, const struct uri_parameter *p, struct err *err)
{
	char what[32 + NAME_SHOWN_MAX];

	if (!name_may_be_shown(name))
		return pg_url_refuse(err, "has a parameter that is not supported",
		    "remove it, and write ? and & in a password as %3F and %26");
	snprintf(what, sizeof(what), "%s parameter %.*s",
	    p != NULL && p->is_read ? "needs a value of its" : "must not have the",
	    SLICE_ARG(name));
	if (p != NULL && p->is_read)
		return pg_url_refuse(err, what, "write it as NAME=VALUE");
	return pg_url_refuse(err, what,
	    p != NULL ? p->advice : "it would have no effect, remove it");
}

static void
parameter_drop(struct slice name, struct buf *dropped)
{
	if (dropped->len > 0)
		buf_puts(dropped, ", ");
	if (name_may_be_shown(name))
		buf_slice(dropped, name);
	else
		buf_puts(dropped, "(no plain name)");
}

/* ---- the URI that libpq is to read ---- */

static struct slice
query_cut(struct slice *rest, char c)
{
	const char *at = rest->len > 0 ? memchr(rest->p, c, rest->len) : NULL;
	struct slice head = *rest;

	if (at == NULL) {
		*rest = slice_of(NULL, 0);
		return head;
	}
	head.len = (size_t)(at - head.p);
	*rest = slice_of(at + 1, rest->len - head.len - 1);
	return head;
}

/* Appends those that are read to `out`. */
static bool
parameters_filter(struct slice query, enum pg_url_policy policy, struct buf *out,
    struct buf *dropped, struct err *err)
{
	char separator = '?';

	while (query.len > 0) {
		struct slice pair = query_cut(&query, '&'), value = pair;
		struct slice name = query_cut(&value, '=');
		const struct uri_parameter *p = parameter_find(name);

		if (p != NULL && p->is_read && value.p != NULL) {
			buf_putc(out, separator);
			buf_slice(out, pair);
			separator = '&';
		} else if (policy == PG_URL_STRICT) {
			return parameter_refuse(name, p, err);
		} else {
			parameter_drop(name, dropped);
		}
	}
	return true;
}

/* A raw '@' after the first '?': that '?' is probably a password's, and what would be taken for
 * names are pieces of it. */
static bool
query_is_login(struct slice front, struct slice query, enum pg_url_policy policy)
{
	if (query.len == 0 || memchr(query.p, '@', query.len) == NULL)
		return false;
	return policy == PG_URL_STRICT || memchr(front.p, '@', front.len) == NULL;
}

static bool
pg_uri_write(const char *url, enum pg_url_policy policy, struct buf *out, struct err *err)
{
	struct slice query = slice_str(url), front = query_cut(&query, '?');
	struct buf dropped;
	bool good;

	if (!slice_starts(front, "postgresql://") && !slice_starts(front, "postgres://"))
		return pg_url_refuse(err, "does not begin with postgresql://",
		    "write postgresql://USER:PASSWORD@HOST[:PORT]/DATABASE");
	if (query_is_login(front, query, policy))
		return pg_url_refuse(err, "has a ? before an @",
		    "write ? in a password as %3F, @ after the ? as %40");
	buf_init(&dropped, NAMES_SHOWN);
	url_escape_login(out, front, "/");
	good = parameters_filter(query, policy, out, &dropped, err);
	if (good && dropped.len > 0)
		log_event(LOG_WARNING, "pg.uri_parameters_dropped", NULL,
		    "Parameters of a connection URI are not used: %s%s; look whether the database "
		    "needs them.",
		    dropped.data, dropped.failed ? " and more" : "");
	buf_free(&dropped);
	if (good && out->failed)
		return pg_url_refuse(err, "is too long", "shorten it");
	return good;
}

/* ---- values ---- */

static bool
value_has_control(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return true;
	}
	return false;
}

/* Copies what is set into the arena: *out stays as it is otherwise. */
static bool
conninfo_take(struct arena *a, const PQconninfoOption *options, const char *name, const char **out)
{
	const PQconninfoOption *o = options;

	while (o->keyword != NULL && strcmp(o->keyword, name) != 0)
		o++;
	if (o->keyword == NULL || o->val == NULL)
		return true;
	*out = arena_strdup(a, o->val);
	return *out != NULL && !value_has_control(*out);
}

static bool
pg_port_read(const char *text, uint16_t *out)
{
	unsigned long n;
	char *end;

	*out = PG_PORT_DEFAULT;
	if (text == NULL || text[0] == '\0')
		return true;
	n = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 0;
	*out = (uint16_t)n;
	return n > 0 && n <= UINT16_MAX && *end == '\0';
}

static bool
word_is_among(const char *word, const char *const *words)
{
	while (*words != NULL && strcmp(word, *words) != 0)
		words++;
	return *words != NULL;
}

/* libpq looks at these only when it connects. A mode that is not known here asks for no less than
 * the strictest one that is. */
static bool
pg_modes_check(struct pg_target *t, enum pg_url_policy policy, struct err *err)
{
	static const char *const ssl[] = { "disable", "allow", "prefer", "require", "verify-ca",
		"verify-full", NULL };
	static const char *const binding[] = { "disable", "prefer", "require", NULL };

	if (policy == PG_URL_LENIENT && !word_is_among(t->sslmode, ssl))
		t->sslmode = "verify-full";
	if (policy == PG_URL_LENIENT && t->channel_binding != NULL &&
	    !word_is_among(t->channel_binding, binding))
		t->channel_binding = "require";
	if (!word_is_among(t->sslmode, ssl))
		return pg_url_refuse(err, "has an unknown sslmode",
		    "it is disable, allow, prefer, require, verify-ca or verify-full");
	if (t->channel_binding != NULL && !word_is_among(t->channel_binding, binding))
		return pg_url_refuse(err, "has an unknown channel_binding",
		    "it is disable, prefer or require");
	return true;
}

/* A raw '/' in a password ends the authority: the host is then the user, or missing. */
static bool
pg_host_check(const char *host, struct err *err)
{
	if (host[0] == '/' || host[0] == '@')
		return pg_url_refuse(err, "names a Unix socket", "write the server's host name");
	if (strchr(host, ',') != NULL)
		return pg_url_refuse(err, "names several hosts", "write one");
	if (host[0] == '\0')
		return pg_url_refuse(err, "names no host", "write it after the @");
	if (strlen(host) > DNS_NAME_MAX || strpbrk(host, "@/?#%\\ ") != NULL)
		return pg_url_refuse(err, "has a host that is no name or address",
		    "escape @ / ? # and % in a password as %XX");
	return true;
}

static bool
pg_target_fill(struct arena *a, const PQconninfoOption *o, enum pg_url_policy policy,
    struct pg_target *t, struct err *err)
{
	const char *port = NULL;

	*t = (struct pg_target){ .host = "", .user = "", .dbname = "", .sslmode = "prefer" };
	if (!conninfo_take(a, o, "host", &t->host) || !conninfo_take(a, o, "port", &port) ||
	    !conninfo_take(a, o, "dbname", &t->dbname) || !conninfo_take(a, o, "user", &t->user) ||
	    !conninfo_take(a, o, "password", &t->password) ||
	    !conninfo_take(a, o, "sslmode", &t->sslmode) ||
	    !conninfo_take(a, o, "sslrootcert", &t->sslrootcert) ||
	    !conninfo_take(a, o, "channel_binding", &t->channel_binding))
		return pg_url_refuse(err, "holds a control character", "remove it");
	if (!pg_host_check(t->host, err) || !pg_modes_check(t, policy, err))
		return false;
	if (!pg_port_read(port, &t->port))
		return pg_url_refuse(err, "has a bad port",
		    "it is 1 to 65535, and / is %2F in a password");
	if (t->user[0] == '\0')
		return pg_url_refuse(err, "names no user",
		    "write USER:PASSWORD@ before the host, with / in a password as %2F");
	if (t->dbname[0] == '\0')
		t->dbname = t->user;
	return true;
}

static void
conninfo_free(PQconninfoOption *options)
{
	PQconninfoOption *o;

	for (o = options; o != NULL && o->keyword != NULL; o++) {
		if (o->val != NULL)
			bytes_wipe(o->val, strlen(o->val));
	}
	PQconninfoFree(options);
}

bool
pg_url_read(struct arena *a, const char *url, enum pg_url_policy policy, struct pg_target *out,
    struct err *err)
{
	PQconninfoOption *options;
	struct buf uri;
	bool good;

	memset(out, 0, sizeof(*out));
	buf_init(&uri, PG_URL_MAX);
	good = pg_uri_write(url, policy, &uri, err);
	if (good) {
		options = PQconninfoParse(uri.data, NULL);
		good = options != NULL
		    ? pg_target_fill(a, options, policy, out, err)
		    : pg_url_refuse(err, "is malformed",
			  "write an IPv6 address in [ ], and % in a password as %25");
		conninfo_free(options);
	}
	url_buf_wipe(&uri);
	return good;
}
