/* SPDX-License-Identifier: MIT */
/*
 * conf_file: the lines of a configuration file.
 *
 *	# or ; comment			at the start of a line only
 *	[tenantgate]			the one section; keys before it are errors
 *	key = value			to the end of the line, blanks around it cut
 *	%include other.conf		beside this file; starts without a section of its own
 *
 * Every error is said and the reading goes on, so that one run shows them all.
 */
#include "conf_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/url.h"

#define SECTION	      "tenantgate"
#define FILE_SIZE_MAX (1u << 20)
#define INCLUDE_MAX   8

/* In a file: where, and whether a section was opened. */
struct lines {
	struct conf_place at;
	bool in_section;
};

static const struct conf_key *
find_key(struct slice name)
{
	for (unsigned i = 0; i < conf_key_count; i++)
		if (conf_keys[i].type != CONF_GROUP && slice_is(name, conf_keys[i].name))
			return &conf_keys[i];
	return NULL;
}

static void
conf_error_unknown_key(struct conf_reading *r, const struct conf_place *at, struct slice name)
{
	struct conf_guess guess;

	conf_guess_start(&guess, name);
	for (unsigned i = 0; i < conf_key_count; i++)
		if (conf_keys[i].type != CONF_GROUP)
			conf_guess_try(&guess, conf_keys[i].name);
	if (guess.best == NULL)
		conf_error(r, at, "unknown key \"%.*s\"", SLICE_ARG(name));
	else
		conf_error(r, at, "unknown key \"%.*s\"; did you mean \"%s\"?", SLICE_ARG(name),
		    guess.best);
}

static bool
is_secret_written(const struct conf_key *k, struct slice written)
{
	if (k->type == CONF_SECRET)
		return written.len > 0;
	return k->type == CONF_URL && url_has_password(written);
}

/* The value as it stands in the file into out: expanded, or read from the file it names. */
static bool
get_value(struct conf_reading *r, const struct conf_place *at, const struct conf_key *k,
    struct slice text, struct buf *out, struct buf *written)
{
	char path[4096];

	if (!conf_expand(r, at, text, out, written))
		return false;
	if ((k->type == CONF_SECRET || k->type == CONF_URL) && text.len > 1 && text.p[0] == '@') {
		if (!conf_path_beside(at->file, slice_of(out->data + 1, out->len - 1), path,
			sizeof(path))) {
			conf_error(r, at, "%s: the file's path is too long", k->name);
			return false;
		}
		buf_reset(out);
		return conf_read_secret(r, at, path, out);
	}
	if (r->public && is_secret_written(k, buf_view(written))) {
		conf_error(r, at,
		    "%s is a secret and others may read this file: chmod o= %s, or use"
		    " ${ENV} or @file",
		    k->name, at->file);
		return false;
	}
	return true;
}

/* Born at full size: a secret that grows in steps leaves copies behind. */
static void
value_init(struct buf *b)
{
	buf_init(b, CONF_VALUE_MAX);
	buf_extend(b, CONF_VALUE_MAX);
	buf_reset(b);
}

static void
set_key(struct conf_reading *r, const struct conf_place *at, const struct conf_key *k,
    struct slice text)
{
	struct conf_place *seen = &r->seen[k - conf_keys];
	struct buf value, written;

	if (seen->file != NULL) {
		conf_error(r, at, "%s is set twice: first at %s:%u", k->name, seen->file,
		    seen->line);
		return;
	}
	*seen = *at;
	value_init(&value);
	value_init(&written);
	if (get_value(r, at, k, text, &value, &written))
		conf_store(r, at, k, slice_trim(buf_view(&value)));
	buf_wipe(&value);
	buf_wipe(&written);
}

static void
read_section(struct conf_reading *r, struct lines *in, struct slice line)
{
	if (line.p[line.len - 1] != ']') {
		conf_error(r, &in->at, "a section ends in ]");
		return;
	}
	line = slice_trim(slice_of(line.p + 1, line.len - 2));
	in->in_section = true;
	if (!slice_is(line, SECTION))
		conf_error(r, &in->at, "unknown section [%.*s]; keys belong to [" SECTION "]",
		    SLICE_ARG(line));
}

