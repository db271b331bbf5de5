/* SPDX-License-Identifier: MIT */
/*
 * conf_file: reads the lines of a configuration file and sets the keys they name.
 *
 *	# or ; comment			at the start of a line only
 *	[tenantgate]			a section; keys before any are errors
 *	[model NAME]			one of several of a kind, with keys of its own
 *	key = value			to the end of the line, blanks around it cut
 *	%include other.conf		beside this file; starts without a section of its own
 *
 * A '#' later in a line belongs to the value: passwords have them. Every error is reported and the
 * reading goes on, so that one run shows them all.
 */
#include "conf_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/url.h"

#define FILE_SIZE_MAX (1u << 20) /* bytes */
#define INCLUDE_MAX   8		 /* deep: a file that includes itself ends there */

/* One file while its lines are read. */
struct lines {
	struct conf_place at;	  /* the present line */
	bool in_section;	  /* a [section] was opened, good or not */
	struct conf_scope *scope; /* it; NULL: its keys are passed over */
};

static void
conf_error_unknown_key(struct conf_reading *r, const struct lines *in, struct slice name)
{
	const struct conf_section *section = in->scope->section;
	const struct conf_place *at = &in->at;
	struct conf_guess guess;

	conf_guess_start(&guess, name);
	for (unsigned i = 0; i < conf_key_count(section); i++)
		if (conf_key_at(section, i)->type != CONF_GROUP)
			conf_guess_try(&guess, conf_key_at(section, i)->name);
	if (guess.best == NULL && conf_key_find(&conf_sections[0], name) != NULL)
		conf_error(r, at, "%.*s is no key of [%s NAME]; it belongs to [%s].",
		    SLICE_ARG(name), section->kind, conf_sections[0].kind);
	else if (guess.best == NULL)
		conf_error(r, at, "Unknown key \"%.*s\"; `tenantgate --help` lists all of them.",
		    SLICE_ARG(name));
	else
		conf_error(r, at, "Unknown key \"%.*s\"; did you mean \"%s\"?", SLICE_ARG(name),
		    guess.best);
}

/* Whether what stands in the file itself gives a secret away. */
static bool
literal_has_secret(const struct conf_key *k, struct slice literal)
{
	if (k->type == CONF_SECRET)
		return literal.len > 0;
	return k->type == CONF_URL && url_has_password(literal);
}

/* What a key is set to, into out: the text expanded, or the content of the file it names. The '@'
 * is looked for in the text as it stands, not in what the environment gave: a password may begin
 * with one. False with an error reported. */
static bool
get_value(struct conf_reading *r, const struct conf_place *at, const struct conf_key *k,
    struct slice text, struct buf *out, struct buf *literal)
{
	char path[PATH_MAX];

	if (!conf_expand(r, at, text, out, literal))
		return false;
	if ((k->type == CONF_SECRET || k->type == CONF_URL) && text.len > 1 && text.p[0] == '@') {
		if (!conf_path_beside(at->file, slice_of(out->data + 1, out->len - 1), path,
			sizeof(path))) {
			conf_error(r, at, "%s names a file by a path that is too long; shorten it.",
			    k->name);
			return false;
		}
		buf_reset(out);
		return conf_read_secret(r, at, path, out);
	}
	if (r->public && literal_has_secret(k, buf_view(literal))) {
		conf_error(r, at,
		    "%s is a secret and others may read this file; run `chmod o= %s`, or write "
		    "${NAME} or @FILE instead.",
		    k->name, at->file);
		return false;
	}
	return true;
}

/* At full size from the start: realloc() of a growing secret would leave copies behind in freed
 * memory, where buf_wipe() does not reach. */
static void
value_init(struct buf *b)
{
	buf_init(b, CONF_VALUE_MAX);
	buf_extend(b, CONF_VALUE_MAX);
	buf_reset(b);
}

