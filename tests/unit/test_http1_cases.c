/* SPDX-License-Identifier: MIT */
/*
 * The parser against http1_cases: each is fed at once, byte by byte, and in two pieces cut at
 * every byte, and is always understood as the case says, or refused with its status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "http/parse.h"
#include "http1_cases.h"

#define SEEN_MAX 65536

struct http1_reading {
	struct parse parse;
	struct buf head, line;
	struct parse_field fields[HTTP1_FIELDS_MAX];
	struct buf seen; /* as struct http1_case writes it */
	bool in_body;
	bool over; /* refused, or the connection closes */
};

static void
reading_init(struct http1_reading *r)
{
	struct parse_limits limits = { .head_bytes = HTTP1_HEAD_MAX,
		.target = HTTP1_TARGET_MAX,
		.fields = HTTP1_FIELDS_MAX };

	memset(r, 0, sizeof(*r));
	buf_init(&r->head, limits.head_bytes);
	buf_init(&r->line, PARSE_TRAILERS_MAX);
	buf_init(&r->seen, SEEN_MAX);
	parse_init(&r->parse, &limits, &r->head, &r->line, r->fields);
}

static void
reading_free(struct http1_reading *r)
{
	buf_free(&r->head);
	buf_free(&r->line);
	buf_free(&r->seen);
}

static void
see_head(struct http1_reading *r)
{
	const struct parse *p = &r->parse;
	struct slice query = parse_slice(p, p->query);

	buf_printf(&r->seen, "%s%.*s %.*s", r->seen.len > 0 ? "\n" : "",
	    SLICE_ARG(parse_slice(p, p->method)), SLICE_ARG(parse_path(p)));
	if (query.len > 0)
		buf_printf(&r->seen, "?%.*s", SLICE_ARG(query));
	buf_puts(&r->seen, parse_persists(p) ? " keep" : " close");
	if (p->expects_continue)
		buf_puts(&r->seen, " continue");
	for (unsigned i = 0; i < p->field_count; i++)
		buf_printf(&r->seen, " | %.*s: %.*s", SLICE_ARG(parse_slice(p, r->fields[i].name)),
		    SLICE_ARG(parse_slice(p, r->fields[i].value)));
	r->in_body = false;
}

/* NUL as \0: what a case expects is a C string. */
static void
see_data(struct http1_reading *r, struct slice data)
{
	if (!r->in_body)
		buf_puts(&r->seen, " || ");
	r->in_body = true;
	for (size_t i = 0; i < data.len; i++) {
		if (data.p[i] == '\0')
			buf_puts(&r->seen, "\\0");
		else
			buf_putc(&r->seen, data.p[i]);
	}
}

static void
see_done(struct http1_reading *r)
{
	r->over = !parse_persists(&r->parse);
	if (!r->over)
		parse_next(&r->parse);
}

/* Copied to a place of their own, so that a look beyond them is caught. */
static void
read_piece(struct http1_reading *r, const char *p, size_t n)
{
	char *copy = malloc(n + (n == 0));
	struct slice in, data;
	enum parse_event event = PARSE_HEAD;

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, p, n);
	in = slice_of(copy, n);
	while (!r->over && event != PARSE_MORE) {
		event = parse_feed(&r->parse, &in, &data);
		if (event == PARSE_HEAD)
			see_head(r);
		else if (event == PARSE_DATA)
			see_data(r, data);
		else if (event == PARSE_DONE)
			see_done(r);
		else if (event == PARSE_ERROR)
			r->over = true;
	}
	free(copy);
}

static void
check_reading(const struct http1_case *c, struct http1_reading *r, const char *how, size_t at)
{
	int status = r->parse.state == PARSE_FAILED ? err_status(r->parse.err.code) : 0;
	const char *seen;

	if (status == 0 && !r->over && parse_began(&r->parse))
		buf_puts(&r->seen, "...");
	seen = r->seen.data == NULL ? "" : r->seen.data;
	assert_false(r->seen.failed);
	if (status != c->status)
		fail_msg("%s (%s), %s %zu: status %d, not %d (%s); seen: %s", c->name, c->section,
		    how, at, status, c->status, r->parse.err.detail, seen);
	if (c->request != NULL && strcmp(seen, c->request) != 0)
		fail_msg("%s (%s), %s %zu: seen: %s\nnot: %s", c->name, c->section, how, at, seen,
		    c->request);
}

static void
check_case(const struct http1_case *c)
{
	struct http1_reading r;

	for (size_t cut = 0; cut <= c->bytes.len; cut++) {
		reading_init(&r);
		read_piece(&r, c->bytes.p, cut);
		read_piece(&r, c->bytes.p + cut, c->bytes.len - cut);
		check_reading(c, &r, "cut at", cut);
		reading_free(&r);
	}
	reading_init(&r);
	for (size_t at = 0; at < c->bytes.len; at++)
		read_piece(&r, c->bytes.p + at, 1);
	check_reading(c, &r, "in pieces of", 1);
	reading_free(&r);
}

static void
check_cases(const struct http1_case *c)
{
	for (; c->name != NULL; c++) {
		assert_true((c->status == 0) == (c->request != NULL));
		check_case(c);
	}
}

static void
request_lines_by_the_rules(void **state)
{
	(void)state;
	check_cases(http1_line_cases);
}

static void
fields_by_the_rules(void **state)
{
	(void)state;
	check_cases(http1_field_cases);
}

static void
body_lengths_by_the_rules(void **state)
{
	(void)state;
	check_cases(http1_body_cases);
}

static void
chunks_by_the_rules(void **state)
{
	(void)state;
	check_cases(http1_chunk_cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_lines_by_the_rules),
		cmocka_unit_test(fields_by_the_rules),
		cmocka_unit_test(body_lengths_by_the_rules),
		cmocka_unit_test(chunks_by_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
