/* SPDX-License-Identifier: MIT */
/*
 * public_key: OpenSSL 3 by its EVP calls, which check that a point is on its curve. What OpenSSL
 * notes of a refusal is cleared, or it would be taken for a later call's.
 */
#include "tenantgate/base/public_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "tenantgate/base/secret.h"

#define COORDINATE_MAX 66
#define RSA_BITS_QUICK 3072
#define EC_BITS_QUICK  256
#define DER_MAX	       160 /* of a signature of P-521 */
#define ED25519_SIZE   64  /* of a signature */

/* Just OpenSSL's: a name of our own, so that no header of its is needed elsewhere. */
static EVP_PKEY *
evp_of(const struct public_key *key)
{
	return (EVP_PKEY *)(void *)key;
}

static struct public_key *
evp_keep(EVP_PKEY *evp)
{
	ERR_clear_error();
	return (struct public_key *)(void *)evp;
}

static const unsigned char *
bytes_of(struct slice s)
{
	return (const unsigned char *)s.p;
}

/* ---- keys ---- */

static EVP_PKEY *
key_of_params(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *
rsa_of_numbers(const BIGNUM *n, const BIGNUM *e)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key;

	if (bld != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		params = OSSL_PARAM_BLD_to_param(bld);
	key = key_of_params("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static bool
is_rsa(const BIGNUM *n, const BIGNUM *e)
{
	return n != NULL && e != NULL && BN_num_bits(n) >= 8 * RSA_BYTES_MIN && BN_is_odd(n) &&
	    BN_is_odd(e) && !BN_is_one(e);
}

struct public_key *
public_key_rsa(struct slice modulus, struct slice exponent)
{
	EVP_PKEY *key = NULL;
	BIGNUM *n, *e;

	if (modulus.len < RSA_BYTES_MIN || modulus.len > RSA_BYTES_MAX || exponent.len == 0 ||
	    exponent.len > RSA_EXPONENT_MAX)
		return NULL;
	n = BN_bin2bn(bytes_of(modulus), (int)modulus.len, NULL);
	e = BN_bin2bn(bytes_of(exponent), (int)exponent.len, NULL);
	if (is_rsa(n, e))
		key = rsa_of_numbers(n, e);
	BN_free(n);
	BN_free(e);
	return evp_keep(key);
}

static const struct {
	const char *name, *group; /* OpenSSL's */
	size_t bytes;
} curves[] = {
	{ "P-256", "prime256v1", 32 },
	{ "P-384", "secp384r1", 48 },
	{ "P-521", "secp521r1", COORDINATE_MAX },
};

#define CURVES (sizeof(curves) / sizeof(curves[0]))

static size_t
curve_index(const char *name)
{
	size_t i = 0;

	while (i < CURVES && strcmp(curves[i].name, name) != 0)
		i++;
	return i;
}

size_t
curve_bytes(const char *name)
{
	size_t i = curve_index(name);

	return i < CURVES ? curves[i].bytes : 0;
}

struct public_key *
public_key_ec(const char *curve, struct slice x, struct slice y)
{
	unsigned char point[1 + 2 * COORDINATE_MAX] = { POINT_CONVERSION_UNCOMPRESSED };
	size_t i = curve_index(curve);
	OSSL_PARAM params[] = { OSSL_PARAM_END, OSSL_PARAM_END, OSSL_PARAM_END };

	if (i == CURVES || x.len != curves[i].bytes || y.len != curves[i].bytes)
		return NULL;
	memcpy(point + 1, x.p, x.len);
	memcpy(point + 1 + x.len, y.p, y.len);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
	    (char *)curves[i].group, 0);
	params[1] =
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + x.len + y.len);
	return evp_keep(key_of_params("EC", params));
}

/* y of the points whose order is 8 or divides it, little-endian, and of two of them what is as much
 * by p = 2^255 - 19. To such a key anybody has a signature of any text, soon. */
/* clang-format off */
static const unsigned char small_orders[][ED25519_KEY_SIZE] = {
	{ 0x00 },
	{ 0x01 },
	{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89,
	    0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
	    0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
	{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76,
	    0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
	    0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};
/* clang-format on */

/* Whatever the sign of x, which is the last bit. */
static bool
is_of_small_order(struct slice key)
{
	unsigned char y[ED25519_KEY_SIZE];

	memcpy(y, key.p, sizeof(y));
	y[sizeof(y) - 1] &= 0x7f;
	for (size_t i = 0; i < sizeof(small_orders) / sizeof(small_orders[0]); i++)
		if (memcmp(y, small_orders[i], sizeof(y)) == 0)
			return true;
	return false;
}

struct public_key *
public_key_ed25519(struct slice key)
{
	if (key.len != ED25519_KEY_SIZE || is_of_small_order(key))
		return NULL;
	return evp_keep(
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes_of(key), key.len));
}

void
public_key_free(struct public_key *key)
{
	EVP_PKEY_free(evp_of(key));
}

bool
public_key_is_slow(const struct public_key *key)
{
	int type = EVP_PKEY_get_base_id(evp_of(key)), bits = EVP_PKEY_get_bits(evp_of(key));

	return (type == EVP_PKEY_RSA && bits > RSA_BITS_QUICK) ||
	    (type == EVP_PKEY_EC && bits > EC_BITS_QUICK);
}

/* ---- signatures ---- */

static bool
pad_as_pss(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
evp_verifies(const struct public_key *key, bool is_pss, const char *digest, struct slice text,
    const unsigned char *signature, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *form = NULL; /* borrowed from ctx */
	bool good;

	good = ctx != NULL &&
	    EVP_DigestVerifyInit_ex(ctx, &form, digest, NULL, NULL, evp_of(key), NULL) == 1 &&
	    (!is_pss || pad_as_pss(form)) &&
	    EVP_DigestVerify(ctx, signature, len, bytes_of(text), text.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

/* OpenSSL wants r and s in DER. 0: there is no memory. */
static size_t
ecdsa_to_der(struct slice raw, unsigned char out[DER_MAX])
{
	int half = (int)(raw.len / 2), len = 0;
	BIGNUM *r = BN_bin2bn(bytes_of(raw), half, NULL);
	BIGNUM *s = BN_bin2bn(bytes_of(raw) + half, half, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();

	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		len = i2d_ECDSA_SIG(sig, NULL);
		len = len > 0 && len <= DER_MAX ? i2d_ECDSA_SIG(sig, &out) : 0;
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return len > 0 ? (size_t)len : 0;
}

static bool
ecdsa_verifies(const struct public_key *key, const char *digest, struct slice text,
    struct slice signature)
{
	size_t coordinate = ((size_t)EVP_PKEY_get_bits(evp_of(key)) + 7) / 8, len;
	unsigned char der[DER_MAX];

	if (signature.len != 2 * coordinate)
		return false;
	len = ecdsa_to_der(signature, der);
	return len > 0 && evp_verifies(key, false, digest, text, der, len);
}

bool
public_key_verifies(const struct public_key *key, enum signature_form form, const char *digest,
    struct slice text, struct slice signature)
{
	size_t len =
	    form == SIGNATURE_ED25519 ? ED25519_SIZE : (size_t)EVP_PKEY_get_size(evp_of(key));
	bool good;

	if (form == SIGNATURE_ECDSA)
		good = ecdsa_verifies(key, digest, text, signature);
	else
		good = signature.len == len &&
		    evp_verifies(key, form == SIGNATURE_PSS, digest, text, bytes_of(signature),
			signature.len);
	ERR_clear_error();
	return good;
}

bool
secret_verifies(struct slice secret, const char *digest, struct slice text, struct slice mac)
{
	unsigned char own[EVP_MAX_MD_SIZE];
	size_t len = 0;

	if (EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, secret.p, secret.len, bytes_of(text),
		text.len, own, sizeof(own), &len) == NULL)
		len = 0;
	ERR_clear_error();
	return len > 0 && mac.len == len && bytes_equal_ct(own, mac.p, len);
}
