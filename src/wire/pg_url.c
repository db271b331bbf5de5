/* SPDX-License-Identifier: MIT */
/*
 * pg_url: reads a Postgres connection URI in two passes. First its parameters are checked by name,
 * against one table, and the URI is written again with those that we support; then libpq's parser
 * (PQconninfoParse) reads that. The first pass is needed because libpq fails as a whole over a name
 * that it does not know, and reads others (service, passfile) that point at files. libpq's own
 * error text may quote a password: it is never looked at.
 *
 * Every copy of the URI made here is wiped before it is freed, except what ends in the arena.
 */
#include "tenantgate/wire/pg_url.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/url.h"
#include "wire/url_login.h"

#define PG_URL_MAX     16384 /* bytes, with what escaping adds */
#define NAMES_SHOWN    160   /* bytes of names in a log line */
#define NAME_SHOWN_MAX 40    /* a longer one is no parameter's name */

enum parameter_use {
	PARAMETER_USED,	   /* a field of struct pg_target */
	PARAMETER_DROPPED, /* harmless, and in many strings that consoles hand out */
	PARAMETER_REFUSED, /* would change what is connected to, or how, and does not */
};

struct uri_parameter {
	const char *name;
	enum parameter_use use;
	const char *advice; /* what to do instead, where it is refused */
};

/* Those that are not used are known to libpq. One that is not here at all is refused in a strict
 * reading; a lenient one drops whatever is not used. */
static const struct uri_parameter parameters[] = {
	{ "host", PARAMETER_USED, NULL },
	{ "port", PARAMETER_USED, NULL },
	{ "dbname", PARAMETER_USED, NULL },
	{ "user", PARAMETER_USED, NULL },
	{ "password", PARAMETER_USED, NULL },
	{ "sslmode", PARAMETER_USED, NULL },
	{ "sslrootcert", PARAMETER_USED, NULL },
	{ "channel_binding", PARAMETER_USED, NULL },
	{ "service", PARAMETER_REFUSED, "write host, user and database into the URL" },
	{ "passfile", PARAMETER_REFUSED,
	    "write the password into the URL, or the URL into a file: @FILE" },
	{ "sslkey", PARAMETER_REFUSED, "log in with a password" },
	{ "sslcert", PARAMETER_REFUSED, "log in with a password" },
	{ "hostaddr", PARAMETER_REFUSED, "write the host's name or address after the @" },
	{ "options", PARAMETER_REFUSED,
	    "remove it; a setting can be given to the role by ALTER ROLE ... SET" },
	{ "connect_timeout", PARAMETER_DROPPED, NULL },
	{ "application_name", PARAMETER_DROPPED, NULL },
};

/* False, for the caller's return. Neither text may hold a part of the URI but a checked name. */
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

/* Only a short word in lower case is shown: anything else may be a piece of a password that holds
 * an unescaped '?' or '&'. */
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

/* A used one gets here when it has no '=' and value. */
static bool
parameter_refuse(struct slice name, const struct uri_parameter *p, struct err *err)
{
	char what[32 + NAME_SHOWN_MAX];

	if (!name_may_be_shown(name))
		return pg_url_refuse(err, "has a parameter that is not supported",
		    "remove it, and write ? and & in a password as %3F and %26");
	snprintf(what, sizeof(what), "%s parameter %.*s",
	    p != NULL && p->use == PARAMETER_USED ? "needs a value of its" : "must not have the",
	    SLICE_ARG(name));
	if (p != NULL && p->use == PARAMETER_USED)
		return pg_url_refuse(err, what, "write it as NAME=VALUE");
	return pg_url_refuse(err, what,
	    p != NULL ? p->advice : "it would have no effect, remove it");
}

/* Past NAMES_SHOWN the buf fails, and the log line says "and more". */
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

/* What stands before the first c; *rest is then what stands behind it. All of it without one. */
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

/* Appends the used ones to `out`, as they are written: decoding is libpq's. */
static bool
parameters_filter(struct slice query, enum pg_url_policy policy, struct buf *out,
    struct buf *dropped, struct err *err)
{
	char separator = '?';

	while (query.len > 0) {
		struct slice pair = query_cut(&query, '&'), value = pair;
		struct slice name = query_cut(&value, '=');
		const struct uri_parameter *p = parameter_find(name);

		if (p != NULL && p->use == PARAMETER_USED && value.p != NULL) {
			buf_putc(out, separator);
			buf_slice(out, pair);
			separator = '&';
		} else if (policy == PG_URL_LENIENT || (p != NULL && p->use == PARAMETER_DROPPED)) {
			parameter_drop(name, dropped);
		} else {
			return parameter_refuse(name, p, err);
		}
	}
	return true;
}

/* An unescaped '@' after the first '?': that '?' is probably a password's, and what would be taken
 * for parameters' names are pieces of it. A lenient reading allows for it where the login has an
 * '@' of its own before. */
static bool
query_is_login(struct slice front, struct slice query, enum pg_url_policy policy)
{
	if (query.len == 0 || memchr(query.p, '@', query.len) == NULL)
		return false;
	return policy == PG_URL_STRICT || memchr(front.p, '@', front.len) == NULL;
}

/* The first pass: the URI that libpq is to read, its login escaped, its parameters filtered. */
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

/* An escaped line break or NUL (%00, where libpq itself fails) has no place in any of the values,
 * and would forge lines of a log. */
static bool
value_has_control(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return true;
	}
	return false;
}

/* Copies the option into the arena if it is set; *out stays as it is otherwise. False: a control
 * character, or no memory. */
static bool
conninfo_copy(struct arena *a, const PQconninfoOption *options, const char *name, const char **out)
{
	const PQconninfoOption *o = options;

	while (o->keyword != NULL && strcmp(o->keyword, name) != 0)
		o++;
	if (o->keyword == NULL || o->val == NULL)
		return true;
	*out = arena_strdup(a, o->val);
	return *out != NULL && !value_has_control(*out);
}

/* libpq looks at a port only when it connects: a bad one would be found out too late. */
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

/* libpq looks at these, too, only when it connects. A lenient reading takes a mode that is not
 * known here (a later libpq's) for the strictest one that is: never less security than was asked
 * for. */
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

/* An unescaped '/' in a password ends the authority: the host is then what was meant as the user,
 * or missing; hence the advice. A comma makes a list of hosts to libpq, a leading '/' or '@' a
 * socket. */
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
	if (!url_host_is_ascii(host))
		return pg_url_refuse(err, "has a host with characters beyond ASCII",
		    URL_HOST_ADVICE);
	return true;
}

/* The second pass: libpq's options as a pg_target, checked. */
static bool
pg_target_fill(struct arena *a, const PQconninfoOption *o, enum pg_url_policy policy,
    struct pg_target *t, struct err *err)
{
	const char *port = NULL;

	*t = (struct pg_target){ .host = "", .user = "", .dbname = "", .sslmode = "prefer" };
	if (!conninfo_copy(a, o, "host", &t->host) || !conninfo_copy(a, o, "port", &port) ||
	    !conninfo_copy(a, o, "dbname", &t->dbname) || !conninfo_copy(a, o, "user", &t->user) ||
	    !conninfo_copy(a, o, "password", &t->password) ||
	    !conninfo_copy(a, o, "sslmode", &t->sslmode) ||
	    !conninfo_copy(a, o, "sslrootcert", &t->sslrootcert) ||
	    !conninfo_copy(a, o, "channel_binding", &t->channel_binding))
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

/* PQconninfoFree() does not wipe. NULL is fine. */
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
