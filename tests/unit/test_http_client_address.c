/* SPDX-License-Identifier: MIT */
/*
 * test_http_client_address: whose a connection is. PROXY headers, each fed whole, cut in two at
 * every place and byte by byte, with a request behind them; lists of networks; X-Forwarded-For.
 */
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/forwarded.h"
#include "http/proxy_header.h"

#define BEHIND	  "GET / HTTP/1.1\r\n"
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4	  "\xc0\x00\x02\x01\x0a\x00\x00\x02\x11\x5c\x01\xbb" /* 192.0.2.1, 10.0.0.2 */
#define TCP6 \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" \
	"\x11\x5c\x01\xbb"
#define CRC_RIGHT	"\xf8\x05\xd7\x92"
#define CRC_WRONG	"\xf8\x05\xd7\x93"
#define UNIX_PATHS_SIZE 216

/* A header, and what it is: the source's address, "-" for the proxy itself, NULL for none. */
struct proxy_case {
	struct slice bytes;
	const char *source;
};
#define CASE(text, source) \
	{ \
		SLICE_LIT(text), source \
	}
#define V2(text) SIGNATURE text

static const struct proxy_case v1_cases[] = {
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 4444 443\r\n", "192.0.2.1"),
	CASE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
	CASE("PROXY TCP4 0.0.0.0 10.0.0.2 0 0\r\n", "0.0.0.0"),
	CASE("PROXY TCP6 2001:db8::1 ::1 4444 443\r\n", "2001:db8::1"),
	CASE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
	CASE("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1\r\n", "192.0.2.1"),
	CASE("PROXY UNKNOWN\r\n", "-"),
	CASE("PROXY UNKNOWN ffff:f...f:ffff 65535 what ever\r\n", "-"),
	CASE("PROXY UNKNOWNS\r\n", NULL),
	CASE("PROXY UNKNOWN  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
	    NULL), /* 109 bytes */
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 4444 443\n", NULL),
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 4444 443\r", NULL),
	CASE("PROXY TCP4 192.0.2.1\r10.0.0.2 4444 443\r\n", NULL),
	CASE("PROXY TCP4  192.0.2.1 10.0.0.2 4444 443\r\n", NULL),
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 4444 443 \r\n", NULL),
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 4444\r\n", NULL),
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 4444 443 7\r\n", NULL),
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 4444 65536\r\n", NULL),
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 4444 0443\r\n", NULL),
	CASE("PROXY TCP4 192.0.2.1 10.0.0.2 +444 443\r\n", NULL),
	CASE("PROXY TCP4 192.0.2.01 10.0.0.2 4444 443\r\n", NULL),
	CASE("PROXY TCP4 192.0.2 10.0.0.2 4444 443\r\n", NULL),
	CASE("PROXY TCP4 2001:db8::1 ::1 4444 443\r\n", NULL),
	CASE("PROXY TCP6 192.0.2.1 10.0.0.2 4444 443\r\n", NULL),
	CASE("PROXY TCP6 fe80::1%eth0 ::1 4444 443\r\n", NULL),
	CASE("PROXY TCP5 192.0.2.1 10.0.0.2 4444 443\r\n", NULL),
	CASE("PROXY \r\n", NULL),
	CASE("PROXY\r\n", NULL),
	CASE("proxy TCP4 192.0.2.1 10.0.0.2 4444 443\r\n", NULL),
	CASE("GET / HTTP/1.1\r\n", NULL),
	CASE("POST / HTTP/1.1\r\n", NULL),
	CASE("\x16\x03\x01\x02\x00\x01", NULL),
	CASE("\r\n\r\nGET / HTTP/1.1\r\n", NULL),
};

