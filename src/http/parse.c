/* SPDX-License-Identifier: MIT */
/*
 * parse: the states of a message, and the one place where lines are cut. Whatever is a line
 * (request line, field, chunk size, trailer, the CRLF after a chunk) goes through
 * parse_line_take(), which accepts no line end but CRLF and no control character but TAB.
 *
 * RFC 9112 2.2 lets a recipient take a bare LF for a line end, and replace a bare CR; 5.2 lets it
 * unfold. None of it is done: a proxy in front of us may have read the same bytes differently, and
 * what is one message to it would be two to us (request smuggling, RFC 9112 11.2).
 */
#include "http/parse_internal.h"

#include <assert.h>
#include <string.h>

enum line_rc {
	LINE_PART,  /* the input is used up before the line's end */
	LINE_WHOLE, /* CRLF has come */
	LINE_BAD,   /* a control character, or a CR without its LF */
	LINE_LONG,  /* past its ceiling, or no memory for it */
};

void
parse_init(struct parse *p, const struct parse_limits *limits, struct buf *head, struct buf *line,
    struct parse_field *fields)
{
	assert(head->max >= limits->head_bytes && line->max >= PARSE_TRAILERS_MAX);
	assert(limits->head_bytes < UINT32_MAX);
	memset(p, 0, sizeof(*p));
	p->limits = *limits;
	p->head = head;
	p->line = line;
	p->fields = fields;
	parse_next(p);
}

/* Everything but the limits and the memory starts anew: no field of one request, least of all its
 * credentials, can be taken for the next one's. */
void
parse_next(struct parse *p)
{
	struct parse fresh = { .limits = p->limits,
		.head = p->head,
		.line = p->line,
		.fields = p->fields };

	buf_reset(p->head);
	buf_reset(p->line);
	*p = fresh;
}

/*
 * How many bytes of `in` belong to the line, `*n`. Stops behind LF, at a bad byte, at `room`. CR is
 * followed by LF (RFC 9112 2.2), also when the input was cut between them: p->cr. NUL and other
 * control characters are in no element's grammar, and are dangerous where a value is copied into a
 * log or another protocol (RFC 9110 5.5).
 */
static enum line_rc
line_scan(struct parse *p, struct slice in, size_t room, size_t *n)
{
	size_t i = 0;

	while (i < in.len) {
		unsigned char c = (unsigned char)in.p[i];

		if (i == room)
			return LINE_LONG;
		i++;
		*n = i;
		if (p->cr) {
			p->cr = false;
			return c == '\n' ? LINE_WHOLE : LINE_BAD;
		}
		if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
			return LINE_BAD;
		p->cr = c == '\r';
	}
	return LINE_PART;
}

/* Moves bytes of `in` to the line at the end of b, up to `max` bytes of line, CRLF included. `line`
 * is set with LINE_WHOLE only: without CRLF, valid until b grows. Each byte is looked at once,
 * however small the pieces are in which it comes. */
static enum line_rc
parse_line_take(struct parse *p, struct buf *b, size_t max, struct slice *in, struct slice *line)
{
	size_t n = 0;
	enum line_rc rc = line_scan(p, *in, max - (b->len - p->line_at), &n);

	if (!buf_add(b, in->p, n))
		return LINE_LONG;
	in->p += n;
	in->len -= n;
	if (rc == LINE_WHOLE)
		*line = slice_of(b->data + p->line_at, b->len - p->line_at - 2);
	return rc;
}

/* True for a whole line. Otherwise the parser has failed, or the input is used up. */
static bool
line_ready(struct parse *p, enum line_rc rc, enum err_code too_long, const char *why)
{
	if (rc == LINE_BAD)
		return parse_fail(p, ERR_BAD_REQUEST,
		    "A line of the request holds a control character or does not end in CRLF; "
		    "send lines of plain text that end in CRLF.");
	if (rc == LINE_LONG)
		return parse_fail(p, too_long, why);
	return rc == LINE_WHOLE;
}

/* Too long: 414 (RFC 9112 3). One empty line before it is skipped: old clients send CRLF behind a
 * body, and a server should ignore at least one (RFC 9112 2.2). Not more: an endless row of empty
 * lines would be neither an idle connection nor a request. */
