/* SPDX-License-Identifier: MIT */
/*
 * The parser of server-sent events: a table of streams and what they say, each also fed byte by
 * byte and cut in two at every place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/sse.h"

struct sse_case {
	const char *about;
	const char *stream;
	/* name|data; for each event, with -line or +line for a line that is no field, before its
	 * data or behind; "TOO LARGE" at the end if so */
	const char *said;
};

static const struct sse_case cases[] = {
	{ "plain", "data: a\n\ndata: b\n\n", "|a;|b;" },
	{ "crlf", "data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;" },
	{ "cr", "data: a\r\rdata: b\r\r", "|a;|b;" },
	{ "mixed", "data: a\n\r\ndata: b\r\n\ndata: c\r\n\r", "|a;|b;|c;" },
	{ "no space", "data:a\n\n", "|a;" },
	{ "one space only goes", "data:  a\n\n", "| a;" },
	{ "two lines", "data: a\ndata: b\n\n", "|a\nb;" },
	{ "empty data", "data\n\ndata:\n\n", "|;|;" },
	{ "two empty lines", "data\ndata\n\n", "|\n;" },
	{ "comments", ": ping\n\n: pong\ndata: a\n:\n\n", "|a;" },
	{ "named", "event: error\ndata: x\n\ndata: y\n\n", "error|x;|y;" },
	{ "a name without data is no event", "event: foo\n\ndata: y\n\n", "|y;" },
	{ "an error is one", "event: error\n\ndata: y\n\n", "error|;|y;" },
	{ "error as a field", "data: a\n\nerror: {}\n\ndata: b\n\n", "|a;error|{};|b;" },
	{ "bare JSON is data", "data: a\n\n{\"b\":1}\n\ndata\n{d\n\n", "|a;|{\"b\":1};|\n{d;" },
	{ "empty named", "event: ping\ndata:\n\n", "ping|;" },
	{ "other fields", "id: 1\nretry: 5\nid\ndata: a\n\n", "|a;" },
	{ "no field", "foo: bar\ndatax: no\ndata: a\n\ndata: b\n\n", "|a-datax: no;|b;" },
	{ "no field, behind data", "foo\ndata: a\nbar\n\ndata: b\n\n", "|a+bar;|b;" },
	{ "no field, alone", "data: a\n\noh no\n\ndata: b\n\n", "|a;|b-oh no;" },
	{ "mark",
	    "\xef\xbb\xbf"
	    "data: a\n\n",
	    "|a;" },
	{ "mark only once",
	    "\xef\xbb\xbf\n\xef\xbb\xbf"
	    "data: a\n\ndata: b\n\n",
	    "|b-\xef\xbb\xbf"
	    "data: a;" },
	{ "unfinished", "data: a\n\ndata: b\n", "|a;" },
	{ "unfinished line", "data: a\n\ndata: b", "|a;" },
	{ "only empty lines", "\n\n\r\n\r", "" },
	{ "at the ceiling", "data: 567890123456789\n\n", "|567890123456789;" },
	{ "line past it", "data: a\n\ndata: 5678901234567890123\n\n", "|a;TOO LARGE" },
	{ "line past it, endless", "data: a\n\n: 345678901234567890123456", "|a;TOO LARGE" },
	{ "event past it", "data: 123456789\ndata: 123456789\ndata: 123\n\n", "TOO LARGE" },
	{ "event at it", "data: 123456789\ndata: 123456789\n\n", "|123456789\n123456789;" },
};
#define CEILING 21

static enum sse_rc
feed(struct sse *s, struct slice piece, struct buf *said)
{
	struct sse_event event;
	enum sse_rc rc;

	while ((rc = sse_next(s, &piece, &event)) == SSE_EVENT) {
		buf_slice(said, event.name);
		buf_putc(said, '|');
		buf_slice(said, event.data);
		if (event.stray.len > 0) {
			buf_puts(said, event.stray_is_late ? "+" : "-");
			buf_slice(said, event.stray);
		}
		buf_putc(said, ';');
	}
	if (rc == SSE_MORE)
		assert_int_equal(piece.len, 0);
	return rc;
}

/* Cut into [0, cut), then pieces of `step` bytes. Each is a copy of its own: ASan sees the ends. */
static void
check_stream(const struct sse_case *c, size_t cut, size_t step)
{
	enum sse_rc rc = SSE_MORE;
	size_t len = strlen(c->stream), at, n;
	struct buf said;
	struct sse s;

	sse_init(&s, CEILING);
	buf_init(&said, 4096);
	buf_puts(&said, "");
	for (at = 0; at < len && rc == SSE_MORE; at += n) {
		char *copy;

		n = at == 0 && cut > 0 ? cut : step;
		n = n < len - at ? n : len - at;
		copy = malloc(n);
		memcpy(copy, c->stream + at, n);
		rc = feed(&s, slice_of(copy, n), &said);
		free(copy);
	}
	if (rc == SSE_TOO_LARGE) {
		buf_puts(&said, "TOO LARGE");
		assert_int_equal(feed(&s, SLICE_LIT("data: a\n\n"), &said), SSE_TOO_LARGE);
	}
	if (strcmp(said.data, c->said) != 0)
		fail_msg("%s, cut at %zu, step %zu: %s", c->about, cut, step, said.data);
	buf_free(&said);
	sse_free(&s);
}

static void
every_stream_is_read_at_every_split(void **state)
{
	size_t i, cut;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_stream(&cases[i], 0, 1 << 20);
		check_stream(&cases[i], 0, 1);
		for (cut = 1; cut < strlen(cases[i].stream); cut++) {
			check_stream(&cases[i], cut, 1 << 20);
			check_stream(&cases[i], cut, 3);
		}
	}
}

static void
returns_in_a_long_piece_cost_linear_time(void **state)
{
	size_t n = 1 << 20;
	char *text = malloc(n);
	struct sse_event event;
	struct slice in = slice_of(text, n);
	struct sse s;

	(void)state;
	memset(text, '\r', n);
	sse_init(&s, 64);
	assert_int_equal(sse_next(&s, &in, &event), SSE_MORE);
	sse_free(&s);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stream_is_read_at_every_split),
		cmocka_unit_test(returns_in_a_long_piece_cost_linear_time),
	};

	return cmocka_run_group_tests_name("model_sse", tests, NULL, NULL);
}
