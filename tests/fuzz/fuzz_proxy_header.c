/* SPDX-License-Identifier: MIT */
/*
 * fuzz_proxy_header: the PROXY protocol's header. Any bytes, fed whole, byte by byte and cut in
 * two: the same outcome, the same address, the same bytes left for the request behind it, and no
 * more than the longest header taken.
 *
 * sources: src/http/proxy_header.c src/base/address.c
 * sources: src/base/buf.c src/base/err.c src/base/utf8.c
 */
#include <string.h>

#include "tenantgate/base/address.h"
#include "http/proxy_header.h"
#include "tests/fuzz/fuzz_check.h"

#define INPUT_MAX (PROXY_V2_MAX + 8)
#define CUTS_ALL  64 /* bytes: both signatures, and the addresses of TCP */

struct header_reading {
	struct proxy_header header;
	struct buf bytes;
	enum proxy_event event;
	size_t taken;
};

/* The first piece of `first` bytes, the others of `step`; each is a block of its own: ASan sees a
 * read past it. */
static void
header_reading_run(struct header_reading *r, const uint8_t *bytes, size_t n, size_t first,
    size_t step)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->bytes, PROXY_V2_MAX);
	r->header.bytes = &r->bytes;
	while (r->event == PROXY_MORE && r->taken < n) {
		size_t size = r->taken == 0 ? first : step;
		struct slice in;
		char *piece;

		size = size < n - r->taken ? size : n - r->taken;
		piece = malloc(size);
		memcpy(piece, bytes + r->taken, size);
		in = slice_of(piece, size);
		r->event = proxy_header_feed(&r->header, &in);
		fuzz_check(r->event != PROXY_MORE || in.len == 0);
		r->taken += size - in.len;
		free(piece);
	}
	buf_free(&r->bytes);
	fuzz_check(r->taken <= PROXY_V2_MAX);
	fuzz_check(!r->header.has_source || r->event == PROXY_DONE);
}

static void
check_same(const struct header_reading *whole, const uint8_t *bytes, size_t n, size_t first,
    size_t step)
{
	struct header_reading other;

	header_reading_run(&other, bytes, n, first, step);
	fuzz_check(other.event == whole->event && other.taken == whole->taken &&
	    other.header.has_source == whole->header.has_source);
	fuzz_check(!whole->header.has_source ||
	    memcmp(&other.header.source, &whole->header.source, sizeof(whole->header.source)) == 0);
}

/* Byte by byte once, and cut at each of the first bytes, where a header's parts end, then at some:
 * a block for each byte of each of 552 cuts took most of the time. Behind the header nothing is
 * read. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct header_reading whole;

	n = n < INPUT_MAX ? n : INPUT_MAX;
	header_reading_run(&whole, bytes, n, n + 1, n + 1);
	check_same(&whole, bytes, n, 1, 1);
	for (size_t at = 1; at < n && at <= whole.taken; at += at < CUTS_ALL ? 1 : 17)
		check_same(&whole, bytes, n, at, n);
	return 0;
}
