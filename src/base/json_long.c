/* SPDX-License-Identifier: MIT */
/*
 * json_long: see the header. A string is cut between two characters and beside its escapes, so that
 * each piece is a JSON string where the whole one is; where it is not, some piece is none.
 */
#include "tenantgate/base/json_long.h"

#include <assert.h>

#include "base/json_load.h"
#include "tenantgate/base/hex.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/run.h"
#include "tenantgate/base/spool.h"

#define ESCAPE_MAX 12 /* bytes of a pair of surrogates */

static struct slice
slice_behind(struct slice s, size_t at)
{
	return slice_of(s.p + at, s.len - at);
}

/* ---- a string, piece by piece ---- */

/* Of \uXXXX, as far as that is one. */
static size_t
unicode_escape_length(struct slice s)
{
	size_t n = 2;

	while (n < 6 && n < s.len && hex_value(s.p[n]) >= 0)
		n++;
	return n;
}

/* D800 to DBFF: what follows is the other half of a character (RFC 8259, section 7). */
static bool
is_first_surrogate(struct slice s)
{
	return (s.p[2] == 'd' || s.p[2] == 'D') && hex_value(s.p[3]) >= 8 &&
	    hex_value(s.p[3]) <= 11;
}

/* What a string has that is not in a run (base/run.h): an escape, or one byte. */
static size_t
string_escape(struct slice s)
{
	size_t n;

	if (s.p[0] != '\\' || s.len == 1)
		return 1;
	if (s.p[1] != 'u')
		return 2;
	n = unicode_escape_length(s);
	if (n == 6 && is_first_surrogate(s) && slice_starts(slice_behind(s, n), "\\u"))
		n += unicode_escape_length(slice_behind(s, n));
	return n;
}

/* Not more than `most` bytes, and not in the midst of a character; that may be none. */
static size_t
run_before(struct slice s, size_t most)
{
	size_t n = run_length(s.p, s.len < most ? s.len : most, RUN_STRING);
	unsigned back = 0;

	if (n < most || n == s.len)
		return n;
	while (back < 3 && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) {
		n--;
		back++;
	}
	return n;
}

/* Of a string's inside, up to its closing quote at the most: about `most` bytes. */
static size_t
string_piece(struct slice inside, size_t most)
{
	size_t at = 0;

	while (at < most && at < inside.len && inside.p[at] != '"') {
		struct slice left = slice_behind(inside, at);
		size_t n = run_stops((unsigned char)left.p[0], RUN_STRING)
		    ? string_escape(left)
		    : run_before(left, most - at);

		if (n == 0)
			break;
		at += n;
	}
	return at;
}

/* ---- shortened ---- */

/* How long it is between its quotes; what is passed is unloaded. */
static size_t
string_length(const struct json_long *l, struct slice inside)
{
	size_t at = 0, n;

	while ((n = string_piece(slice_behind(inside, at), l->conf->piece)) > 0) {
		at += n;
		if (at > l->conf->string_max)
			spool_unload_behind(inside, at, l->conf->piece);
	}
	return at;
}

static void
string_shorten(struct json_long *l, size_t at, size_t len)
{
	struct slice inside = slice_of(l->text.p + at, len);
	struct json_long_string *s = &l->strings[l->count];

	*s = (struct json_long_string){ .at = at,
		.len = len,
		.kept = string_piece(inside, l->conf->string_kept) };
	buf_slice(&l->rest, slice_of(inside.p, s->kept));
	buf_puts(&l->rest, l->mark);
	buf_putc(&l->rest, (char)('0' + l->count++));
	s->behind = l->rest.len;
}

/* Whether the string is a member's name; `at` is behind its quote. Names are left as they are, for
 * none may be there twice. */
static bool
is_name(const struct json_long *l, size_t at)
{
	while (at < l->text.len && memchr(" \t\r\n", l->text.p[at], 4) != NULL)
		at++;
	return at < l->text.len && l->text.p[at] == ':';
}

/* The string whose quote stands at `at`; past its other quote. */
static size_t
string_take(struct json_long *l, size_t at)
{
	size_t from = at + 1, len = string_length(l, slice_behind(l->text, from)), end = from + len;

	buf_putc(&l->rest, '"');
	if (len > l->conf->string_max && l->count < JSON_LONG_STRINGS && !is_name(l, end + 1))
		string_shorten(l, from, len);
	else
		buf_slice(&l->rest, slice_of(l->text.p + from, len));
	if (end == l->text.len)
		return end;
	buf_putc(&l->rest, '"');
	return end + 1;
}

/* Up to the next string. */
static size_t
between_take(struct json_long *l, size_t at)
{
	struct slice left = slice_behind(l->text, at);
	const char *quote;

	if (left.len > l->rest.max - l->rest.len)
		left.len = l->rest.max - l->rest.len + 1;
	quote = memchr(left.p, '"', left.len);
	if (quote != NULL)
		left.len = (size_t)(quote - left.p);
	buf_slice(&l->rest, left);
	return at + left.len;
}

