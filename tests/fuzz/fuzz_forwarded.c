/* SPDX-License-Identifier: MIT */
/*
 * fuzz_forwarded: X-Forwarded-For of trusted proxies, a field a line. What a client writes into it
 * stands at the left, and never changes which client is found once there is one that no proxy of
 * ours is.
 *
 * sources: src/http/forwarded.c src/base/address.c src/http/parse.c src/http/parse_head.c
 * sources: src/http/parse_chunk.c src/http/parse_state.c src/http/chars.c src/base/buf.c
 * sources: src/base/err.c src/base/utf8.c
 */
#include <string.h>

#include "http/forwarded.h"
#include "tests/fuzz/fuzz_check.h"

#define FIELDS_MAX 100
#define HEAD_MAX   32768

static struct network_list trusted;
static struct in6_addr peer; /* a proxy of ours */

/* False when the bytes are no head. `claimed`: what the client itself has sent. */
static bool
client_of(const uint8_t *bytes, size_t n, const char *claimed, struct in6_addr *out)
{
	static struct parse_field fields[FIELDS_MAX];
	struct parse_limits limits = { .head_bytes = HEAD_MAX, .target = 64, .fields = FIELDS_MAX };
	struct buf head, line, text;
	struct slice in, data;
	struct parse p;
	bool is_head;

	buf_init(&head, HEAD_MAX);
	buf_init(&line, PARSE_TRAILERS_MAX);
	buf_init(&text, 2 * HEAD_MAX);
	buf_printf(&text, "GET / HTTP/1.0\r\nX-Forwarded-For: %s", claimed);
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			buf_puts(&text, "\r\nX-Forwarded-For: ");
		else
			buf_putc(&text, (char)bytes[i]);
	}
	buf_puts(&text, "\r\n\r\n");
	in = buf_view(&text);
	parse_init(&p, &limits, &head, &line, fields);
	is_head = !text.failed && parse_feed(&p, &in, &data) == PARSE_HEAD;
	*out = peer;
	if (is_head)
		forwarded_client(&p, &trusted, out);
	buf_free(&head);
	buf_free(&line);
	buf_free(&text);
	return is_head;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct err err = { 0 };
	struct in6_addr found, again;

	if (trusted.count == 0) {
		fuzz_check(network_list_read(&trusted, "10.0.0.0/8, 2001:db8::/32", &err));
		fuzz_check(address_read(SLICE_LIT("10.0.0.1"), AF_UNSPEC, &peer));
	}
	if (!client_of(bytes, n, "", &found) || !client_of(bytes, n, "192.0.2.66, ", &again))
		return 0;
	fuzz_check(
	    network_list_has(&trusted, &found) || memcmp(&found, &again, sizeof(found)) == 0);
	return 0;
}
