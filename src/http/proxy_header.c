/* SPDX-License-Identifier: MIT */
/*
 * proxy_header: see proxy_header.h. The sections are those of HAProxy's doc/proxy-protocol.txt.
 */
#include "http/proxy_header.h"

#include <sys/socket.h>

#include <stdint.h>
#include <string.h>

#include "tenantgate/base/address.h"

#define V1_PREFIX    "PROXY "
#define V2_FIXED     16 /* bytes before the addresses */
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_LOCAL     0x20
#define V2_PROXY     0x21
#define TLV_CRC32C   0x03
#define TLV_UNIQUE   0x05
#define UNIQUE_MAX   128 /* bytes */

/* The families and transports of byte 14 (2.2), and how long their addresses are. Only TCP's are
 * those of a client here; with the others the proxy's own address is used. */
static const struct proxy_family {
	unsigned char byte;
	unsigned short size;
	unsigned char address; /* bytes of the source, which comes first; 0: not used */
} families[] = {
	{ 0x11, 12, 4 },
	{ 0x12, 12, 0 },
	{ 0x21, 36, 16 },
	{ 0x22, 36, 0 },
	{ 0x31, 216, 0 },
	{ 0x32, 216, 0 },
};

/* ---- version 1 (2.1) ---- */
static bool
word_take(struct slice *rest, struct slice *word)
{
	const char *blank = rest->len == 0 ? NULL : memchr(rest->p, ' ', rest->len);

	*word = *rest;
	if (blank != NULL)
		word->len = (size_t)(blank - rest->p);
	rest->p += word->len + (blank != NULL);
	rest->len -= word->len + (blank != NULL);
	return word->len > 0 && (blank != NULL || rest->len == 0);
}

