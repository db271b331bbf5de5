/* SPDX-License-Identifier: MIT */
/*
 * seal.c: secrets encrypted and authenticated by AES-256-GCM, as text. The first key encrypts; the
 * key whose id is in the box decrypts. A box, before it is written in base64url, is
 *
 *	key id 4 | nonce 12 | ciphertext | tag 16		(bytes)
 *
 * Two boxes of one key with the same nonce would show how their texts differ, and how to forge
 * others. Nonces are random, with which NIST SP 800-38D (section 8.3) allows 2^32 encryptions a
 * key; a catalog holds far fewer secrets.
 *
 * The key id is no secret: it is a hash of a random key of 256 bits, cut to 32. It is not
 * authenticated either; a wrong one leads to another key, with which the tag does not fit.
 */
#include "tenantgate/base/seal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/b64.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/hex.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

#define SEAL_MARK      "tgs1." /* begins every sealed text; the digit is the format's version */
#define SEAL_PLAIN_MAX (1024 * 1024) /* bytes; EVP counts in int */

enum { KEY_ID_SIZE = 4, NONCE_SIZE = 12, TAG_SIZE = 16 };
enum { HEAD_SIZE = KEY_ID_SIZE + NONCE_SIZE, BOX_OVERHEAD = HEAD_SIZE + TAG_SIZE };

struct seal_key {
	uint8_t id[KEY_ID_SIZE]; /* the first bytes of SHA-256(bytes) */
	uint8_t bytes[SEAL_KEY_SIZE];
};

struct seal {
	size_t nkeys;
	struct seal_key keys[SEAL_KEYS_MAX]; /* the first one encrypts */
};

static bool
seal_key_read(struct seal_key *key, struct slice hex)
{
	uint8_t digest[SHA256_SIZE];
	size_t i;

	if (hex.len != 2 * SEAL_KEY_SIZE)
		return false;
	for (i = 0; i < SEAL_KEY_SIZE; i++) {
		int high = hex_value(hex.p[2 * i]), low = hex_value(hex.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key->bytes[i] = (uint8_t)(high << 4 | low);
	}
	sha256(slice_of((const char *)key->bytes, SEAL_KEY_SIZE), digest);
	memcpy(key->id, digest, KEY_ID_SIZE);
	return true;
}

/* Spaces around the commas are allowed; an empty list or an empty key is not. */
static bool
seal_keys_read(struct seal *s, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, ",");
		struct slice hex = slice_trim(slice_of(text, n));

		if (s->nkeys == SEAL_KEYS_MAX || !seal_key_read(&s->keys[s->nkeys], hex))
			return false;
		s->nkeys++;
		if (text[n] == '\0')
			return true;
		text += n + 1;
	}
}

struct seal *
seal_new(const char *hex_keys)
{
	struct seal *s;

	if (hex_keys == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	if (!seal_keys_read(s, hex_keys)) {
		seal_free(s);
		return NULL;
	}
	return s;
}

void
seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	bytes_wipe(s, sizeof(*s));
	free(s);
}

/* box: key id and nonce are written; ciphertext and tag go behind them. An EVP_EncryptUpdate()
 * without an output is how EVP takes data that is authenticated only. False when OpenSSL fails. */
static bool
box_encrypt(const struct seal_key *key, struct slice plain, struct slice context, uint8_t *box)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t *text = box + HEAD_SIZE;
	int n;
	bool ok;

	ok = c != NULL &&
	    EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->bytes, box + KEY_ID_SIZE) == 1 &&
	    EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)context.p, (int)context.len) == 1 &&
	    EVP_EncryptUpdate(c, text, &n, (const uint8_t *)plain.p, (int)plain.len) == 1 &&
	    EVP_EncryptFinal_ex(c, text + plain.len, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, text + plain.len) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok;
}

/* An empty slice may hold NULL, which EVP would take for the end of the data. */
static struct slice
never_null(struct slice s)
{
	return s.len == 0 ? SLICE_LIT("") : s;
}

/* No secret stays behind in `raw`: OpenSSL reads the plain text where it is and writes only the
 * ciphertext there. */
bool
seal_encrypt(const struct seal *s, struct slice plain, struct slice context, struct buf *out)
{
	struct buf raw;
	uint8_t *box;
	bool ok;

	if (plain.len > SEAL_PLAIN_MAX || context.len > INT_MAX)
		return false;
	buf_init(&raw, SEAL_PLAIN_MAX + BOX_OVERHEAD);
	box = (uint8_t *)buf_extend(&raw, plain.len + BOX_OVERHEAD);
	if (box == NULL)
		return false;
	memcpy(box, s->keys[0].id, KEY_ID_SIZE);
	bytes_random(box + KEY_ID_SIZE, NONCE_SIZE);
	ok = box_encrypt(&s->keys[0], never_null(plain), never_null(context), box) &&
	    buf_puts(out, SEAL_MARK) && b64url_put(out, buf_view(&raw));
	buf_free(&raw);
	return ok;
}

