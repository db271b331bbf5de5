/* SPDX-License-Identifier: MIT */
/*
 * ctl_request: a command's words as a request: what fills the path, what goes into the query, and
 * what into the body.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "tenantgate/base/secret.h"

#define PATH_MAX_BYTES (16u << 10)
#define LOGIN_MAX      (8u << 10)

/* RFC 3986, 2.3: all but unreserved bytes are encoded, so an id never ends a segment. */
static void
path_add_encoded(struct buf *path, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (const char *p = text; *p != '\0'; p++) {
		if (strchr(plain, *p) != NULL)
			buf_putc(path, *p);
		else
			buf_printf(path, "%%%02X", (unsigned char)*p);
	}
}

void
ctl_query_add(struct buf *path, const char *name, const char *value)
{
	buf_putc(path, memchr(path->data, '?', path->len) == NULL ? '?' : '&');
	buf_puts(path, name);
	buf_putc(path, '=');
	path_add_encoded(path, value);
}

/* Sets a member at a path of names, "compute.minCu", with the objects on the way. Takes value
 * over. */
static bool
member_set(json_t *object, const char *path, json_t *value)
{
	const char *dot = strchr(path, '.');
	json_t *inner;
	char name[64];

	if (dot == NULL)
		return json_object_set_new(object, path, value) == 0;
	if ((size_t)(dot - path) >= sizeof(name)) {
		json_decref(value);
		return false;
	}
	memcpy(name, path, (size_t)(dot - path));
	name[dot - path] = '\0';
	inner = json_object_get(object, name);
	if (inner == NULL) {
		inner = json_object();
		if (json_object_set_new(object, name, inner) != 0) {
			json_decref(value);
			return false;
		}
	}
	return member_set(inner, dot + 1, value);
}

static json_t *
list_value(const char *text)
{
	json_t *list = json_array();

	while (list != NULL && *text != '\0') {
		size_t n = strcspn(text, ",");

		if (n > 0)
			(void)json_array_append_new(list, json_stringn(text, n));
		text += n + (text[n] == ',');
	}
	return list;
}

/* A number, true, false or null is that; anything else is a text. */
static json_t *
pair_value(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	return value != NULL ? value : json_string(text);
}

/* Whoever can list processes can read the command line. */
static bool
has_password(const char *url)
{
	const char *login = strstr(url, "://");
	const char *at = login != NULL ? strrchr(login, '@') : NULL;
	const char *colon = at != NULL ? memchr(login + 3, ':', (size_t)(at - login) - 3) : NULL;

	return colon != NULL || strstr(url, "password") != NULL;
}

/* NULL with err set. */
static json_t *
login_value(const struct ctl_option *o, const char *text, struct err *err)
{
	char url[LOGIN_MAX];
	json_t *value;

	if (*text != '@' && !has_password(text))
		return json_string(text);
	if (*text != '@') {
		err_set(err, ERR_INVALID_FIELD,
		    "A password on the command line is seen by all users of this machine. Put the "
		    "URL into a file that nobody else can read, and say --%s @FILE.",
		    o->name);
		return NULL;
	}
	if (!ctl_secret_read(text + 1, url, sizeof(url), err))
		return NULL;
	value = json_string(url);
	bytes_wipe(url, sizeof(url));
	return value;
}

static json_t *
option_value(const struct ctl_option *o, const char *text, struct err *err)
{
	switch (o->type) {
	case CTL_LOGIN:
		return login_value(o, text, err);
	case CTL_LIST:
		return list_value(text);
	case CTL_SWITCH:
	case CTL_NUMBER:
		return pair_value(text);
	default:
		return json_string(text);
	}
}

static bool
option_put(struct ctl_request *r, const struct ctl_option *o, const char *text, struct err *err)
{
	if (o->place == CTL_QUERY)
		ctl_query_add(&r->path, o->member, text);
	else if (!member_set(r->body, o->member, option_value(o, text, err)))
		err_set(err, ERR_INVALID_FIELD, "Option --%s takes another value; see --help.",
		    o->name);
	return !err_is(err);
}

