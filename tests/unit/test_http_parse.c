/* SPDX-License-Identifier: MIT */
/*
 * The parser, a rule a line: what is accepted, and what is refused with which code. Each line is
 * also fed in two pieces cut at every byte, and byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_verdict.h"

struct rule {
	struct slice bytes;
	enum err_code code;
	unsigned messages;
	uint64_t body;
};

#define YES(text, body) \
	{ \
		SLICE_LIT(text), ERR_NONE, 1, body \
	}
#define NO(text, code) \
	{ \
		SLICE_LIT(text), code, 0, 0 \
	}
#define BAD(text) NO(text, ERR_BAD_REQUEST)
#define GET	  "GET / HTTP/1.1\r\nHost: x\r\n"
#define POST	  "POST /p HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED	  POST "Transfer-Encoding: chunked\r\n\r\n"

static void
check_rule(const struct rule *r)
{
	struct verdict v = verdict_of(r->bytes, 0), w;

	if (v.code != r->code || v.messages != r->messages || v.body_bytes != r->body || v.partial)
		fail_msg("%.*s: %s (%s), %u whole, %lu body, %s", SLICE_ARG(r->bytes),
		    err_slug(v.code), v.err.detail, v.messages, (unsigned long)v.body_bytes,
		    v.partial ? "partial" : "whole");
	for (size_t cut = 0; cut <= r->bytes.len; cut++) {
		w = verdict_cut(r->bytes, cut);
		if (!verdict_same(&v, &w))
			fail_msg("cut at %zu: %.*s", cut, SLICE_ARG(r->bytes));
	}
	w = verdict_of(r->bytes, 1);
	assert_true(verdict_same(&v, &w));
}

#define CHECK_ALL(rules) \
	do { \
		for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) \
			check_rule(&(rules)[i]); \
	} while (0)

static void
request_lines_are_checked(void **state)
{
	static const struct rule rules[] = {
		YES("GET / HTTP/1.0\r\n\r\n", 0),
		YES("GET / HTTP/1.0\r\nHost: a\r\n\r\n", 0),
		YES(GET "\r\n", 0),
		YES("\r\n" GET "\r\n", 0),
		YES("M!#$%&'*+-.^_`|~9 /?a=b HTTP/1.1\r\nHost: x\r\n\r\n", 0),
		YES("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 0),
		YES("GET http://a.example:80/p?q HTTP/1.1\r\nHost: b\r\n\r\n", 0),
		YES("GET HTTPS://[::1]:8080 HTTP/1.1\r\nHost: b\r\n\r\n", 0),
		BAD("\r\n\r\n" GET "\r\n"),
		BAD("\n" GET "\r\n"),
		BAD("GET / HTTP/1.0\n\n"),
		BAD("GET / HTTP/1.1\r\nHost: x\n\r\n"),
		BAD("GET /\r\n\r\n"),
		BAD("GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
		BAD("GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD(" GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("G(T / HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD(" / HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n"),
		BAD("GET / http/1.1\r\n"),
		BAD("GET / HTTP/1.10\r\n"),
		BAD("GET / HTTP/11\r\n"),
		BAD("GET / FTP/1.1\r\n"),
		BAD("GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET a/b HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET a.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET http:///p HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET http://u@a/p HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET ftp://a/p HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET /#f HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET /\xc3\xa0 HTTP/1.1\r\nHost: x\r\n\r\n"),
		BAD("GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n"),
		NO("GET / HTTP/2.0\r\n", ERR_HTTP_VERSION),
		NO("GET / HTTP/1.2\r\n", ERR_HTTP_VERSION),
		NO("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ERR_HTTP_VERSION),
		NO("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NOT_IMPLEMENTED),
	};

	(void)state;
	CHECK_ALL(rules);
}

static void
fields_are_checked(void **state)
{
	static const struct rule rules[] = {
		YES(GET "A:\r\nB: \t v w \t\r\nC.d|e: caf\xc3\xa9\r\n\r\n", 0),
		YES(GET "Upgrade: h2c\r\nConnection: Upgrade, , HTTP2-Settings\r\n\r\n", 0),
		YES(GET "Expect: 100-Continue\r\n\r\n", 0),
		YES("GET / HTTP/1.1\r\nhOST:  [2001:db8::1]:443 \r\n\r\n", 0),
		YES("GET / HTTP/1.1\r\nHost: a_b.c-d:8080\r\n\r\n", 0),
		BAD(GET "A : v\r\n\r\n"),
		BAD(GET "A\r\n\r\n"),
		BAD(GET ": v\r\n\r\n"),
		BAD(GET "A b: v\r\n\r\n"),
		BAD(GET "\xc3\x84: v\r\n\r\n"),
		BAD(GET "A: v\r\n w\r\n\r\n"),
		BAD(GET "A: v\r\n\tw\r\n\r\n"),
		BAD(GET " A: v\r\n\r\n"),
		BAD(GET "A: v\rw\r\n\r\n"),
		BAD(GET "A: v\r\r\n\r\n"),
		BAD(GET "A: v\nB: w\r\n\r\n"),
		BAD(GET "A: v\0w\r\n\r\n"),
		BAD(GET "A: v\x7f\r\n\r\n"),
		BAD(GET "A: \x1b[0m\r\n\r\n"),
		BAD(GET "Host: x\r\n\r\n"),
		BAD("GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nA: b\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
		BAD("GET / HTTP/1.1\r\nHost: [::1]80\r\n\r\n"),
		BAD(GET "Authorization: a\r\nauthorization: b\r\n\r\n"),
		BAD(GET "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n"),
		NO(GET "Expect: cake\r\n\r\n", ERR_EXPECTATION),
		NO("GET / HTTP/1.0\r\nExpect: cake\r\n\r\n", ERR_EXPECTATION),
	};

	(void)state;
	CHECK_ALL(rules);
}

static void
framing_is_checked(void **state)
{
	static const struct rule rules[] = {
		YES(POST "Content-Length: 0\r\n\r\n", 0),
		YES(POST "Content-Length: 5\r\n\r\nhello", 5),
		BAD(POST "Content-Length: 005\r\n\r\nhello"),
		YES("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 5),
		YES(POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", 0),
		BAD(POST "Content-Length:\r\n\r\n"),
		BAD(POST "Content-Length: -1\r\n\r\n"),
		BAD(POST "Content-Length: +1\r\n\r\n"),
		BAD(POST "Content-Length: 1_0\r\n\r\n"),
		BAD(POST "Content-Length: 0x10\r\n\r\n"),
		BAD(POST "Content-Length: 1 0\r\n\r\n"),
		BAD(POST "Content-Length: 5,5\r\n\r\n"),
		BAD(POST "Content-Length: 18446744073709551616\r\n\r\n"),
		BAD(POST "Content-Length: 0000000000000000005\r\n\r\n"),
		BAD(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
		BAD(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
		BAD(POST "Content_Length: 5\r\n\r\n"),
		BAD(POST "Transfer_Encoding: chunked\r\n\r\n"),
		BAD(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
		BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
		BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
		BAD(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"),
		BAD(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
		BAD(POST "Transfer-Encoding: identity\r\n\r\n"),
		BAD(POST "Transfer-Encoding: xchunked\r\n\r\n"),
		BAD(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
		BAD(POST "Transfer-Encoding:\r\n\r\n"),
		BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	};

	(void)state;
	CHECK_ALL(rules);
}

static void
chunk_lines_are_checked(void **state)
{
	static const struct rule rules[] = {
		YES(CHUNKED "0\r\n\r\n", 0),
		YES(CHUNKED "5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", 11),
		YES(CHUNKED "A\r\n0123456789\r\n0\r\n\r\n", 10),
		YES(CHUNKED "00000000000000a\r\n0123456789\r\n0\r\n\r\n", 10),
		YES(CHUNKED "1;a; b=c ;d = \"e\\\"f;\" \r\nx\r\n0;z\r\n\r\n", 1),
		YES(CHUNKED "0\r\nVary: *\r\nX: y\r\n\r\n", 0),
		BAD(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
		BAD(CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
		BAD(CHUNKED "-5\r\n"),
		BAD(CHUNKED "6_0\r\n"),
		BAD(CHUNKED "0 \r\n\r\n"),
		BAD(CHUNKED " 0\r\n\r\n"),
		BAD(CHUNKED "\r\n"),
		BAD(CHUNKED ";a\r\n"),
		BAD(CHUNKED "0\n\r\n"),
		BAD(CHUNKED "0\r\n\n"),
		BAD(CHUNKED "1000000000000000\r\n"),
		BAD(CHUNKED "ffffffffffffffffffff\r\n"),
		BAD(CHUNKED "1;\r\n"),
		BAD(CHUNKED "1;a=\r\n"),
		BAD(CHUNKED "1;a=\"b\r\n"),
		BAD(CHUNKED "1;a b\r\n"),
		BAD(CHUNKED "1;a\rb\r\n"),
		BAD(CHUNKED "0\r\nA : b\r\n\r\n"),
		BAD(CHUNKED "0\r\n b\r\n\r\n"),
		BAD(CHUNKED "0\r\nHost: y\r\n\r\n"),
		BAD(CHUNKED "0\r\nContent-Length: 1\r\n\r\n"),
		BAD(CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	};
	static const struct rule too_long = { SLICE_LIT(CHUNKED "1\r\nxy\r\n"), ERR_BAD_REQUEST, 0,
		1 };

	(void)state;
	CHECK_ALL(rules);
	check_rule(&too_long);
}

static void
messages_follow_each_other(void **state)
{
	static const struct rule two = { SLICE_LIT(
					     CHUNKED "2\r\nab\r\n0\r\n\r\n" POST
						     "Content-Length: 3\r\n\r\nabc\r\n" GET "\r\n"),
		ERR_NONE, 3, 5 };
	static const struct rule closed = {
		SLICE_LIT(GET "Connection: x, Close\r\n\r\n" GET "\r\n"), ERR_NONE, 1, 0
	};
	static const struct rule old = { SLICE_LIT("GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
						   "\r\nGET / HTTP/1.0\r\n\r\nGET"),
		ERR_NONE, 2, 0 };

	(void)state;
	check_rule(&two);
	check_rule(&closed);
	check_rule(&old);
}

static void
an_unfinished_message_is_none(void **state)
{
	static const char *const texts[] = { "G", "GET / HTTP/1.1\r", GET, GET "\r",
		POST "Content-Length: 5\r\n\r\nhell", CHUNKED, CHUNKED "5\r\nhello\r\n0\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct verdict v = verdict_of(slice_str(texts[i]), 0);

		assert_int_equal(v.code, ERR_NONE);
		assert_int_equal(v.messages, 0);
		assert_true(v.partial);
	}
}

/* prefix, then `n` times `unit`, then suffix. */
static struct verdict
verdict_repeat(const char *prefix, const char *unit, size_t n, const char *suffix)
{
	struct buf b;
	struct verdict v, w;

	buf_init(&b, 1u << 20);
	buf_puts(&b, prefix);
	while (n-- > 0)
		buf_puts(&b, unit);
	buf_puts(&b, suffix);
	assert_false(b.failed);
	v = verdict_of(buf_view(&b), 0);
	w = verdict_of(buf_view(&b), 1);
	assert_true(verdict_same(&v, &w));
	buf_free(&b);
	return v;
}