bool
json_long_begin(struct json_long *l, const struct json_long_conf *conf, struct slice text,
    struct err *err)
{
	assert(conf->piece >= 16 && conf->string_max > conf->string_kept + JSON_LONG_MARK + 1);
	*l = (struct json_long){ .conf = conf, .text = text };
	buf_init(&l->rest, conf->rest_max);
	id_random(l->mark, JSON_LONG_MARK);
	for (size_t at = 0; at < text.len && !l->rest.failed;) {
		at = between_take(l, at);
		if (at < text.len && !l->rest.failed)
			at = string_take(l, at);
	}
	spool_unload(text);
	if (l->rest.no_memory)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the JSON");
	else if (l->rest.failed)
		err_set(err, ERR_TOO_LARGE,
		    "The JSON has more than %zu bytes beside its longest string; send fewer.",
		    conf->rest_max);
	return !l->rest.failed;
}

void
json_long_free(struct json_long *l)
{
	buf_free(&l->rest);
}

/* ---- read ---- */

/* Always false, to be returned. */
static bool
broken_at(size_t byte, const json_error_t *fault, struct err *err)
{
	err_set(err, ERR_INVALID_JSON, "JSON cannot be read: byte %zu: %s.", byte,
	    json_fault_reason(fault));
	return false;
}

/* Where a byte of the rest stands in the text. */
static size_t
text_position(const struct json_long *l, size_t at)
{
	size_t more = 0;

	for (unsigned i = 0; i < l->count && l->strings[i].behind <= at; i++)
		more += l->strings[i].len - l->strings[i].kept - JSON_LONG_MARK - 1;
	return at + more;
}

json_t *
json_long_object(const struct json_long *l, size_t nodes_max, struct err *err)
{
	struct slice rest = buf_view(&l->rest);
	json_error_t fault;
	json_t *value;

	if (!json_nodes_fit(rest, nodes_max, err))
		return NULL;
	value = json_load_text(rest, JSON_ALLOW_NUL, &fault, err);
	if (value == NULL && !err_is(err))
		broken_at(text_position(l, (size_t)fault.position), &fault, err);
	if (value == NULL || json_is_object(value))
		return value;
	err_set(err, ERR_INVALID_JSON, "The top of the JSON must be an object.");
	json_decref(value);
	return NULL;
}

unsigned
json_long_which(const struct json_long *l, struct slice value)
{
	const char *end = value.p + value.len;
	unsigned which;

	if (value.len <= JSON_LONG_MARK ||
	    memcmp(end - JSON_LONG_MARK - 1, l->mark, JSON_LONG_MARK) != 0)
		return JSON_LONG_NONE;
	which = (unsigned)(end[-1] - '0');
	return which < l->count ? which : JSON_LONG_NONE;
}

/* The piece is in `quoted`, between quotes; `at` is where it stands in the text. */
static bool
piece_read(struct buf *quoted, size_t at, json_long_sink_fn *sink, void *arg, struct err *err)
{
	json_error_t fault;
	json_t *value;
	bool ok;

	if (quoted->failed) {
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the JSON");
		return false;
	}
	value = json_load_text(buf_view(quoted), JSON_ALLOW_NUL, &fault, err);
	if (value == NULL)
		return !err_is(err) && broken_at(at + (size_t)fault.position - 1, &fault, err);
	ok = sink == NULL ||
	    sink(arg, slice_of(json_string_value(value), json_string_length(value)), err);
	json_decref(value);
	return ok;
}

static bool
string_read(const struct json_long *l, const struct json_long_string *s, json_long_sink_fn *sink,
    void *arg, struct err *err)
{
	struct slice inside = slice_of(l->text.p + s->at, s->len);
	size_t piece = l->conf->piece, n;
	struct buf quoted;
	bool ok = true;

	buf_init(&quoted, piece + ESCAPE_MAX + 2);
	for (size_t at = 0; ok && at < s->len; at += n) {
		n = string_piece(slice_behind(inside, at), piece);
		buf_reset(&quoted);
		buf_putc(&quoted, '"');
		buf_slice(&quoted, slice_of(inside.p + at, n));
		buf_putc(&quoted, '"');
		ok = piece_read(&quoted, s->at + at, sink, arg, err);
		spool_unload_behind(inside, at, piece + ESCAPE_MAX);
	}
	buf_free(&quoted);
	spool_unload(inside);
	return ok;
}

bool
json_long_read(const struct json_long *l, unsigned which, json_long_sink_fn *sink, void *arg,
    struct err *err)
{
	for (unsigned i = 0; i < l->count; i++)
		if (!string_read(l, &l->strings[i], i == which ? sink : NULL, arg, err))
			return false;
	return true;
}
