/* SPDX-License-Identifier: MIT */
/*
 * delta_message: text is a string, or an array of parts, each of them a string or an object whose
 * value may be parts again.
 */
#include "model/delta_message.h"

void
delta_string_read(struct json_scan *s, struct slice *raw)
{
	enum json_scan_type type = json_scan_peek(s);

	*raw = slice_of(NULL, 0);
	if (type == JSON_SCAN_STRING)
		json_scan_string(s, raw);
	else if (type == JSON_SCAN_NULL)
		json_scan_skip(s);
	else
		s->bad = true;
}

static void
delta_add_text(struct delta *d, struct slice raw)
{
	if (raw.len == 0)
		return;
	text_seam_add(&d->text_seam, &d->text, raw);
	d->pieces++;
}

static void
delta_add_reasoning(struct delta *d, struct slice raw)
{
	if (raw.len == 0)
		return;
	text_seam_add(&d->reasoning_seam, &d->reasoning, raw);
	d->pieces++;
}

static void content_parts_read(struct delta *, struct json_scan *, bool is_reasoning);

/* The value of a part's `text` or the like: a string, or parts again; all else says nothing. */
static void
part_value_read(struct delta *d, struct json_scan *s, bool is_reasoning)
{
	struct slice raw;

	if (json_scan_peek(s) == JSON_SCAN_STRING) {
		json_scan_string(s, &raw);
		if (is_reasoning)
			delta_add_reasoning(d, raw);
		else
			delta_add_text(d, raw);
	} else if (json_scan_peek(s) == JSON_SCAN_ARRAY) {
		content_parts_read(d, s, is_reasoning);
	} else {
		json_scan_skip(s);
	}
}

/* {"type":"text","text":"..."}; Mistral's {"type":"thinking","thinking":[parts]}; OpenRouter's
 * {"type":"reasoning.summary","summary":"..."}. A part of another type has none of the members. */
static void
content_part_read(struct delta *d, struct json_scan *s, bool is_reasoning)
{
	struct slice key;

	if (json_scan_peek(s) == JSON_SCAN_STRING) {
		part_value_read(d, s, is_reasoning);
		return;
	}
	json_scan_open(s, '{');
	while (json_scan_member(s, &key)) {
		if (slice_is(key, "text"))
			part_value_read(d, s, is_reasoning);
		else if (slice_is(key, "thinking") || slice_is(key, "summary"))
			part_value_read(d, s, true);
		else
			json_scan_skip(s);
	}
}

/* Bounded in depth by json_scan_open(). */
static void
content_parts_read(struct delta *d, struct json_scan *s, bool is_reasoning)
{
	json_scan_open(s, '[');
	while (json_scan_item(s))
		content_part_read(d, s, is_reasoning);
}

static void
content_read(struct delta *d, struct json_scan *s)
{
	enum json_scan_type type = json_scan_peek(s);
	struct slice raw;

	if (type == JSON_SCAN_ARRAY) {
		content_parts_read(d, s, false);
		return;
	}
	if (type == JSON_SCAN_STRING)
		json_scan_string(s, &raw);
	else
		delta_string_read(s, &raw);
	delta_add_text(d, raw);
}

static bool
key_is_reasoning(struct slice key)
{
	return slice_is(key, "reasoning_content") || slice_is(key, "reasoning") ||
	    slice_is(key, "reasoning_details");
}

/* The `delta` object of a choice, or a `message`. Servers that give the reasoning under two names
 * give the same twice: the first that says anything counts. */
void
delta_message_read(struct delta *d, struct json_scan *s)
{
	size_t before = d->reasoning.len;
	struct slice key;

	if (json_scan_peek(s) == JSON_SCAN_NULL) {
		json_scan_skip(s);
		return;
	}
	json_scan_open(s, '{');
	while (json_scan_member(s, &key)) {
		if (slice_is(key, "content") || slice_is(key, "refusal"))
			content_read(d, s);
		else if (key_is_reasoning(key) && d->reasoning.len == before)
			part_value_read(d, s, true);
		else
			json_scan_skip(s);
	}
}