static void
set_key(struct conf_reading *r, const struct lines *in, const struct conf_key *k, struct slice text)
{
	struct conf_scope *scope = in->scope;
	const struct conf_place *at = &in->at;
	unsigned index = conf_key_index(scope->section, k);
	struct conf_place *seen = &scope->seen[index];
	struct buf value, literal;

	if (seen->file != NULL) {
		conf_error(r, at, "%s is set twice; it was first set at %s:%u.", k->name,
		    seen->file, seen->line);
		return;
	}
	*seen = *at;
	scope->turn[index] = ++r->turns;
	value_init(&value);
	value_init(&literal);
	r->used_environment = false;
	scope->refused[index] = !get_value(r, at, k, text, &value, &literal) ||
	    !conf_store(r, at, scope->base, k, slice_trim(buf_view(&value)));
	scope->by_environment[index] = r->used_environment;
	buf_wipe(&value);
	buf_wipe(&literal);
}

static void
read_section(struct conf_reading *r, struct lines *in, struct slice line)
{
	if (line.p[line.len - 1] != ']') {
		conf_error(r, &in->at, "The line of a section ends in ].");
		return;
	}
	in->in_section = true;
	in->scope = conf_scope_open(r, &in->at, slice_trim(slice_of(line.p + 1, line.len - 2)));
}

/* A blank must follow the word: "%includefoo" is no include of "foo". */
static void
read_include(struct conf_reading *r, const struct lines *in, struct slice line)
{
	struct slice name = slice_trim(slice_of(line.p + 8, line.len - 8));
	char path[PATH_MAX];

	if (name.len == 0 || name.len == line.len - 8)
		conf_error(r, &in->at, "Write `%%include FILE`.");
	else if (!conf_path_beside(in->at.file, name, path, sizeof(path)))
		conf_error(r, &in->at, "The path of the included file is too long; shorten it.");
	else if (r->depth >= INCLUDE_MAX)
		conf_error(r, &in->at,
		    "Files include others more than %d deep; does one include itself?",
		    INCLUDE_MAX);
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
	k = in->scope == NULL ? NULL : conf_key_find(in->scope->section, name);
	if (equals == NULL)
		conf_error(r, &in->at, "This line is neither a comment nor `key = value`.");
	else if (!in->in_section)
		conf_error(r, &in->at, "%.*s stands before any section; begin the file with [%s].",
		    SLICE_ARG(name), conf_sections[0].kind);
	else if (in->scope == NULL)
		return;
	else if (k == NULL)
		conf_error_unknown_key(r, in, name);
	else
		set_key(r, in, k,
		    slice_trim(slice_of(equals + 1, (size_t)(line.p + line.len - equals - 1))));
}

/* The file's name is kept as long as the conf: errors about keys name it later. Line ends are those
 * of Unix or of DOS. */
static void
read_lines(struct conf_reading *r, const char *path, struct slice text)
{
	struct lines in = { .at.file = conf_keep(r->conf, slice_str(path)) };

	while (text.len > 0 && r->error_count < CONF_ERRORS_MAX) {
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

/* The bytes of an open file, up to FILE_SIZE_MAX, owned by the caller; NULL with errno. At full
 * size from the start, as in value_init(). */
static char *
load_file(int fd, struct stat *st, size_t *len)
{
	char *text;
	ssize_t got;

	if (fstat(fd, st) == -1)
		return NULL;
	text = xmalloc(FILE_SIZE_MAX);
	got = conf_input_read(fd, text, FILE_SIZE_MAX);
	if (got < 0) {
		free(text);
		return NULL;
	}
	*len = (size_t)got;
	return text;
}

/* Whether others may read a file (`public`) is a property of each file, the including one's again
 * afterwards. A file that cannot be opened is an error of the line that includes it. */
void
conf_read_file(struct conf_reading *r, const char *path, const struct conf_place *from)
{
	struct conf_place here = { path, 0 };
	bool public_before = r->public;
	int fd = conf_input_open(path);
	struct stat st;
	size_t len = 0;
	char *text = fd == -1 ? NULL : load_file(fd, &st, &len);

	if (text == NULL) {
		conf_error(r, from == NULL ? &here : from, "%s cannot be read: %s.",
		    from == NULL ? "The file" : path, strerror(errno));
	} else if (len == FILE_SIZE_MAX) {
		conf_error(r, &here, "The file is larger than 1 MiB; is it a configuration?");
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
