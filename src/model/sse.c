/* SPDX-License-Identifier: MIT */
/*
 * sse: the parser. A line that is complete in the bytes given is read in place; only one that came
 * in pieces is gathered in sse->line first. So most bytes are copied once, into the event's data.
 */
#include "model/sse.h"

/* Bytes searched at a time for a line's end. Without it a hostile stream of short \r lines would
 * have the whole rest of the piece searched for a \n at each of them: quadratic. */
#define WINDOW 512

static const char byte_order_mark[] = "\xef\xbb\xbf";

void
sse_init(struct sse *s, size_t max)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->line, max);
	buf_init(&s->data, max);
}

void
sse_free(struct sse *s)
{
	buf_free(&s->line);
	buf_free(&s->data);
}

void
sse_rest(struct sse *s)
{
	if (s->place == SSE_REFUSED)
		return;
	if (s->line.len == 0)
		buf_free(&s->line);
	if (s->data_lines == 0)
		buf_free(&s->data);
}

/* The first \n or \r, or NULL. */
static const char *
line_end(struct slice in)
{
	const char *found = NULL;
	size_t at, n;

	for (at = 0; at < in.len && found == NULL; at += n) {
		const char *cr;

		n = in.len - at < WINDOW ? in.len - at : WINDOW;
		found = memchr(in.p + at, '\n', n);
		cr = memchr(in.p + at, '\r', found == NULL ? n : (size_t)(found - (in.p + at)));
		if (cr != NULL)
			found = cr;
	}
	return found;
}

static void
slice_advance(struct slice *in, size_t n)
{
	in->p += n;
	in->len -= n;
}

/* Takes one line and its end off the front of *in. False: the line is not complete yet; what there
 * is of it is kept in s->line. */
static bool
sse_read_line(struct sse *s, struct slice *in, struct slice *line)
{
	const char *end;

	if (s->place == SSE_AFTER_CR && in->len > 0) {
		if (in->p[0] == '\n')
			slice_advance(in, 1);
		s->place = SSE_LINE;
	}
	end = line_end(*in);
	*line = slice_of(in->p, end == NULL ? in->len : (size_t)(end - in->p));
	if (end == NULL || s->line.len > 0) {
		buf_slice(&s->line, *line);
		*line = buf_view(&s->line);
	}
	slice_advance(in, end == NULL ? in->len : (size_t)(end - in->p) + 1);
	return end != NULL;
}

/* Strips the byte order mark of the stream's first line; remembers whether a \n may still belong to
 * this line's end. */
static struct slice
sse_line_ended(struct sse *s, struct slice line, char end)
{
	if (s->place == SSE_START && slice_starts(line, byte_order_mark))
		slice_advance(&line, sizeof(byte_order_mark) - 1);
	s->place = end == '\r' ? SSE_AFTER_CR : SSE_LINE;
	return line;
}

static void
sse_add_data(struct sse *s, struct slice value)
{
	if (s->data_lines++ > 0)
		buf_putc(&s->data, '\n');
	buf_slice(&s->data, value);
}

static void
sse_set_name(struct sse *s, struct slice name)
{
	s->name_len = name.len <= SSE_NAME_MAX ? name.len : 0;
	if (s->name_len > 0)
		memcpy(s->name, name.p, s->name_len);
}

static void
sse_keep_stray(struct sse *s, struct slice line)
{
	s->stray_len = line.len < SSE_STRAY_MAX ? line.len : SSE_STRAY_MAX;
	memcpy(s->stray, line.p, s->stray_len);
	s->stray_is_late = s->data_lines > 0;
}

/* `name: value`, one space after the colon dropped; a line without a colon is a name alone; one
 * that begins with a colon is a comment, whose empty name matches nothing. The standard ignores a
 * field `error`, by which llama.cpp told its failures, and bare JSON, which a proxy adds when the
 * server behind it has failed: ignored they leave half an answer. */
static void
sse_read_field(struct sse *s, struct slice line)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct slice value = slice_of(NULL, 0), whole = line;

	if (line.p[0] == '{') {
		sse_add_data(s, line);
		return;
	}
	if (colon != NULL) {
		value = slice_of(colon + 1, line.len - (size_t)(colon + 1 - line.p));
		line.len = (size_t)(colon - line.p);
		if (value.len > 0 && value.p[0] == ' ')
			slice_advance(&value, 1);
	}
	if (slice_is(line, "data")) {
		sse_add_data(s, value);
	} else if (slice_is(line, "event")) {
		sse_set_name(s, value);
	} else if (slice_is(line, "error")) {
		sse_set_name(s, line);
		sse_add_data(s, value);
	} else if (line.len > 0 && !slice_is(line, "id") && !slice_is(line, "retry")) {
		sse_keep_stray(s, whole);
	}
}

/* An empty line ends the event. False when it had no data line: the standard drops such an event,
 * and comments used as keep-alives end here. An error is one also without: dropped, it would leave
 * half an answer. */
static bool
sse_event_ended(struct sse *s, struct sse_event *event)
{
	bool any = s->data_lines > 0 || slice_is(slice_of(s->name, s->name_len), "error");

	event->name = slice_of(s->name, s->name_len);
	event->data = buf_view(&s->data);
	s->data_lines = 0;
	s->name_len = 0;
	if (any) {
		event->stray = slice_of(s->stray, s->stray_len);
		event->stray_is_late = s->stray_is_late;
		s->stray_len = 0;
	}
	return any;
}

/* The data handed out last is reset by the next call, before its first byte. A complete line is
 * held to the ceiling too, or the limit would depend on how the bytes were split. */
enum sse_rc
sse_next(struct sse *s, struct slice *in, struct sse_event *event)
{
	struct slice line;

	if (s->place == SSE_REFUSED)
		return SSE_TOO_LARGE;
	if (s->data_lines == 0)
		buf_reset(&s->data);
	while (in->len > 0 && sse_read_line(s, in, &line)) {
		if (line.len > s->line.max)
			s->line.failed = true;
		line = sse_line_ended(s, line, in->p[-1]);
		if (line.len > 0)
			sse_read_field(s, line);
		if (s->line.failed || s->data.failed)
			break;
		buf_reset(&s->line);
		if (line.len == 0 && sse_event_ended(s, event))
			return SSE_EVENT;
	}
	if (!s->line.failed && !s->data.failed)
		return SSE_MORE;
	s->place = SSE_REFUSED;
	return SSE_TOO_LARGE;
}
