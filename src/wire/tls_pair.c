/* SPDX-License-Identifier: MIT */
/*
 * tls_pair: one certificate and its private key, read by OpenSSL from PEM files. Nobody is asked
 * for a passphrase: a key that has one is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/wire/pem.h"
#include "wire/tls_internal.h"

#define RSA_BITS_MIN 2048

/* pem_password_cb */
static int
no_passphrase(char *out, int size, int writes, void *was_asked)
{
	(void)out;
	(void)size;
	(void)writes;
	*(bool *)was_asked = true;
	return -1;
}

static bool
read_certificate(SSL_CTX *ctx, const char *path, struct err *err)
{
	struct err why = { .code = ERR_NONE };
	unsigned long reason;

	if (!pem_has_certificates(path, &why)) {
		err_set(err, ERR_CONF, "%s", why.detail);
		return false;
	}
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, path) == 1)
		return true;
	reason = ERR_peek_last_error();
	if (ERR_GET_REASON(reason) == SSL_R_EE_KEY_TOO_SMALL)
		err_set(err, ERR_CONF,
		    "%.160s has a key that is too short; take 2048 bits or more.", path);
	else
		err_set(err, ERR_CONF,
		    "%.160s has a certificate in it that may not be used (%s); take another.", path,
		    ERR_reason_error_string(reason));
	ERR_clear_error();
	return false;
}

/* NULL with err set. The caller's to free. */
static EVP_PKEY *
read_key(const char *path, struct err *err)
{
	bool has_passphrase = false;
	FILE *f = pem_open(path);
	EVP_PKEY *key;

	if (f == NULL) {
		err_set(err, ERR_CONF,
		    "%.160s cannot be read (%s); let the user that serves read it.", path,
		    strerror(errno));
		return NULL;
	}
	key = PEM_read_PrivateKey(f, NULL, no_passphrase, &has_passphrase);
	(void)fclose(f);
	if (key == NULL && has_passphrase)
		err_set(err, ERR_CONF,
		    "%.160s has a key with a passphrase, for which nobody can be asked; take the "
		    "passphrase off (openssl pkey).",
		    path);
	else if (key == NULL)
		err_set(err, ERR_CONF, "%.160s has no private key in it; it must be PEM.", path);
	return key;
}

static bool
use_key(struct tls_pair *p, EVP_PKEY *key, const char *path, struct err *err)
{
	p->key_type = EVP_PKEY_get_base_id(key);
	if (p->key_type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
		err_set(err, ERR_CONF,
		    "%.160s has a key that is too short; take 2048 bits or more.", path);
	else if (SSL_CTX_use_PrivateKey(p->ctx, key) != 1 || SSL_CTX_check_private_key(p->ctx) != 1)
		err_set(err, ERR_CONF,
		    "%.160s has a private key that does not belong to the certificate %.80s.", path,
		    p->view.file);
	ERR_clear_error();
	return !err_is(err);
}

static int64_t
certificate_seconds(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static const char *
key_kind(const EVP_PKEY *key)
{
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? "EC" : "other";
	if (EVP_PKEY_get_bits(key) > 3072)
		return "RSA-4096";
	return EVP_PKEY_get_bits(key) > RSA_BITS_MIN ? "RSA-3072" : "RSA-2048";
}

/* RSA-2048 0.2 ms, P-256 0.02; RSA-3072 1.4, P-384 1 (OpenSSL 3.0). */
static bool
signs_quickly(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		return bits <= 256;
	case EVP_PKEY_RSA:
		return bits <= RSA_BITS_MIN;
	default:
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
	}
}

bool
tls_pair_read(struct tls_pair *p, const char *certificate, const char *key_path,
    enum tls_setting *setting, struct err *err)
{
	EVP_PKEY *key;
	bool is_good;

	*setting = TLS_SETTING_CERTIFICATE;
	if (!read_certificate(p->ctx, certificate, err))
		return false;
	p->view.file = xstrdup(certificate);
	*setting = TLS_SETTING_KEY;
	key = read_key(key_path, err);
	if (key == NULL)
		return false;
	is_good = use_key(p, key, key_path, err);
	p->view.key_kind = key_kind(key);
	p->signs_slowly = !signs_quickly(key);
	EVP_PKEY_free(key);
	p->view.not_before =
	    certificate_seconds(X509_get0_notBefore(SSL_CTX_get0_certificate(p->ctx)));
	p->view.not_after =
	    certificate_seconds(X509_get0_notAfter(SSL_CTX_get0_certificate(p->ctx)));
	return is_good;
}

/* What a certificate without names of hosts has (RFC 6125 6.4.4). */
static struct slice
common_name(X509 *certificate)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *text;

	if (at == -1)
		return slice_of(NULL, 0);
	text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	return slice_of((const char *)ASN1_STRING_get0_data(text),
	    (size_t)ASN1_STRING_length(text));
}

void
tls_pair_names(const struct tls_pair *p, struct tls_names *names, unsigned owner)
{
	X509 *certificate = SSL_CTX_get0_certificate(p->ctx);
	GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	unsigned before = names->count;

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

		if (name->type == GEN_DNS)
			(void)tls_names_add(names,
			    slice_of((const char *)ASN1_STRING_get0_data(name->d.dNSName),
				(size_t)ASN1_STRING_length(name->d.dNSName)),
			    owner);
	}
	GENERAL_NAMES_free(all);
	if (names->count == before)
		(void)tls_names_add(names, common_name(certificate), owner);
}

void
tls_pair_free(struct tls_pair *p)
{
	free((char *)(uintptr_t)p->view.file);
	free((char *)(uintptr_t)p->view.name);
	SSL_CTX_free(p->ctx);
}
