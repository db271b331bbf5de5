/* SPDX-License-Identifier: MIT */
/*
 * siphash.c: SipHash-2-4, after "SipHash: a fast short-input PRF" by Aumasson and Bernstein (2
 * rounds a word, 4 at the end). It is our own code because OpenSSL's needs an allocated context for
 * each hash, which costs more than the look-ups it would serve; the tests compare the two.
 */
#include "base/siphash.h"

#include <string.h>

/* The internal state, by the paper's names. */
struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t
rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

/* Words are little-endian, whatever the machine. memcpy: p need not be aligned. */
static uint64_t
word_at(const void *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

static void
sip_rounds(struct sip *s, int rounds)
{
	for (; rounds > 0; rounds--) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

/* The paper's compression: one message word, c = 2 rounds. */
static void
sip_word(struct sip *s, uint64_t w)
{
	s->v3 ^= w;
	sip_rounds(s, 2);
	s->v0 ^= w;
}

uint64_t
siphash(const uint8_t key[SIPHASH_KEY_SIZE], struct slice in)
{
	uint64_t k0 = word_at(key), k1 = word_at(key + 8);
	/* The paper's constants: "somepseudorandomlygeneratedbytes". */
	struct sip s = { k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573) };
	uint8_t tail[8] = { 0 };
	size_t i, whole = in.len / 8 * 8;

	for (i = 0; i < whole; i += 8)
		sip_word(&s, word_at(in.p + i));
	if (in.len > whole)
		memcpy(tail, in.p + whole, in.len - whole);
	/* The last word: what is left of the message, and the length modulo 256. */
	tail[7] = (uint8_t)in.len;
	sip_word(&s, word_at(tail));
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
