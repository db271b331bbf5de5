/* SPDX-License-Identifier: MIT */
/*
 * delta: reads one event's JSON in a single pass of json_scan, and of it only what is used. There
 * is an event for every token, so no tree is built and nothing but the text is copied.
 *
 * What depends on a member that may come later is undone (the delta of another choice than ours) or
 * gone back to by a copy of the scan (a `message`, which may repeat the delta).
 */
#include "model/delta.h"

#include "model/delta_finish.h"
#include "model/delta_message.h"

#define STRAY_MAX 4096 /* bytes kept of a stray event, for the log */

/* What one event has shown so far that may make it an error. */
struct event_signs {
	unsigned choices;  /* read, of whatever index */
	bool is_stray;	   /* it has members, and none of a chunk's */
	bool is_error;	   /* a member that is there for nothing else */
	bool is_complaint; /* one that also good events might have: an error without choices */
	bool has_message, has_code; /* a complaint together */
};

/* What an event had added when a choice began. */
struct delta_mark {
	size_t text, reasoning; /* bytes */
	struct text_seam text_seam, reasoning_seam;
	uint64_t pieces;
	bool has_deltas;
};

/* One choice of an event. */
struct choice_parts {
	bool is_known;		  /* its index was read */
	bool is_ours;		  /* as far as is known */
	bool is_marked;		  /* a delta was read before the index: */
	struct delta_mark mark;	  /* valid then */
	bool has_message;	  /* its place: */
	struct json_scan message; /* valid then */
	struct slice finish;	  /* as written; p is NULL for none */
};

void
delta_init(struct delta *d, size_t text_max)
{
	memset(d, 0, sizeof(*d));
	buf_init(&d->text, text_max);
	buf_init(&d->reasoning, text_max);
	buf_init(&d->stray, STRAY_MAX);
}

void
delta_free(struct delta *d)
{
	buf_free(&d->text);
	buf_free(&d->reasoning);
	buf_free(&d->stray);
}

/* ---- usage ---- */

/* What is not a number, is negative or absurdly large leaves the count as it was. */
static void
count_read(struct delta *d, struct json_scan *s, uint64_t *out)
{
	double n;

	if (json_scan_peek(s) != JSON_SCAN_NUMBER) {
		json_scan_skip(s);
		return;
	}
	json_scan_number(s, &n);
	if (n < 0 || n >= 1e15)
		return;
	*out = (uint64_t)n;
	d->usage.known = true;
}

static void
delta_usage_read(struct delta *d, struct json_scan *s)
{
	struct slice key;

	json_scan_open(s, '{');
	while (json_scan_member(s, &key)) {
		if (slice_is(key, "prompt_tokens") || slice_is(key, "input_tokens"))
			count_read(d, s, &d->usage.input_tokens);
		else if (slice_is(key, "completion_tokens") || slice_is(key, "output_tokens"))
			count_read(d, s, &d->usage.output_tokens);
		else
			json_scan_skip(s);
	}
}

/* ---- errors ---- */

/* Reads any value. Some servers send an `error` of null, "", {} or of empty members in every event:
 * that is none. */
static bool
value_is_empty(struct json_scan *s)
{
	enum json_scan_type type = json_scan_peek(s);
	bool empty = true;
	struct slice raw;
	double n;

	if (type == JSON_SCAN_OBJECT) {
		json_scan_open(s, '{');
		while (json_scan_member(s, &raw))
			empty &= value_is_empty(s);
	} else if (type == JSON_SCAN_ARRAY) {
		json_scan_open(s, '[');
		while (json_scan_item(s))
			empty &= value_is_empty(s);
	} else if (type == JSON_SCAN_STRING) {
		json_scan_string(s, &raw);
		empty = raw.len == 0;
	} else if (type == JSON_SCAN_NUMBER) {
		json_scan_number(s, &n);
		empty = n == 0;
	} else {
		json_scan_skip(s);
		empty = type != JSON_SCAN_TRUE;
	}
	return empty;
}