/* The key whose id the box begins with, or NULL. */
static const struct seal_key *
seal_key_of(const struct seal *s, const uint8_t *box)
{
	size_t i;

	for (i = 0; i < s->nkeys; i++) {
		if (memcmp(s->keys[i].id, box, KEY_ID_SIZE) == 0)
			return &s->keys[i];
	}
	return NULL;
}

/* False when the tag does not fit. `out` then holds bytes that were decrypted but not
 * authenticated: the caller must not let them be seen. */
static bool
box_decrypt(const struct seal_key *key, uint8_t *box, int size, struct slice context, uint8_t *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t *text = box + HEAD_SIZE;
	int n;
	bool ok;

	ok = c != NULL &&
	    EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->bytes, box + KEY_ID_SIZE) == 1 &&
	    EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)context.p, (int)context.len) == 1 &&
	    EVP_DecryptUpdate(c, out, &n, text, size) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, text + size) == 1 &&
	    EVP_DecryptFinal_ex(c, out + size, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok;
}

/* raw: a whole box. When it is not authentic, nothing of it stays in out, past its end included. */
static bool
box_open(const struct seal *s, struct buf *raw, struct slice context, struct buf *out)
{
	const struct seal_key *key;
	size_t size, before = out->len;
	uint8_t *plain;

	if (raw->len < BOX_OVERHEAD)
		return false;
	size = raw->len - BOX_OVERHEAD;
	key = seal_key_of(s, (const uint8_t *)raw->data);
	if (key == NULL)
		return false;
	plain = (uint8_t *)buf_extend(out, size);
	if (plain == NULL)
		return false;
	if (box_decrypt(key, (uint8_t *)raw->data, (int)size, never_null(context), plain))
		return true;
	bytes_wipe(plain, size);
	out->len = before;
	out->data[before] = '\0';
	return false;
}

/* Whatever is wrong, the result is the same: the mark, the base64, the key and the tag are not told
 * apart, for the caller could not do anything else in each case. */
bool
seal_decrypt(const struct seal *s, struct slice sealed, struct slice context, struct buf *out)
{
	const size_t mark = sizeof(SEAL_MARK) - 1;
	struct buf raw;
	bool ok;

	if (!slice_starts(sealed, SEAL_MARK) || context.len > INT_MAX)
		return false;
	buf_init(&raw, SEAL_PLAIN_MAX + BOX_OVERHEAD);
	ok = b64url_get(&raw, slice_of(sealed.p + mark, sealed.len - mark)) &&
	    box_open(s, &raw, context, out);
	buf_free(&raw);
	return ok;
}

bool
seal_derive_of(const struct seal *s, size_t n, const char *purpose, uint8_t out[SEAL_KEY_SIZE])
{
	_Static_assert(SHA256_SIZE == SEAL_KEY_SIZE, "an HMAC is a key");

	if (n >= s->nkeys)
		return false;
	hmac_sha256(slice_of((const char *)s->keys[n].bytes, SEAL_KEY_SIZE), slice_str(purpose),
	    out);
	return true;
}

void
seal_derive(const struct seal *s, const char *purpose, uint8_t out[SEAL_KEY_SIZE])
{
	(void)seal_derive_of(s, 0, purpose, out);
}

/* The mark, and the first 30 bits of the key's id. */
static void
seal_key_prefix(const struct seal_key *key, char out[SEAL_PREFIX_LEN + 1])
{
	struct buf b;

	buf_init(&b, 64);
	if (!buf_puts(&b, SEAL_MARK) ||
	    !b64url_put(&b, slice_of((const char *)key->id, KEY_ID_SIZE)))
		abort(); /* without memory for a few bytes */
	memcpy(out, b.data, SEAL_PREFIX_LEN);
	out[SEAL_PREFIX_LEN] = '\0';
	buf_free(&b);
}

void
seal_prefix(const struct seal *s, char out[SEAL_PREFIX_LEN + 1])
{
	seal_key_prefix(&s->keys[0], out);
}

bool
seal_prefix_of(const struct seal *s, size_t n, char out[SEAL_PREFIX_LEN + 1])
{
	if (n >= s->nkeys)
		return false;
	seal_key_prefix(&s->keys[n], out);
	return true;
}

bool
seal_knows(const struct seal *s, struct slice sealed)
{
	char prefix[SEAL_PREFIX_LEN + 1];
	size_t i;

	for (i = 0; i < s->nkeys; i++) {
		seal_key_prefix(&s->keys[i], prefix);
		if (slice_starts(sealed, prefix))
			return true;
	}
	return false;
}
