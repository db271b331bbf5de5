/* SPDX-License-Identifier: MIT */
/*
 * secret.c: OpenSSL's functions for secrets, made safe for an empty range (NULL, 0).
 */
#include "tenantgate/base/secret.h"

#include <openssl/crypto.h>

bool
bytes_equal_ct(const void *a, const void *b, size_t n)
{
	return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

void
bytes_wipe(void *p, size_t n)
{
	if (n > 0)
		OPENSSL_cleanse(p, n);
}

/* The whole capacity, for bytes past len may be what the buf held before a reset or a drop. */
void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		bytes_wipe(b->data, b->cap);
	buf_free(b);
}