/* {"object":"error"}, {"type":"error"} */
static bool
value_is_error(struct json_scan *s)
{
	struct slice raw;

	if (json_scan_peek(s) != JSON_SCAN_STRING) {
		json_scan_skip(s);
		return false;
	}
	json_scan_string(s, &raw);
	return slice_is(raw, "error");
}

/* Reads the value when the member is a sign of an error; false: it is none, and not read. Those
 * with `detail`, with an error code, or with a code and a message are errors only in an event that
 * brings nothing else. */
static bool
sign_read(struct json_scan *s, struct slice key, struct event_signs *signs)
{
	if (slice_is(key, "object") || slice_is(key, "type"))
		signs->is_error |= value_is_error(s);
	else if (slice_is(key, "error") || slice_is(key, "errors"))
		signs->is_error |= !value_is_empty(s);
	else if (slice_is(key, "detail") || slice_is(key, "error_code"))
		signs->is_complaint |= !value_is_empty(s);
	else if (slice_is(key, "message"))
		signs->has_message = !value_is_empty(s);
	else if (slice_is(key, "code"))
		signs->has_code = !value_is_empty(s);
	else
		return false;
	return true;
}

/* ---- choices ---- */

/* No number but 0 begins with a 0, and reading one as a number costs more than all else here. */
static void
index_read(struct json_scan *s, struct choice_parts *parts)
{
	if (json_scan_peek(s) == JSON_SCAN_NUMBER) {
		parts->is_known = true;
		parts->is_ours = *s->p == '0';
	}
	json_scan_skip(s);
}

static void
choice_undo(struct delta *d, const struct delta_mark *mark)
{
	buf_cut(&d->text, mark->text);
	buf_cut(&d->reasoning, mark->reasoning);
	d->text_seam = mark->text_seam;
	d->reasoning_seam = mark->reasoning_seam;
	d->pieces = mark->pieces;
	d->has_deltas = mark->has_deltas;
}

/* The delta of what may be ours; before its index is known what it adds can be undone. */
static void
choice_delta_read(struct delta *d, struct json_scan *s, struct choice_parts *parts)
{
	if (!parts->is_ours) {
		json_scan_skip(s);
		return;
	}
	if (!parts->is_known && !parts->is_marked) {
		parts->is_marked = true;
		parts->mark = (struct delta_mark){ d->text.len, d->reasoning.len, d->text_seam,
			d->reasoning_seam, d->pieces, d->has_deltas };
	}
	d->has_deltas = true;
	delta_message_read(d, s);
}

/* A `message` counts only in the place of deltas: some servers send the text so far in one, beside
 * each delta or at the end. */
static void
choice_end(struct delta *d, struct choice_parts *parts, struct json_scan *s,
    struct event_signs *signs)
{
	if (!parts->is_ours) {
		if (parts->is_marked)
			choice_undo(d, &parts->mark);
		return;
	}
	if (parts->has_message && !d->has_deltas) {
		delta_message_read(d, &parts->message);
		s->bad |= parts->message.bad;
	}
	if (parts->finish.len > 0 && !finish_reason_read(parts->finish, &d->finish_reason))
		signs->is_error = true;
}

static void
choice_message_keep(struct json_scan *s, struct choice_parts *parts)
{
	parts->message = *s;
	parts->has_message = json_scan_peek(s) == JSON_SCAN_OBJECT;
	json_scan_skip(s);
}

