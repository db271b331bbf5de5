/* SPDX-License-Identifier: MIT */
/*
 * tls_records: a client's records of TLS 1.3, made by hand with the secret of an open session, so
 * that a message may be cut where no library cuts it. For TLS_AES_128_GCM_SHA256.
 */
#ifndef TENANTGATE_TESTS_TLS_RECORDS_H
#define TENANTGATE_TESTS_TLS_RECORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>

#include "tenantgate/base/digest.h"

#define RECORD_MORE 22 /* header, type and tag of a record (RFC 8446 5.2) */

struct record_writer {
	uint8_t		secret[SHA256_SIZE], key[SHA256_SIZE], iv[SHA256_SIZE];
	uint64_t	sequence;
};

/* HKDF-Expand-Label without a context (RFC 8446 7.1), of 32 bytes at most. */
static inline void
record_expand(const uint8_t secret[SHA256_SIZE], const char *label, uint8_t n,
    uint8_t out[SHA256_SIZE])
{
	char info[64];
	int len = snprintf(info, sizeof(info), "%c%c%ctls13 %s%c%c", 0, n,
	    (int)(strlen("tls13 ") + strlen(label)), label, 0, 1);

	hmac_sha256(slice_of((const char *)secret, SHA256_SIZE), slice_of(info, (size_t)len), out);
}

static inline void
record_keys(struct record_writer *w)
{
	record_expand(w->secret, "key", 16, w->key);
	record_expand(w->secret, "iv", 12, w->iv);
	w->sequence = 0;
}

/* Behind a KeyUpdate (RFC 8446 7.2). */
static inline void
record_update(struct record_writer *w)
{
	uint8_t next[SHA256_SIZE];

	record_expand(w->secret, "traffic upd", SHA256_SIZE, next);
	memcpy(w->secret, next, sizeof(next));
	record_keys(w);
}

/* Into `out`, of n + RECORD_MORE bytes; gives that number. */
static inline size_t
record_write(struct record_writer *w, uint8_t type, const void *p, size_t n, uint8_t *out)
{
	size_t inner = n + 1 + 16;
	uint8_t nonce[12];
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int len;

	memcpy(out, (uint8_t[]){ 23, 3, 3, (uint8_t)(inner >> 8), (uint8_t)inner }, 5);
	memcpy(nonce, w->iv, sizeof(nonce));
	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] ^= (uint8_t)(w->sequence >> (56 - 8 * i));
	w->sequence++;
	EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, w->key, nonce);
	EVP_EncryptUpdate(cipher, NULL, &len, out, 5);
	EVP_EncryptUpdate(cipher, out + 5, &len, p, (int)n);
	EVP_EncryptUpdate(cipher, out + 5 + n, &len, &type, 1);
	EVP_EncryptFinal_ex(cipher, out + 5 + inner, &len);
	EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, out + 5 + n + 1);
	EVP_CIPHER_CTX_free(cipher);
	return n + RECORD_MORE;
}

#endif