/* words[i] is "--name", "--name=value", or "--name" and the next word is its value. Returns how
 * many words it took; 0 with err set. */
static int
option_read(struct ctl_request *r, const struct ctl_command *c, char *const *words, int left,
    struct err *err)
{
	const char *name = words[0] + 2;
	size_t n = strcspn(name, "=");

	for (const struct ctl_option *o = c->options; o != NULL && o->name != NULL; o++) {
		bool has_value = name[n] == '=';

		if (strlen(o->name) != n || strncmp(o->name, name, n) != 0)
			continue;
		if (o->type == CTL_SWITCH)
			return option_put(r, o, o->value, err) ? 1 : 0;
		if (!has_value && left < 2)
			break;
		return option_put(r, o, has_value ? name + n + 1 : words[1], err) ? 2 - has_value
										  : 0;
	}
	err_set(err, ERR_INVALID_FIELD,
	    "\"%s\" has no option %.60s, or it wants a value; try `%s --help`.", c->words, words[0],
	    c->words);
	return 0;
}

static bool
pair_put(struct ctl_request *r, const char *word, struct err *err)
{
	size_t n = strcspn(word, "=");
	char name[128];

	if (n == 0 || n >= sizeof(name) || word[n] != '=') {
		err_set(err, ERR_INVALID_FIELD, "\"%.60s\" is not NAME=VALUE.", word);
		return false;
	}
	memcpy(name, word, n);
	name[n] = '\0';
	if (!member_set(r->body, name, pair_value(word + n + 1)))
		err_set(err, ERR_INVALID_FIELD, "\"%.60s\" cannot be set; see --help.", name);
	return !err_is(err);
}

/* Replaces the first {} that is left. */
static const char *
path_fill(struct ctl_request *r, const char *rest, const char *word)
{
	const char *hole = strstr(rest, "{}");

	buf_add(&r->path, rest, (size_t)(hole - rest));
	path_add_encoded(&r->path, word);
	return hole + 2;
}

/* The words that are the path's come before the options' effect on the query. */
static int
path_make(struct ctl_request *r, const struct ctl_command *c, char *const *words, int count,
    struct err *err)
{
	const char *rest = c->path;
	int used = 0;

	while (strstr(rest, "{}") != NULL) {
		if (used == count || strncmp(words[used], "--", 2) == 0 || words[used][0] == '\0') {
			err_set(err, ERR_INVALID_FIELD, "\"%s\" wants %s; try `%s --help`.",
			    c->words, c->arguments, c->words);
			return 0;
		}
		rest = path_fill(r, rest, words[used++]);
	}
	buf_puts(&r->path, rest);
	return used;
}

static bool
words_read(struct ctl_request *r, const struct ctl_command *c, char *const *words, int count,
    struct err *err)
{
	int i = path_make(r, c, words, count, err);

	while (i < count && !err_is(err)) {
		if (strncmp(words[i], "--", 2) == 0) {
			i += option_read(r, c, words + i, count - i, err);
		} else if ((c->flags & CTL_PAIRS) != 0) {
			(void)pair_put(r, words[i++], err);
		} else {
			err_set(err, ERR_INVALID_FIELD,
			    "\"%s\" takes no further word \"%.60s\"; try `%s --help`.", c->words,
			    words[i], c->words);
		}
	}
	return !err_is(err);
}

bool
ctl_request_make(struct ctl_request *r, const struct ctl_command *c, const struct ctl_options *o,
    char *const *words, int count, struct err *err)
{
	buf_init(&r->path, PATH_MAX_BYTES);
	r->body = json_object();
	if (r->body == NULL || !words_read(r, c, words, count, err)) {
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the request");
		return false;
	}
	if (strcmp(c->method, "GET") == 0 ||
	    (strcmp(c->method, "DELETE") == 0 && json_object_size(r->body) == 0)) {
		json_decref(r->body);
		r->body = NULL;
	}
	if (o->is_dry_run)
		ctl_query_add(&r->path, "dryRun", "true");
	return true;
}

void
ctl_request_free(struct ctl_request *r)
{
	buf_free(&r->path);
	json_decref(r->body);
}