/* The CRC-32C is another program's, whose table gives 0xe3069283 for "123456789". */
static const struct proxy_case v2_cases[] = {
	CASE(V2("\x21\x11\x00\x0c") TCP4, "192.0.2.1"),
	CASE(V2("\x21\x21\x00\x24") TCP6, "2001:db8::1"),
	CASE(V2("\x21\x11\x00\x12") TCP4 "\x04\x00\x03"
					 "abc",
	    "192.0.2.1"),
	CASE(V2("\x21\x11\x00\x13") TCP4 "\x03\x00\x04" CRC_RIGHT, "192.0.2.1"),
	CASE(V2("\x21\x11\x00\x13") TCP4 "\x03\x00\x04" CRC_WRONG, NULL),
	CASE(V2("\x21\x11\x00\x12") TCP4 "\x03\x00\x03"
					 "abc",
	    NULL),
	CASE(V2("\x21\x11\x00\x12") TCP4 "\x04\x00\x04"
					 "abc",
	    NULL),
	CASE(V2("\x21\x11\x00\x0e") TCP4 "\x04\x00", NULL),
	CASE(V2("\x21\x11\x00\x0b") "\xc0\x00\x02\x01\x0a\x00\x00\x02\x11\x5c\x01", NULL),
	CASE(V2("\x20\x00\x00\x00"), "-"),
	CASE(V2("\x20\x11\x00\x0c") TCP4, "-"),
	CASE(V2("\x20\x77\x00\x03") "abc", "-"),
	CASE(V2("\x21\x00\x00\x03") "abc", "-"),
	CASE(V2("\x21\x12\x00\x0c") TCP4, "-"),
	CASE(V2("\x21\x22\x00\x24") TCP6, "-"),
	CASE(V2("\x21\x10\x00\x0c") TCP4, NULL),
	CASE(V2("\x21\x41\x00\x0c") TCP4, NULL),
	CASE(V2("\x22\x11\x00\x0c") TCP4, NULL),
	CASE(V2("\x11\x11\x00\x0c") TCP4, NULL),
	CASE(V2("\x31\x11\x00\x0c") TCP4, NULL),
	CASE(V2("\x21\x11\x02\x19"), NULL), /* 537 bytes to come */
	CASE(V2("\x20\x00\xff\xff"), NULL),
	CASE("\r\n\r\n\0\r\nQUIT\r\x21\x11\x00\x0c" TCP4, NULL),
};

struct proxy_reading {
	enum proxy_event event;
	struct proxy_header header;
	struct buf bytes;
	size_t left; /* of the input, behind the header */
};

/* Pieces of n bytes, the first of `first`; each a copy of its own, so that ASan sees a read past
 * it. */
static void
proxy_read(struct proxy_reading *r, struct slice all, size_t first, size_t n)
{
	size_t at = 0;

	memset(r, 0, sizeof(*r));
	buf_init(&r->bytes, PROXY_V2_MAX);
	r->header.bytes = &r->bytes;
	while (r->event == PROXY_MORE && at < all.len) {
		size_t size = at == 0 ? first : n;
		char *piece = malloc(size + 1);
		struct slice in;

		size = size < all.len - at ? size : all.len - at;
		memcpy(piece, all.p + at, size);
		in = slice_of(piece, size);
		r->event = proxy_header_feed(&r->header, &in);
		at += size - in.len;
		free(piece);
	}
	r->left = all.len - at;
	buf_free(&r->bytes);
}

static void
reading_is(const struct proxy_reading *r, const struct proxy_case *c, size_t behind,
    const char *how)
{
	char text[INET6_ADDRSTRLEN] = "-";

	if (r->event == PROXY_DONE && r->header.has_source)
		address_write(&r->header.source, text);
	if (c->source == NULL
		? r->event != PROXY_ERROR
		: r->event != PROXY_DONE || strcmp(text, c->source) != 0 || r->left != behind)
		fail_msg("%.*s (%zu bytes), %s: event %d, %s, %zu left", (int)c->bytes.len,
		    c->bytes.p, c->bytes.len, how, (int)r->event, text, r->left);
}

static void
header_is_read(const struct proxy_case *c)
{
	struct proxy_reading r;
	struct buf all;
	size_t behind = sizeof(BEHIND) - 1;

	buf_init(&all, 4096);
	buf_slice(&all, c->bytes);
	buf_puts(&all, BEHIND);
	proxy_read(&r, buf_view(&all), all.len, 1);
	reading_is(&r, c, behind, "whole");
	proxy_read(&r, buf_view(&all), 1, 1);
	reading_is(&r, c, behind, "byte by byte");
	for (size_t i = 1; i < all.len; i++) {
		proxy_read(&r, buf_view(&all), i, all.len);
		reading_is(&r, c, behind, "cut in two");
	}
	/* Not a byte of it is missing before it counts. */
	for (size_t i = 0; c->source != NULL && i < c->bytes.len; i++) {
		proxy_read(&r, slice_of(all.data, i), i, 1);
		assert_int_equal(r.event, PROXY_MORE);
	}
	buf_free(&all);
}