static void
read_include(struct conf_reading *r, const struct lines *in, struct slice line)
{
	struct slice name = slice_trim(slice_of(line.p + 8, line.len - 8));
	char path[4096];

	if (name.len == 0 || name.len == line.len - 8)
		conf_error(r, &in->at, "write %%include FILE");
	else if (!conf_path_beside(in->at.file, name, path, sizeof(path)))
		conf_error(r, &in->at, "the file's path is too long");
	else if (r->depth >= INCLUDE_MAX)
		conf_error(r, &in->at, "%%include goes deeper than %d files", INCLUDE_MAX);
	else
		conf_read_file(r, path, &in->at);
}

static void
read_line(struct conf_reading *r, struct lines *in, struct slice line)
{
	const char *equals;
	struct slice name;
	const struct conf_key *k;

	if (line.len == 0 || line.p[0] == '#' || line.p[0] == ';')
		return;
	if (line.p[0] == '[') {
		read_section(r, in, line);
		return;
	}
	if (slice_starts(line, "%include")) {
		read_include(r, in, line);
		return;
	}
	equals = memchr(line.p, '=', line.len);
	name = slice_trim(slice_of(line.p, equals == NULL ? line.len : (size_t)(equals - line.p)));
	k = find_key(name);
	if (equals == NULL)
		conf_error(r, &in->at, "neither a comment nor `key = value`");
	else if (!in->in_section)
		conf_error(r, &in->at, "%.*s stands before any section; start with [" SECTION "]",
		    SLICE_ARG(name));
	else if (k == NULL)
		conf_error_unknown_key(r, &in->at, name);
	else
		set_key(r, &in->at, k,
		    slice_trim(slice_of(equals + 1, (size_t)(line.p + line.len - equals - 1))));
}

static void
read_lines(struct conf_reading *r, const char *path, struct slice text)
{
	struct lines in = { .at.file = conf_keep(r->conf, slice_str(path)) };

	while (text.len > 0) {
		const char *nl = memchr(text.p, '\n', text.len);
		size_t n = nl == NULL ? text.len : (size_t)(nl - text.p);
		struct slice line = slice_of(text.p, n);

		in.at.line++;
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		read_line(r, &in, slice_trim(line));
		n += nl != NULL;
		text = slice_of(text.p + n, text.len - n);
	}
}

/* The bytes of an open file, owned by the caller; NULL with errno. */
static char *
load_file(int fd, struct stat *st, size_t *len)
{
	char *text;
	ssize_t got = 1;

	if (fstat(fd, st) == -1)
		return NULL;
	text = xmalloc(FILE_SIZE_MAX);
	for (*len = 0; *len < FILE_SIZE_MAX && got > 0; *len += (size_t)got) {
		got = read(fd, text + *len, FILE_SIZE_MAX - *len);
		if (got < 0) {
			free(text);
			return NULL;
		}
	}
	return text;
}

void
conf_read_file(struct conf_reading *r, const char *path, const struct conf_place *from)
{
	struct conf_place here = { path, 0 };
	bool public_before = r->public;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t len = 0;
	char *text = fd == -1 ? NULL : load_file(fd, &st, &len);

	if (text == NULL) {
		conf_error(r, from == NULL ? &here : from, "%s%s%s", from == NULL ? "" : path,
		    from == NULL ? "" : ": ", strerror(errno));
	} else if (len == FILE_SIZE_MAX) {
		conf_error(r, &here, "longer than a megabyte");
	} else {
		r->depth++;
		r->public = (st.st_mode & 007) != 0;
		read_lines(r, path, slice_of(text, len));
		r->public = public_before;
		r->depth--;
	}
	if (text != NULL)
		bytes_wipe(text, len);
	free(text);
	if (fd != -1)
		close(fd);
}