static void
ceilings_are_exact(void **state)
{
	(void)state;
	/* 8192 bytes of target: "/" and 8191 more. */
	assert_int_equal(verdict_repeat("GET /", "a", 8191, " HTTP/1.0\r\n\r\n").code, ERR_NONE);
	assert_int_equal(verdict_repeat("GET /", "a", 8192, " HTTP/1.0\r\n\r\n").code,
	    ERR_URI_TOO_LONG);
	assert_int_equal(verdict_repeat("GET /", "a", 100000, "").code, ERR_URI_TOO_LONG);
	assert_int_equal(verdict_repeat("GET / HTTP/1.0\r\nA: ", "a", 30000, "\r\n\r\n").code,
	    ERR_NONE);
	assert_int_equal(verdict_repeat("GET / HTTP/1.0\r\nA: ", "a", 33000, "").code,
	    ERR_HEADERS_LARGE);
	assert_int_equal(verdict_repeat("GET / HTTP/1.0\r\n", "A: b\r\n", 100, "\r\n").code,
	    ERR_NONE);
	assert_int_equal(verdict_repeat("GET / HTTP/1.0\r\n", "A: b\r\n", 101, "\r\n").code,
	    ERR_HEADERS_LARGE);
	assert_int_equal(verdict_repeat(CHUNKED "1;", "a", 250, "\r\nx\r\n0\r\n\r\n").code,
	    ERR_NONE);
	assert_int_equal(verdict_repeat(CHUNKED "1;", "a", 260, "\r\nx\r\n0\r\n\r\n").code,
	    ERR_BAD_REQUEST);
	assert_int_equal(verdict_repeat(CHUNKED "0\r\n", "A: b\r\n", 101, "\r\n").code,
	    ERR_HEADERS_LARGE);
	assert_int_equal(verdict_repeat(CHUNKED "0\r\nA: ", "a", 9000, "\r\n\r\n").code,
	    ERR_HEADERS_LARGE);
}

