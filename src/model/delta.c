/* SPDX-License-Identifier: MIT */
/*
 * delta: reads one event's JSON in a single pass of json_scan, and of it only what is used. There
 * is an event for every token, so no tree is built and nothing but the text is copied.
 */
#include "model/delta.h"

#include "model/json_scan.h"
#include "tenantgate/base/json.h"

void
delta_init(struct delta *d, size_t text_max)
{
	memset(d, 0, sizeof(*d));
	buf_init(&d->text, text_max);
}

void
delta_free(struct delta *d)
{
	buf_free(&d->text);
}

/* A string as written, or null: then raw->p is NULL. Any other type is not the expected shape. */
static void
string_or_null(struct json_scan *s, struct slice *raw)
{
	*raw = slice_of(NULL, 0);
	if (json_scan_peek(s) == JSON_SCAN_STRING)
		json_scan_string(s, raw);
	else if (json_scan_peek(s) == JSON_SCAN_NULL)
		json_scan_skip(s);
	else
		s->bad = true;
}

/* Bad UTF-8 makes the event bad (json_scan leaves it to us): passed on, it would be invalid JSON in
 * our own answer, on which the client's parser would fail. */
static void
delta_add_text(struct delta *d, struct json_scan *s, struct slice raw)
{
	size_t before = d->text.len;

	if (raw.len == 0)
		return;
	if (memchr(raw.p, '\\', raw.len) == NULL)
		buf_slice(&d->text, raw);
	else
		json_scan_unescape(raw, &d->text);
	if (!json_utf8_valid(slice_of(d->text.data + before, d->text.len - before)))
		s->bad = true;
	d->pieces++;
}

/* The `delta` object of a choice. Members of other choices are skipped, but still checked. */
static void
content_read(struct delta *d, struct json_scan *s, bool first)
{
	struct slice key, raw;

	if (json_scan_peek(s) == JSON_SCAN_NULL) {
		json_scan_skip(s);
		return;
	}
	json_scan_open(s, '{');
	while (json_scan_member(s, &key)) {
		if (!first || (!slice_is(key, "content") && !slice_is(key, "refusal"))) {
			json_scan_skip(s);
			continue;
		}
		string_or_null(s, &raw);
		delta_add_text(d, s, raw);
	}
}

/* To the reasons that model.h names; "eos" is what some compatible servers say for "stop". */
static const char *
finish_reason_map(struct slice raw)
{
	if (slice_is(raw, "stop") || slice_is(raw, "eos"))
		return "stop";
	if (slice_is(raw, "length"))
		return "length";
	if (slice_is(raw, "content_filter"))
		return "content_filter";
	return "other";
}

static void
choice_read(struct delta *d, struct json_scan *s, bool first)
{
	struct slice key, raw;

	json_scan_open(s, '{');
	while (json_scan_member(s, &key)) {
		if (slice_is(key, "delta")) {
			content_read(d, s, first);
		} else if (first && slice_is(key, "finish_reason")) {
			string_or_null(s, &raw);
			if (raw.p != NULL)
				d->finish_reason = finish_reason_map(raw);
		} else {
			json_scan_skip(s);
		}
	}
}

static void
choices_read(struct delta *d, struct json_scan *s)
{
	bool first = true;

	json_scan_open(s, '[');
	for (; json_scan_item(s); first = false)
		choice_read(d, s, first);
}

/* What is not a number, is negative or absurdly large leaves the count as it was. */
static void
count_read(struct json_scan *s, uint64_t *out)
{
	double n;

	if (json_scan_peek(s) != JSON_SCAN_NUMBER) {
		json_scan_skip(s);
		return;
	}
	json_scan_number(s, &n);
	if (n >= 0 && n < 1e15)
		*out = (uint64_t)n;
}

static void
delta_usage_read(struct delta *d, struct json_scan *s)
{
	struct slice key;

	json_scan_open(s, '{');
	while (json_scan_member(s, &key)) {
		if (slice_is(key, "prompt_tokens"))
			count_read(s, &d->usage.input_tokens);
		else if (slice_is(key, "completion_tokens"))
			count_read(s, &d->usage.output_tokens);
		else
			json_scan_skip(s);
	}
	d->usage.known = true;
}

/* One member of the top object. True when it is an error: some servers send "error": null in every
 * event, so only a value counts. */
static bool
field_read(struct delta *d, struct json_scan *s, struct slice key)
{
	enum json_scan_type type = json_scan_peek(s);

	if (slice_is(key, "choices") && type == JSON_SCAN_ARRAY)
		choices_read(d, s);
	else if (slice_is(key, "usage") && type == JSON_SCAN_OBJECT)
		delta_usage_read(d, s);
	else
		json_scan_skip(s);
	return slice_is(key, "error") && type != JSON_SCAN_NULL && type != JSON_SCAN_FALSE;
}

/* The ceiling is reported before the shape: a text cut by it may end in the middle of a
 * character, and would look malformed. */
enum delta_rc
delta_add(struct delta *d, struct slice data)
{
	bool error = false;
	struct slice key;
	struct json_scan s;

	if (slice_is(slice_trim(data), "[DONE]")) {
		d->done = true;
		return DELTA_FINE;
	}
	json_scan_begin(&s, data);
	json_scan_open(&s, '{');
	while (json_scan_member(&s, &key))
		error |= field_read(d, &s, key);
	if (d->text.failed)
		return DELTA_FULL;
	if (!json_scan_whole(&s))
		return DELTA_BROKEN;
	return error ? DELTA_ERROR : DELTA_FINE;
}

struct model_usage
delta_usage(const struct delta *d)
{
	struct model_usage usage = d->usage;

	if (!usage.known)
		usage.output_tokens = d->pieces;
	return usage;
}
