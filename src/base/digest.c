/* SPDX-License-Identifier: MIT */
/*
 * digest.c: SHA-256 and HMAC by OpenSSL. They fail only when OpenSSL has no memory or was built
 * without the algorithm; a key or a name made from a digest that is not one would be worse than no
 * process.
 */
#include "tenantgate/base/digest.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

void
sha256(struct slice in, uint8_t out[SHA256_SIZE])
{
	unsigned size = SHA256_SIZE;

	/* An empty slice may hold NULL; OpenSSL is handed an address all the same. */
	if (EVP_Digest(in.len == 0 ? "" : in.p, in.len, out, &size, EVP_sha256(), NULL) != 1)
		abort();
}

static void
digest_hex(const uint8_t raw[SHA256_SIZE], char out[SHA256_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_SIZE; i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 0xf];
	}
	out[2 * SHA256_SIZE] = '\0';
}

void
sha256_hex(struct slice in, char out[SHA256_HEX_SIZE])
{
	uint8_t raw[SHA256_SIZE];

	sha256(in, raw);
	digest_hex(raw, out);
}

/* A struct sha256_sum is OpenSSL's context under a name of ours. */
struct sha256_sum *
sha256_begin(void)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
		abort();
	return (struct sha256_sum *)context;
}

void
sha256_add(struct sha256_sum *sum, struct slice in)
{
	if (in.len > 0 && EVP_DigestUpdate((EVP_MD_CTX *)sum, in.p, in.len) != 1)
		abort();
}

void
sha256_end_hex(struct sha256_sum *sum, char out[SHA256_HEX_SIZE])
{
	uint8_t raw[SHA256_SIZE];

	if (EVP_DigestFinal_ex((EVP_MD_CTX *)sum, raw, NULL) != 1)
		abort();
	EVP_MD_CTX_free((EVP_MD_CTX *)sum);
	digest_hex(raw, out);
}

void
hmac_sha256(struct slice key, struct slice in, uint8_t out[SHA256_SIZE])
{
	const unsigned char *bytes = (const unsigned char *)(in.len == 0 ? "" : in.p);
	unsigned size = SHA256_SIZE;

	assert(key.len <= INT_MAX);
	if (HMAC(EVP_sha256(), key.len == 0 ? "" : key.p, (int)key.len, bytes, in.len, out,
		&size) == NULL)
		abort();
}