static struct slice
parsed_path(struct verdict_parser *d, const char *text, struct slice *query)
{
	struct slice in = slice_str(text), data;

	verdict_begin(d);
	assert_int_equal(parse_feed(&d->parse, &in, &data), PARSE_HEAD);
	*query = parse_slice(&d->parse, d->parse.query);
	return parse_path(&d->parse);
}

static void
targets_are_taken_apart(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} cases[] = {
		{ "/a/b", "/a/b", "" },
		{ "/a?b?c", "/a", "b?c" },
		{ "/?", "/", "" },
		{ "http://h", "/", "" },
		{ "http://h?q=1", "/", "q=1" },
		{ "https://h:1/x?y", "/x", "y" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct verdict_parser d;
		struct slice path, query;
		char text[128];

		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", cases[i].target);
		path = parsed_path(&d, text, &query);
		assert_true(slice_is(path, cases[i].path));
		assert_true(slice_is(query, cases[i].query));
		verdict_end(&d);
	}
}

/* For the log: no "/" for what was never asked for. */
static void
a_path_that_was_not_read_is_none(void **state)
{
	static const char *const texts[] = { "", "GET", "\x16\x03\x01", "GET /a HTTP/2.0\r\n",
		"GET /\"#\" HTTP/1.1\r\n", "GET http:// HTTP/1.1\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct slice in = slice_str(texts[i]), data;
		struct verdict_parser d;

		verdict_begin(&d);
		assert_int_not_equal(parse_feed(&d.parse, &in, &data), PARSE_HEAD);
		assert_int_equal(parse_path(&d.parse).len, 0);
		verdict_end(&d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_lines_are_checked),
		cmocka_unit_test(fields_are_checked),
		cmocka_unit_test(framing_is_checked),
		cmocka_unit_test(chunk_lines_are_checked),
		cmocka_unit_test(messages_follow_each_other),
		cmocka_unit_test(an_unfinished_message_is_none),
		cmocka_unit_test(ceilings_are_exact),
		cmocka_unit_test(targets_are_taken_apart),
		cmocka_unit_test(a_path_that_was_not_read_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
