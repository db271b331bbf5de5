/* SPDX-License-Identifier: MIT */
/*
 * random.c: OpenSSL's random generator, and ids, keys and passwords drawn from it.
 */
#include "tenantgate/base/random.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include <openssl/rand.h>

/* Without 0 1 i I l L o O, which people confuse when they copy a key by hand. */
static const char id_alphabet[] = "23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ";
#define ID_ALPHABET (sizeof(id_alphabet) - 1)
_Static_assert(ID_ALPHABET == 54, "as random.h says");

/* RAND_bytes() returns 1 only for bytes that are fit for keys. */
void
bytes_random(void *p, size_t n)
{
	if (n > INT_MAX || RAND_bytes(p, (int)n) != 1)
		abort();
}

/* Random bytes that a thread has drawn in advance: a call of the generator costs far more than the
 * bytes, and every request has an id. A byte is wiped as it is used, for keys are made here too. */
struct id_pool {
	uint8_t bytes[512];
	size_t left; /* unused, from the front */
};
static _Thread_local struct id_pool id_pool;

static uint8_t
id_byte(struct id_pool *pool)
{
	uint8_t byte;

	if (pool->left == 0) {
		bytes_random(pool->bytes, sizeof(pool->bytes));
		pool->left = sizeof(pool->bytes);
	}
	byte = pool->bytes[--pool->left];
	pool->bytes[pool->left] = 0;
	return byte;
}

void
id_random(char *out, size_t n)
{
	/* 256 is no multiple of 54: with a plain remainder, the first characters of the alphabet
	 * would be more likely than the others. Bytes past the last multiple are thrown away. */
	const unsigned fair = 256 / ID_ALPHABET * ID_ALPHABET;
	size_t made = 0;

	while (made < n) {
		uint8_t byte = id_byte(&id_pool);

		if (byte < fair)
			out[made++] = id_alphabet[byte % ID_ALPHABET];
	}
	out[n] = '\0';
}
