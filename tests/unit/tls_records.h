/* SPDX-License-Identifier: MIT */
/*
 * tls_records: a client's records, made by hand with the secret of an open session, so that a
 * message may be cut where no library cuts it. For AES_128_GCM_SHA256, of TLS 1.3 or 1.2.
 */
#ifndef TENANTGATE_TESTS_TLS_RECORDS_H
#define TENANTGATE_TESTS_TLS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tenantgate/base/digest.h"

#define RECORD_MORE 29 /* header, type or nonce, and tag of a record, at most */

struct record_writer {
	uint8_t		secret[SHA256_SIZE], key[SHA256_SIZE], iv[SHA256_SIZE];
	uint64_t	sequence;
	bool		is_older;	/* 1.2 */
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

/* Of TLS 1.2 (RFC 5246 5 and 6.3, RFC 5288 3): the first 16 and the ninth four bytes of the key
 * block are ours; its first record under them was Finished. */
static inline void
record_keys_older(struct record_writer *w, SSL *client)
{
	uint8_t master[48], seed[13 + 2 * 32], block[2 * SHA256_SIZE];
	uint8_t a[SHA256_SIZE + sizeof(seed)];
	struct slice secret = slice_of((const char *)master, sizeof(master));

	SSL_SESSION_get_master_key(SSL_get_session(client), master, sizeof(master));
	memcpy(seed, "key expansion", 13);
	SSL_get_server_random(client, seed + 13, 32);
	SSL_get_client_random(client, seed + 45, 32);
	memcpy(a + SHA256_SIZE, seed, sizeof(seed));
	hmac_sha256(secret, slice_of((const char *)seed, sizeof(seed)), a);
	hmac_sha256(secret, slice_of((const char *)a, sizeof(a)), block);
	hmac_sha256(secret, slice_of((const char *)a, SHA256_SIZE), w->iv);
	memcpy(a, w->iv, SHA256_SIZE);
	hmac_sha256(secret, slice_of((const char *)a, sizeof(a)), block + SHA256_SIZE);
	memcpy(w->key, block, 16);
	memcpy(w->iv, block + 32, 4);
	w->sequence = 1;
	w->is_older = true;
}

static inline void
record_number(uint64_t number, uint8_t out[8])
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(number >> (56 - 8 * i));
}

/* RFC 8446 5.2: the header is authenticated, and the type hidden behind the text. */
static inline size_t
record_newer(struct record_writer *w, uint8_t type, uint8_t *text, size_t n, uint8_t nonce[12],
    uint8_t head[13])
{
	uint8_t number[8];

	record_number(w->sequence, number);
	memcpy(nonce, w->iv, 12);
	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] ^= number[i];
	text[n] = type;
	memcpy(head, (uint8_t[]){ 23, 3, 3, 0, (uint8_t)(n + 1 + 16) }, 5);
	return n + 1;
}

/* RFC 5288 3, RFC 5246 6.2.3.3. */
static inline size_t
record_older(struct record_writer *w, uint8_t type, size_t n, uint8_t nonce[12], uint8_t head[13])
{
	memcpy(nonce, w->iv, 4);
	record_number(w->sequence, nonce + 4);
	record_number(w->sequence, head);
	memcpy(head + 8, (uint8_t[]){ type, 3, 3, 0, (uint8_t)n }, 5);
	return n;
}

/* Into `out`, of n + RECORD_MORE bytes; gives how many it has. n is 200 at most. */
static inline size_t
record_write(struct record_writer *w, uint8_t type, const void *p, size_t n, uint8_t *out)
{
	uint8_t nonce[12], head[13], *at = out + (w->is_older ? 13 : 5);
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int len;

	memcpy(at, p, n);
	n = w->is_older ? record_older(w, type, n, nonce, head)
			: record_newer(w, type, at, n, nonce, head);
	w->sequence++;
	EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, w->key, nonce);
	EVP_EncryptUpdate(cipher, NULL, &len, head, w->is_older ? 13 : 5);
	EVP_EncryptUpdate(cipher, at, &len, at, (int)n);
	EVP_EncryptFinal_ex(cipher, at + n, &len);
	EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, at + n);
	EVP_CIPHER_CTX_free(cipher);
	memcpy(out, (uint8_t[]){ head[w->is_older ? 8 : 0], 3, 3, 0,
			(uint8_t)(n + 16 + (w->is_older ? 8 : 0)) }, 5);
	if (w->is_older)
		memcpy(out + 5, nonce + 4, 8);
	return (size_t)(at - out) + n + 16;
}

#endif