static void
a_header_is_read_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(v1_cases) / sizeof(v1_cases[0]); i++)
		header_is_read(&v1_cases[i]);
	for (size_t i = 0; i < sizeof(v2_cases) / sizeof(v2_cases[0]); i++)
		header_is_read(&v2_cases[i]);
}

static void
the_longest_headers_are_read(void **state)
{
	static const char unix_fixed[] = V2("\x21\x31\x00\xd8"), longest[] = V2("\x20\x00\x02\x18");
	char bytes[PROXY_V2_MAX] = { 0 };

	(void)state;
	memcpy(bytes, unix_fixed, 16);
	header_is_read(&(struct proxy_case){ slice_of(bytes, 16 + UNIX_PATHS_SIZE), "-" });
	bytes[15] = (char)(UNIX_PATHS_SIZE - 1);
	header_is_read(&(struct proxy_case){ slice_of(bytes, 16 + UNIX_PATHS_SIZE - 1), NULL });
	memcpy(bytes, longest, 16);
	header_is_read(&(struct proxy_case){ slice_of(bytes, sizeof(bytes)), "-" });
	/* Version 1: 107 bytes with CRLF. */
	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, "PROXY UNKNOWN ", 14);
	memcpy(bytes + PROXY_V1_MAX - 2, "\r\n", 2);
	header_is_read(&(struct proxy_case){ slice_of(bytes, PROXY_V1_MAX), "-" });
	memcpy(bytes + PROXY_V1_MAX - 2, "a\r\n", 3);
	header_is_read(&(struct proxy_case){ slice_of(bytes, PROXY_V1_MAX + 1), NULL });
}

/* ---- networks ---- */
static bool
network_contains(const char *list, const char *address)
{
	struct network_list networks;
	struct in6_addr a;
	struct err err = { 0 };

	assert_true(network_list_read(&networks, list, &err));
	assert_true(address_read(slice_str(address), AF_UNSPEC, &a));
	return network_list_has(&networks, &a);
}

