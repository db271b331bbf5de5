/* SPDX-License-Identifier: MIT */
/*
 * random.c: OpenSSL's generator, and ids drawn from it.
 */
#include "tenantgate/base/random.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include <openssl/rand.h>

/* No 0 1 i I l L o O. */
static const char id_letters[] = "23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ";
#define ID_LETTERS (sizeof(id_letters) - 1)
_Static_assert(ID_LETTERS == 54, "as random.h says");

void
bytes_random(void *p, size_t n)
{
	if (n > INT_MAX || RAND_bytes(p, (int)n) != 1)
		abort();
}

/* A thread's random bytes in advance: the generator's price is that of asking it. A byte is wiped
 * as it is used. */
struct id_pool {
	uint8_t bytes[512];
	size_t left;
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
	/* Bytes past the last whole multiple are thrown away: every letter stays equally likely. */
	const unsigned fair = 256 / ID_LETTERS * ID_LETTERS;
	size_t made = 0;

	while (made < n) {
		uint8_t byte = id_byte(&id_pool);

		if (byte < fair)
			out[made++] = id_letters[byte % ID_LETTERS];
	}
	out[n] = '\0';
}
