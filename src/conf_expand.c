/* SPDX-License-Identifier: MIT */
/*
 * conf_expand: what a value takes from outside the file: ${NAME} and ${NAME:-default} from the
 * environment, @FILE for secrets. While expanding, the text that stands in the file itself is also
 * kept apart (`literal`): only that part of a secret is exposed by a file that others may read.
 */
#define _GNU_SOURCE /* environ */
#include "conf_internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"

#define NAME_MAX_BYTES 128 /* of an environment variable's name */

static size_t
name_length(struct slice s)
{
	size_t n = 0;

	while (n < s.len && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_'))
		n++;
	return n;
}

/* Shows nothing of what was written: a default may be a secret. */
static bool
refuse_reference(struct conf_reading *r, const struct conf_place *at)
{
	conf_error(r, at,
	    "A reference is ${NAME} or ${NAME:-default}; write $$ for a dollar sign.");
	return false;
}

/* The environment of the start, for reloads: what libpq would take from it is gone by then
 * (pg_environment_clear()). Strings as environ(7) has them; NULL: not kept. */
static char **kept_environment;

void
conf_environment_keep(void)
{
	size_t count = 0;

	while (environ[count] != NULL)
		count++;
	kept_environment = xcalloc(count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		kept_environment[i] = xstrdup(environ[i]);
}

static const char *
environment_value(const char *name)
{
	size_t n = strlen(name);

	for (char **e = kept_environment; e != NULL && *e != NULL; e++)
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
			return *e + n + 1;
	return kept_environment == NULL ? getenv(name) : NULL;
}

/* inside: what stands between the braces. As in a shell's ${NAME:-default}, an empty variable
 * counts as none. What the environment gives is not expanded again. */
static bool
expand_reference(struct conf_reading *r, const struct conf_place *at, struct slice inside,
    struct buf *out, struct buf *literal)
{
	size_t n = name_length(inside);
	struct slice rest = slice_of(inside.p + n, inside.len - n);
	char name[NAME_MAX_BYTES];
	const char *value;

	if (n == 0 || n >= sizeof(name) || (rest.len > 0 && !slice_starts(rest, ":-")))
		return refuse_reference(r, at);
	memcpy(name, inside.p, n);
	name[n] = '\0';
	value = environment_value(name);
	if (value != NULL && *value != '\0') {
		r->used_environment = true;
		return buf_puts(out, value);
	}
	if (rest.len > 0) {
		rest = slice_of(rest.p + 2, rest.len - 2);
		return buf_slice(out, rest) && buf_slice(literal, rest);
	}
	conf_error(r, at, "The environment has no %s; set it, or write ${%s:-DEFAULT}.", name,
	    name);
	return false;
}

static bool
refuse_length(struct conf_reading *r, const struct conf_place *at)
{
	conf_error(r, at, "The value is longer than %d bytes; shorten it.", CONF_VALUE_MAX);
	return false;
}

bool
conf_expand(struct conf_reading *r, const struct conf_place *at, struct slice text, struct buf *out,
    struct buf *literal)
{
	const char *p = text.p, *end = text.p + text.len, *close;

	while (p < end) {
		if (end - p > 1 && p[0] == '$' && p[1] == '{') {
			close = memchr(p, '}', (size_t)(end - p));
			if (close == NULL)
				return refuse_reference(r, at);
			if (!expand_reference(r, at, slice_of(p + 2, (size_t)(close - p - 2)), out,
				literal))
				return out->failed ? refuse_length(r, at) : false;
			p = close + 1;
			continue;
		}
		if (end - p > 1 && p[0] == '$' && p[1] == '$')
			p++;
		buf_putc(out, *p);
		buf_putc(literal, *p++);
	}
	return out->failed ? refuse_length(r, at) : true;
}

bool
conf_path_beside(const char *file, struct slice path, char *out, size_t size)
{
	const char *slash = strrchr(file, '/');
	int n;

	if (path.len > 0 && path.p[0] == '/')
		slash = NULL;
	n = snprintf(out, size, "%.*s%.*s", slash == NULL ? 0 : (int)(slash - file + 1), file,
	    SLICE_ARG(path));
	return n >= 0 && (size_t)n < size;
}

/* The mode is taken from the open descriptor, so that the file checked is the file read. Others'
 * bits alone count: a group may share the secret. Our own copy is wiped. */
bool
conf_read_secret(struct conf_reading *r, const struct conf_place *at, const char *path,
    struct buf *out)
{
	int fd = conf_input_open(path);
	char text[CONF_VALUE_MAX];
	struct stat st;
	ssize_t n;

	if (fd == -1 || fstat(fd, &st) == -1 || (n = conf_input_read(fd, text, sizeof(text))) < 0) {
		conf_error(r, at, "%s cannot be read: %s.", path, strerror(errno));
		if (fd != -1)
			close(fd);
		return false;
	}
	close(fd);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	buf_add(out, text, (size_t)n);
	bytes_wipe(text, sizeof(text));
	if ((st.st_mode & 007) != 0)
		conf_error(r, at, "%s can be read by others; run `chmod o= %s`.", path, path);
	else if (out->failed || n == (ssize_t)sizeof(text))
		refuse_length(r, at);
	return (st.st_mode & 007) == 0 && !out->failed && n < (ssize_t)sizeof(text);
}