static void
an_address_is_in_its_networks(void **state)
{
	(void)state;
	assert_true(network_contains("10.0.0.0/8", "10.255.1.2"));
	assert_true(network_contains("10.0.0.0/8", "::ffff:10.255.1.2"));
	assert_false(network_contains("10.0.0.0/8", "11.0.0.0"));
	assert_true(network_contains("192.0.2.1, 2001:db8::/33", "192.0.2.1"));
	assert_true(network_contains(" 192.0.2.1 2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(network_contains("192.0.2.1,2001:db8::/33", "2001:db8:8000::1"));
	assert_false(network_contains("192.0.2.1", "192.0.2.2"));
	assert_true(network_contains("192.0.2.128/25", "192.0.2.129"));
	assert_false(network_contains("192.0.2.128/25", "192.0.2.127"));
	assert_true(network_contains("0.0.0.0/0", "8.8.8.8"));
	assert_false(network_contains("0.0.0.0/0", "2001:db8::1"));
	assert_false(network_contains("::/0", "8.8.8.8"));
	assert_true(network_contains("::/0", "2001:db8::1"));
	assert_false(network_contains("", "127.0.0.1"));
	assert_false(network_contains(NULL, "127.0.0.1"));
}

static void
a_bad_network_is_refused_by_name(void **state)
{
	static const char *const bad[] = { "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129",
		"proxy.example", "10.0.0.1/08", "10.0.0.1/+8", "10.0.0.1:80", "010.0.0.1", "/8",
		"10.0.0.1/8/8" };
	struct network_list networks;
	struct buf many;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { 0 };
		char list[64];

		snprintf(list, sizeof(list), "127.0.0.1, %s", bad[i]);
		assert_false(network_list_read(&networks, list, &err));
		assert_non_null(strstr(err.detail, bad[i]));
	}
	buf_init(&many, 4096);
	for (size_t i = 0; i <= NETWORKS_MAX; i++)
		buf_puts(&many, "10.0.0.1,");
	assert_false(network_list_read(&networks, many.data, &(struct err){ 0 }));
	buf_free(&many);
}

/* ---- X-Forwarded-For ---- */
/* The client of a request with these fields, whose peer is 10.0.0.1. */
static void
client_is(const char *fields, const char *client)
{
	struct parse_field table[100];
	struct parse_limits limits = { .head_bytes = 8192, .target = 100, .fields = 100 };
	struct parse p;
	struct buf head, line;
	struct network_list trusted;
	struct in6_addr a;
	char text[8192], got[INET6_ADDRSTRLEN];
	struct slice in, data;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", fields);
	buf_init(&head, limits.head_bytes);
	buf_init(&line, PARSE_TRAILERS_MAX);
	parse_init(&p, &limits, &head, &line, table);
	in = slice_str(text);
	assert_int_equal(parse_feed(&p, &in, &data), PARSE_HEAD);
	assert_true(network_list_read(&trusted, "10.0.0.0/8 2001:db8::/32", &(struct err){ 0 }));
	assert_true(address_read(SLICE_LIT("10.0.0.1"), AF_UNSPEC, &a));
	forwarded_client(&p, &trusted, &a);
	address_write(&a, got);
	assert_string_equal(got, client);
	buf_free(&head);
	buf_free(&line);
}

#define XFF "X-Forwarded-For: "

static void
the_client_is_the_first_from_the_right_that_is_no_proxy(void **state)
{
	(void)state;
	client_is("", "10.0.0.1");
	client_is(XFF "203.0.113.5\r\n", "203.0.113.5");
	client_is("x-forwarded-FOR:203.0.113.5\r\n", "203.0.113.5");
	client_is(XFF "6.6.6.6, 203.0.113.5, 10.0.0.9\r\n", "203.0.113.5");
	client_is(XFF "6.6.6.6, 203.0.113.5\r\n" XFF "10.0.0.9,2001:db8::7\r\n", "203.0.113.5");
	client_is(XFF "6.6.6.6\r\n" XFF "203.0.113.5\r\n", "203.0.113.5");
	client_is(XFF "10.0.0.7, 10.0.0.8\r\n", "10.0.0.7");
	client_is(XFF "203.0.113.5:4711, [2001:db8::1]:80\r\n", "203.0.113.5");
	client_is(XFF "2001:dead::1\r\n", "2001:dead::1");
	client_is(XFF "[2001:dead::1]\r\n", "2001:dead::1");
	client_is(XFF "203.0.113.5, , 10.0.0.8,\r\n", "203.0.113.5");
	client_is(XFF "\r\n", "10.0.0.1");
}

static void
what_is_no_address_ends_the_search_at_the_last_proxy(void **state)
{
	struct buf many;

	(void)state;
	buf_init(&many, 4096);
	buf_puts(&many, XFF "203.0.113.5");
	client_is(XFF "203.0.113.5, unknown, 10.0.0.8\r\n", "10.0.0.8");
	client_is(XFF "203.0.113.5, \"10.0.0.7\"\r\n", "10.0.0.1");
	client_is(XFF "203.0.113.5, [10.0.0.7\r\n", "10.0.0.1");
	client_is(XFF "203.0.113.5 10.0.0.8\r\n", "10.0.0.1");
	client_is(XFF "203.0.113.05\r\n", "10.0.0.1");
	for (int i = 0; i < FORWARDED_HOPS_MAX; i++)
		buf_puts(&many, ",10.0.0.8");
	buf_puts(&many, "\r\n");
	client_is(many.data, "10.0.0.8");
	buf_free(&many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_read_however_it_is_cut),
		cmocka_unit_test(the_longest_headers_are_read),
		cmocka_unit_test(an_address_is_in_its_networks),
		cmocka_unit_test(a_bad_network_is_refused_by_name),
		cmocka_unit_test(the_client_is_the_first_from_the_right_that_is_no_proxy),
		cmocka_unit_test(what_is_no_address_ends_the_search_at_the_last_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