/* Ours is the one with index 0, or, without any, the first. The error of any choice is one. */
static void
choice_read(struct delta *d, struct json_scan *s, struct event_signs *signs)
{
	struct choice_parts parts;
	struct slice key;

	parts.is_known = parts.is_marked = parts.has_message = false;
	parts.is_ours = signs->choices == 0;
	parts.finish = slice_of(NULL, 0);
	json_scan_open(s, '{');
	while (json_scan_member(s, &key)) {
		if (slice_is(key, "index"))
			index_read(s, &parts);
		else if (slice_is(key, "delta"))
			choice_delta_read(d, s, &parts);
		else if (slice_is(key, "message"))
			choice_message_keep(s, &parts);
		else if (slice_is(key, "finish_reason"))
			delta_string_read(s, &parts.finish);
		else if (slice_is(key, "error"))
			signs->is_error |= !value_is_empty(s);
		else if (slice_is(key, "usage") && json_scan_peek(s) == JSON_SCAN_OBJECT)
			delta_usage_read(d, s);
		else
			json_scan_skip(s);
	}
	choice_end(d, &parts, s, signs);
}

static void
choices_read(struct delta *d, struct json_scan *s, struct event_signs *signs)
{
	json_scan_open(s, '[');
	for (; json_scan_item(s); signs->choices++)
		choice_read(d, s, signs);
}

/* ---- events ---- */

static void
field_read(struct delta *d, struct json_scan *s, struct slice key, struct event_signs *signs)
{
	if (slice_is(key, "choices") && json_scan_peek(s) == JSON_SCAN_ARRAY)
		choices_read(d, s, signs);
	else if (slice_is(key, "usage") && json_scan_peek(s) == JSON_SCAN_OBJECT)
		delta_usage_read(d, s);
	else if (!sign_read(s, key, signs))
		json_scan_skip(s);
}

static bool
signs_are_error(const struct event_signs *signs)
{
	bool complains = signs->is_complaint || (signs->has_message && signs->has_code);

	return signs->is_error || (complains && signs->choices == 0);
}

/* A failure that is told in a form nobody foresaw is an event that is no chunk, behind the last
 * words; a finish_reason after it says that it was none. */
static enum delta_rc
done_read(struct delta *d)
{
	if (d->stray.len > 0 && d->finish_reason == NULL)
		return DELTA_STRAY;
	d->done = true;
	return DELTA_FINE;
}

void
delta_add_stray(struct delta *d, struct slice line)
{
	buf_reset(&d->stray);
	buf_add(&d->stray, line.p, line.len < STRAY_MAX ? line.len : STRAY_MAX);
}

/* More words: whatever stood before them was no end. */
static void
stray_keep(struct delta *d, const struct event_signs *signs, struct slice data, bool has_words)
{
	if (signs->is_stray)
		delta_add_stray(d, data);
	else if (has_words)
		buf_reset(&d->stray);
}

/* The ceiling is reported before the shape: what is cut by it would look malformed. */
enum delta_rc
delta_add(struct delta *d, struct slice data)
{
	struct event_signs signs = { .is_stray = false };
	struct slice key, trimmed = slice_trim(data);
	uint64_t pieces = d->pieces;
	bool is_chunk = false;
	struct json_scan s;

	if (trimmed.len == 0)
		return DELTA_FINE;
	if (slice_is(trimmed, "[DONE]"))
		return done_read(d);
	json_scan_begin(&s, data);
	json_scan_open(&s, '{');
	while (json_scan_member(&s, &key)) {
		is_chunk |= slice_is(key, "choices") || slice_is(key, "usage");
		signs.is_stray = !is_chunk;
		field_read(d, &s, key, &signs);
	}
	if (d->text.failed || d->reasoning.failed)
		return DELTA_FULL;
	if (!json_scan_whole(&s))
		return DELTA_BROKEN;
	stray_keep(d, &signs, trimmed, d->pieces > pieces);
	return signs_are_error(&signs) ? DELTA_ERROR : DELTA_FINE;
}

void
delta_end(struct delta *d)
{
	text_seam_end(&d->text_seam, &d->text);
	text_seam_end(&d->reasoning_seam, &d->reasoning);
}

/* A server that counts in every event may have begun with zeros. */
struct model_usage
delta_usage(const struct delta *d)
{
	struct model_usage usage = d->usage;

	if (usage.known && (usage.output_tokens > 0 || d->pieces == 0))
		return usage;
	usage.output_tokens = d->pieces;
	usage.known = false;
	return usage;
}