static bool
step_request_line(struct parse *p, struct slice *in)
{
	size_t max = p->limits.target + PARSE_LINE_EXTRA;
	struct slice line;
	enum line_rc rc;

	if (max > p->limits.head_bytes)
		max = p->limits.head_bytes;
	rc = parse_line_take(p, p->head, max, in, &line);
	if (!line_ready(p, rc, ERR_URI_TOO_LONG,
		"The request line is too long; shorten the path or the query."))
		return false;
	if (line.len == 0 && !p->skipped_blank) {
		buf_reset(p->head);
		p->skipped_blank = true;
		return true;
	}
	p->line_at = p->head->len;
	p->state = PARSE_FIELDS;
	return parse_request_line(p, line);
}

/* RFC 9112 6.3: chunked, or counted, or else a request has no body, and what follows is the next
 * request. What could be read in two ways has been refused by parse_head_end(). */
static void
parse_body_begin(struct parse *p)
{
	p->line_at = 0;
	p->left = p->length;
	if (p->framing == PARSE_CHUNKED)
		p->state = PARSE_CHUNK_SIZE;
	else
		p->state = p->left > 0 ? PARSE_BODY : PARSE_COMPLETE;
}

/* Too long: 431 (RFC 9110 5.4, RFC 6585 5). The ceiling is the whole head's, the request line
 * included; an empty line ends the section. */
static bool
step_fields(struct parse *p, struct slice *in)
{
	struct slice line;
	enum line_rc rc;

	rc = parse_line_take(p, p->head, p->limits.head_bytes - p->line_at, in, &line);
	if (!line_ready(p, rc, ERR_HEADERS_LARGE,
		"The header section is too long; send fewer or shorter fields."))
		return false;
	p->line_at = p->head->len; /* fields stay in the buffer: their slices point there */
	if (line.len > 0)
		return parse_field_line(p, line);
	if (!parse_head_end(p))
		return false;
	parse_body_begin(p);
	return true;
}

/* The lines between the pieces of a chunked body. Extensions and trailers have ceilings of their
 * own: a client could send them for ever without sending a body (RFC 9112 7.1.1, 7.1.2). */
static bool
step_chunk_line(struct parse *p, struct slice *in)
{
	size_t max = p->state == PARSE_TRAILERS ? PARSE_TRAILERS_MAX - p->trailer_bytes
						: PARSE_CHUNK_LINE_MAX;
	enum err_code too_long = p->state == PARSE_TRAILERS ? ERR_HEADERS_LARGE : ERR_BAD_REQUEST;
	struct slice line;
	enum line_rc rc = parse_line_take(p, p->line, max, in, &line);
	bool ok;

	if (!line_ready(p, rc, too_long,
		"A chunk's size line or the trailer section is too long; leave out chunk "
		"extensions and trailers."))
		return false;
	if (p->state == PARSE_TRAILERS)
		ok = parse_trailer_line(p, line);
	else
		ok = parse_chunk_line(p, line);
	buf_reset(p->line);
	return ok;
}

/* The next piece of a body or chunk, as a part of the input: nothing is copied here. */
static enum parse_event
parse_body_data(struct parse *p, struct slice *in, struct slice *data)
{
	size_t n = in->len < p->left ? in->len : (size_t)p->left;

	*data = slice_of(in->p, n);
	in->p += n;
	in->len -= n;
	p->left -= n;
	if (p->left == 0)
		p->state = p->state == PARSE_BODY ? PARSE_COMPLETE : PARSE_CHUNK_END;
	return PARSE_DATA;
}

/* One line of whatever state it is. False: the input is used up, or the parser has failed. */
static bool
step_line(struct parse *p, struct slice *in)
{
	if (p->state == PARSE_REQUEST_LINE)
		return step_request_line(p, in);
	if (p->state == PARSE_FIELDS)
		return step_fields(p, in);
	return step_chunk_line(p, in);
}

/* Every turn takes a byte or ends: a call's work is bounded by its input. The state enum is in the
 * order of a message, so that "still in the head" is a comparison. */
enum parse_event
parse_feed(struct parse *p, struct slice *in, struct slice *data)
{
	while (p->state != PARSE_COMPLETE && p->state != PARSE_FAILED && in->len > 0) {
		bool in_head = p->state <= PARSE_FIELDS;

		if (p->state == PARSE_BODY || p->state == PARSE_CHUNK_DATA)
			return parse_body_data(p, in, data);
		if (!step_line(p, in))
			break;
		if (in_head && p->state > PARSE_FIELDS)
			return PARSE_HEAD;
	}
	if (p->state == PARSE_FAILED)
		return PARSE_ERROR;
	return p->state == PARSE_COMPLETE ? PARSE_DONE : PARSE_MORE;
}