/* 0 to 65535 in decimal, without a leading zero. */
static bool
proxy_port_is_valid(struct slice s)
{
	unsigned value = 0;

	if (s.len == 0 || s.len > 5 || (s.len > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		value = value * 10 + (unsigned)(s.p[i] - '0');
	}
	return value <= 65535;
}

/* The line without its prefix and CRLF. A blank at its end would leave an empty last word. */
static enum proxy_event
v1_read(struct proxy_header *h, struct slice rest)
{
	struct slice word, source, destination, port[2];
	struct in6_addr unused;
	int family;

	if (slice_is(rest, "UNKNOWN") || slice_starts(rest, "UNKNOWN "))
		return PROXY_DONE;
	if (rest.len == 0 || rest.p[rest.len - 1] == ' ' || !word_take(&rest, &word))
		return PROXY_ERROR;
	if (!slice_is(word, "TCP4") && !slice_is(word, "TCP6"))
		return PROXY_ERROR;
	family = slice_is(word, "TCP4") ? AF_INET : AF_INET6;
	if (!word_take(&rest, &source) || !word_take(&rest, &destination) ||
	    !word_take(&rest, &port[0]) || !word_take(&rest, &port[1]) || rest.len > 0)
		return PROXY_ERROR;
	if (!address_read(source, family, &h->source) ||
	    !address_read(destination, family, &unused) || !proxy_port_is_valid(port[0]) ||
	    !proxy_port_is_valid(port[1]))
		return PROXY_ERROR;
	h->has_source = true;
	return PROXY_DONE;
}

/* After each byte: CR is followed by LF, and neither stands alone. */
static enum proxy_event
v1_grown(struct proxy_header *h)
{
	size_t n = h->bytes->len, prefix = sizeof(V1_PREFIX) - 1;
	const char *p = h->bytes->data;
	bool had_cr = n > 1 && p[n - 2] == '\r';

	if (n <= prefix)
		return p[n - 1] == V1_PREFIX[n - 1] ? PROXY_MORE : PROXY_ERROR;
	if (had_cr != (p[n - 1] == '\n') || p[n - 1] == '\0')
		return PROXY_ERROR;
	if (had_cr)
		return v1_read(h, slice_of(p + prefix, n - prefix - 2));
	return n < PROXY_V1_MAX ? PROXY_MORE : PROXY_ERROR;
}

/* ---- version 2 (2.2) ---- */
static unsigned
v2_number(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* CRC-32C (RFC 9260, appendix B), a bit at a time: the header is short. The four bytes at `zeroed`
 * count as zeroes (2.2.3). */
static uint32_t
v2_crc(const unsigned char *p, size_t n, size_t zeroed)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= i >= zeroed && i < zeroed + 4 ? 0 : p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static bool
v2_crc_is_right(const unsigned char *p, size_t n, size_t at)
{
	uint32_t told = (uint32_t)v2_number(p + at) << 16 | v2_number(p + at + 2);

	return v2_crc(p, n, at) == told;
}

/* Type, length, value, one after the other to the header's last byte; unknown ones are skipped. */
static bool
v2_tlvs_fit(const unsigned char *p, size_t at, size_t n)
{
	while (at < n) {
		unsigned size;

		if (n - at < 3)
			return false;
		size = v2_number(p + at + 1);
		if (size > n - at - 3)
			return false;
		if (p[at] == TLV_UNIQUE && size > UNIQUE_MAX)
			return false;
		if (p[at] == TLV_CRC32C && (size != 4 || !v2_crc_is_right(p, n, at + 3)))
			return false;
		at += 3 + size;
	}
	return true;
}

static const struct proxy_family *
v2_family(unsigned char byte)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (families[i].byte == byte)
			return &families[i];
	return NULL;
}

/* The whole header. What the proxy says for itself, and what has no family, is skipped unread. */
static enum proxy_event
v2_read(struct proxy_header *h)
{
	const unsigned char *p = (const unsigned char *)h->bytes->data;
	const struct proxy_family *family = v2_family(p[13]);

	h->is_local = p[12] == V2_LOCAL;
	if (h->is_local || p[13] == 0)
		return PROXY_DONE;
	if (!v2_tlvs_fit(p, V2_FIXED + (size_t)family->size, h->bytes->len))
		return PROXY_ERROR;
	if (family->address == 0)
		return PROXY_DONE;
	h->source = (struct in6_addr){ .s6_addr = { 0 } };
	if (family->address == 4)
		h->source.s6_addr[10] = h->source.s6_addr[11] = 0xff;
	memcpy(&h->source.s6_addr[16 - family->address], p + V2_FIXED, family->address);
	h->has_source = true;
	return PROXY_DONE;
}

/* The bytes 13 and 14; a length that is too short for the family, or longer than is ever sent. */
static bool
v2_fixed_is_right(const unsigned char *p)
{
	const struct proxy_family *family = v2_family(p[13]);
	unsigned length = v2_number(p + 14);

	if (length > PROXY_V2_MAX - V2_FIXED)
		return false;
	if (p[12] == V2_LOCAL)
		return true;
	return p[12] == V2_PROXY && (p[13] == 0 || (family != NULL && length >= family->size));
}

static enum proxy_event
v2_grown(struct proxy_header *h)
{
	const unsigned char *p = (const unsigned char *)h->bytes->data;
	size_t n = h->bytes->len, signature = sizeof(V2_SIGNATURE) - 1;

	if (n <= signature)
		return p[n - 1] == (unsigned char)V2_SIGNATURE[n - 1] ? PROXY_MORE : PROXY_ERROR;
	if (n < V2_FIXED)
		return PROXY_MORE;
	if (n == V2_FIXED && !v2_fixed_is_right(p))
		return PROXY_ERROR;
	return n == V2_FIXED + (size_t)v2_number(p + 14) ? v2_read(h) : PROXY_MORE;
}

enum proxy_event
proxy_header_feed(struct proxy_header *h, struct slice *in)
{
	enum proxy_event event = PROXY_MORE;

	while (event == PROXY_MORE && in->len > 0) {
		if (!buf_putc(h->bytes, in->p[0]))
			return PROXY_ERROR;
		in->p++;
		in->len--;
		event = h->bytes->data[0] == V1_PREFIX[0] ? v1_grown(h) : v2_grown(h);
	}
	return event;
}
