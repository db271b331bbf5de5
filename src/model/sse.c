/* SPDX-License-Identifier: MIT */
/*
 * sse: the parser. A line that is whole in the bytes given is read in place; only one that came in
 * pieces is copied to sse->line first.
 */
#include "model/sse.h"

/* A stream of \r lines must not search the whole rest for a \n at each of them. */
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
bytes_take(struct slice *in, size_t n)
{
	in->p += n;
	in->len -= n;
}

/* One line off the front, its end too. False: it is not whole, and kept. */
static bool
sse_line_take(struct sse *s, struct slice *in, struct slice *line)
{
	const char *end;

	if (s->place == SSE_AFTER_CR && in->len > 0) {
		if (in->p[0] == '\n')
			bytes_take(in, 1);
		s->place = SSE_LINE;
	}
	end = line_end(*in);
	*line = slice_of(in->p, end == NULL ? in->len : (size_t)(end - in->p));
	if (end == NULL || s->line.len > 0) {
		buf_slice(&s->line, *line);
		*line = buf_view(&s->line);
	}
	bytes_take(in, end == NULL ? in->len : (size_t)(end - in->p) + 1);
	return end != NULL;
}

/* The first line's mark goes; what ended the line is remembered. */
static struct slice
line_begin(struct sse *s, struct slice line, char end)
{
	if (s->place == SSE_START && slice_starts(line, byte_order_mark))
		bytes_take(&line, sizeof(byte_order_mark) - 1);
	s->place = end == '\r' ? SSE_AFTER_CR : SSE_LINE;
	return line;
}

static void
field_take(struct sse *s, struct slice line)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct slice value = slice_of(NULL, 0);

	if (colon != NULL) {
		value = slice_of(colon + 1, line.len - (size_t)(colon + 1 - line.p));
		line.len = (size_t)(colon - line.p);
		if (value.len > 0 && value.p[0] == ' ')
			bytes_take(&value, 1);
	}
	if (slice_is(line, "data")) {
		if (s->data_lines++ > 0)
			buf_putc(&s->data, '\n');
		buf_slice(&s->data, value);
	} else if (slice_is(line, "event")) {
		s->name_len = value.len <= SSE_NAME_MAX ? value.len : 0;
		if (s->name_len > 0)
			memcpy(s->name, value.p, s->name_len);
	}
}

/* An empty line: the event is over. False when there was none. */
static bool
event_end(struct sse *s, struct sse_event *event)
{
	bool any = s->data_lines > 0;

	event->name = slice_of(s->name, s->name_len);
	event->data = buf_view(&s->data);
	s->data_lines = 0;
	s->name_len = 0;
	return any;
}

enum sse_rc
sse_next(struct sse *s, struct slice *in, struct sse_event *event)
{
	struct slice line;

	if (s->place == SSE_REFUSED)
		return SSE_TOO_LARGE;
	if (s->data_lines == 0)
		buf_reset(&s->data);
	while (in->len > 0 && sse_line_take(s, in, &line)) {
		if (line.len > s->line.max)
			s->line.failed = true;
		line = line_begin(s, line, in->p[-1]);
		if (line.len > 0)
			field_take(s, line);
		if (s->line.failed || s->data.failed)
			break;
		buf_reset(&s->line);
		if (line.len == 0 && event_end(s, event))
			return SSE_EVENT;
	}
	if (!s->line.failed && !s->data.failed)
		return SSE_MORE;
	s->place = SSE_REFUSED;
	return SSE_TOO_LARGE;
}
